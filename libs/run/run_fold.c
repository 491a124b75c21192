#include "run/run_fold.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void run_fold_init(struct run_fold *f)
{
    *f       = (struct run_fold){.arena = arena_new(), .steps = map_new()};
    f->tries = 1;
    f->wake  = 1;
}

void run_fold_deinit(struct run_fold *f)
{
    map_free(&f->steps); /* the steps themselves lie in the arena */
    arena_free(&f->arena);
    mem_free(&f->marks);
    mem_free(&f->artifacts);
    mem_free(&f->session_setup);
    *f = (struct run_fold){0};
}

/* ---- keeping: entries are lent, the fold lives on ------------------------------------------------ */

static const char *keep(struct run_fold *f, const char *s)
{
    return s && *s ? arena_strdup(f->arena, s) : "";
}

static struct bytes keep_bytes(struct run_fold *f, struct bytes b)
{
    return b.len ? arena_bytes(f->arena, b) : (struct bytes){0};
}

static struct entry_plan keep_plan(struct run_fold *f, struct entry_plan p)
{
    const char **texts[] = {&p.tenant, &p.run,  &p.flow_name, &p.key,      &p.lane,
                            &p.pool,   &p.lock, &p.upstream,  &p.session,  &p.begin,
                            &p.parent, &p.root, &p.replay_of, &p.body_sha, &p.trace};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = keep(f, *texts[i]);
    p.flow   = keep_bytes(f, p.flow);
    p.input  = keep_bytes(f, p.input);
    p.labels = keep_bytes(f, p.labels);
    p.notify = keep_bytes(f, p.notify);
    return p;
}

static struct entry_step keep_step(struct run_fold *f, struct entry_step s)
{
    const char **texts[] = {&s.step,     &s.code,    &s.note,      &s.upstream,
                            &s.endpoint, &s.url,     &s.milestone, &s.go_to,
                            &s.branch,   &s.session, &s.detail,    &s.key};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = keep(f, *texts[i]);
    s.value          = keep_bytes(f, s.value);
    s.artifacts      = NULL; /* gathered for the run as a whole */
    s.artifact_count = 0;
    return s;
}

static struct entry_end keep_end(struct run_fold *f, struct entry_end e)
{
    e.code    = keep(f, e.code);
    e.reason  = keep(f, e.reason);
    e.detail  = keep(f, e.detail);
    e.step    = keep(f, e.step);
    e.session = keep(f, e.session);
    e.result  = keep_bytes(f, e.result);
    return e;
}

/* ---- phases ------------------------------------------------------------------------------------- */

/* Time spent so far in the phase that ends now goes to its total. */
static void enter(struct run_fold *f, enum run_phase phase, int64_t at_ms)
{
    int64_t spent = at_ms > f->phase_since_ms ? at_ms - f->phase_since_ms : 0;

    if (f->phase == RUN_LEASED)
        f->running_total_ms += spent;
    if (f->phase == RUN_WAITING)
        f->waited_total_ms += spent;
    f->phase          = phase;
    f->phase_since_ms = at_ms;
}

static void start_anew(struct run_fold *f, const struct entry *e)
{
    uint64_t last_seq = f->last_seq;
    int64_t last_ms   = f->last_ms;

    run_fold_deinit(f);
    run_fold_init(f);
    f->last_seq = last_seq;
    f->last_ms  = last_ms;
    f->plan     = keep_plan(f, e->plan);
    f->plan_seq = e->seq;
    f->plan_ms  = e->stored_ms;
    enter(f, RUN_QUEUED, e->stored_ms);
}

static void add_leased(struct run_fold *f, const struct entry *e)
{
    f->lost_last = f->lease_stands;
    if (f->lease_stands) {
        f->lost++;
        f->tries++;
        f->lost_ms = f->last_holder_ms;
        if (f->session.state == SESSION_OPEN)
            f->session.tainted = true;
    }
    f->lease        = (struct run_lease){.token     = e->token,
                                         .job       = e->job,
                                         .seq       = e->seq,
                                         .worker    = keep(f, e->worker),
                                         .stored_ms = e->stored_ms,
                                         .wake      = e->wake};
    f->lease_stands = true;
    f->leases++;
    if (e->wake > f->wake)
        f->wake = e->wake;
    if (!f->started_ms)
        f->started_ms = e->stored_ms;
    enter(f, RUN_LEASED, e->stored_ms);
}

