#include "bw_page.h"

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "bw_artifact.h"
#include "bw_browsers.h"
#include "bw_expand.h"
#include "bw_journal.h"
#include "bw_session.h"
#include "bw_stamp.h"
#include "bw_step.h"
#include "bw_upstream.h"
#include "http/http_guard.h"
#include "problem/problem.h"
#include "run/run_view.h"

enum {
    PERMIT_WAIT_MS = 10000, /* above it the run waits without a slot */
    DEFERRED_MS    = 1000,
    UNKNOWN_MS     = 5000, /* until somebody looks again whether the upstream is back */
    CLOSE_MS       = 20000,
    CLOSE_TRIES    = 3,
};

/* ---- the upstream ------------------------------------------------------------------------------------- */

/* Copied into run->doing; false: it is not known. */
static bool find_upstream(struct bw_run *run, const char *name)
{
    struct bw_doing *d          = &run->doing;
    const struct bw_upstream *u = bw_upstream_find(run->bw->upstreams, name);

    if (!u)
        return false;
    d->upstream_copy = *u;
    d->upstream      = &d->upstream_copy;
    d->driver        = bw_driver_find(u->driver);
    return d->driver != NULL;
}

static const char *upstream_name(const struct bw_run *run)
{
    const struct run_session *s = &run->fold.session;

    if (s->state == SESSION_OPEN || s->state == SESSION_OPENING)
        return s->upstream;
    return *run->fold.plan.upstream           ? run->fold.plan.upstream
           : run->flow && run->flow->upstream ? run->flow->upstream
                                              : "";
}

bool bw_page_sessions_only(const struct bw_run *run)
{
    const struct bw_upstream *u = bw_upstream_find(run->bw->upstreams, upstream_name(run));

    return u && str_equal(u->driver, "webdriver");
}

/* A retrieve with a url of its own is one-shot, also while a session is open, where the upstream has such calls. */
static bool works_in_session(const struct bw_run *run)
{
    if (run->fold.session.state != SESSION_OPEN || !run->doing.step)
        return false;
    return flow_needs_session(run->doing.step) || run->hand.sessions_only;
}

static bool may(void *self)
{
    const struct bw_run *run = self;

    return !run->over && bw_run_left_ms(run) > 0;
}

/* ---- permits -------------------------------------------------------------------------------------------- */

static enum lane run_lane(const struct bw_run *run)
{
    return run->job.ticket.lane;
}

static uint64_t call_ms(const struct bw_run *run)
{
    uint64_t left = bw_run_left_ms(run);
    uint64_t step = run->doing.step ? run->doing.step->timeout_ms : CLOSE_MS;

    return step < left ? step : left;
}

static void ask(struct bw_run *run, struct bw_permit_want want, bw_permit_fn *fn)
{
    want.upstream    = run->doing.upstream_copy.name;
    want.tenant      = run->job.ticket.tenant;
    want.run         = run->job.ticket.run;
    want.step        = run->doing.step ? run->doing.step->id : "";
    want.lane        = run_lane(run);
    want.lifetime_ms = call_ms(run);
    run->asking      = bw_permit_ask(run->bw->permits, &want, &run->permit, fn, run);
}

static void report(struct bw_run *run, const struct bw_answer *a, bool opened, bool closed)
{
    const struct bw_permit_done done = {.status         = (uint32_t)a->status,
                                        .ms             = (uint32_t)a->ms,
                                        .retry_after_ms = a->retry_after_ms,
                                        .call_class     = a->call_class,
                                        .session_opened = opened,
                                        .session_closed = closed};

    run->bw->metrics.calls++;
    if (a->fate != CALL_DONE)
        run->bw->metrics.calls_failed++;
    bw_permit_report(run->bw->permits, &run->permit, &done);
}

/* How long it stays limited nobody knows, and what was closed until a time an operator may resume before: the scheduler's
   gate holds the run, lets one go to try, and all as soon as it opens.  A run that is not due by then would sleep
   through that. */
static uint64_t gated_ms(uint64_t retry_after_ms)
{
    return retry_after_ms < DEFERRED_MS ? retry_after_ms : DEFERRED_MS;
}

static uint64_t again_ms(const struct bw_answer *a)
{
    return a->call_class == CALL_RATE ? gated_ms(a->retry_after_ms) : a->retry_after_ms;
}

