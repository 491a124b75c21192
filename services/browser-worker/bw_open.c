#include "bw_open.h"

#include "base/clk.h"
#include "bw_artifact.h"
#include "bw_browsers.h"
#include "bw_expand.h"
#include "bw_journal.h"
#include "bw_send.h"
#include "bw_session.h"
#include "bw_step.h"
#include "bw_target.h"
#include "http/http_guard.h"
#include "problem/problem.h"

static void opening_over(struct bw_run *run)
{
    run->doing.opening = false;
    run->doing.then(run);
}

/* OPENING stands and no session came of it: say so, then go on. */
static void close_opening(struct bw_run *run, enum entry_result result, const char *why,
                          bw_then_fn *then)
{
    struct entry *e = bw_journal_entry(run, ENTRY_CLOSED);

    e->session.session  = run->doing.session;
    e->session.upstream = run->doing.upstream_copy.name;
    e->session.result   = result;
    e->session.why      = why;
    e->session.status   = run->doing.outcome.status;
    run->doing.then     = then;
    bw_journal_fact(run, opening_over);
}

static void opened_outcome(struct bw_run *run)
{
    if (run->doing.step->verb == VERB_OPEN) {
        json_free(&run->doing.value);
        run->doing.value = json_new_object();
        json_set(run->doing.value, "session", json_new_str(run->fold.session.id));
        bw_artifact_store(run, bw_step_attempted);
        return;
    }
    bw_run_advance(run); /* a page step that opened by itself now does its own work */
}

static void opened_landed(struct bw_run *run)
{
    run->doing.opening = false;
    run->hand.adopted  = true;
    if (bw_run_stretch(run, run->doing.step->timeout_ms))
        bw_session_write(run, "active", opened_outcome);
}

static void opened(struct bw_run *run, const struct bw_answer *a)
{
    struct entry *e     = bw_journal_entry(run, ENTRY_OPENED);
    struct arena *arena = bw_journal_arena(run);

    e->session.session   = run->doing.session;
    e->session.upstream  = run->doing.upstream_copy.name;
    e->session.endpoint  = arena_strdup(arena, a->endpoint ? a->endpoint : "");
    e->session.remote_id = arena_strdup(arena, a->remote_id ? a->remote_id : "");
    e->session.step      = run->doing.step->id;
    e->session.status    = (uint32_t)a->status;
    e->session.ms        = a->ms;
    e->session.opened_at = (uint64_t)clk_wall_ms();
    bw_journal_fact(run, opened_landed);
}

/* It may stand over there: the record is how the reaper knows whose it is, and that its permit is still taken. */
static void record_lost(struct bw_run *run)
{
    bw_session_write(run, "failed", bw_step_attempted);
}

static void on_open(void *self, const struct bw_answer *a)
{
    struct bw_run *run = self;
    bool has_session   = a->remote_id && *a->remote_id;
    bool certainly_not =
        a->fate == CALL_NOT_SENT || a->fate == CALL_REFUSED || a->fate == CALL_DEFERRED;

    run->calling = NULL;
    /* Without an answer the session may stand over there: its permit stays taken until the reaper knows. */
    bw_send_report(run, a, has_session, !has_session && certainly_not);
    bw_send_note(run, a);
    if (has_session)
        opened(run, a);
    else if (certainly_not)
        close_opening(run, RESULT_UNSENT, "refused", bw_step_attempted);
    else
        close_opening(run, RESULT_FAILED, "lost", record_lost);
}

static void wait_for_upstream(struct bw_run *run)
{
    bw_step_wait(run, ON_UPSTREAM, run->doing.retry_after_ms, run->doing.close_why);
}

static void open_granted(void *self, const struct bw_permit_answer *answer)
{
    struct bw_run *run = self;

    run->asking = NULL;
    if (!answer->granted) {
        run->doing.retry_after_ms = bw_send_deferred_ms(answer);
        run->doing.close_why      = bw_step_keep(run, answer->why);
        close_opening(run, RESULT_UNSENT, "no permit", wait_for_upstream);
        return;
    }
    if (bw_permit_fresh(&run->permit) && bw_send_may(run)) {
        bw_send_start(run, BW_OPEN, on_open);
        return;
    }
    bw_permit_return(run->bw->permits, &run->permit);
    close_opening(run, RESULT_UNSENT, "late", bw_run_advance);
}

void bw_open_take_back(struct bw_run *run)
{
    close_opening(run, RESULT_UNSENT, "interrupted", bw_run_advance);
}

static void opening_landed(struct bw_run *run)
{
    struct bw_permit_want want = {
        .wait_ms = BW_SEND_WAIT_MS, .session = run->doing.session, .session_open = true};
    const char *url = json_str(json_get(run->doing.body, "url"));
    char site[PERMIT_NAME_SIZE];

    run->doing.opening = true;
    if (!bw_run_stretch(run, run->doing.step->timeout_ms))
        return;
    if (url && http_guard_host(url, site, sizeof site))
        want.site = site;
    bw_send_ask(run, want, open_granted);
}

static void append_opening(struct bw_run *run)
{
    struct bw_doing *d = &run->doing;
    char id[ID_SIZE];

    id_new(clk_wall_ms(), id);
    str_format(d->session, sizeof d->session, "s%s", id);
    struct entry *e     = bw_journal_entry(run, ENTRY_OPENING);
    e->session.session  = d->session;
    e->session.upstream = d->upstream_copy.name;
    e->session.endpoint = d->place ? d->place : "";
    e->session.step     = d->step->id;
    bw_journal_decision(run, opening_landed);
}

static void no_browsers(struct bw_run *run, const struct bw_browsers *found)
{
    struct bw_doing *d = &run->doing;

    d->fate             = found->fate;
    d->outcome.upstream = d->upstream_copy.name;
    d->outcome.detail   = bw_step_keep(run, found->why);
    d->outcome.code     = problem_word(found->fate == CALL_REFUSED ? PROBLEM_UPSTREAM_REFUSED
                                                                   : PROBLEM_UPSTREAM_FAILED);
    bw_step_attempted(run);
}

/* Where there is room for one session more; it is counted there from now on. */
static void on_browsers(void *self, const struct bw_browsers *found)
{
    struct bw_run *run = self;
    struct bw_doing *d = &run->doing;
    const char *place  = NULL;

    if (found->count == 0) {
        no_browsers(run, found);
        return;
    }
    place = bw_browsers_choose(run->bw, d->upstream, found);
    if (place) {
        d->place = bw_step_keep(run, place);
        append_opening(run);
    } else {
        bw_step_wait(run, ON_UPSTREAM, BW_SEND_DEFERRED_MS, "upstream_sessions");
    }
}

static void on_open_body(struct bw_run *run, struct json *value, const char *why)
{
    struct bw_doing *d = &run->doing;

    if (!value) {
        bw_step_refused(run, problem_word(PROBLEM_EXPRESSION_FAILED), why);
        return;
    }
    d->body = value;
    if (bw_target_missing(run) || !bw_target_url_allowed(run, json_str(json_get(value, "url"))))
        return;
    if (d->driver->stamps)
        bw_browsers_find(run->bw, d->upstream, &run->finding, on_browsers, run);
    else
        append_opening(run);
}

void bw_open_do(struct bw_run *run, const struct run_move *move)
{
    /* A page step opens with its own url; nothing else of it concerns the session. */
    if (bw_step_begin(run, move))
        bw_expand(run, run->doing.step->body, run->doing.scope, on_open_body);
}