/* Whoever did nothing under its lease cannot vouch for the session: the holder before it may still be at work there. */
static void let_go(struct run_fold *f, enum run_phase phase, int64_t at_ms)
{
    bool did_nothing = f->last_holder_seq == f->lease.seq;

    f->lease_stands = false;
    if (!did_nothing)
        f->session.tainted = false;
    enter(f, phase, at_ms);
}

static void add_waiting(struct run_fold *f, const struct entry *e)
{
    f->waiting          = e->waiting;
    f->waiting.step     = keep(f, e->waiting.step);
    f->waiting.upstream = keep(f, e->waiting.upstream);
    f->waiting.lock     = keep(f, e->waiting.lock);
    f->waiting.why      = keep(f, e->waiting.why);
    f->waiting_seq      = e->seq;
    f->waiting_ms       = e->stored_ms;
    f->wake             = f->wake + 1;
    let_go(f, RUN_WAITING, e->stored_ms);
}

static void add_end(struct run_fold *f, const struct entry *e)
{
    f->end             = keep_end(f, e->end);
    f->end_seq         = e->seq;
    f->ended_ms        = e->stored_ms;
    f->intent.dangling = false;
    let_go(f, RUN_ENDED, e->stored_ms);
    if (!e->end.ended_at)
        return;
    f->started_ms       = e->end.started_at;
    f->ended_ms         = e->end.ended_at;
    f->running_total_ms = (int64_t)e->end.running_ms;
    f->waited_total_ms  = (int64_t)e->end.waiting_ms;
}

void run_fold_tell_times(const struct run_fold *f, int64_t now_ms, struct entry_end *to)
{
    int64_t open = now_ms > f->phase_since_ms ? now_ms - f->phase_since_ms : 0;

    to->started_at = f->started_ms;
    to->ended_at   = now_ms;
    to->running_ms = (uint64_t)(f->running_total_ms + (f->phase == RUN_LEASED ? open : 0));
    to->waiting_ms = (uint64_t)(f->waited_total_ms + (f->phase == RUN_WAITING ? open : 0));
}

/* ---- sessions ------------------------------------------------------------------------------------ */

static void add_session(struct run_fold *f, const struct entry *e)
{
    struct run_session *s = &f->session;

    if (e->kind == ENTRY_CLOSED) {
        s->state     = e->session.result == RESULT_UNSENT ? SESSION_NONE : SESSION_CLOSED;
        s->confirmed = e->session.result == RESULT_OK || e->session.result == RESULT_UNSENT;
        s->kept      = e->session.kept;
        s->tainted   = false;
        s->why       = keep(f, e->session.why);
        if (*e->session.step && f->phase != RUN_ENDED)
            f->jump = keep(f, e->session.step);
        return;
    }
    *s = (struct run_session){.state = e->kind == ENTRY_OPENED ? SESSION_OPEN : SESSION_OPENING,
                              .id    = keep(f, e->session.session),
                              .upstream  = keep(f, e->session.upstream),
                              .endpoint  = keep(f, e->session.endpoint),
                              .remote_id = keep(f, e->session.remote_id),
                              .step      = keep(f, e->session.step),
                              .kept      = e->session.kept,
                              .token     = e->token,
                              .why       = ""};
    if (e->kind != ENTRY_OPENED)
        return;
    s->opened_seq          = e->seq;
    s->opened_ms           = e->stored_ms;
    f->session_setup_count = 0;
    f->sessions++;
}

/* ---- steps --------------------------------------------------------------------------------------- */

static struct run_step *step_get(struct run_fold *f, const char *id)
{
    struct run_step *s = map_find(f->steps, id);

    if (s)
        return s;
    s     = arena_zero(f->arena, sizeof *s);
    s->id = keep(f, id);
    (void)map_put(f->steps, s->id, s);
    return s;
}

