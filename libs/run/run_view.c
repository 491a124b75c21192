#include "run/run_view.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "problem/problem.h"
#include "run/run_next.h"

/* ---- small builders --------------------------------------------------------------------------------- */

static void set_text(struct json *to, const char *key, const char *text)
{
    if (text && *text)
        json_set(to, key, json_new_str(text));
}

static void set_text_or_null(struct json *to, const char *key, const char *text)
{
    json_set(to, key, text && *text ? json_new_str(text) : json_new_null());
}

static void set_time(struct json *to, const char *key, int64_t wall_ms)
{
    char at[40];

    if (wall_ms)
        json_set(to, key, json_new_str(str_time_text(wall_ms, at, sizeof at)));
}

/* Bytes that were JSON when they were written; null if they are not any more. */
static struct json *parsed(struct bytes text)
{
    struct json *v = NULL;
    char why[JSON_WHY_SIZE];

    if (!text.len || failed(json_parse(&v, text, why, sizeof why)))
        return json_new_null();
    return v;
}

/* ---- steps -------------------------------------------------------------------------------------------- */

/* In the order in which they were done, those in hand last.  The array is the caller's. */
static const struct run_step **in_order(const struct run_fold *f, size_t *ret_count)
{
    const struct run_step **all = mem_array(map_count(f->steps) + 1, sizeof *all);
    size_t count                = 0;
    const char *id;
    void *value;

    for (size_t it = 0; map_next(f->steps, &it, &id, &value);) {
        const struct run_step *s = value;
        uint64_t seq             = s->outcomes ? s->last_seq : UINT64_MAX;
        size_t at                = count++;

        for (; at && (all[at - 1]->outcomes ? all[at - 1]->last_seq : UINT64_MAX) > seq; at--)
            all[at] = all[at - 1];
        all[at] = s;
    }
    *ret_count = count;
    return all;
}

/* To be deferred by an upstream's limit is not a try. */
static int64_t tries_of(const struct run_step *s)
{
    return s->attempts > s->unsent ? s->attempts - s->unsent : 0;
}

/* A read has no entry before its outcome: only the flow says that it is being done.  NULL: not of interest, or unreadable. */
static struct flow *flow_of(const struct run_fold *f)
{
    struct flow *flow = NULL;
    struct problem why;

    if (f->phase != RUN_LEASED)
        return NULL;
    struct json *doc = parsed(f->plan.flow);
    (void)!failed(flow_read(&flow, doc, "", &why));
    json_free(&doc);
    return flow;
}

/* The step that is being done or waited for, or at which it ended; "" none. */
static const char *step_here(const struct run_fold *f, const struct flow *flow)
{
    const struct flow_step *at = flow ? run_position(flow, f) : NULL;

    if (f->phase == RUN_ENDED)
        return f->end.step;
    if (f->intent.dangling)
        return f->intent.step;
    if (f->phase == RUN_WAITING)
        return f->waiting.step;
    return at ? at->id : "";
}

static struct json *step_in_hand(const struct run_fold *f, int64_t since_ms)
{
    struct json *one = json_new_object();

    set_text(one, "status", f->phase == RUN_WAITING ? "waiting" : "running");
    set_time(one, "since", since_ms);
    return one;
}

static struct json *step_done(const struct run_step *s)
{
    struct json *one = json_new_object();

    set_text(one, "status", entry_result_word(s->last.result));
    json_set(one, "ms", json_new_int((int64_t)s->last.ms));
    set_text(one, "code", s->last.code);
    return one;
}

static void add_step(struct json *to, const struct run_fold *f, const struct run_step *s,
                     const char *here)
{
    bool in_hand = !s->settled && f->phase != RUN_ENDED && str_equal(s->id, here);

    if (!in_hand && !s->outcomes)
        return;
    struct json *one =
        in_hand ? step_in_hand(f, s->since_ms ? s->since_ms : s->ended_ms) : step_done(s);
    if (tries_of(s) > 1)
        json_set(one, "tries", json_new_int(tries_of(s)));
    json_set(to, s->id, one);
}

static struct json *steps_seen(const struct run_fold *f, const char *here)
{
    struct json *steps = json_new_object();
    size_t count;
    const struct run_step **all = in_order(f, &count);

    for (size_t i = 0; i < count; i++)
        add_step(steps, f, all[i], here);
    mem_free(&all);
    if (*here && !run_fold_step(f, here) && f->phase != RUN_ENDED)
        json_set(steps, here, step_in_hand(f, f->last_holder_ms));
    return steps;
}

