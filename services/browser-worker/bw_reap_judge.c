#include "bw_reap_judge.h"

static enum bw_reap_move end(const struct bw_reap_sight *s)
{
    return s->listed == BW_REAP_NOT_LISTED ? BW_REAP_EXPIRE : BW_REAP_CLOSE;
}

static bool passed(const struct bw_reap_sight *s, int64_t since_ms, uint64_t more_ms)
{
    return s->now_ms > since_ms + (int64_t)(more_ms + s->grace_ms);
}

static int64_t used_ms(const struct bw_reap_sight *s)
{
    int64_t updated = s->record->updated_ms;

    return s->touched_ms > updated ? s->touched_ms : updated;
}

static bool is_cold(const struct bw_reap_sight *s)
{
    return s->idle_ms > 0 && s->listed != BW_REAP_NOT_LISTED &&
           s->now_ms >= used_ms(s) + (int64_t)(s->idle_ms / 3);
}

/* Its run's own call will keep it warm, and might meet ours there.  Once it is due for a while it waits
   for its turn, nobody knows how long; with the sweep that sees it then, five sixths have passed. */
static bool is_used_soon(const struct bw_reap_sight *s)
{
    int64_t idle = (int64_t)s->idle_ms;

    return s->due_ms < used_ms(s) + idle / 2 && s->now_ms < s->due_ms + idle / 6;
}

static enum bw_reap_move leave_warm(const struct bw_reap_sight *s)
{
    return is_cold(s) ? BW_REAP_TOUCH : BW_REAP_LEAVE;
}

/* Kept for whoever names it, until its time is over. */
static enum bw_reap_move judge_kept(const struct bw_reap_sight *s)
{
    const struct bw_record *r = s->record;

    if (s->listed == BW_REAP_NOT_LISTED)
        return BW_REAP_EXPIRE;
    return r->expires_at_ms && s->now_ms >= r->expires_at_ms ? BW_REAP_CLOSE : leave_warm(s);
}

/* A run's own.  After its END the session is its end duties' for a while: closed, or kept and
 * then free. */
static enum bw_reap_move judge_owned(const struct bw_reap_sight *s)
{
    bool listed = s->listed != BW_REAP_NOT_LISTED;

    if (listed && !is_cold(s) && !passed(s, s->record->updated_ms, 0))
        return BW_REAP_LEAVE;
    if (!s->looked)
        return BW_REAP_LOOK;
    switch (s->phase) {
    case RUN_ENDED:
        return passed(s, s->ended_ms, s->keep_ms) ? end(s) : BW_REAP_LEAVE;
    case RUN_ABSENT: /* its journal is too old to be there */
    case RUN_REJECTED:
        return passed(s, s->record->updated_ms, 0) ? end(s) : BW_REAP_LEAVE;
    case RUN_WAITING:
        if (!listed)
            return BW_REAP_EXPIRE;
        return is_used_soon(s) ? BW_REAP_LEAVE : leave_warm(s);
    case RUN_QUEUED:
    case RUN_RELEASED:
        return leave_warm(s);
    case RUN_LEASED: /* its holder uses it, or will soon */
        break;
    }
    return BW_REAP_LEAVE;
}

/* An open that was never answered: whatever comes of it, nobody knows its id but a list.  (That it
 * is not listed yet is no proof for a while.) */
static enum bw_reap_move judge_unanswered(const struct bw_reap_sight *s)
{
    bool over = s->now_ms > s->record->updated_ms + (int64_t)s->lost_ms;

    return s->listed == BW_REAP_NOT_LISTED && over ? BW_REAP_EXPIRE : BW_REAP_LEAVE;
}

enum bw_reap_move bw_reap_judge(const struct bw_reap_sight *s)
{
    const struct bw_record *r = s->record;

    if (!*r->remote_id)
        return judge_unanswered(s);
    if (str_equal(r->status, "active"))
        return r->free ? judge_kept(s) : judge_owned(s);
    /* A close that nobody confirmed: by its run, or by a reaper that did not live. */
    if (!str_equal(r->status, "failed") && !str_equal(r->status, "closing"))
        return BW_REAP_LEAVE;
    if (s->listed == BW_REAP_NOT_LISTED)
        return BW_REAP_EXPIRE;
    return passed(s, r->updated_ms, 0) ? BW_REAP_CLOSE : BW_REAP_LEAVE;
}

enum bw_reap_move bw_reap_judge_stray(const struct bw_reap_sight *s)
{
    /* Its open may be under way, or its record on its way to us. */
    if (!passed(s, s->seen_ms, 0))
        return BW_REAP_LEAVE;
    if (!s->looked)
        return BW_REAP_LOOK;
    if (!s->is_ours) /* another installation's */
        return BW_REAP_LEAVE;
    if (s->phase == RUN_ENDED)
        return passed(s, s->ended_ms, s->keep_ms) ? BW_REAP_CLOSE : BW_REAP_LEAVE;
    return s->current ? BW_REAP_LEAVE : BW_REAP_CLOSE;
}