static void add_intent(struct run_fold *f, const struct entry *e)
{
    struct run_step *s = step_get(f, e->step.step);

    if (e->step.attempt > s->attempts)
        s->attempts = e->step.attempt;
    s->since_ms = e->stored_ms;
    f->intent   = (struct run_intent){.dangling   = true,
                                      .step       = s->id,
                                      .attempt    = e->step.attempt,
                                      .token      = e->token,
                                      .seq        = e->seq,
                                      .stored_ms  = e->stored_ms,
                                      .timeout_ms = e->step.timeout_ms,
                                      .key        = keep(f, e->step.key)};
}

static void add_mark(struct run_fold *f, const struct entry *e)
{
    if (!*e->step.milestone || e->step.setup)
        return;
    f->marks                  = mem_grow(f->marks, f->mark_count + 1, sizeof *f->marks);
    f->marks[f->mark_count++] = (struct run_mark){e->stored_ms, keep(f, e->step.milestone)};
}

static void add_artifacts(struct run_fold *f, const struct entry *e)
{
    for (size_t i = 0; i < e->step.artifact_count; i++) {
        f->artifacts = mem_grow(f->artifacts, f->artifact_count + 1, sizeof *f->artifacts);
        f->artifacts[f->artifact_count++] = keep(f, e->step.artifacts[i]);
    }
}

/* A step that stands settled: where the flow goes on, unless it was run again for a later session. */
static void settle(struct run_fold *f, struct run_step *s, const struct entry *e)
{
    s->settled  = true;
    s->failures = 0;
    add_mark(f, e);
    if (e->step.result == RESULT_OK && f->session.state == SESSION_OPEN) {
        f->session_setup =
            mem_grow(f->session_setup, f->session_setup_count + 1, sizeof *f->session_setup);
        f->session_setup[f->session_setup_count++] = s->id;
    }
    if (e->step.setup)
        return;
    f->last = s;
    f->jump = NULL;
    if (e->step.result == RESULT_INDETERMINATE)
        f->doubtful = true;
    if (e->step.result != RESULT_SKIPPED)
        f->steps_run++;
}

static void add_outcome(struct run_fold *f, const struct entry *e)
{
    struct run_step *s = step_get(f, e->step.step);
    bool unsent        = e->step.result == RESULT_UNSENT;

    if (e->step.attempt > s->attempts)
        s->attempts = e->step.attempt;
    if (f->intent.dangling && str_equal(f->intent.step, s->id))
        f->intent.dangling = false;
    /* What a setup step gave to expressions the first time stays; a second login is not a second outcome. */
    if (!(e->step.setup && s->settled))
        s->last = keep_step(f, e->step);
    s->outcomes++;
    s->ended_ms = e->stored_ms;
    s->last_seq = e->seq;
    if (!s->since_ms)
        s->since_ms = f->last_holder_ms;
    add_artifacts(f, e);
    if (*e->step.upstream && !unsent)
        f->calls++;
    s->unsent += unsent;
    if (unsent)
        return;
    if (e->step.result == RESULT_FAILED && !e->step.final) {
        s->failures++;
        f->tries++;
        return;
    }
    settle(f, s, e);
}

/* ---- mail ---------------------------------------------------------------------------------------- */

static void add_cancel(struct run_fold *f, const struct entry *e)
{
    if (f->cancelled)
        return;
    f->cancelled     = true;
    f->cancel        = e->mail;
    f->cancel.by     = keep(f, e->mail.by);
    f->cancel.reason = keep(f, e->mail.reason);
    f->cancel.name = f->cancel.id = f->cancel.child = "";
    f->cancel.data                                  = (struct bytes){0};
    f->cancel_seq                                   = e->seq;
}

/* ---- the fold -------------------------------------------------------------------------------------- */

/* CAS keeps others out, and the fold does not rely on it. */
static bool counts(const struct run_fold *f, const struct entry *e)
{
    return f->lease_stands && e->token == f->lease.token;
}

