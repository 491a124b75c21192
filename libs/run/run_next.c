#include "run/run_next.h"

#include "base/must.h"
#include "base/str.h"
#include "problem/problem.h"

/* After a step's timeout its last call may still be under way for this long (design 5, lease). */
enum { SLACK_MS = 10000 };

const struct flow_step *run_position(const struct flow *flow, const struct run_fold *f)
{
    if (f->jump)
        return flow_find(flow, f->jump);
    if (!f->last)
        return *f->plan.begin ? flow_find(flow, f->plan.begin) : flow_first(flow);
    const struct flow_step *step = flow_find(flow, f->last->id);
    return step ? flow_after(flow, step, f->last->last.branch, f->last->last.go_to) : NULL;
}

/* ---- restart points ------------------------------------------------------------------------------ */

/* Was this step's call ever on its way, as an unsafe one? */
static bool acted_unsafely(const struct run_fold *f, const struct flow_step *step)
{
    const struct run_step *s = run_fold_step(f, step->id);

    if (!s || step->effect != EFFECT_UNSAFE)
        return false;
    if (f->intent.dangling && str_equal(f->intent.step, step->id))
        return true;
    return s->outcomes > 0 && s->last.result != RESULT_UNSENT &&
           s->last.result != RESULT_SKIPPED;
}

const struct flow_step *run_restart_point(const struct flow *flow, const struct run_fold *f)
{
    const struct flow_step *here = run_position(flow, f);

    if (!here || f->session.kept)
        return NULL;
    const struct flow_step *point = flow_restart_before(flow, here);
    if (!point)
        point = flow_find(flow, f->session.step ? f->session.step : "");
    if (!point)
        return NULL;
    for (size_t i = point->at; i <= here->at; i++)
        if (acted_unsafely(f, &flow->steps[i]))
            return NULL;
    return point;
}

/* ---- moves --------------------------------------------------------------------------------------- */

static struct run_move end_with(const struct run_fold *f, enum run_status status,
                                enum problem_code code, const char *detail,
                                const struct flow_step *at)
{
    /* While it is open whether an unsafe step happened, no other end would be true. */
    if (f->doubtful && status != STATUS_DONE && status != STATUS_INDETERMINATE) {
        status = STATUS_INDETERMINATE;
        code   = PROBLEM_INDETERMINATE;
    }
    return (struct run_move){.kind   = MOVE_END,
                             .step   = at,
                             .status = status,
                             .code   = code == PROBLEM_NONE ? "" : problem_word(code),
                             .detail = detail};
}

static struct run_move close_session(const char *why, const struct flow_step *then)
{
    return (struct run_move){.kind = MOVE_CLOSE, .why = why, .step = then};
}

static struct run_move step_move(const struct run_fold *f, enum run_move_kind kind,
                                 const struct flow_step *step, bool setup)
{
    const struct run_step *s = run_fold_step(f, step->id);

    return (struct run_move){
        .kind = kind, .step = step, .setup = setup, .attempt = (s ? s->attempts : 0) + 1};
}

/* ---- what is in hand -------------------------------------------------------------------------------- */

/* A foreign INTENT without outcome: its holder's call may still be on its way.  The session is the fence: close it, have
   that confirmed, and only then say what became of it.  A `call` has no fence. */
static struct run_move fence(const struct flow *flow, const struct run_fold *f)
{
    const struct flow_step *step = flow_find(flow, f->intent.step);
    struct run_move settle = {.kind = MOVE_SETTLE, .step = step, .attempt = f->intent.attempt};

    if (!step || step->verb == VERB_CALL) {
        settle.why = "a call has no fence";
        return settle;
    }
    if (f->session.state == SESSION_OPEN || f->session.state == SESSION_OPENING)
        return close_session("fence", NULL);
    if (f->session.state == SESSION_CLOSED && f->session.confirmed) {
        settle.go_to = step->on_indeterminate;
        return settle;
    }
    settle.why = "closing its session could not be confirmed";
    return settle;
}

/* ---- what the last settled step means ---------------------------------------------------------------- */

