/*
 * run_end - what is owed when a run has ended, as a list; whoever meets an ended run does the same.  Pure.
 *
 * Idempotent, in this order, and the result message last: a run with a result has had its duties done.
 */
#ifndef RUN_RUN_END_H
#define RUN_RUN_END_H

#include <stdbool.h>

#include "run/run_fold.h"

enum run_duty {
    DUTY_CLOSE_SESSION =
        1 << 0, /* an open or half-open session: close it at the upstream, CLOSED, the record */
    DUTY_KEEP_SESSION = 1 << 1, /* the record becomes free for a later run until keep is over */
    DUTY_CLEAR_LOCK   = 1 << 2, /* by an update expecting the revision read */
    DUTY_DEAD   = 1 << 3, /* worker lost too often, indeterminate: a message in SLUICE_DEAD */
    DUTY_RESULT = 1 << 4, /* always, last */
};

/* The set of duties of an ended run; 0 if it has not ended. */
unsigned run_end_duties(const struct run_fold *f);

/* The END of a run that never started: cancelled, or expired.  False: it is neither. */
bool run_end_unrun(const struct run_fold *f, int64_t now_wall_ms, struct entry_end *ret);

/* The message for SLUICE_DEAD: {"run_id","tenant","flow","status","code","detail","at"}. */
struct json;
struct json *run_end_dead(const struct run_fold *f);

#endif
