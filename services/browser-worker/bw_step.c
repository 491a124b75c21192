#include "bw_step.h"

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "bw_adrift.h"
#include "bw_browsers.h"
#include "bw_call.h"
#include "bw_close.h"
#include "bw_end.h"
#include "bw_expand.h"
#include "bw_journal.h"
#include "bw_open.h"
#include "bw_page.h"
#include "bw_upstream.h"
#include "problem/problem.h"
#include "run/run_view.h"

enum {
    TEXT_MAX  = 4096, /* of what people read: an entry must have room for it */
    VALUE_MAX = ENTRY_BODY_MAX - 40 * 1024, /* of what programs read */
};

/* A character is not cut in two. */
const char *bw_step_cut(struct arena *arena, const char *text)
{
    size_t len = text ? strlen(text) : 0;

    if (len > TEXT_MAX)
        for (len = TEXT_MAX; len && ((unsigned char)text[len] & 0xC0) == 0x80;)
            len--;
    return len ? arena_printf(arena, "%.*s", (int)len, text) : "";
}

const char *bw_step_keep(struct bw_run *run, const char *text)
{
    return bw_step_cut(run->doing.arena, text);
}

bool bw_step_print(struct bw_run *run, const struct json *value, size_t max, struct bytes *ret)
{
    struct buf text;

    buf_init(&text, max);
    json_print(value, &text);
    bool whole = !text.full;
    if (whole)
        *ret = arena_bytes(run->doing.arena, buf_bytes(&text));
    buf_deinit(&text);
    return whole;
}

/* ---- the slate ---------------------------------------------------------------------------------------- */

void bw_step_clear(struct bw_run *run)
{
    struct bw_doing *d  = &run->doing;
    struct arena *arena = d->arena;
    struct entry outcome;

    json_free(&d->scope);
    json_free(&d->body);
    json_free(&d->value);
    json_free(&d->rows);
    arena_reset(arena);
    entry_init(&outcome, ENTRY_OUTCOME);
    *d = (struct bw_doing){.arena = arena, .outcome = outcome.step};
}

void bw_step_stop(struct bw_run *run)
{
    if (run->asking)
        bw_permit_cancel(&run->asking);
    bw_browsers_cancel(&run->finding);
    bw_adrift_leave(run);
    if (run->requesting)
        bw_call_cancel(&run->requesting);
    json_free(&run->doing.scope);
    json_free(&run->doing.body);
    json_free(&run->doing.value);
    json_free(&run->doing.rows);
}

bool bw_step_sent(const struct bw_run *run)
{
    return run->calling || run->requesting;
}

/* Nothing was sent yet, or what was sent only reads. */
static bool may_be_dropped(const struct bw_run *run)
{
    if (!run->doing.step)
        return false;
    if (bw_step_sent(run))
        return run->doing.step->effect == EFFECT_READ && !run->doing.opening;
    return run->asking || run->finding;
}

void bw_step_interrupt(struct bw_run *run)
{
    if (!may_be_dropped(run))
        return;
    if (run->asking)
        bw_permit_cancel(&run->asking);
    bw_browsers_cancel(&run->finding);
    if (run->requesting)
        bw_call_cancel(&run->requesting);
    bw_adrift_leave(run);
    if (run->doing.opening)
        bw_open_take_back(run);
    else
        bw_run_advance(run);
}

/* ---- OUTCOME ------------------------------------------------------------------------------------------- */

static void outcome(struct bw_run *run, enum entry_result result, bool final, bw_then_fn *then)
{
    struct bw_doing *d = &run->doing;
    struct entry *e    = bw_journal_entry(run, ENTRY_OUTCOME);

    e->step           = d->outcome;
    e->step.step      = d->step->id;
    e->step.attempt   = d->attempt;
    e->step.effect    = d->step->effect;
    e->step.setup     = d->setup;
    e->step.result    = result;
    e->step.final     = final;
    e->step.artifacts = d->artifacts;
    if (!e->step.ms)
        e->step.ms = bus_now(run->bw->bus) - d->started_ms;
    if (run->fold.session.state == SESSION_OPEN && flow_needs_session(d->step))
        e->step.session = run->fold.session.id;
    if (result == RESULT_OK)
        e->step.value = d->printed;
    if (result == RESULT_OK || result == RESULT_SKIPPED)
        e->step.code = e->step.detail = "";
    bw_journal_fact(run, then);
}

static void stretch_and_advance(struct bw_run *run)
{
    if (bw_run_stretch(run, FLOW_STEP_TIMEOUT_MS))
        bw_run_advance(run);
}

/* ---- waiting without a slot ------------------------------------------------------------------------------ */