static void add_held(struct run_fold *f, const struct entry *e)
{
    if (!counts(f, e))
        return;
    switch (e->kind) {
    case ENTRY_RELEASED:
        let_go(f, RUN_RELEASED, e->stored_ms);
        break;
    case ENTRY_OPENING:
    case ENTRY_OPENED:
    case ENTRY_CLOSED:
        add_session(f, e);
        break;
    case ENTRY_INTENT:
        add_intent(f, e);
        break;
    case ENTRY_OUTCOME:
        add_outcome(f, e);
        break;
    case ENTRY_WAITING:
        add_waiting(f, e);
        break;
    case ENTRY_NONE:
    case ENTRY_PLAN:
    case ENTRY_ACCEPTED:
    case ENTRY_REJECTED:
    case ENTRY_LEASED:
    case ENTRY_SPAWNED:
    case ENTRY_END:
    case ENTRY_COMMAND:
    case ENTRY_SIGNAL:
    case ENTRY_CANCEL:
    case ENTRY_CHILD_DONE:
    case ENTRY_KINDS:
        break;
    }
}

static void add_living(struct run_fold *f, const struct entry *e)
{
    switch (e->kind) {
    case ENTRY_ACCEPTED:
        f->accepted = true;
        break;
    case ENTRY_REJECTED:
        if (f->phase == RUN_QUEUED) {
            f->end = keep_end(f, e->end);
            enter(f, RUN_REJECTED, e->stored_ms);
        }
        break;
    case ENTRY_LEASED:
        add_leased(f, e);
        break;
    case ENTRY_END: /* by the holder, or by the scheduler for a run that never started */
        if (counts(f, e) || f->phase == RUN_QUEUED)
            add_end(f, e);
        break;
    case ENTRY_CANCEL:
        add_cancel(f, e);
        break;
    case ENTRY_RELEASED:
    case ENTRY_OPENING:
    case ENTRY_OPENED:
    case ENTRY_INTENT:
    case ENTRY_OUTCOME:
    case ENTRY_SPAWNED:
    case ENTRY_WAITING:
    case ENTRY_CLOSED:
        add_held(f, e);
        break;
    case ENTRY_NONE:
    case ENTRY_PLAN:
    case ENTRY_COMMAND:
    case ENTRY_SIGNAL:
    case ENTRY_CHILD_DONE:
    case ENTRY_KINDS:
        break;
    }
}

void run_fold_add(struct run_fold *f, const struct entry *e)
{
    if (e->seq <= f->last_seq && f->last_seq)
        return;
    switch (f->phase) {
    case RUN_ABSENT:
    case RUN_REJECTED:
        if (e->kind == ENTRY_PLAN)
            start_anew(f, e);
        break;
    case RUN_ENDED:
        if (e->kind == ENTRY_CLOSED)
            add_session(f, e);
        break;
    case RUN_QUEUED:
    case RUN_LEASED:
    case RUN_RELEASED:
    case RUN_WAITING:
        add_living(f, e);
        break;
    }
    f->last_seq = e->seq;
    f->last_ms  = e->stored_ms;
    if (entry_by_holder(e->kind)) {
        f->last_holder_seq = e->seq;
        f->last_holder_ms  = e->stored_ms;
    }
}

const struct run_step *run_fold_step(const struct run_fold *f, const char *id)
{
    return map_find(f->steps, id);
}

bool run_fold_mine(const struct run_fold *f, uint64_t token)
{
    return f->lease_stands && f->lease.token == token;
}

/* ---- times ----------------------------------------------------------------------------------------- */

int64_t run_due_ms(const struct run_fold *f)
{
    if (f->phase == RUN_WAITING)
        return f->waiting_ms + (int64_t)f->waiting.due_ms;
    return f->plan_ms + (int64_t)f->plan.not_before_ms;
}

int64_t run_start_by_ms(const struct run_fold *f)
{
    if (!f->plan.start_within_ms)
        return INT64_MAX;
    return f->plan_ms + (int64_t)f->plan.not_before_ms + (int64_t)f->plan.start_within_ms;
}

int64_t run_deadline_ms(const struct run_fold *f)
{
    if (!f->plan.timeout_ms)
        return INT64_MAX;
    return f->plan_ms + (int64_t)f->plan.not_before_ms + (int64_t)f->plan.timeout_ms;
}

const char *run_status_text(const struct run_fold *f)
{
    switch (f->phase) {
    case RUN_ABSENT:
    case RUN_REJECTED:
        return "";
    case RUN_QUEUED:
        return "queued";
    case RUN_LEASED:
    case RUN_RELEASED:
        return "running";
    case RUN_WAITING:
        return "waiting";
    case RUN_ENDED:
        return run_status_word(f->end.status);
    }
    return "";
}
