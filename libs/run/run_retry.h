/*
 * run_retry - what a failed attempt means for its run: again, with a new session, wait, or end.  Pure.
 *
 * Retries are decided per job and never hidden in a call.
 */
#ifndef RUN_RUN_RETRY_H
#define RUN_RUN_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "problem/problem.h"
#include "run/run_flow.h"
#include "run/run_fold.h"

/* What a driver says of one call. */
enum call_fate {
    CALL_DONE,     /* answered as it should */
    CALL_REFUSED,  /* certainly not done, will not be: 4xx, bad request */
    CALL_NOT_SENT, /* certainly not done: no connection; may be repeated whatever its effect */
    CALL_FAILED,   /* answered with a failure: 5xx; it may have acted */
    CALL_UNANSWERED,   /* no or half an answer: it may have acted */
    CALL_DEFERRED,     /* 429, 402: certainly not done; the upstream says later */
    CALL_SESSION_LOST, /* the session is gone; whether it acted is not known if it was sent */
};

enum retry_verdict {
    RETRY_SETTLED, /* ok */
    RETRY_AGAIN,   /* the same session, after wait_ms */
    RETRY_RESTART, /* a new session from the restart point (or this step if it needs none) */
    RETRY_DEFER,   /* wait for the upstream: no try is spent */
    RETRY_FAIL,    /* the step has failed for good */
    RETRY_INDETERMINATE, /* an unsafe step may have happened */
};

struct retry_answer {
    enum retry_verdict verdict;
    uint64_t wait_ms;
};

/* attempts: made so far of this step, in a row, this one included.  random: for jitter. */
struct retry_answer run_retry(const struct flow_step *step, enum call_fate fate,
                              uint32_t attempts, bool can_restart, uint64_t retry_after_ms,
                              uint64_t random);

#endif