void bw_step_wait(struct bw_run *run, enum entry_on on, uint64_t due_ms, const char *why)
{
    struct entry *e = bw_journal_entry(run, ENTRY_WAITING);

    e->waiting.on     = on;
    e->waiting.due_ms = due_ms;
    e->waiting.why    = arena_strdup(bw_journal_arena(run), why ? why : "");
    e->waiting.step   = run->doing.step ? run->doing.step->id : "";
    e->waiting.upstream =
        run->doing.upstream && on == ON_UPSTREAM ? run->doing.upstream_copy.name : "";
    e->waiting.lock = on == ON_LOCK ? run->fold.plan.lock : "";
    bw_journal_decision(run, bw_end_wake);
}

static void wait_retry(struct bw_run *run)
{
    bw_step_wait(run, ON_RETRY, run->doing.retry_after_ms, run->doing.outcome.code);
}

static void wait_upstream(struct bw_run *run)
{
    bw_step_wait(run, ON_UPSTREAM, run->doing.retry_after_ms, run->doing.outcome.detail);
}

/* ---- what an attempt means -------------------------------------------------------------------------------- */

static void restart(struct bw_run *run)
{
    run->hand.session_lost = true;
    stretch_and_advance(run);
}

/* Our own unsafe call without a good answer: the session is the fence for it as for a foreign one. */
static void fence(struct bw_run *run)
{
    const struct entry_step *o = &run->doing.outcome;

    run->heard = (struct bw_heard){.status = o->status, .ms = o->ms};
    (void)str_copy(run->heard.upstream, sizeof run->heard.upstream, o->upstream);
    (void)str_copy(run->heard.endpoint, sizeof run->heard.endpoint, o->endpoint);
    (void)str_copy(run->heard.detail, sizeof run->heard.detail, o->detail);
    run->hand.unanswered = true;
    bw_run_advance(run);
}

static void settle_failed(struct bw_run *run)
{
    if (run->doing.step->on_failed && !run->doing.setup)
        run->doing.outcome.go_to = run->doing.step->on_failed;
    if (!*run->doing.outcome.code)
        run->doing.outcome.code = problem_word(PROBLEM_UPSTREAM_FAILED);
    outcome(run, RESULT_FAILED, true, stretch_and_advance);
}

static uint32_t attempts_in_a_row(const struct bw_run *run)
{
    const struct run_step *s = run_fold_step(&run->fold, run->doing.step->id);

    return (s ? s->failures : 0) + 1;
}

/* Of an unsafe step only what followed its INTENT can have acted.  What failed before was the session that it wanted. */
static enum call_fate fate_of_step(const struct bw_doing *d)
{
    bool begun = d->intent || d->step->effect != EFFECT_UNSAFE;
    bool doubtful =
        d->fate == CALL_FAILED || d->fate == CALL_UNANSWERED || d->fate == CALL_SESSION_LOST;

    return doubtful && !begun ? CALL_NOT_SENT : d->fate;
}

static void failed_attempt(struct bw_run *run)
{
    struct bw_doing *d        = &run->doing;
    bool can_restart          = run_restart_point(run->flow, &run->fold) != NULL;
    struct retry_answer again = run_retry(d->step, fate_of_step(d), attempts_in_a_row(run),
                                          can_restart, d->retry_after_ms, id_random64());

    d->retry_after_ms = again.wait_ms;
    switch (again.verdict) {
    case RETRY_SETTLED:
    case RETRY_FAIL:
        settle_failed(run);
        return;
    case RETRY_AGAIN:
        outcome(run, RESULT_FAILED, false, wait_retry);
        return;
    case RETRY_RESTART:
        outcome(run, RESULT_FAILED, false, restart);
        return;
    case RETRY_DEFER:
        outcome(run, RESULT_UNSENT, false, wait_upstream);
        return;
    case RETRY_INDETERMINATE:
        fence(run);
        return;
    }
}

/* ---- expect and milestone ------------------------------------------------------------------------------------ */

static void settle_ok(struct bw_run *run)
{
    outcome(run, RESULT_OK, true, stretch_and_advance);
}

static void on_milestone(struct bw_run *run, struct json *value, const char *why)
{
    if (value && json_str(value))
        run->doing.outcome.milestone = bw_step_keep(run, json_str(value));
    (void)why; /* a milestone is for people: what cannot be said is not said */
    json_free(&value);
    settle_ok(run);
}

static void milestone(struct bw_run *run)
{
    const char *text = run->doing.step->milestone;

    if (!text) {
        settle_ok(run);
        return;
    }
    bw_expand_string(run, text, run->doing.scope, on_milestone);
}

