#include "bw_page.h"

#include "bw_artifact.h"
#include "bw_journal.h"
#include "bw_send.h"
#include "bw_step.h"
#include "bw_target.h"
#include "http/http_guard.h"
#include "problem/problem.h"

static void defer(struct bw_run *run, const struct bw_permit_answer *answer)
{
    run->doing.retry_after_ms = bw_send_deferred_ms(answer);
    bw_step_wait(run, ON_UPSTREAM, run->doing.retry_after_ms, answer->why);
}

static void on_page(void *self, const struct bw_answer *a)
{
    struct bw_run *run = self;

    run->calling = NULL;
    bw_send_report(run, a, false, a->session_gone);
    bw_send_note(run, a);
    bw_artifact_store(run, bw_step_attempted);
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
    bw_journal_fact(run, bw_run_advance);
}

static void send_page(struct bw_run *run)
{
    bool fresh = bw_permit_fresh(&run->permit);

    if (fresh && bw_send_may(run) && !run->fold.cancelled) {
        bw_send_start(run, run->doing.step->verb == VERB_BROWSE ? BW_BROWSE : BW_RETRIEVE,
                      on_page);
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

/* Nobody touches the session of a run that holds its slot, so it gives that back before the session would be lost: while it
   waits without one, the reaper keeps it warm. */
static uint64_t patience_ms(const struct bw_run *run)
{
    uint64_t idle = run->doing.upstream->session_idle_ms;

    return bw_target_in_session(run) && idle && idle / 3 < BW_SEND_WAIT_MS ? idle / 3
                                                                           : BW_SEND_WAIT_MS;
}

void bw_page_do(struct bw_run *run)
{
    struct bw_doing *d = &run->doing;
    char why[200], site[PERMIT_NAME_SIZE];
    const char *url   = json_str(json_get(d->body, "url"));
    enum bw_verb verb = d->step->verb == VERB_BROWSE ? BW_BROWSE : BW_RETRIEVE;

    if (bw_target_missing(run) || !bw_target_url_allowed(run, url))
        return;
    if (failed(d->driver->check(verb, d->body, why, sizeof why))) {
        bw_step_refused(run, problem_word(PROBLEM_UPSTREAM_REFUSED), why);
        return;
    }
    struct bw_permit_want want = {.wait_ms = patience_ms(run)};
    want.session               = bw_target_in_session(run) ? run->fold.session.id : "";
    want.session_use           = *want.session != 0;
    if (url && http_guard_host(url, site, sizeof site))
        want.site = site;
    bw_send_ask(run, want, page_granted);
}