/* ---- ended -------------------------------------------------------------------------------------------- */

static struct json *error_of(const struct run_fold *f)
{
    if (!*f->end.code)
        return json_new_null();
    struct json *error     = json_new_object();
    enum problem_code code = problem_of_word(f->end.code);

    set_text(error, "code", f->end.code);
    json_set(error, "title", json_new_str(problem_title(code)));
    set_text(error, "detail", f->end.detail);
    set_text(error, "step", f->end.step);
    json_set(error, "replayable", json_new_bool(f->end.replayable));
    return error;
}

static struct json *spans(const struct run_fold *f, int64_t now_wall_ms)
{
    struct json *ms = json_new_object();
    int64_t until   = f->phase == RUN_ENDED ? f->ended_ms : now_wall_ms;
    int64_t open    = until > f->phase_since_ms ? until - f->phase_since_ms : 0;
    int64_t queued  = (f->started_ms ? f->started_ms : until) - f->plan_ms;

    json_set(ms, "queued", json_new_int(queued > 0 ? queued : 0));
    json_set(ms, "running",
             json_new_int(f->running_total_ms + (f->phase == RUN_LEASED ? open : 0)));
    json_set(ms, "waiting",
             json_new_int(f->waited_total_ms + (f->phase == RUN_WAITING ? open : 0)));
    return ms;
}

static struct json *artifacts_of(const struct run_fold *f)
{
    struct json *list = json_new_array();

    for (size_t i = 0; i < f->artifact_count; i++)
        json_add(list, json_new_str(f->artifacts[i]));
    return list;
}

static const char *trace_of(const struct run_fold *f, char at[33])
{
    at[0] = 0;
    if (strlen(f->plan.trace) >= 35) /* 00-<32 hex>-… */
        str_copy_n(at, 33, f->plan.trace + 3, 32);
    return at;
}

static void set_root(struct json *doc, const struct run_fold *f)
{
    set_text_or_null(doc, "parent", f->plan.parent);
    json_set(doc, "root", json_new_str(*f->plan.root ? f->plan.root : f->plan.run));
}

/* What `get` of an ended run and its result message have in common. */
static void set_ended(struct json *doc, const struct run_fold *f)
{
    struct json *used = json_new_object();
    char trace[33];

    set_text_or_null(doc, "reason", f->end.reason);
    json_set(doc, "error", error_of(f));
    json_set(doc, "result", parsed(f->end.result));
    set_time(doc, "submitted_at", f->plan_ms);
    set_time(doc, "started_at", f->started_ms);
    set_time(doc, "ended_at", f->ended_ms);
    json_set(doc, "ms", spans(f, f->ended_ms));
    json_set(doc, "tries", json_new_int(f->tries));
    json_set(doc, "steps_run", json_new_int(f->steps_run));
    json_set(used, "calls", json_new_int(f->calls));
    json_set(used, "slot_ms", json_new_int(f->running_total_ms));
    json_set(doc, "used", used);
    json_set(doc, "artifacts", artifacts_of(f));
    set_text(doc, "session", f->end.session);
    set_text_or_null(doc, "trace_id", trace_of(f, trace));
}

struct json *run_view_result(const struct run_fold *f)
{
    struct json *doc = json_new_object();

    json_set(doc, "run_id", json_new_str(f->plan.run));
    set_text_or_null(doc, "key", f->plan.key);
    json_set(doc, "flow", json_new_str(f->plan.flow_name));
    json_set(doc, "status", json_new_str(run_status_word(f->end.status)));
    set_ended(doc, f);
    json_set(doc, "labels", f->plan.labels.len ? parsed(f->plan.labels) : json_new_object());
    set_root(doc, f);
    return doc;
}

/* ---- living --------------------------------------------------------------------------------------------- */

static struct json *marks_of(const struct run_fold *f)
{
    struct json *list = json_new_array();

    for (size_t i = 0; i < f->mark_count; i++) {
        struct json *one = json_new_object();
        set_time(one, "at", f->marks[i].at_ms);
        json_set(one, "text", json_new_str(f->marks[i].text));
        json_add(list, one);
    }
    return list;
}

static struct json *waiting_of(const struct run_fold *f)
{
    struct json *w = json_new_object();