/* `expect` sees the outcome as later expressions will, and rows even if they are too many to be kept in it. */
static struct json *outcome_seen(struct bw_run *run)
{
    struct json *seen = json_copy(run->doing.value);

    if (run->doing.rows)
        json_set(seen, "rows", json_ref(run->doing.rows));
    json_set(seen, "result", json_new_str("ok"));
    if (*run->doing.outcome.url)
        json_set(seen, "url", json_new_str(run->doing.outcome.url));
    json_set(seen, "ms", json_new_int((int64_t)run->doing.outcome.ms));
    json_set(seen, "tries", json_new_int(run->doing.attempt));
    return seen;
}

static void on_expect(struct bw_run *run, struct json *value, const char *why)
{
    struct bw_doing *d = &run->doing;
    bool met           = value && json_truth(value);

    json_free(&value);
    if (met) {
        milestone(run);
        return;
    }
    d->outcome.code =
        problem_word(why ? PROBLEM_EXPRESSION_FAILED : PROBLEM_EXPECTATION_FAILED);
    d->outcome.detail = bw_step_keep(run, why ? why : d->step->expect);
    /* It was done, and not as expected: a read may look again, an unsafe step is not repeated. */
    d->fate = d->step->effect == EFFECT_UNSAFE || why ? CALL_REFUSED : CALL_FAILED;
    failed_attempt(run);
}

static void expect(struct bw_run *run)
{
    if (!run->doing.step->expect) {
        milestone(run);
        return;
    }
    struct json *seen = outcome_seen(run);
    bw_expand_text(run, run->doing.step->expect, run->doing.scope, seen, on_expect);
    json_free(&seen);
}

void bw_step_attempted(struct bw_run *run)
{
    struct bw_doing *d = &run->doing;

    if (d->fate != CALL_DONE) {
        failed_attempt(run);
        return;
    }
    if (!d->value)
        d->value = json_new_object();
    if (bw_step_print(run, d->value, VALUE_MAX, &d->printed))
        expect(run);
    else
        bw_step_refused(
            run, problem_word(PROBLEM_RESPONSE_TOO_LARGE),
            "it was done, but what came of it is larger than 860 KiB and could not be kept");
}

void bw_step_refused(struct bw_run *run, const char *code, const char *detail)
{
    run->doing.outcome.code   = code;
    run->doing.outcome.detail = bw_step_keep(run, detail);
    run->doing.fate           = CALL_REFUSED;
    failed_attempt(run);
}

static void indeterminate_landed(struct bw_run *run)
{
    run->hand.unanswered = false;
    stretch_and_advance(run);
}

/* Of a call of our own the journal says what it came to, of a lost worker's nobody can. */
static void tell_heard(struct bw_run *run, struct entry_step *s)
{
    const struct bw_heard *h = &run->heard;

    s->upstream = h->upstream;
    s->endpoint = h->endpoint;
    s->status   = h->status;
    s->ms       = h->ms;
    if (*h->detail && *s->detail)
        s->detail = arena_printf(bw_journal_arena(run), "%s; %s", h->detail, s->detail);
    else if (*h->detail)
        s->detail = h->detail;
}

void bw_step_indeterminate(struct bw_run *run, const struct run_move *move)
{
    struct entry *e = bw_journal_entry(run, ENTRY_OUTCOME);

    e->step.step    = run->fold.intent.step;
    e->step.attempt = run->fold.intent.attempt;
    e->step.effect  = EFFECT_UNSAFE;
    e->step.result  = RESULT_INDETERMINATE;
    e->step.final   = true;
    e->step.go_to   = move->go_to ? move->go_to : "";
    e->step.code    = problem_word(PROBLEM_INDETERMINATE);
    e->step.detail  = move->why ? move->why : "";
    if (run->hand.unanswered)
        tell_heard(run, &e->step);
    if (!*e->step.detail)
        e->step.detail = "its worker was lost, or its call had no answer";
    bw_journal_fact(run, indeterminate_landed);
}

/* ---- verbs that decide ------------------------------------------------------------------------------------------ */

static void on_set(struct bw_run *run, struct json *value, const char *why)
{
    if (!value) {
        bw_step_refused(run, problem_word(PROBLEM_EXPRESSION_FAILED), why);
        return;
    }
    run->doing.value = json_new_object();
    json_set(run->doing.value, "vars", value);
    run->doing.fate = CALL_DONE;
    bw_step_attempted(run);
}

static void on_if(struct bw_run *run, struct json *value, const char *why)
{
    struct bw_doing *d = &run->doing;

    if (!value) {
        bw_step_refused(run, problem_word(PROBLEM_EXPRESSION_FAILED), why);
        return;
    }
    d->outcome.branch = json_truth(value) ? "then" : d->step->else_first ? "else" : "none";
    d->value          = json_new_object();
    json_set(d->value, "value", value);
    d->fate = CALL_DONE;
    bw_step_attempted(run);
}

