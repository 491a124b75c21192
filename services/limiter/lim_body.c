#include "lim_body.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

enum { ASK_MAX = 64 << 10, NAMES_MAX = 256 };

/* ---- reading JSON ------------------------------------------------------------------ */

static struct err wrong(struct problem *why, const char *pointer, const char *detail)
{
    problem_set(why, PROBLEM_INVALID_REQUEST, pointer, "%s", detail);
    return err_of(ERR_REJECT, "read a permit request");
}

static struct err fields_known(const struct json *doc, const char *const *fields,
                               const char *at, struct problem *why)
{
    const char *unknown = NULL, *nearest = NULL;
    char pointer[sizeof(why->pointer)];

    if (json_known(doc, fields, &unknown, &nearest))
        return OK;
    str_format(pointer, sizeof(pointer), "%s/%s", at, unknown);
    problem_set(why, PROBLEM_INVALID_REQUEST, pointer, "there is no field \"%.64s\"%s%s%s",
                unknown, nearest ? "; is \"" : "", nearest ? nearest : "",
                nearest ? "\" meant?" : "");
    if (nearest)
        str_copy(why->attempt, sizeof(why->attempt), nearest);
    return err_of(ERR_REJECT, "read a permit request");
}

/* Absent and null leave *ret as it is. */
static struct err read_u32(const struct json *doc, const char *field, uint32_t *ret,
                           struct problem *why)
{
    const struct json *at = json_get(doc, field);
    char pointer[40];

    if (json_type(at) == JSON_NULL)
        return OK;
    str_format(pointer, sizeof(pointer), "/%s", field);
    if (json_type(at) != JSON_INT || json_int(at) < 0 || json_int(at) > UINT32_MAX)
        return wrong(why, pointer, "must be a whole number, 0 or more");
    *ret = (uint32_t)json_int(at);
    return OK;
}

static struct err read_bool(const struct json *doc, const char *field, const char *within,
                            bool *ret, struct problem *why)
{
    const struct json *at = json_get(doc, field);
    char pointer[64];

    if (json_type(at) == JSON_NULL)
        return OK;
    str_format(pointer, sizeof(pointer), "%s/%s", within, field);
    if (json_type(at) != JSON_BOOL)
        return wrong(why, pointer, "must be true or false");
    *ret = json_bool(at);
    return OK;
}

typedef bool text_fn(const char *s);

static bool any_text(const char *s)
{
    return s[0] != '\0';
}

static bool is_lane(const char *s)
{
    return lane_of(s) != LANE_NONE;
}

static struct err read_text(const struct json *doc, const char *field, char *ret, size_t size,
                            text_fn *good, const char *what, struct problem *why)
{
    const struct json *at = json_get(doc, field);
    const char *text      = json_str(at);
    char pointer[40];

    if (json_type(at) == JSON_NULL)
        return OK;
    str_format(pointer, sizeof(pointer), "/%s", field);
    if (!text || !good(text) || strlen(text) >= size)
        return wrong(why, pointer, what);
    str_copy(ret, size, text);
    return OK;
}

static struct err read_key(const struct json *doc, size_t n, struct permit_key *ret,
                           struct problem *why)
{
    static const char *const FIELDS[] = {"name",        "rate",  "in_flight", "session_open",
                                         "session_use", "close", NULL};
    const char *name                  = json_str(json_get(doc, "name"));
    char at[32];

    str_format(at, sizeof(at), "/keys/%zu", n);
    if (json_type(doc) != JSON_OBJECT || !name || !name[0] || strlen(name) >= sizeof(ret->name))
        return wrong(
            why, at,
            "must be an object with a name, such as {\"name\":\"multion\",\"rate\":true}");
    str_copy(ret->name, sizeof(ret->name), name);

    struct err e = fields_known(doc, FIELDS, at, why);

    if (!failed(e))
        e = read_bool(doc, "rate", at, &ret->rate, why);
    if (!failed(e))
        e = read_bool(doc, "in_flight", at, &ret->in_flight, why);
    if (!failed(e))
        e = read_bool(doc, "session_open", at, &ret->session_open, why);
    if (!failed(e))
        e = read_bool(doc, "session_use", at, &ret->session_use, why);
    return failed(e) ? e : read_bool(doc, "close", at, &ret->close, why);
}

