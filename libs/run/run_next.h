/*
 * run_next - what the holder of a lease does next: one decision from the fold.  Pure, told the time.
 *
 * The order is the design's: first what is in hand (a foreign INTENT: fence), then the settled step's
 * consequence, then CANCEL, deadlines, the last lost lease; then the lock; then the flow.
 */
#ifndef RUN_RUN_NEXT_H
#define RUN_RUN_NEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "run/run_flow.h"
#include "run/run_fold.h"

enum run_move_kind {
    MOVE_DUTIES, /* it has ended: the end duties, then ack */
    MOVE_OVER,   /* this wake is over (WAITING, a later wake): ack */
    MOVE_END, /* append END {status, code, detail, step} (the flow's result is evaluated if `done`) */
    MOVE_CLOSE, /* close the session (why), then CLOSED; with `step`: and go on there (restart) */
    MOVE_SETTLE, /* append OUTCOME{indeterminate} of a foreign INTENT, go_to = on.indeterminate or none */
    MOVE_WAIT_OUT, /* the lost holder's step may still run: wait until `until_ms` (wall), then reuse */
    MOVE_LOCK,  /* take the lock, then decide again */
    MOVE_ADOPT, /* take over a session that stands: its record by CAS, then decide again */
    MOVE_OPEN, /* open a session for `step` (an `open`, or the one a page step opens by itself) */
    MOVE_STEP, /* do `step` */
};

struct run_move {
    enum run_move_kind kind;
    const struct flow_step *step;
    bool setup; /* the step is run again for a later session */
    uint32_t attempt;
    enum run_status status; /* END */
    const char *code;       /* problem word */
    const char *detail;
    const char *why; /* CLOSE: "fence" "restart" "lost"; MOVE_SETTLE: why no branch is taken */
    const char *go_to; /* SETTLE */
    int64_t until_ms;
};

struct run_hand {
    uint64_t token; /* my lease */
    int64_t now_wall_ms;
    uint32_t lost_max; /* SLUICE_DELIVERIES */
    bool lock_held;    /* the record names this run */
    bool adopted;      /* the session's record carries my token */
    bool session_lost; /* the driver said: it is gone */
    bool
        sessions_only; /* the upstream has no one-shot calls (webdriver): every page step works in a session */
    bool unanswered; /* our own unsafe call had no good answer: fence it like a foreign one */
};

/* The step the flow stands at: after the last settled one, or where a restart said.  NULL: the flow is over. */
const struct flow_step *run_position(const struct flow *flow, const struct run_fold *f);

/* Where a lost session may be begun again; NULL: nowhere (an unsafe step began since, or the session was another's). */
const struct flow_step *run_restart_point(const struct flow *flow, const struct run_fold *f);

struct run_move run_next(const struct flow *flow, const struct run_fold *f,
                         const struct run_hand *hand);

#endif