/* The end names that step, and not the one that would have come next. */
static bool ends_here(const struct flow *flow, const struct run_fold *f, struct run_move *ret)
{
    const struct run_step *s = f->last;

    if (!s || f->jump || *s->last.go_to)
        return false;
    const struct flow_step *at = flow_find(flow, s->id);
    if (s->last.result == RESULT_INDETERMINATE) {
        *ret = end_with(f, STATUS_INDETERMINATE, PROBLEM_INDETERMINATE, s->last.detail, at);
        return true;
    }
    if (s->last.result != RESULT_FAILED)
        return false;
    enum problem_code code = problem_of_word(s->last.code);
    *ret = end_with(f, STATUS_FAILED, code == PROBLEM_NONE ? PROBLEM_FLOW_FAILED : code,
                    s->last.detail, at);
    return true;
}

/* ---- why it may not go on ------------------------------------------------------------------------------ */

/* Nothing of it was begun. What a vanished worker did nobody knows: it went on if its lease stood in time. */
static bool untouched(const struct run_fold *f)
{
    bool begun = f->lost > 0 && f->started_ms <= run_start_by_ms(f);

    return !begun && map_count(f->steps) == 0 && f->sessions == 0;
}

static bool must_end(const struct run_fold *f, const struct run_hand *hand,
                     const struct flow_step *at, struct run_move *ret)
{
    if (f->cancelled) {
        *ret = end_with(f, STATUS_CANCELLED, PROBLEM_CANCELLED, f->cancel.reason, at);
        return true;
    }
    if (untouched(f) && hand->now_wall_ms > run_start_by_ms(f)) {
        *ret = end_with(f, STATUS_EXPIRED, PROBLEM_EXPIRED,
                        "it was not started within start_within", at);
        return true;
    }
    if (hand->now_wall_ms > run_deadline_ms(f)) {
        *ret = end_with(f, STATUS_FAILED, PROBLEM_RUN_TIMEOUT, "its timeout is over", at);
        return true;
    }
    if (f->lost >= hand->lost_max) {
        *ret = end_with(f, STATUS_FAILED, PROBLEM_WORKER_LOST, "its worker was lost too often",
                        at);
        return true;
    }
    return false;
}

/* ---- the session ----------------------------------------------------------------------------------------- */

/* The worker that held it vanished: what it was doing there may go on.  Begin again where that is allowed; else wait until
   its last call must be over and take the session as it is.  A session that is to be closed next can only be in the
   middle of that. */
static struct run_move tainted(const struct flow *flow, const struct run_fold *f,
                               const struct run_hand *hand, const struct flow_step *here)
{
    const struct flow_step *point = run_restart_point(flow, f);

    if (here->verb == VERB_CLOSE)
        return (struct run_move){.kind = MOVE_ADOPT, .step = here};
    if (point)
        return close_session("restart", point);
    int64_t until = f->lost_ms + (int64_t)here->timeout_ms + SLACK_MS;
    if (hand->now_wall_ms < until)
        return (struct run_move){.kind = MOVE_WAIT_OUT, .step = here, .until_ms = until};
    return (struct run_move){.kind = MOVE_ADOPT, .step = here};
}

static bool in_session(const struct run_fold *f, const char *id)
{
    for (size_t i = 0; i < f->session_setup_count; i++)
        if (str_equal(f->session_setup[i], id))
            return true;
    return false;
}

/* A `close` that was done between the last `open` and here: the flow let the session go on purpose. */
static bool closed_on_purpose(const struct flow *flow, const struct run_fold *f,
                              const struct flow_step *open, const struct flow_step *here)
{
    for (size_t i = open->at; i < here->at; i++) {
        const struct run_step *s = run_fold_step(f, flow->steps[i].id);

        if (flow->steps[i].verb == VERB_CLOSE && s && s->settled)
            return true;
    }
    return false;
}