static uint64_t deferred_ms(const struct bw_permit_answer *answer)
{
    bool gated = str_equal(answer->why, "upstream_limited") ||
                 str_equal(answer->why, "upstream_closed") || str_equal(answer->why, "paused");

    if (answer->retry_after_ms == 0)
        return DEFERRED_MS;
    return gated ? gated_ms(answer->retry_after_ms) : answer->retry_after_ms;
}

static void defer(struct bw_run *run, const struct bw_permit_answer *answer)
{
    run->doing.retry_after_ms = deferred_ms(answer);
    bw_step_wait(run, ON_UPSTREAM, run->doing.retry_after_ms, answer->why);
}

/* ---- one more request of the same call: its own permit -------------------------------------------------------- */

static void ask_to_go_on(struct bw_run *run);

static uint64_t going_left_ms(const struct bw_run *run)
{
    uint64_t now = bus_now(run->bw->bus);

    return run->doing.until_ms > now ? run->doing.until_ms - now : 0;
}

/* An unsafe command that is stopped halfway is one of which nobody knows: it waits where it is, as long as its step may take.
   Any other gives its slot back meanwhile, and is begun again. */
static bool waits_here(const struct bw_run *run)
{
    const struct flow_step *step = run->doing.step;

    return step && step->effect == EFFECT_UNSAFE && going_left_ms(run) > 0;
}

static struct err going_waited(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    (void)reply;
    if (waits_here(run))
        ask_to_go_on(run);
    else
        run->going(run->calling, false);
    return OK;
}

static void go_on_later(struct bw_run *run, uint64_t wait_ms)
{
    uint64_t left = going_left_ms(run);

    (void)bus_wait(&run->op, wait_ms < left ? wait_ms : left, going_waited);
}

static void more_granted(void *self, const struct bw_permit_answer *answer)
{
    struct bw_run *run = self;
    bool fresh         = answer->granted && bw_permit_fresh(&run->permit);

    run->asking = NULL;
    if (answer->granted && !fresh)
        bw_permit_return(run->bw->permits, &run->permit);
    if (!fresh && waits_here(run))
        go_on_later(run, answer->granted ? 0 : deferred_ms(answer));
    else
        run->going(run->calling, fresh);
}

static void ask_to_go_on(struct bw_run *run)
{
    struct bw_permit_want want = {.session = ""};

    want.wait_ms = waits_here(run) ? going_left_ms(run) : PERMIT_WAIT_MS;
    if (works_in_session(run)) {
        want.session     = run->fold.session.id;
        want.session_use = true;
    }
    ask(run, want, more_granted);
}

/* The last one may have been deferred: then the same is sent again. */
static void ask_for_more(void *self, const struct bw_answer *so_far, bw_go_fn *go,
                         struct bw_call *call)
{
    struct bw_run *run = self;

    must(call == run->calling);
    run->going = go;
    report(run, so_far, false, false);
    if (so_far->fate == CALL_DEFERRED)
        go_on_later(run, again_ms(so_far));
    else
        ask_to_go_on(run);
}

/* ---- sending ---------------------------------------------------------------------------------------------- */

static const char *stamp(const struct bw_run *run, char at[BW_STAMP_SIZE])
{
    struct bw_stamp stamp = {0};

    str_copy(stamp.upstream, sizeof stamp.upstream, run->doing.upstream_copy.name);
    str_copy(stamp.tenant, sizeof stamp.tenant, run->job.ticket.tenant);
    str_copy(stamp.run, sizeof stamp.run, run->job.ticket.run);
    str_copy(stamp.session, sizeof stamp.session, run->doing.session);
    bw_stamp_write(&stamp, at);
    return at;
}