static struct err read_keys(const struct json *keys, const char *upstream,
                            struct permit_ask *ret, struct problem *why)
{
    if (json_type(keys) == JSON_NULL) {
        ret->key_count = 1;
        ret->keys[0]   = (struct permit_key){.rate = true, .in_flight = true};
        str_copy(ret->keys[0].name, sizeof(ret->keys[0].name), upstream);
        return OK;
    }
    if (json_type(keys) != JSON_ARRAY || json_count(keys) < 1 ||
        json_count(keys) > PERMIT_KEYS_MAX)
        return wrong(why, "/keys", "must be an array of one to four keys");
    for (size_t n = 0; n < json_count(keys); n++) {
        struct err e = read_key(json_at(keys, n), n, &ret->keys[n], why);

        if (failed(e))
            return e;
    }
    ret->key_count = json_count(keys);
    return OK;
}

#define NAME_WHAT "must be a name: 1 to 64 of A-Z a-z 0-9 _ -"
#define ID_WHAT "must be an id of 26 characters"

static struct err read_ask(const struct json *doc, const char *upstream, const char *id,
                           struct permit_ask *ret, struct problem *why)
{
    static const char *const FIELDS[] = {"id",          "tenant", "lane",    "run",
                                         "step",        "keys",   "session", "wait_ms",
                                         "lifetime_ms", "return", NULL};
    char lane[16]                     = "";
    struct permit_ask a               = {.lane = LANE_STANDARD};

    str_copy(a.id, sizeof(a.id), id);

    struct err e = fields_known(doc, FIELDS, "", why);

    if (!failed(e))
        e = read_text(doc, "id", a.id, sizeof(a.id), id_valid, ID_WHAT, why);
    if (!failed(e))
        e = read_text(doc, "tenant", a.tenant, sizeof(a.tenant), str_is_name, NAME_WHAT, why);
    if (!failed(e))
        e = read_text(doc, "lane", lane, sizeof(lane), is_lane,
                      "must be realtime, standard or bulk", why);
    if (!failed(e))
        e = read_text(doc, "run", a.run, sizeof(a.run), id_valid, ID_WHAT, why);
    if (!failed(e))
        e = read_text(doc, "step", a.step, sizeof(a.step), any_text, "must be a text", why);
    if (!failed(e))
        e = read_text(doc, "session", a.session, sizeof(a.session), str_is_name,
                      "must be a name of at most 27 characters", why);
    if (!failed(e))
        e = read_u32(doc, "wait_ms", &a.wait_ms, why);
    if (!failed(e))
        e = read_u32(doc, "lifetime_ms", &a.lifetime_ms, why);
    if (!failed(e))
        e = read_keys(json_get(doc, "keys"), upstream, &a, why);
    if (lane[0])
        a.lane = lane_of(lane);
    if (!failed(e))
        *ret = a;
    return e;
}

static const char *const CLASSES[] = {"ok",      "rate",   "concurrency", "payment", "server",
                                      "timeout", "client", "unsent",      NULL};

static bool is_class(const char *s)
{
    for (size_t n = 0; CLASSES[n]; n++)
        if (str_equal(CLASSES[n], s))
            return true;
    return false;
}

/* Whoever does not say what an answer meant is understood by its status. */
static enum call_class class_of(const char *word, uint32_t status)
{
    for (size_t n = 0; CLASSES[n]; n++)
        if (str_equal(CLASSES[n], word))
            return (enum call_class)(CALL_OK + n);
    if (status == 0)
        return CALL_NONE;
    if (status == 402)
        return CALL_PAYMENT;
    if (status == 429)
        return CALL_RATE;
    if (status == 408 || status == 504)
        return CALL_TIMEOUT;
    if (status >= 500)
        return CALL_SERVER;
    return status >= 400 ? CALL_CLIENT : CALL_OK;
}

static struct err read_return(const struct json *doc, const char *upstream,
                              struct permit_report *ret, struct problem *why)
{
    static const char *const FIELDS[] = {
        "return",         "status",         "class", "retry_after_ms", "ms", "session",
        "session_opened", "session_closed", NULL};
    char word[16]          = "";
    struct permit_report r = {.status = 0};

