#include "gw_plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "http/http_guard.h"
#include "json/json_expr.h"
#include "json/json_schema.h"
#include "run/run_id.h"
#include "run/run_trace.h"
#include "run/run_view.h"

enum { KEY_MAX = 256, LABELS_MAX = 16, LABEL_MAX = 128, URL_MAX = 2000, PLACE_SIZE = 96 };

static const char *const FIELDS[] = {
    "flow",    "input",    "key",        "lane",         "pool",    "lock",         "session",
    "step",    "upstream", "not_before", "start_within", "timeout", "keep_session", "labels",
    "dry_run", "job_id",   "session_id", "priority",     NULL};
static const char *const LATER[] = {"interactive", "budget", "notify", NULL};

/* What is being read, and where errors go. */
struct reader {
    struct gw_plan *out;
    const struct gw *gw;
    const char *tenant;
    const struct run_rule *rule;
    const struct json *request;
    int64_t now_wall_ms;
    struct flow *flow;
    struct problem *why;
};

static struct err refuse(struct reader *r, enum problem_code code, const char *pointer,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

static struct err refuse(struct reader *r, enum problem_code code, const char *pointer,
                         const char *format, ...)
{
    char detail[sizeof r->why->detail];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    problem_set(r->why, code, pointer, "%s", detail);
    return err_of(ERR_REJECT, "read submit");
}

static const char *keep(struct reader *r, const char *s)
{
    return arena_strdup(r->out->arena, s);
}

/* ---- fields ------------------------------------------------------------------------------------------------- */

static struct err known_fields(struct reader *r)
{
    const char *unknown, *nearest;
    char pointer[96];

    if (json_known(r->request, FIELDS, &unknown, &nearest))
        return OK;
    str_format(pointer, sizeof pointer, "/%s", unknown);
    for (const char *const *later = LATER; *later; later++)
        if (str_equal(*later, unknown))
            return refuse(r, PROBLEM_INVALID_REQUEST, pointer,
                          "\"%s\" is not available in this version", unknown);
    if (!nearest)
        return refuse(r, PROBLEM_INVALID_REQUEST, pointer, "unknown field \"%.60s\"", unknown);
    struct err e = refuse(r, PROBLEM_INVALID_REQUEST, pointer,
                          "unknown field \"%.60s\"; did you mean \"%s\"?", unknown, nearest);
    str_copy(r->why->attempt, sizeof r->why->attempt, nearest);
    return e;
}

/* What was said under a name; null is absent. */
static const struct json *said(const struct reader *r, const char *field)
{
    const struct json *v = field ? json_get(r->request, field) : NULL;

    return json_type(v) == JSON_NULL ? NULL : v;
}

/* Where a text was said: under its own name or the essay's. */
static const char *place_of(const struct reader *r, const char *field, const char *other,
                            char ret[PLACE_SIZE])
{
    str_format(ret, PLACE_SIZE, "/%s", said(r, other) && !said(r, field) ? other : field);
    return ret;
}

/* A text under its own name or the essay's. "" if absent. */
static struct err text(struct reader *r, const char *field, const char *other, const char **ret)
{
    const struct json *v = said(r, field), *w = said(r, other);
    char pointer[PLACE_SIZE];

    *ret = "";
    (void)place_of(r, field, other, pointer);
    if (v && w && !json_equal(v, w))
        return refuse(r, PROBLEM_INVALID_REQUEST, pointer,
                      "\"%s\" and \"%s\" are the same and say different things", field, other);
    v = v ? v : w;
    if (!v)
        return OK;
    if (!json_str(v))
        return refuse(r, PROBLEM_INVALID_REQUEST, pointer, "%s where a string is needed",
                      json_type_word(v));
    /* An unset variable of somebody's script: without its key or its lock a run is another one. */
    if (!*json_str(v))
        return refuse(r, PROBLEM_INVALID_REQUEST, pointer,
                      "\"%s\" is empty; leave it out, or write null", pointer + 1);
    *ret = keep(r, json_str(v));
    return OK;
}

static struct err name(struct reader *r, const char *field, const char **ret)
{
    char pointer[96];
    struct err e = text(r, field, NULL, ret);

    if (failed(e) || !**ret || str_is_name(*ret))
        return e;
    str_format(pointer, sizeof pointer, "/%s", field);
    return refuse(r, PROBLEM_INVALID_REQUEST, pointer,
                  "\"%.70s\" is not a name: 1 to 64 of A-Z a-z 0-9 _ -", *ret);
}

static struct err duration(struct reader *r, const char *field, uint64_t *ret)
{
    const char *word;
    char pointer[96];
    struct err e = text(r, field, NULL, &word);

    if (failed(e) || !*word)
        return e;
    str_format(pointer, sizeof pointer, "/%s", field);
    if (failed(str_duration_ms(word, ret)))
        return refuse(r, PROBLEM_INVALID_REQUEST, pointer,
                      "\"%.40s\" is not a duration; write \"90s\", \"5m\" or \"24h\"", word);
    return OK;
}

/* Of which there must be some. */
static struct err span(struct reader *r, const char *field, uint64_t *ret)
{
    char pointer[96];
    struct err e = duration(r, field, ret);

    if (failed(e) || !said(r, field) || *ret)
        return e;
    str_format(pointer, sizeof pointer, "/%s", field);
    return refuse(r, PROBLEM_INVALID_REQUEST, pointer,
                  "a run needs some time for that: \"30s\"");
}

/* A duration from now, or a time. */
static struct err instant(struct reader *r, const char *field, uint64_t *ret_after_ms)
{
    const char *word;
    char pointer[96];
    int64_t at;
    struct err e = text(r, field, NULL, &word);

    if (failed(e) || !*word)
        return e;
    if (!failed(str_duration_ms(word, ret_after_ms)))
        return OK;
    str_format(pointer, sizeof pointer, "/%s", field);
    if (failed(str_time_ms(word, &at)))
        return refuse(
            r, PROBLEM_INVALID_REQUEST, pointer,
            "\"%.40s\" is neither a time (\"2026-11-21T03:00:00Z\") nor a duration (\"10m\")",
            word);
    *ret_after_ms = at > r->now_wall_ms ? (uint64_t)(at - r->now_wall_ms) : 0;
    return OK;
}

static struct err read_key(struct reader *r)
{
    struct entry_plan *p = &r->out->plan;
    struct err e         = text(r, "key", "job_id", &p->key);
    char at[PLACE_SIZE];

    if (!failed(e) && strlen(p->key) > KEY_MAX)
        return refuse(r, PROBLEM_INVALID_REQUEST, place_of(r, "key", "job_id", at),
                      "a key has at most %d bytes", KEY_MAX);
    return e;
}

static struct err read_labels(struct reader *r)
{
    const struct json *labels = json_get(r->request, "labels"), *value;
    const char *key;
    char pointer[96];
    struct buf out;

    if (!labels || json_type(labels) == JSON_NULL)
        return OK;
    if (json_type(labels) != JSON_OBJECT || json_count(labels) > LABELS_MAX)
        return refuse(r, PROBLEM_INVALID_REQUEST, "/labels",
                      "labels is an object of at most %d strings", LABELS_MAX);
    for (size_t it = 0; json_each(labels, &it, &key, &value);) {
        str_format(pointer, sizeof pointer, "/labels/%s", key);
        if (!json_str(value) || strlen(json_str(value)) > LABEL_MAX || strlen(key) > LABEL_MAX)
            return refuse(r, PROBLEM_INVALID_REQUEST, pointer,
                          "a label is a string of at most %d bytes", LABEL_MAX);
    }
    buf_init(&out, 8 * 1024);
    json_print(labels, &out);
    r->out->plan.labels = arena_bytes(r->out->arena, buf_bytes(&out));
    buf_deinit(&out);
    return OK;
}

static struct err read_names(struct reader *r)
{
    struct entry_plan *p = &r->out->plan;
    struct err e         = name(r, "pool", &p->pool);
    char at[PLACE_SIZE];

    if (!failed(e))
        e = name(r, "lock", &p->lock);
    if (!failed(e))
        e = name(r, "step", &p->begin);
    if (!failed(e))
        e = name(r, "upstream", &p->upstream);
    if (!failed(e))
        e = text(r, "session", "session_id", &p->session);
    if (failed(e))
        return e;
    if (!*p->pool)
        p->pool = "default";
    if (*p->session && (p->session[0] != 's' || !id_valid(p->session + 1)))
        return refuse(r, PROBLEM_INVALID_REQUEST, place_of(r, "session", "session_id", at),
                      "\"%.40s\" is not a session: s and 26 characters", p->session);
    return OK;
}

static struct err read_times(struct reader *r)
{
    struct entry_plan *p = &r->out->plan;
    struct err e         = instant(r, "not_before", &p->not_before_ms);

    if (!failed(e))
        e = span(r, "start_within", &p->start_within_ms);
    if (!failed(e))
        e = span(r, "timeout", &p->timeout_ms);
    if (!failed(e))
        e = duration(r, "keep_session", &p->keep_session_ms);
    return e;
}

/* ---- the flow ------------------------------------------------------------------------------------------------- */

static struct err keep_flow(struct reader *r, const struct json *doc)
{
    struct buf out;
    struct err e = OK;

    buf_init(&out, FLOW_SIZE_MAX);
    json_print(doc, &out);
    if (out.full)
        e = refuse(r, PROBLEM_TOO_LARGE, "/flow", "the flow is larger than %d KiB",
                   FLOW_SIZE_MAX / 1024);
    r->out->plan.flow = arena_bytes(r->out->arena, buf_bytes(&out));
    buf_deinit(&out);
    return e;
}

static struct err read_flow(struct reader *r)
{
    const struct json *flow = json_get(r->request, "flow"), *doc = flow;
    char full[2 * STR_NAME_SIZE] = "";

    if (!flow)
        return refuse(r, PROBLEM_INVALID_REQUEST, "/flow",
                      "which flow?  A stored flow's name, or the document itself");
    if (json_str(flow)) {
        struct err e =
            gw_book_flow(r->gw->book, json_str(flow), &doc, full, sizeof full, r->why);
        if (failed(e))
            return e;
    }
    struct err e = flow_read(&r->flow, doc, "/flow", r->why);
    if (failed(e))
        return e;
    if (!*full)
        str_copy(full, sizeof full, r->flow->name ? r->flow->name : "inline");
    r->out->plan.flow_name = keep(r, full);
    return keep_flow(r, doc);
}

static struct err read_lane(struct reader *r)
{
    const char *word;
    struct err e = text(r, "lane", "priority", &word);
    char at[PLACE_SIZE];

    if (failed(e))
        return e;
    enum lane lane = *word                        ? lane_of(word)
                     : r->flow->lane != LANE_NONE ? r->flow->lane
                                                  : LANE_STANDARD;
    if (lane == LANE_NONE)
        return refuse(r, PROBLEM_INVALID_REQUEST, place_of(r, "lane", "priority", at),
                      "\"%.40s\" is no lane; write realtime, standard or bulk", word);
    if (!r->rule->lanes[lane])
        return refuse(r, PROBLEM_LANE_NOT_ALLOWED, place_of(r, "lane", "priority", at),
                      "tenant %s may not use lane %s", r->tenant, lane_word(lane));
    r->out->lane      = lane;
    r->out->plan.lane = lane_word(lane);
    return OK;
}

static struct err read_input(struct reader *r)
{
    const struct json *given = json_get(r->request, "input");
    struct json *empty = json_new_object(), *input = NULL;
    char pointer[96], place[112], why[JSON_WHY_SIZE];
    struct err e = OK;
    struct buf out;

    if (!given || json_type(given) == JSON_NULL)
        given = empty;
    if (r->flow->input)
        e = json_schema_apply(r->flow->input, given, &input, pointer, sizeof pointer, why,
                              sizeof why);
    else
        input = json_ref(given);
    if (failed(e)) {
        str_format(place, sizeof place, "/input%s", pointer);
        e = refuse(r, PROBLEM_INVALID_REQUEST, place, "%s", why);
    } else {
        buf_init(&out, r->gw->config->input_max);
        json_print(input, &out);
        if (out.full)
            e = refuse(r, PROBLEM_TOO_LARGE, "/input",
                       "the input is larger than %llu bytes (SLUICE_INPUT_MAX)",
                       (unsigned long long)r->gw->config->input_max);
        r->out->plan.input = arena_bytes(r->out->arena, buf_bytes(&out));
        buf_deinit(&out);
    }
    json_free(&input);
    json_free(&empty);
    return e;
}

/* ---- what the flow needs ------------------------------------------------------------------------------------------ */

static bool needs_upstream(const struct flow_step *s)
{
    return s->verb == VERB_OPEN || s->verb == VERB_BROWSE || s->verb == VERB_RETRIEVE;
}

/* Only what is written out; what an expression makes is judged where it is used. */
static struct err check_url(struct reader *r, const struct json *in, const char *at)
{
    const char *url = json_str(json_get(in, "url"));
    enum http_guard_mode mode =
        r->out->plan.private_net ? HTTP_GUARD_PRIVATE : HTTP_GUARD_PUBLIC;
    char why[160], place[FLOW_POINTER_SIZE];

    if (!url || json_expr_any(url))
        return OK;
    str_format(place, sizeof place, "%s/url", at);
    if (strlen(url) > URL_MAX)
        return refuse(r, PROBLEM_URL_FORBIDDEN, place, "a URL has at most %d bytes", URL_MAX);
    if (failed(http_guard_url(mode, url, why, sizeof why)))
        return refuse(r, PROBLEM_URL_FORBIDDEN, place, "%.100s: %.120s", url, why);
    return OK;
}

/* Of the step, and of each `go` among its actions. */
static struct err check_urls(struct reader *r, const struct flow_step *s)
{
    const struct json *actions = json_get(s->body, "actions");
    char step[FLOW_POINTER_SIZE], place[FLOW_POINTER_SIZE];

    flow_pointer(r->flow, s, "/flow", step, sizeof step);
    str_format(place, sizeof place, "%s/%s", step, flow_verb_word(s->verb));
    struct err e = check_url(r, s->body, place);
    for (size_t i = 0; !failed(e) && i < json_count(actions); i++) {
        str_format(place, sizeof place, "%s/%s/actions/%zu/go", step, flow_verb_word(s->verb),
                   i);
        e = check_url(r, json_get(json_at(actions, i), "go"), place);
    }
    return e;
}

static struct err check_driver(struct reader *r, const struct flow_step *s, const char *driver)
{
    char place[FLOW_POINTER_SIZE];

    flow_pointer(r->flow, s, "/flow", place, sizeof place);
    if (str_equal(driver, "webdriver") && s->verb == VERB_RETRIEVE &&
        !json_get(s->body, "select"))
        return refuse(r, PROBLEM_INVALID_FLOW, place,
                      "upstream %s is a webdriver: retrieve needs \"select\"",
                      r->out->plan.upstream);
    if (str_equal(driver, "webdriver") && s->verb == VERB_BROWSE &&
        !json_get(s->body, "actions"))
        return refuse(r, PROBLEM_INVALID_FLOW, place,
                      "upstream %s is a webdriver: browse needs \"actions\"",
                      r->out->plan.upstream);
    if (str_equal(driver, "agent") && s->verb == VERB_BROWSE && !json_get(s->body, "cmd"))
        return refuse(r, PROBLEM_INVALID_FLOW, place,
                      "upstream %s is an agent: browse needs \"cmd\"", r->out->plan.upstream);
    return OK;
}

static struct err check_upstream(struct reader *r)
{
    struct entry_plan *p = &r->out->plan;
    const char *driver   = NULL;
    bool named           = *p->upstream != 0;

    if (!*p->upstream && r->flow->upstream)
        p->upstream = keep(r, r->flow->upstream);
    if (*p->upstream) {
        struct err e = gw_book_upstream(
            r->gw->book, p->upstream, named ? "/upstream" : "/flow/upstream", &driver, r->why);
        if (failed(e))
            return e;
    }
    for (size_t i = 0; i < r->flow->step_count; i++) {
        const struct flow_step *s = &r->flow->steps[i];
        if (!needs_upstream(s))
            continue;
        if (!*p->upstream)
            return refuse(
                r, PROBLEM_INVALID_FLOW, "/flow/upstream",
                "step \"%s\" needs an upstream: say \"upstream\" in the flow or the submit",
                s->id);
        struct err e = check_driver(r, s, driver);
        if (!failed(e))
            e = check_urls(r, s);
        if (failed(e))
            return e;
    }
    return OK;
}

static struct err check_begin(struct reader *r)
{
    const char *begin = r->out->plan.begin;

    if (!*begin || flow_find(r->flow, begin))
        return OK;
    const char *nearest = flow_nearest_step(r->flow, begin);
    struct err e        = refuse(r, PROBLEM_INVALID_REQUEST, "/step",
                          nearest ? "there is no step \"%.60s\"; the nearest is \"%s\""
                                         : "there is no step \"%.60s\"%s",
                                 begin, nearest ? nearest : "");
    if (nearest)
        str_copy(r->why->attempt, sizeof r->why->attempt, nearest);
    return e;
}

static void set_defaults(struct reader *r)
{
    struct entry_plan *p = &r->out->plan;
    uint64_t half        = svc_config(r->gw->svc)->retention_ms / 2;

    if (!p->timeout_ms)
        p->timeout_ms = r->flow->timeout_ms;
    if (!p->timeout_ms)
        p->timeout_ms = half < FLOW_RUN_TIMEOUT_MS ? half : FLOW_RUN_TIMEOUT_MS;
    if (!p->keep_session_ms)
        p->keep_session_ms = r->flow->keep_session_ms;
    p->private_net = r->rule->private_net;
}

/* A journal is kept for the retention: a run that may live longer would vanish without an end. */
static struct err check_times(struct reader *r)
{
    const struct entry_plan *p = &r->out->plan;
    uint64_t kept              = svc_config(r->gw->svc)->retention_ms;
    char text[24];

    if (p->not_before_ms + p->timeout_ms < kept)
        return OK;
    (void)str_duration_text(kept, text, sizeof text);
    if (p->timeout_ms < kept)
        return refuse(r, PROBLEM_INVALID_REQUEST, "/not_before",
                      "with its timeout the run would end after %s (SLUICE_RETENTION)", text);
    if (json_str(json_get(r->request, "timeout")))
        return refuse(r, PROBLEM_INVALID_REQUEST, "/timeout",
                      "a run is forgotten after %s (SLUICE_RETENTION): write less", text);
    return refuse(r, PROBLEM_INVALID_FLOW, "/flow/timeout",
                  "a run is forgotten after %s (SLUICE_RETENTION): write less", text);
}

static void set_identity(struct reader *r, const char *trace)
{
    const uint64_t random[3] = {id_random64(), id_random64(), id_random64()};
    struct entry_plan *p     = &r->out->plan;
    char sha[65], run[ID_SIZE], own[RUN_TRACE_SIZE];

    run_id_for(r->tenant, p->key, r->now_wall_ms, run);
    run_id_of_body(r->tenant, r->request, sha);
    p->tenant   = keep(r, r->tenant);
    p->run      = keep(r, run);
    p->body_sha = keep(r, sha);
    run_trace_of(trace, random, own);
    p->trace = keep(r, own);
}

static struct err read_dry_run(struct reader *r)
{
    const struct json *v = said(r, "dry_run");

    if (v && json_type(v) != JSON_BOOL)
        return refuse(r, PROBLEM_INVALID_REQUEST, "/dry_run",
                      "%s where true or false is needed", json_type_word(v));
    r->out->dry_run = json_bool(v);
    return OK;
}

/* Which run it is, whether or not there may be a new one. */
static struct err read_which(struct reader *r, const char *trace)
{
    struct err e = known_fields(r);

    if (!failed(e))
        e = read_dry_run(r);
    if (!failed(e))
        e = read_key(r);
    if (!failed(e))
        set_identity(r, trace);
    return e;
}

static struct err read_what(struct reader *r)
{
    struct err e = read_names(r);

    if (!failed(e))
        e = read_times(r);
    if (!failed(e))
        e = read_labels(r);
    if (!failed(e))
        e = read_flow(r);
    if (!failed(e))
        e = read_lane(r);
    if (!failed(e))
        e = read_input(r);
    if (failed(e))
        return e;
    set_defaults(r);
    e = check_times(r);
    if (!failed(e))
        e = check_upstream(r);
    return failed(e) ? e : check_begin(r);
}

struct err gw_plan_read(struct gw_plan *ret, const struct gw *gw, const char *tenant,
                        const struct run_rule *rule, const struct json *request,
                        const char *trace, int64_t now_wall_ms, struct problem *why)
{
    struct reader r = {ret, gw, tenant, rule, request, now_wall_ms, NULL, why};

    *ret         = (struct gw_plan){.arena = arena_new()};
    ret->plan    = (struct entry_plan){.parent    = "",
                                       .root      = "",
                                       .replay_of = "",
                                       .trace     = "",
                                       .key       = "",
                                       .lock      = "",
                                       .session   = "",
                                       .begin     = "",
                                       .upstream  = ""};
    struct err e = read_which(&r, trace);
    if (!failed(e))
        e = read_what(&r);
    flow_free(&r.flow);
    return e;
}

void gw_plan_free(struct gw_plan *plan)
{
    arena_free(&plan->arena);
}