/* Within the stretch that began with the entry before: who comes after us waits that out, and no longer. */
static void start(struct bw_run *run, enum bw_verb verb, bw_answer_fn *fn)
{
    struct bw_doing *d          = &run->doing;
    const struct run_session *s = &run->fold.session;
    bool opens                  = verb == BW_OPEN;
    bool in_session             = !opens && (verb == BW_CLOSE || works_in_session(run));
    const char *place           = in_session ? s->endpoint : opens ? d->place : NULL;
    char stamped[BW_STAMP_SIZE];
    const struct bw_request request = {
        .verb        = verb,
        .upstream    = d->upstream,
        .endpoint    = place ? place : "",
        .remote_id   = in_session && s->remote_id ? s->remote_id : "",
        .stamp       = opens && d->driver->stamps ? stamp(run, stamped) : NULL,
        .body        = d->body,
        .effect      = d->step ? d->step->effect : EFFECT_READ,
        .timeout_ms  = verb == BW_CLOSE ? CLOSE_MS : call_ms(run),
        .private_net = run->fold.plan.private_net,
        .shot_on_failure =
            run->flow &&
            str_equal(json_str(json_get(run->flow->doc, "screenshot")), "on_failure"),
        .body_max = run->bw->config->response_max,
        .page_max = run->bw->config->page_max,
        .may      = may,
        .more     = ask_for_more,
        .self     = run};

    d->verb      = verb;
    d->until_ms  = bus_now(run->bw->bus) + request.timeout_ms;
    run->calling = d->driver->start(&run->bw->drivers, &request, fn, run);
}

/* What the call log shows and the flow reads. */
static void note_answer(struct bw_run *run, const struct bw_answer *a)
{
    struct bw_doing *d = &run->doing;

    d->fate             = a->fate;
    d->retry_after_ms   = again_ms(a);
    d->outcome.upstream = d->upstream_copy.name;
    d->outcome.endpoint = bw_step_keep(run, a->endpoint_path);
    d->outcome.status   = (uint32_t)a->status;
    d->outcome.ms       = a->ms;
    d->outcome.note     = bw_step_keep(run, a->note);
    d->outcome.url      = bw_step_keep(run, a->url);
    if (a->fate != CALL_DONE) {
        d->outcome.code =
            a->code ? bw_step_keep(run, a->code) : problem_word(PROBLEM_UPSTREAM_FAILED);
        d->outcome.detail = bw_step_keep(run, a->detail);
    }
    json_free(&d->value);
    d->value = a->value ? json_ref(a->value) : NULL;
    bw_artifact_keep(run, a->shots, a->shot_count);
}

/* ---- browse and retrieve ------------------------------------------------------------------------------------- */

static void page_granted(void *self, const struct bw_permit_answer *answer);

static void on_page(void *self, const struct bw_answer *a)
{
    struct bw_run *run = self;

    run->calling = NULL;
    report(run, a, false, a->session_gone);
    note_answer(run, a);
    bw_artifact_store(run, bw_step_attempted);
}

static void unsent_landed(struct bw_run *run)
{
    bw_run_advance(run);
}

/* Our INTENT stands, and nothing was sent after all: take it back and decide anew. */
static void take_back_intent(struct bw_run *run)
{
    struct entry *e = bw_journal_entry(run, ENTRY_OUTCOME);

    e->step.step    = run->doing.step->id;
    e->step.attempt = run->doing.attempt;
    e->step.effect  = run->doing.step->effect;
    e->step.result  = RESULT_UNSENT;
    e->step.setup   = run->doing.setup;
    bw_journal_fact(run, unsent_landed);
}

static void send_page(struct bw_run *run)
{
    bool fresh = bw_permit_fresh(&run->permit);

    if (fresh && may(run) && !run->fold.cancelled) {
        start(run, run->doing.step->verb == VERB_BROWSE ? BW_BROWSE : BW_RETRIEVE, on_page);
        return;
    }
    bw_permit_return(run->bw->permits, &run->permit);
    if (run->doing.intent)
        take_back_intent(run);
    else
        bw_run_advance(run);
}

static void intent_landed(struct bw_run *run)
{
    run->doing.intent = true;
    if (bw_run_stretch(run, run->doing.step->timeout_ms))
        send_page(run);
}

static void page_granted(void *self, const struct bw_permit_answer *answer)
{
    struct bw_run *run = self;
    struct bw_doing *d = &run->doing;

    run->asking = NULL;
    if (!answer->granted) {
        defer(run, answer);
        return;
    }
    if (d->step->effect != EFFECT_UNSAFE) {
        send_page(run);
        return;
    }
    struct entry *e    = bw_journal_entry(run, ENTRY_INTENT);
    e->step.step       = d->step->id;
    e->step.attempt    = d->attempt;
    e->step.effect     = d->step->effect;
    e->step.timeout_ms = d->step->timeout_ms;
    e->step.upstream   = d->upstream_copy.name;
    e->step.session    = run->fold.session.id ? run->fold.session.id : "";
    bw_journal_decision(run, intent_landed);
}