    str_copy(r.name, sizeof(r.name), upstream);

    struct err e = fields_known(doc, FIELDS, "", why);

    if (!failed(e))
        e = read_text(doc, "return", r.id, sizeof(r.id), id_valid, ID_WHAT, why);
    if (!failed(e))
        e = read_text(
            doc, "class", word, sizeof(word), is_class,
            "must be ok, rate, concurrency, payment, server, timeout, client or unsent", why);
    if (!failed(e))
        e = read_text(doc, "session", r.session, sizeof(r.session), str_is_name,
                      "must be a name of at most 27 characters", why);
    if (!failed(e))
        e = read_u32(doc, "status", &r.status, why);
    if (!failed(e))
        e = read_u32(doc, "retry_after_ms", &r.retry_after_ms, why);
    if (!failed(e))
        e = read_u32(doc, "ms", &r.ms, why);
    if (!failed(e))
        e = read_bool(doc, "session_opened", "", &r.session_opened, why);
    if (!failed(e))
        e = read_bool(doc, "session_closed", "", &r.session_closed, why);
    if (!failed(e) && !r.id[0] && !r.session_closed) /* a script whose variable was not set */
        e = wrong(why, "/return", "is missing: the id that the grant answered");
    r.call_class = class_of(word, r.status);
    if (!failed(e))
        *ret = r;
    return e;
}

static struct err read_json(struct lim_body *ret, const char *upstream, struct bytes body,
                            const char *id, struct problem *why)
{
    AUTO(json_free) struct json *doc = NULL;
    char text[JSON_WHY_SIZE];

    if (failed(json_parse(&doc, body, text, sizeof(text)))) {
        problem_set(why, PROBLEM_INVALID_REQUEST, "", "the body is not valid JSON: %s", text);
        return err_of(ERR_REJECT, "read a permit request");
    }
    if (json_type(doc) != JSON_OBJECT)
        return wrong(why, "",
                     "must be an object: {\"wait_ms\":0} asks, {\"return\":\"<id>\"} returns");

    bool returns = json_get(doc, "return") || json_get(doc, "session_closed");

    ret->json         = true;
    ret->request.what = returns ? PERMIT_REPORT : PERMIT_ASK;
    return returns ? read_return(doc, upstream, &ret->request.report, why)
                   : read_ask(doc, upstream, id, &ret->request.ask, why);
}

/* ---- either ------------------------------------------------------------------------ */

/* What both kinds of body may get wrong. */
static struct err check_ask(struct permit_ask *a, const char *upstream, struct problem *why)
{
    bool named = false;

    if (!a->tenant[0])
        str_copy(a->tenant, sizeof(a->tenant), "dev");
    for (size_t n = 0; n < a->key_count; n++) {
        named = named || str_equal(a->keys[n].name, upstream);
        if (a->keys[n].session_open && !a->session[0])
            return wrong(why, "/session", "is missing: a key opens a session");
        for (size_t other = 0; other < n; other++)
            if (str_equal(a->keys[n].name, a->keys[other].name))
                return wrong(why, "/keys", "names the same key twice");
    }
    if (!named)
        return wrong(why, "/keys", "must name the upstream that the subject names");
    return OK;
}

struct err lim_body_read(struct lim_body *ret, const char *upstream, struct bytes body,
                         const char *id, struct problem *why)
{
    struct err e = OK;

    *ret = (struct lim_body){.json = body.len > 0 && (body.at[0] == '{' || body.at[0] == '[')};
    if (body.len > ASK_MAX) {
        problem_set(why, PROBLEM_TOO_LARGE, "", "a permit is asked for in at most %d bytes",
                    ASK_MAX);
        return err_of(ERR_REJECT, "read a permit request");
    }
    if (ret->json)
        e = read_json(ret, upstream, body, id, why);
    else if (body.len == 0)
        e = wrong(why, "", "the body is empty; {\"wait_ms\":0} asks for a permit now");
    else if (failed(wire_read_permit_request(&ret->request, body)))
        e = wrong(why, "", "the body is neither JSON nor a PermitRequest");
    if (!failed(e) && ret->request.what == PERMIT_ASK)
        e = check_ask(&ret->request.ask, upstream, why);
    if (!failed(e) && ret->request.what == PERMIT_REPORT && !ret->request.report.name[0])
        str_copy(ret->request.report.name, sizeof(ret->request.report.name), upstream);
    return e;
}

