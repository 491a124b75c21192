/*
 * run_ticket - the ticket of a run's present wake, made from its journal.  Pure, told the time.
 */
#ifndef RUN_RUN_TICKET_H
#define RUN_RUN_TICKET_H

#include <stdint.h>

#include "run/run_fold.h"
#include "wire/wire_ticket.h"

/* Due from WAITING's or PLAN's stored time; durations count from now, when it will be stored. */
void run_ticket(const struct run_fold *f, enum ticket_cause cause, uint64_t cause_seq,
                int64_t now_wall_ms, struct ticket *ret);

#endif