/* A sleep is over when its WAITING is; woken early (by mail) it waits for the rest. */
static void on_sleep(struct bw_run *run, struct json *value, const char *why)
{
    const struct run_fold *f = &run->fold;
    struct bw_doing *d       = &run->doing;
    uint64_t span_ms         = 0;
    int64_t until = 0, now = clk_wall_ms();
    bool waited =
        f->waiting_seq && f->waiting.on == ON_TIMER && str_equal(f->waiting.step, d->step->id);

    if (waited) {
        until = f->waiting_ms + (int64_t)f->waiting.due_ms;
    } else if (value && json_get(value, "for")) {
        const char *text = json_str(json_get(value, "for"));
        if (!text || failed(str_duration_ms(text, &span_ms)))
            why = "\"for\" is no duration; write \"90s\", \"5m\" or \"24h\"";
        until = now + (int64_t)span_ms;
    } else if (value) {
        const char *text = json_str(json_get(value, "until"));
        if (!text || failed(str_time_ms(text, &until)))
            why = "\"until\" is no time; write \"2026-11-21T03:00:00Z\"";
    }
    json_free(&value);
    if (why) {
        bw_step_refused(run, problem_word(PROBLEM_EXPRESSION_FAILED), why);
    } else if (until > now) {
        bw_step_wait(run, ON_TIMER, (uint64_t)(until - now), "");
    } else {
        d->fate = CALL_DONE;
        bw_step_attempted(run);
    }
}

static void on_end(struct bw_run *run, struct json *value, const char *why)
{
    if (!value) {
        bw_step_refused(run, problem_word(PROBLEM_EXPRESSION_FAILED), why);
        return;
    }
    run->doing.value = value;
    bw_end_by_flow(run);
}

static void on_body(struct bw_run *run, struct json *value, const char *why)
{
    if (!value) {
        bw_step_refused(run, problem_word(PROBLEM_EXPRESSION_FAILED), why);
        return;
    }
    run->doing.body = value;
    if (run->mailed) /* while expressions were evaluated; nothing is sent yet */
        bw_run_advance(run);
    else if (run->doing.step->verb == VERB_CALL)
        bw_call_do(run);
    else
        bw_page_do(run);
}

static void closed(struct bw_run *run)
{
    run->doing.fate = CALL_DONE;
    bw_step_attempted(run);
}

static void do_verb(struct bw_run *run)
{
    struct bw_doing *d = &run->doing;

    switch (d->step->verb) {
    case VERB_SET:
        bw_expand(run, d->step->body, d->scope, on_set);
        return;
    case VERB_IF:
        bw_expand_text(run, json_str(d->step->body), d->scope, NULL, on_if);
        return;
    case VERB_SLEEP:
        bw_expand(run, d->step->body, d->scope, on_sleep);
        return;
    case VERB_END:
        bw_expand(run, d->step->body, d->scope, on_end);
        return;
    case VERB_CLOSE:
        if (run->fold.session.state == SESSION_OPEN)
            bw_close_step(run, closed);
        else
            closed(run);
        return;
    case VERB_BROWSE:
    case VERB_RETRIEVE:
    case VERB_CALL:
    case VERB_OPEN:
        bw_expand(run, d->step->body, d->scope, on_body);
        return;
    case VERB_NONE:
    case VERBS:
        break;
    }
    bw_end_broken(run);
}

static void on_when(struct bw_run *run, struct json *value, const char *why)
{
    bool yes = value && json_truth(value);

    json_free(&value);
    if (why)
        bw_step_refused(run, problem_word(PROBLEM_EXPRESSION_FAILED), why);
    else if (yes)
        do_verb(run);
    else
        outcome(run, RESULT_SKIPPED, true, stretch_and_advance);
}

bool bw_step_begin(struct bw_run *run, const struct run_move *move)
{
    struct bw_doing *d = &run->doing;

    d->step       = move->step;
    d->attempt    = move->attempt;
    d->setup      = move->setup;
    d->started_ms = bus_now(run->bw->bus);
    d->scope      = run_scope(&run->fold);
    return bw_run_stretch(run, d->step->timeout_ms);
}

void bw_step_do(struct bw_run *run, const struct run_move *move)
{
    struct bw_doing *d = &run->doing;

    if (!bw_step_begin(run, move))
        return;
    if (d->step->when && !d->setup)
        bw_expand_text(run, d->step->when, d->scope, NULL, on_when);
    else
        do_verb(run);
}
