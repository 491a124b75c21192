#include "run/run_retry.h"

#include "base/backoff.h"

/* Not before the upstream said, but within the flow's patience: where it stays closed for longer, the gate holds the run. */
static uint64_t later_ms(const struct flow_step *step, uint32_t attempts,
                         uint64_t retry_after_ms, uint64_t random)
{
    uint64_t wait =
        backoff_full_ms(attempts - 1, step->retry.wait_ms, step->retry.max_wait_ms, random);

    if (retry_after_ms > step->retry.max_wait_ms)
        return step->retry.max_wait_ms;
    return wait > retry_after_ms ? wait : retry_after_ms;
}

struct retry_answer run_retry(const struct flow_step *step, enum call_fate fate,
                              uint32_t attempts, bool can_restart, uint64_t retry_after_ms,
                              uint64_t random)
{
    bool unsafe   = step->effect == EFFECT_UNSAFE;
    bool more     = attempts < step->retry.tries;
    uint64_t wait = later_ms(step, attempts ? attempts : 1, retry_after_ms, random);

    switch (fate) {
    case CALL_DONE:
        return (struct retry_answer){RETRY_SETTLED, 0};
    case CALL_DEFERRED:
        return (struct retry_answer){RETRY_DEFER, retry_after_ms};
    case CALL_REFUSED:
        return (struct retry_answer){RETRY_FAIL, 0};
    case CALL_NOT_SENT:
        /* Nothing happened, so even an unsafe step may be tried again: three times unless it says otherwise. */
        if (more || (unsafe && attempts < 3))
            return (struct retry_answer){RETRY_AGAIN, wait};
        return (struct retry_answer){RETRY_FAIL, 0};
    case CALL_FAILED:
    case CALL_UNANSWERED:
        if (unsafe)
            return (struct retry_answer){RETRY_INDETERMINATE, 0};
        return more ? (struct retry_answer){RETRY_AGAIN, wait}
                    : (struct retry_answer){RETRY_FAIL, 0};
    case CALL_SESSION_LOST:
        if (unsafe)
            return (struct retry_answer){RETRY_INDETERMINATE, 0};
        return more && can_restart ? (struct retry_answer){RETRY_RESTART, wait}
                                   : (struct retry_answer){RETRY_FAIL, 0};
    }
    return (struct retry_answer){RETRY_FAIL, 0};
}