/* ---- answers ----------------------------------------------------------------------- */

void lim_body_grant(const struct permit_grant *g, bool json, struct buf *to)
{
    if (!json) {
        wire_write_permit_grant(g, to);
        return;
    }
    buf_printf(to,
               "{\"id\":\"%s\",\"granted\":%s,\"waited_ms\":%u,\"retry_after_ms\":%u,\"why\":",
               g->id, g->ok ? "true" : "false", g->waited_ms, g->retry_after_ms);
    if (g->why[0])
        json_quote(to, g->why);
    else
        buf_str(to, "null");
    buf_str(to, g->probe ? ",\"probe\":true}" : "}");
}

void lim_body_returned(const char *id, bool json, struct buf *to)
{
    struct permit_grant g = {.ok = true};
    char made[ID_SIZE];

    if (!json) {
        /* The report of a session alone has no id: any will do, it is the answer that
           counts. */
        id_derive((const uint8_t[32]){0}, made);
        str_copy(g.id, sizeof(g.id), id[0] ? id : made);
        wire_write_permit_grant(&g, to);
        return;
    }
    buf_str(to, "{\"id\":");
    if (id[0])
        json_quote(to, id);
    else
        buf_str(to, "null");
    buf_str(to, ",\"returned\":true}");
}

/* ---- as it stands ------------------------------------------------------------------ */

static void add_limit(struct buf *to, const char *field, uint32_t limit, bool limited,
                      uint32_t used)
{
    buf_printf(to, ",\"%s\":{\"limit\":", field);
    if (limited)
        buf_printf(to, "%u", limit);
    else
        buf_str(to, "null");
    buf_printf(to, ",\"used\":%u}", used);
}

static void add_limits(const struct lim_gate_state *s, struct buf *to)
{
    buf_str(to, ",\"why\":");
    json_quote(to, s->why);
    buf_str(to, ",\"rate\":{\"limit\":");
    if (s->rate > 0)
        buf_printf(to, "%.17g", s->rate);
    else
        buf_str(to, "null");
    buf_printf(to, ",\"used_1s\":%u}", s->used_1s);
    add_limit(to, "in_flight", s->in_flight, s->in_flight != UINT32_MAX, s->in_flight_used);
    add_limit(to, "sessions", s->sessions, s->sessions > 0, s->sessions_used);
    buf_str(to, ",\"waiting\":{");
    for (enum lane lane = 0; lane < LANES; lane++)
        buf_printf(to, "%s\"%s\":%zu", lane > 0 ? "," : "", lane_word(lane), s->waiting[lane]);
    buf_printf(to, "},\"paused\":%s", s->paused ? "true" : "false");
}

static void add_time(struct buf *to, const char *field, uint64_t ms)
{
    char text[32];

    if (ms > 0)
        buf_printf(to, ",\"%s\":\"%s\"", field, str_time_text((int64_t)ms, text, sizeof(text)));
    else
        buf_printf(to, ",\"%s\":null", field);
}

void lim_body_upstream(const struct lim_gate_state *s, struct buf *to)
{
    buf_str(to, "{\"upstream\":");
    json_quote(to, s->name);
    buf_printf(to, ",\"mode\":\"%s\"", permit_mode_word(s->mode));
    add_time(to, "until", s->until_ms);
    add_time(to, "since", s->since_ms);
    add_limits(s, to);
    buf_char(to, '}');
}

/* "limit" is for the scheduler: how many calls may be out; it looks only while the mode
   is limited. */