/* The next `setup` step that this session has not seen, between its `open` and here. */
static const struct flow_step *setup_missing(const struct flow *flow, const struct run_fold *f,
                                             const struct flow_step *here)
{
    const struct flow_step *open = flow_open_before(flow, here);

    if (!open || !in_session(f, open->id))
        return NULL;
    for (size_t i = open->at + 1; i < here->at; i++) {
        const struct run_step *s = run_fold_step(f, flow->steps[i].id);
        bool was_run = (s && s->settled && s->last.result == RESULT_OK) || *f->plan.begin;

        if (flow->steps[i].setup && was_run && !in_session(f, flow->steps[i].id))
            return &flow->steps[i];
    }
    return NULL;
}

static struct run_move without_session(const struct flow *flow, const struct run_fold *f,
                                       const struct flow_step *here)
{
    const struct flow_step *open = flow_open_before(flow, here);

    if (*f->plan.session && f->sessions == 0 && f->session.state == SESSION_NONE)
        return (struct run_move){.kind = MOVE_ADOPT, .step = here};
    if (here->verb == VERB_OPEN)
        return step_move(f, MOVE_OPEN, here, false);
    if (open && !closed_on_purpose(flow, f, open, here))
        return step_move(f, MOVE_OPEN, open, true);
    return step_move(f, MOVE_OPEN, here, false);
}

static struct run_move with_session(const struct flow *flow, const struct run_fold *f,
                                    const struct run_hand *hand, const struct flow_step *here)
{
    const struct run_session *s = &f->session;

    if (s->state == SESSION_OPENING) /* whoever asked for it is gone, and with it the answer */
        return close_session("lost", here);
    if (hand->session_lost) {
        const struct flow_step *point = run_restart_point(flow, f);
        return point ? close_session("lost", point)
                     : end_with(f, STATUS_FAILED, PROBLEM_SESSION_LOST,
                                "the session is gone and an unsafe step was "
                                "done in it",
                                here);
    }
    if (s->token != hand->token && !hand->adopted)
        return s->tainted ? tainted(flow, f, hand, here)
                          : (struct run_move){.kind = MOVE_ADOPT, .step = here};
    if (here->verb == VERB_OPEN) /* a second open, or one whose outcome was never written */
        return close_session("reopen", here);
    const struct flow_step *setup = setup_missing(flow, f, here);
    return setup ? step_move(f, MOVE_STEP, setup, true) : step_move(f, MOVE_STEP, here, false);
}

static struct run_move go_on(const struct flow *flow, const struct run_fold *f,
                             const struct run_hand *hand, const struct flow_step *here)
{
    bool named_first = *f->plan.session && f->sessions == 0;
    bool one_shot =
        here->verb == VERB_RETRIEVE && !hand->sessions_only && json_get(here->body, "url");
    bool in_page = (here->verb == VERB_BROWSE || here->verb == VERB_RETRIEVE) && !one_shot;
    bool page    = in_page || here->verb == VERB_OPEN || named_first;
    bool stands  = f->session.state == SESSION_OPEN || f->session.state == SESSION_OPENING;

    if (here->verb == VERB_CLOSE && f->session.state == SESSION_OPEN)
        return with_session(flow, f, hand, here);
    if (!page)
        return step_move(f, MOVE_STEP, here, false);
    return stands ? with_session(flow, f, hand, here) : without_session(flow, f, here);
}

struct run_move run_next(const struct flow *flow, const struct run_fold *f,
                         const struct run_hand *hand)
{
    struct run_move move;

    if (f->phase == RUN_ENDED)
        return (struct run_move){.kind = MOVE_DUTIES};
    if (!run_fold_mine(f, hand->token))
        return (struct run_move){.kind = MOVE_OVER};

    const struct flow_step *here = run_position(flow, f);
    if (f->intent.dangling && (f->intent.token != hand->token || hand->unanswered))
        return fence(flow, f);
    if (ends_here(flow, f, &move) || must_end(f, hand, here, &move))
        return move;
    if (*f->plan.lock && !hand->lock_held)
        return (struct run_move){.kind = MOVE_LOCK, .step = here};
    if (!here)
        return end_with(f, STATUS_DONE, PROBLEM_NONE, "", NULL);
    return go_on(flow, f, hand, here);
}
