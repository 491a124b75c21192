/*
 * wire_nanopb - a nanopb message from bytes and to a buf.  Of this room only.
 */
#ifndef WIRE_NANOPB_H
#define WIRE_NANOPB_H

#include <pb.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

/* Fills message, which the caller has initialised; REJECT with `what` if the bytes are not one. */
MUST_USE struct err wire_nanopb_read(const pb_msgdesc_t *fields, void *message,
                                     struct bytes body, const char *what);
/* must(): every string of the message fits. */
void wire_nanopb_write(const pb_msgdesc_t *fields, const void *message, struct buf *to);

#endif
