/*
 * wire_guess - the magic of `sluice decode`: which message are these bytes?
 */
#ifndef WIRE_GUESS_H
#define WIRE_GUESS_H

#include "base/bytes.h"

/* The message that bytes most likely are ("Entry", "Ticket", "Job", "WorkerStatus", "GrantBatch", ...)
   or NULL, by trying: readable, nothing unknown in it, and what must be there is.  JSON is NULL. */
const char *wire_guess(struct bytes payload);

#endif