static void add_state(const struct lim_gate_state *s, struct buf *to)
{
    json_quote(to, s->name);
    buf_printf(to,
               ":{\"mode\":\"%s\",\"until_ms\":%" PRIu64 ",\"since_ms\":%" PRIu64
               ",\"probe_ms\":%" PRIu64 ",\"limit\":",
               permit_mode_word(s->mode), s->until_ms, s->since_ms, s->probe_ms);
    if (s->in_flight != UINT32_MAX)
        buf_printf(to, "%u", s->in_flight);
    else
        buf_str(to, "null");
    add_limits(s, to);
    buf_char(to, '}');
}

void lim_body_state(const struct lim_gate *g, uint64_t now, struct buf *to)
{
    struct lim_gate_state s;
    const char *name = NULL;
    bool first       = true;

    buf_str(to, "{\"upstreams\":{");
    for (size_t it = 0; lim_gate_next_name(g, &it, &name);) {
        if (!lim_gate_state(g, name, now, &s))
            continue;
        buf_str(to, first ? "" : ",");
        add_state(&s, to);
        first = false;
    }
    buf_str(to, "}}");
}

void lim_body_unknown(const struct lim_gate *g, const char *upstream, struct problem *why)
{
    const char *names[NAMES_MAX + 1] = {NULL};
    size_t count                     = 0;

    for (size_t it = 0; count < NAMES_MAX && lim_gate_next_name(g, &it, &names[count]);)
        count++;
    names[count] = NULL;

    const char *nearest = str_nearest(upstream, names);

    problem_set(why, PROBLEM_NOT_FOUND, "", "upstream %.64s is not known%s%s%s", upstream,
                nearest ? "; is " : ": nats kv ls sluice_upstreams", nearest ? nearest : "",
                nearest ? " meant?" : "");
    if (nearest)
        str_copy(why->attempt, sizeof(why->attempt), nearest);
}

/* ---- alerts ------------------------------------------------------------------------ */

static void add_summary(enum lim_incident_kind kind, const char *name, bool fires,
                        struct buf *to)
{
    switch (kind) {
    case LIM_INCIDENT_402:
        buf_printf(to,
                   fires ? "%s refuses calls with 402: nothing is paid for. Its runs wait and "
                           "spend no attempts; one call tries now and then."
                         : "%s takes calls again.",
                   name);
        return;
    case LIM_INCIDENT_BREAKER:
        buf_printf(
            to,
            fires ? "%s failed %d calls in a row and is closed; one call tries now and then."
                  : "%s answers again.",
            name, LIM_MODE_FAILURES);
        return;
    case LIM_INCIDENTS:
        break;
    }
    must(!"unknown kind of incident");
}

void lim_body_alert(enum lim_incident_kind kind, const char *name, uint64_t since_ms,
                    uint64_t until_ms, struct buf *to)
{
    bool fires  = until_ms == 0;
    bool is_402 = kind == LIM_INCIDENT_402;
    const char *runbook =
        is_402 ? "docs/operations.md#upstream-402" : "docs/operations.md#upstream-breaker";
    const char *verb = is_402 && fires ? "resume" : "show";
    struct buf summary;

    buf_init(&summary, 1024);
    add_summary(kind, name, fires, &summary);
    buf_printf(to, "{\"alert\":\"%s\",\"name\":\"%s\",\"state\":\"%s\"",
               lim_grant_incident_word(kind), name, fires ? "firing" : "resolved");
    add_time(to, "since", since_ms);
    add_time(to, "until", until_ms);
    buf_str(to, ",\"summary\":");
    json_quote(to, summary.at);
    buf_printf(to, ",\"command\":\"sluice upstream %s %s\",\"runbook\":\"%s\"}", verb, name,
               runbook);
    buf_deinit(&summary);
}

bool lim_body_alert_read(struct bytes body, struct lim_body_told *ret)
{
    AUTO(json_free) struct json *doc = NULL;
    char why[JSON_WHY_SIZE];
    int64_t since = 0;

    if (failed(json_parse(&doc, body, why, sizeof(why))))
        return false;

    const char *text  = json_str(json_get(doc, "since"));
    const char *state = json_str(json_get(doc, "state"));

    if (!text || !state || failed(str_time_ms(text, &since)) || since < 0)
        return false;
    *ret = (struct lim_body_told){(uint64_t)since, str_equal(state, "resolved")};
    return true;
}