    set_text(w, "on", entry_on_word(f->waiting.on));
    set_time(w, "since", f->waiting_ms);
    set_time(w, "until", run_due_ms(f));
    set_text(w, "step", f->waiting.step);
    set_text(w, "upstream", f->waiting.upstream);
    set_text(w, "lock", f->waiting.lock);
    set_text(w, "why", f->waiting.why);
    return w;
}

struct json *run_view(const struct run_fold *f, int64_t now_wall_ms)
{
    struct json *doc  = json_new_object();
    struct flow *flow = flow_of(f);
    const char *here  = step_here(f, flow);
    char trace[33];

    json_set(doc, "run_id", json_new_str(f->plan.run));
    set_text(doc, "key", f->plan.key);
    json_set(doc, "flow", json_new_str(f->plan.flow_name));
    json_set(doc, "status", json_new_str(run_status_text(f)));
    set_text(doc, "step", *here ? here : f->last ? f->last->id : "");
    if (f->session.state == SESSION_OPEN)
        set_text(doc, "session", f->session.id);
    set_text(doc, "lane", f->plan.lane);
    set_text(doc, "pool", f->plan.pool);
    json_set(doc, "tries", json_new_int(f->tries));
    if (f->phase == RUN_WAITING)
        json_set(doc, "waiting", waiting_of(f));
    json_set(doc, "milestones", marks_of(f));
    json_set(doc, "steps", steps_seen(f, here));
    json_set(doc, "labels", f->plan.labels.len ? parsed(f->plan.labels) : json_new_object());
    set_root(doc, f);
    set_text(doc, "replay_of", f->plan.replay_of);
    if (f->phase == RUN_ENDED) {
        set_ended(doc, f);
    } else {
        set_time(doc, "submitted_at", f->plan_ms);
        set_time(doc, "started_at", f->started_ms);
        json_set(doc, "ms", spans(f, now_wall_ms));
        set_text(doc, "trace_id", trace_of(f, trace));
    }
    flow_free(&flow);
    return doc;
}

/* ---- the scope of expressions ------------------------------------------------------------------------------ */

/* A step's outcome: its own value, and beside it what every step has (surface 16). */
static struct json *outcome_of(const struct run_step *s)
{
    struct json *value = s->last.value.len ? parsed(s->last.value) : json_new_object();

    if (json_type(value) != JSON_OBJECT) {
        struct json *box = json_new_object();
        json_set(box, "value", value);
        value = box;
    }
    set_text(value, "result", entry_result_word(s->last.result));
    set_text(value, "code", s->last.code);
    json_set(value, "ms", json_new_int((int64_t)s->last.ms));
    json_set(value, "tries", json_new_int(tries_of(s)));
    set_text(value, "url", s->last.url);
    return value;
}

static void add_outcome(struct json *steps, struct json *vars, const struct run_step *s)
{
    if (!s->settled || s->last.result == RESULT_SKIPPED)
        return;
    struct json *outcome = outcome_of(s);
    const char *name;
    const struct json *value;

    for (size_t it = 0; json_each(json_get(outcome, "vars"), &it, &name, &value);)
        json_set(vars, name, json_ref(value));
    json_set(steps, s->id, outcome);
}

/* `set` steps overwrite each other in the order in which they were done. */
static void add_outcomes(const struct run_fold *f, struct json *steps, struct json *vars)
{
    size_t count;
    const struct run_step **all = in_order(f, &count);

    for (size_t i = 0; i < count; i++)
        add_outcome(steps, vars, all[i]);
    mem_free(&all);
}

struct json *run_scope(const struct run_fold *f)
{
    struct json *scope = json_new_object(), *steps = json_new_object(),
                *vars = json_new_object(), *run = json_new_object();

    add_outcomes(f, steps, vars);
    set_text(run, "id", f->plan.run);
    set_text(run, "tenant", f->plan.tenant);
    set_text(run, "flow", f->plan.flow_name);
    set_text(run, "lane", f->plan.lane);
    json_set(run, "tries", json_new_int(f->tries));
    set_root(run, f);
    json_set(run, "labels", f->plan.labels.len ? parsed(f->plan.labels) : json_new_object());
    set_time(run, "submitted_at", f->plan_ms);
    json_set(scope, "input", f->plan.input.len ? parsed(f->plan.input) : json_new_object());
    json_set(scope, "steps", steps);
    json_set(scope, "vars", vars);
    json_set(scope, "run", run);
    json_set(scope, "item", json_new_null());
    return scope;
}