/* The URL a page step names must be one that may be visited; an agent's browser is elsewhere, so nothing is resolved. */
static bool url_allowed(struct bw_run *run, const char *url)
{
    char why[160];
    enum http_guard_mode mode =
        run->fold.plan.private_net ? HTTP_GUARD_PRIVATE : HTTP_GUARD_PUBLIC;

    if (!url || !failed(http_guard_url(mode, url, why, sizeof why)))
        return true;
    char detail[256];
    str_format(detail, sizeof detail, "%.120s: %.120s", url, why);
    bw_step_refused(run, problem_word(PROBLEM_URL_FORBIDDEN), detail);
    return false;
}

/* It was known when the run was accepted: somebody removed it, and may put it back.  The run, which may have done what must
   not be done again, waits for that as long as its timeout lets it. */
static void wait_until_known(struct bw_run *run, const char *name)
{
    char why[200];

    str_format(why, sizeof why, "upstream %s is not known any more: sluice upstream set %s …",
               name, name);
    bw_step_wait(run, ON_UPSTREAM, UNKNOWN_MS, why);
}

static bool no_upstream(struct bw_run *run)
{
    const char *name = upstream_name(run);

    if (find_upstream(run, name))
        return false;
    if (*name)
        wait_until_known(run, name);
    else
        bw_step_refused(
            run, problem_word(PROBLEM_UPSTREAM_REFUSED),
            "the flow names no upstream; say \"upstream\" in the flow or the submit");
    return true;
}

/* Nobody touches the session of a run that holds its slot, so it gives that back before the session would be lost: while it
   waits without one, the reaper keeps it warm. */
static uint64_t patience_ms(const struct bw_run *run)
{
    uint64_t idle = run->doing.upstream->session_idle_ms;

    return works_in_session(run) && idle && idle / 3 < PERMIT_WAIT_MS ? idle / 3
                                                                      : PERMIT_WAIT_MS;
}

void bw_page_do(struct bw_run *run)
{
    struct bw_doing *d = &run->doing;
    char why[200], site[PERMIT_NAME_SIZE];
    const char *url   = json_str(json_get(d->body, "url"));
    enum bw_verb verb = d->step->verb == VERB_BROWSE ? BW_BROWSE : BW_RETRIEVE;

    if (no_upstream(run) || !url_allowed(run, url))
        return;
    if (failed(d->driver->check(verb, d->body, why, sizeof why))) {
        bw_step_refused(run, problem_word(PROBLEM_UPSTREAM_REFUSED), why);
        return;
    }
    struct bw_permit_want want = {.wait_ms = patience_ms(run)};
    want.session               = works_in_session(run) ? run->fold.session.id : "";
    want.session_use           = *want.session != 0;
    if (url && http_guard_host(url, site, sizeof site))
        want.site = site;
    ask(run, want, page_granted);
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

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
    report(run, a, has_session, !has_session && certainly_not);
    note_answer(run, a);
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
        run->doing.retry_after_ms = deferred_ms(answer);
        run->doing.close_why      = bw_step_keep(run, answer->why);
        close_opening(run, RESULT_UNSENT, "no permit", wait_for_upstream);
        return;
    }
    if (bw_permit_fresh(&run->permit) && may(run)) {
        start(run, BW_OPEN, on_open);
        return;
    }
    bw_permit_return(run->bw->permits, &run->permit);
    close_opening(run, RESULT_UNSENT, "late", unsent_landed);
}

void bw_page_take_back(struct bw_run *run)
{
    close_opening(run, RESULT_UNSENT, "interrupted", unsent_landed);
}

static void opening_landed(struct bw_run *run)
{
    struct bw_permit_want want = {
        .wait_ms = PERMIT_WAIT_MS, .session = run->doing.session, .session_open = true};
    const char *url = json_str(json_get(run->doing.body, "url"));
    char site[PERMIT_NAME_SIZE];

    run->doing.opening = true;
    if (!bw_run_stretch(run, run->doing.step->timeout_ms))
        return;
    if (url && http_guard_host(url, site, sizeof site))
        want.site = site;
    ask(run, want, open_granted);
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
        bw_step_wait(run, ON_UPSTREAM, DEFERRED_MS, "upstream_sessions");
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
    if (no_upstream(run) || !url_allowed(run, json_str(json_get(value, "url"))))
        return;
    if (d->driver->stamps)
        bw_browsers_find(run->bw, d->upstream, &run->finding, on_browsers, run);
    else
        append_opening(run);
}

