#include "bw_send.h"

#include "base/mem.h"
#include "bw_artifact.h"
#include "bw_stamp.h"
#include "bw_step.h"
#include "bw_target.h"
#include "problem/problem.h"

bool bw_send_may(const struct bw_run *run)
{
    return !run->over && bw_run_left_ms(run) > 0;
}

/* ---- permits -------------------------------------------------------------------------------------------------- */

static enum lane run_lane(const struct bw_run *run)
{
    return run->job.ticket.lane;
}

static uint64_t call_ms(const struct bw_run *run)
{
    uint64_t left = bw_run_left_ms(run);
    uint64_t step = run->doing.step ? run->doing.step->timeout_ms : BW_SEND_CLOSE_MS;

    return step < left ? step : left;
}

void bw_send_ask(struct bw_run *run, struct bw_permit_want want, bw_permit_fn *fn)
{
    want.upstream    = run->doing.upstream_copy.name;
    want.tenant      = run->job.ticket.tenant;
    want.run         = run->job.ticket.run;
    want.step        = run->doing.step ? run->doing.step->id : "";
    want.lane        = run_lane(run);
    want.lifetime_ms = call_ms(run);
    run->asking      = bw_permit_ask(run->bw->permits, &want, &run->permit, fn, run);
}

void bw_send_report(struct bw_run *run, const struct bw_answer *a, bool opened, bool closed)
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
    return retry_after_ms < BW_SEND_DEFERRED_MS ? retry_after_ms : BW_SEND_DEFERRED_MS;
}

static uint64_t again_ms(const struct bw_answer *a)
{
    return a->call_class == CALL_RATE ? gated_ms(a->retry_after_ms) : a->retry_after_ms;
}

uint64_t bw_send_deferred_ms(const struct bw_permit_answer *answer)
{
    bool gated = str_equal(answer->why, "upstream_limited") ||
                 str_equal(answer->why, "upstream_closed") || str_equal(answer->why, "paused");

    if (answer->retry_after_ms == 0)
        return BW_SEND_DEFERRED_MS;
    return gated ? gated_ms(answer->retry_after_ms) : answer->retry_after_ms;
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
        go_on_later(run, answer->granted ? 0 : bw_send_deferred_ms(answer));
    else
        run->going(run->calling, fresh);
}

static void ask_to_go_on(struct bw_run *run)
{
    struct bw_permit_want want = {.session = ""};

    want.wait_ms = waits_here(run) ? going_left_ms(run) : BW_SEND_WAIT_MS;
    if (bw_target_in_session(run)) {
        want.session     = run->fold.session.id;
        want.session_use = true;
    }
    bw_send_ask(run, want, more_granted);
}

/* The last one may have been deferred: then the same is sent again. */
static void ask_for_more(void *self, const struct bw_answer *so_far, bw_go_fn *go,
                         struct bw_call *call)
{
    struct bw_run *run = self;

    must(call == run->calling);
    run->going = go;
    bw_send_report(run, so_far, false, false);
    if (so_far->fate == CALL_DEFERRED)
        go_on_later(run, again_ms(so_far));
    else
        ask_to_go_on(run);
}

/* ---- sending -------------------------------------------------------------------------------------------------- */

static bool may(void *self)
{
    return bw_send_may(self);
}

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

void bw_send_start(struct bw_run *run, enum bw_verb verb, bw_answer_fn *fn)
{
    struct bw_doing *d          = &run->doing;
    const struct run_session *s = &run->fold.session;
    bool opens                  = verb == BW_OPEN;
    bool in_session             = !opens && (verb == BW_CLOSE || bw_target_in_session(run));
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
        .timeout_ms  = verb == BW_CLOSE ? BW_SEND_CLOSE_MS : call_ms(run),
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

void bw_send_note(struct bw_run *run, const struct bw_answer *a)
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