void bw_page_open(struct bw_run *run, const struct run_move *move)
{
    struct bw_doing *d = &run->doing;

    d->step       = move->step;
    d->attempt    = move->attempt;
    d->setup      = move->setup;
    d->started_ms = bus_now(run->bw->bus);
    d->scope      = run_scope(&run->fold);
    if (!bw_run_stretch(run, d->step->timeout_ms))
        return;
    /* A page step opens with its own url; nothing else of it concerns the session. */
    bw_expand(run, d->step->body, d->scope, on_open_body);
}

/* ---- closing --------------------------------------------------------------------------------------------------- */

static void close_again(struct bw_run *run);

static void closed_recorded(struct bw_run *run)
{
    run->hand.session_lost = run->hand.adopted = false;
    run->doing.then(run);
}

static void closed_landed(struct bw_run *run)
{
    bw_session_write(run, run->doing.closed ? "completed" : "failed", closed_recorded);
}

static void write_closed(struct bw_run *run, bool confirmed, int status, uint64_t ms)
{
    struct entry *e = bw_journal_entry(run, ENTRY_CLOSED);

    run->doing.closed   = confirmed;
    e->session.session  = run->fold.session.id;
    e->session.upstream = run->fold.session.upstream;
    e->session.result   = confirmed ? RESULT_OK : RESULT_FAILED;
    e->session.status   = (uint32_t)status;
    e->session.ms       = ms;
    e->session.why      = run->doing.close_why;
    e->session.step     = run->doing.then_step ? run->doing.then_step->id : "";
    bw_journal_fact(run, closed_landed);
}

static struct err closing_waited(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    close_again(SELF(struct bw_run, BW_RUN_MAGIC, op));
    return OK;
}

static void on_closed(void *self, const struct bw_answer *a)
{
    struct bw_run *run = self;
    bool confirmed = a->fate == CALL_DONE || a->fate == CALL_SESSION_LOST || a->session_gone;

    run->calling = NULL;
    report(run, a, false, confirmed);
    if (confirmed || ++run->doing.close_tries >= CLOSE_TRIES)
        write_closed(run, confirmed, a->status, a->ms);
    else
        (void)bus_wait(&run->op, 500 * run->doing.close_tries, closing_waited);
}

static void close_granted(void *self, const struct bw_permit_answer *answer)
{
    struct bw_run *run = self;

    run->asking = NULL;
    if (answer->granted && bw_permit_fresh(&run->permit) && may(run)) {
        start(run, BW_CLOSE, on_closed);
        return;
    }
    if (answer->granted)
        bw_permit_return(run->bw->permits, &run->permit);
    if (++run->doing.close_tries >= 2 * CLOSE_TRIES)
        write_closed(run, false, 0, 0);
    else
        (void)bus_wait(&run->op, 500, closing_waited);
}

static void close_again(struct bw_run *run)
{
    struct bw_permit_want want = {
        .wait_ms = PERMIT_WAIT_MS, .session = run->fold.session.id, .close = true};

    if (bw_run_stretch(run, CLOSE_MS + PERMIT_WAIT_MS))
        ask(run, want, close_granted);
}

static void close_session(struct bw_run *run, const char *why,
                          const struct flow_step *then_step, bw_then_fn *then)
{
    struct bw_doing *d = &run->doing;

    d->close_why = why;
    d->then_step = then_step;
    d->then      = then;
    /* Never answered, or its upstream is gone from the configuration: nothing to send a close to. */
    if (run->fold.session.state == SESSION_OPENING || !*run->fold.session.remote_id ||
        !find_upstream(run, run->fold.session.upstream)) {
        write_closed(run, false, 0, 0);
        return;
    }
    close_again(run);
}

void bw_page_close(struct bw_run *run, const struct run_move *move)
{
    close_session(run, move->why, move->step, bw_run_advance);
}

void bw_page_close_step(struct bw_run *run, bw_then_fn *then)
{
    /* The step stays in hand: only its session ends. */
    close_session(run, "close", NULL, then);
}

void bw_page_close_end(struct bw_run *run, const char *why, bw_then_fn *then)
{
    close_session(run, why, NULL, then);
}
