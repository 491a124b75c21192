#include "run/run_flow.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "json/json_expr.h"
#include "json/json_schema.h"

/* A document being read: where errors go, and how deep we stand. */
struct reader {
    struct flow *flow;
    struct problem *why;
    size_t room;
    unsigned depth;
};

static const char *const FLOW_FIELDS[] = {"name",       "upstream", "input", "lane",
                                          "timeout",    "result",   "steps", "keep_session",
                                          "screenshot", NULL};
/* In the grammar, but brought by later versions: refused rather than ignored. */
static const char *const FLOW_LATER[] = {"budget",      "children", "depth",
                                         "max_running", "notify",   NULL};

static const char *const STEP_FIELDS[] = {
    "id",    "when", "effect",   "timeout", "retry", "expect", "milestone", "restart",
    "setup", "on",   "artifact", "then",    "else",  "open",   "browse",    "retrieve",
    "call",  "set",  "if",       "sleep",   "close", "end",    NULL};
static const char *const STEP_LATER[] = {"repeat", "spawn", "join", "await", NULL};

static const char *const VERB_WORDS[VERBS] = {
    [VERB_OPEN] = "open",   [VERB_BROWSE] = "browse", [VERB_RETRIEVE] = "retrieve",
    [VERB_CALL] = "call",   [VERB_SET] = "set",       [VERB_IF] = "if",
    [VERB_SLEEP] = "sleep", [VERB_CLOSE] = "close",   [VERB_END] = "end"};

const char *flow_verb_word(enum flow_verb verb)
{
    return VERB_WORDS[verb] ? VERB_WORDS[verb] : "";
}

static struct err invalid(struct reader *r, const char *at, const char *field,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));

static struct err invalid(struct reader *r, const char *at, const char *field,
                          const char *format, ...)
{
    char pointer[sizeof r->why->pointer], detail[sizeof r->why->detail];
    va_list args;

    str_format(pointer, sizeof pointer, field ? "%s/%s" : "%s", at, field);
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    problem_set(r->why, PROBLEM_INVALID_FLOW, pointer, "%s", detail);
    return err_of(ERR_REJECT, "read flow");
}

static bool listed(const char *const *words, const char *word)
{
    for (; *words; words++)
        if (str_equal(*words, word))
            return true;
    return false;
}

/* Every field of an object must be known; one of a later version is refused by that name. */
static struct err fields_known(struct reader *r, const struct json *object, const char *at,
                               const char *const *allowed, const char *const *later)
{
    const char *unknown, *nearest;

    if (json_known(object, allowed, &unknown, &nearest))
        return OK;
    if (later && listed(later, unknown))
        return invalid(r, at, unknown, "\"%s\" is not available in this version", unknown);
    if (nearest) {
        struct err e = invalid(r, at, unknown, "unknown field \"%.60s\"; did you mean \"%s\"?",
                               unknown, nearest);
        str_copy(r->why->attempt, sizeof r->why->attempt, nearest);
        return e;
    }
    return invalid(r, at, unknown, "unknown field \"%.60s\"", unknown);
}

static struct err read_duration(struct reader *r, const struct json *object, const char *at,
                                const char *field, uint64_t *ret)
{
    const struct json *v = json_get(object, field);

    if (!v)
        return OK;
    if (!json_str(v))
        return invalid(r, at, field, "%s is not a duration; write \"90s\", \"5m\" or \"24h\"",
                       json_type_word(v));
    if (!failed(str_duration_ms(json_str(v), ret)))
        return OK;
    char guess[32];
    if (!str_duration_guess(json_str(v), guess, sizeof guess))
        return invalid(r, at, field,
                       "\"%.40s\" is not a duration; write \"90s\", \"5m\" or \"24h\"",
                       json_str(v));
    struct err e =
        invalid(r, at, field, "\"%.40s\" is not a duration; write \"%s\"", json_str(v), guess);
    str_copy(r->why->attempt, sizeof r->why->attempt, guess);
    return e;
}

/* Text, or text with `${…}`; NULL if absent. */
static struct err read_text(struct reader *r, const struct json *object, const char *at,
                            const char *field, const char **ret)
{
    const struct json *v = json_get(object, field);

    if (!v || json_type(v) == JSON_NULL)
        return OK;
    if (!json_str(v))
        return invalid(r, at, field, "%s where a string is needed", json_type_word(v));
    *ret = json_str(v);
    return OK;
}

static struct err read_flag(struct reader *r, const struct json *object, const char *at,
                            const char *field, bool *ret)
{
    const struct json *v = json_get(object, field);

    if (!v)
        return OK;
    if (json_type(v) != JSON_BOOL)
        return invalid(r, at, field, "%s where true or false is needed", json_type_word(v));
    *ret = json_bool(v);
    return OK;
}

/* ---- verbs ---------------------------------------------------------------------------------- */

static const char *const OPEN_FIELDS[]     = {"url", "size", "profile", "headers", NULL};
static const char *const BROWSE_FIELDS[]   = {"cmd",      "actions", "url", "max_steps",
                                              "maxSteps", "mode",    NULL};
static const char *const RETRIEVE_FIELDS[] = {
    "cmd",       "schema",           "select",         "url",       "render_js",
    "renderJs",  "scroll_to_bottom", "scrollToBottom", "max_items", "maxItems",
    "full_page", "fullPage",         "mode",           NULL};
static const char *const CALL_FIELDS[]  = {"subject", "body", "upstream", "url", NULL};
static const char *const SLEEP_FIELDS[] = {"for", "until", NULL};
static const char *const CLOSE_FIELDS[] = {NULL};
static const char *const END_FIELDS[]   = {"status", "reason", "result", NULL};
static const char *const ACTIONS[]      = {"go",   "click",  "type",       "select", "press",
                                           "wait", "scroll", "screenshot", NULL};

static struct err check_actions(struct reader *r, const struct json *actions, const char *at)
{
    char place[96];

    if (json_type(actions) != JSON_ARRAY || json_count(actions) == 0)
        return invalid(r, at, "actions", "actions must be a list of at least one action");
    for (size_t i = 0; i < json_count(actions); i++) {
        const struct json *action = json_at(actions, i);

        str_format(place, sizeof place, "%s/actions/%zu", at, i);
        if (json_type(action) != JSON_OBJECT || json_count(action) != 1)
            return invalid(
                r, place, NULL,
                "an action is an object with one field: go, click, type, select, press, "
                "wait, scroll or screenshot");
        struct err e = fields_known(r, action, place, ACTIONS, NULL);
        if (failed(e))
            return e;
    }
    return OK;
}

static struct err check_browse(struct reader *r, const struct flow_step *s, const char *at)
{
    struct err e = fields_known(r, s->body, at, BROWSE_FIELDS, NULL);

    if (failed(e))
        return e;
    const struct json *actions = json_get(s->body, "actions");
    if (!actions && !json_str(json_get(s->body, "cmd")))
        return invalid(r, at, NULL,
                       "browse needs \"cmd\" (for agents) or \"actions\" (for webdriver)");
    return actions ? check_actions(r, actions, at) : OK;
}

static struct err check_retrieve(struct reader *r, const struct flow_step *s, const char *at)
{
    struct err e = fields_known(r, s->body, at, RETRIEVE_FIELDS, NULL);

    if (failed(e))
        return e;
    char pointer[96], why[JSON_WHY_SIZE];
    const struct json *schema = json_get(s->body, "schema"),
                      *select = json_get(s->body, "select");
    if (!schema && !select && !json_get(s->body, "cmd"))
        return invalid(
            r, at, NULL,
            "retrieve needs \"select\" (for webdriver), or \"cmd\" or \"schema\" (for agents)");
    if (schema &&
        failed(json_rows_schema_check(schema, pointer, sizeof pointer, why, sizeof why)))
        return invalid(r, at, "schema", "%s", why);
    if (select && json_type(select) != JSON_OBJECT)
        return invalid(r, at, "select",
                       "select is an object: field -> css, css@attribute, css|type");
    return OK;
}

/* `planner.next`: tokens that are names, so that a flow reaches no subject but its tenant's own. */
static bool dotted_name(const char *s)
{
    if (strlen(s) > 128)
        return false;
    for (;;) {
        size_t len = strcspn(s, ".");

        if (!str_is_name_n(s, len))
            return false;
        if (!s[len])
            return true;
        s += len + 1;
    }
}

static struct err check_call(struct reader *r, const struct flow_step *s, const char *at)
{
    struct err e = fields_known(r, s->body, at, CALL_FIELDS, NULL);

    if (failed(e))
        return e;
    if (json_get(s->body, "url"))
        return invalid(r, at, "url",
                       "call over HTTPS is not available in this version; use \"subject\"");
    if (json_get(s->body, "upstream"))
        return invalid(
            r, at, "upstream",
            "the limits of an upstream for a call are not available in this version");
    const char *subject = json_str(json_get(s->body, "subject"));
    if (!subject)
        return invalid(
            r, at, "subject",
            "call needs \"subject\": the request goes to sluice.call.<tenant>.<subject>");
    if (!dotted_name(subject))
        return invalid(r, at, "subject",
                       "\"%.60s\" is not a name of tokens [A-Za-z0-9_-] with dots between",
                       subject);
    return OK;
}

static struct err check_sleep(struct reader *r, const struct flow_step *s, const char *at)
{
    struct err e = fields_known(r, s->body, at, SLEEP_FIELDS, NULL);

    if (failed(e))
        return e;
    const char *span  = json_str(json_get(s->body, "for")),
               *until = json_str(json_get(s->body, "until"));
    if (!span == !until)
        return invalid(r, at, NULL,
                       "sleep needs one of \"for\" (a duration) and \"until\" (a time)");
    uint64_t ms;
    int64_t wall;
    if (span && !json_expr_any(span) && failed(str_duration_ms(span, &ms)))
        return invalid(r, at, "for",
                       "\"%.40s\" is not a duration; write \"90s\", \"5m\" or \"24h\"", span);
    if (until && !json_expr_any(until) && failed(str_time_ms(until, &wall)))
        return invalid(r, at, "until",
                       "\"%.40s\" is not a time; write \"2026-11-21T03:00:00Z\"", until);
    return OK;
}

static struct err check_end(struct reader *r, const struct flow_step *s, const char *at)
{
    struct err e = fields_known(r, s->body, at, END_FIELDS, NULL);

    if (failed(e))
        return e;
    const char *status = json_str(json_get(s->body, "status"));
    enum run_status is = status ? run_status_of(status) : STATUS_NONE;
    if (is == STATUS_NONE || is == STATUS_EXPIRED)
        return invalid(r, at, "status",
                       "end needs \"status\": done, failed, cancelled or indeterminate");
    return OK;
}

static struct err check_verb(struct reader *r, const struct flow_step *s, const char *at)
{
    bool text = s->verb == VERB_IF;
    char place[96];

    str_format(place, sizeof place, "%s/%s", at, flow_verb_word(s->verb));
    if (text ? !json_str(s->body) : json_type(s->body) != JSON_OBJECT)
        return invalid(r, place, NULL, "%s where %s is needed", json_type_word(s->body),
                       text ? "an expression" : "an object");
    switch (s->verb) {
    case VERB_OPEN:
        return fields_known(r, s->body, place, OPEN_FIELDS, NULL);
    case VERB_BROWSE:
        return check_browse(r, s, place);
    case VERB_RETRIEVE:
        return check_retrieve(r, s, place);
    case VERB_CALL:
        return check_call(r, s, place);
    case VERB_SLEEP:
        return check_sleep(r, s, place);
    case VERB_CLOSE:
        return fields_known(r, s->body, place, CLOSE_FIELDS, NULL);
    case VERB_END:
        return check_end(r, s, place);
    case VERB_SET:
    case VERB_IF:
    case VERB_NONE:
    case VERBS:
        return OK;
    }
    return OK;
}

/* ---- steps ------------------------------------------------------------------------------------ */

static enum entry_effect effect_of(enum flow_verb verb)
{
    return verb == VERB_BROWSE || verb == VERB_CALL ? EFFECT_UNSAFE : EFFECT_READ;
}

static struct err read_effect(struct reader *r, struct flow_step *s, const char *at)
{
    const char *word = NULL;
    struct err e     = read_text(r, s->doc, at, "effect", &word);

    s->effect = effect_of(s->verb);
    if (failed(e) || !word)
        return e;
    for (enum entry_effect effect = EFFECT_READ; effect <= EFFECT_UNSAFE; effect++)
        if (str_equal(entry_effect_word(effect), word)) {
            s->effect = effect;
            return OK;
        }
    return invalid(r, at, "effect", "\"%.40s\" is no effect; write read, idempotent or unsafe",
                   word);
}

static struct err read_retry(struct reader *r, struct flow_step *s, const char *at)
{
    static const char *const fields[] = {"tries", "wait", "max_wait", NULL};
    const struct json *doc            = json_get(s->doc, "retry");
    char place[96];

    s->retry = (struct flow_retry){s->effect == EFFECT_UNSAFE ? 1 : 3, 1000, 30000};
    if (!doc)
        return OK;
    str_format(place, sizeof place, "%s/retry", at);
    if (json_type(doc) != JSON_OBJECT)
        return invalid(
            r, place, NULL,
            "retry is an object: {\"tries\":3,\"wait\":\"1s\",\"max_wait\":\"30s\"}");
    struct err e = fields_known(r, doc, place, fields, NULL);
    if (failed(e))
        return e;
    const struct json *tries = json_get(doc, "tries");
    if (tries) {
        if (json_type(tries) != JSON_INT || json_int(tries) < 1 || json_int(tries) > 100)
            return invalid(r, place, "tries", "tries is a number from 1 to 100");
        if (s->effect == EFFECT_UNSAFE && json_int(tries) > 1)
            return invalid(r, place, "tries",
                           "an unsafe step is never repeated; say \"effect\":\"idempotent\" or "
                           "\"read\" if it may be");
        s->retry.tries = (unsigned)json_int(tries);
    }
    e = read_duration(r, doc, place, "wait", &s->retry.wait_ms);
    return failed(e) ? e : read_duration(r, doc, place, "max_wait", &s->retry.max_wait_ms);
}

static struct err read_on(struct reader *r, struct flow_step *s, const char *at)
{
    static const char *const fields[] = {"failed", "indeterminate", NULL};
    const struct json *on             = json_get(s->doc, "on");
    char place[96];

    if (!on)
        return OK;
    str_format(place, sizeof place, "%s/on", at);
    if (json_type(on) != JSON_OBJECT)
        return invalid(r, place, NULL,
                       "on is an object: {\"failed\":STEP,\"indeterminate\":STEP}");
    struct err e = fields_known(r, on, place, fields, NULL);
    if (failed(e))
        return e;
    e = read_text(r, on, place, "failed", &s->on_failed);
    return failed(e) ? e : read_text(r, on, place, "indeterminate", &s->on_indeterminate);
}

static struct err read_verb(struct reader *r, struct flow_step *s, const char *at)
{
    for (enum flow_verb verb = VERB_OPEN; verb < VERBS; verb++) {
        const struct json *body = json_get(s->doc, flow_verb_word(verb));

        if (!body)
            continue;
        if (s->verb != VERB_NONE)
            return invalid(r, at, NULL, "a step has one verb; this one has %s and %s",
                           flow_verb_word(s->verb), flow_verb_word(verb));
        s->verb = verb;
        s->body = body;
    }
    if (s->verb == VERB_NONE)
        return invalid(r, at, NULL,
                       "a step needs one verb: open, browse, retrieve, call, set, if, sleep, "
                       "close or end");
    return OK;
}

static struct err read_id(struct reader *r, struct flow_step *s, const char *at)
{
    struct err e = read_text(r, s->doc, at, "id", &s->id);

    if (failed(e))
        return e;
    if (!s->id)
        return invalid(r, at, "id", "a step needs an id");
    if (!str_is_name(s->id))
        return invalid(r, at, "id", "\"%.70s\" is not a name: 1 to 64 of A-Z a-z 0-9 _ -",
                       s->id);
    for (size_t i = 0; i < s->at; i++)
        if (str_equal(r->flow->steps[i].id, s->id))
            return invalid(r, at, "id", "there are two steps with the id \"%s\"", s->id);
    return OK;
}

static struct err read_steps(struct reader *r, const struct json *list, const char *at,
                             const struct flow_step *parent,
                             const struct flow_step **ret_first);

static struct err read_branches(struct reader *r, struct flow_step *s, const char *at)
{
    const struct json *then = json_get(s->doc, "then"), *otherwise = json_get(s->doc, "else");
    char place[96];

    if (s->verb != VERB_IF) {
        if (then || otherwise)
            return invalid(r, at, then ? "then" : "else", "only an \"if\" has then and else");
        return OK;
    }
    if (!then)
        return invalid(r, at, "then", "an \"if\" needs \"then\": a list of steps");
    if (r->depth >= FLOW_DEPTH_MAX)
        return invalid(r, at, NULL, "steps are nested deeper than %d", FLOW_DEPTH_MAX);
    r->depth++;
    str_format(place, sizeof place, "%s/then", at);
    struct err e = read_steps(r, then, place, s, &s->then_first);
    if (!failed(e) && otherwise) {
        str_format(place, sizeof place, "%s/else", at);
        e = read_steps(r, otherwise, place, s, &s->else_first);
    }
    r->depth--;
    return e;
}

static struct err read_attributes(struct reader *r, struct flow_step *s, const char *at)
{
    s->timeout_ms = FLOW_STEP_TIMEOUT_MS;
    struct err e  = read_duration(r, s->doc, at, "timeout", &s->timeout_ms);
    if (!failed(e))
        e = read_effect(r, s, at);
    if (!failed(e))
        e = read_retry(r, s, at);
    if (!failed(e))
        e = read_on(r, s, at);
    if (!failed(e))
        e = read_text(r, s->doc, at, "when", &s->when);
    if (!failed(e))
        e = read_text(r, s->doc, at, "expect", &s->expect);
    if (!failed(e))
        e = read_text(r, s->doc, at, "milestone", &s->milestone);
    if (!failed(e))
        e = read_text(r, s->doc, at, "artifact", &s->artifact);
    if (!failed(e))
        e = read_flag(r, s->doc, at, "restart", &s->restart);
    if (!failed(e))
        e = read_flag(r, s->doc, at, "setup", &s->setup);
    if (failed(e))
        return e;
    if (s->timeout_ms == 0)
        return invalid(r, at, "timeout", "a step needs some time; write \"60s\"");
    if (s->setup && s->effect == EFFECT_UNSAFE)
        return invalid(
            r, at, "setup",
            "an unsafe step cannot be run again as setup; say \"effect\":\"idempotent\"");
    return OK;
}

static struct err read_step(struct reader *r, const struct json *doc, const char *at,
                            const struct flow_step *parent, struct flow_step **ret)
{
    struct flow *f = r->flow;

    if (json_type(doc) != JSON_OBJECT)
        return invalid(r, at, NULL, "%s where a step (an object) is needed",
                       json_type_word(doc));
    if (f->step_count == FLOW_STEPS_MAX)
        return invalid(r, at, NULL, "a flow has at most %d steps", FLOW_STEPS_MAX);

    struct flow_step *s = &f->steps[f->step_count];
    *s                  = (struct flow_step){.doc = doc, .at = f->step_count, .parent = parent};
    struct err e        = fields_known(r, doc, at, STEP_FIELDS, STEP_LATER);
    if (!failed(e))
        e = read_id(r, s, at);
    if (!failed(e))
        e = read_verb(r, s, at);
    if (!failed(e))
        e = check_verb(r, s, at);
    if (!failed(e))
        e = read_attributes(r, s, at);
    if (failed(e))
        return e;
    f->step_count++;
    *ret = s;
    return read_branches(r, s, at);
}

static struct err read_steps(struct reader *r, const struct json *list, const char *at,
                             const struct flow_step *parent, const struct flow_step **ret_first)
{
    struct flow_step *before = NULL;
    char place[96];

    if (json_type(list) != JSON_ARRAY)
        return invalid(r, at, NULL, "%s where a list of steps is needed", json_type_word(list));
    for (size_t i = 0; i < json_count(list); i++) {
        struct flow_step *s = NULL;

        str_format(place, sizeof place, "%s/%zu", at, i);
        struct err e = read_step(r, json_at(list, i), place, parent, &s);
        if (failed(e))
            return e;
        if (before)
            before->next = s;
        else
            *ret_first = s;
        before = s;
    }
    return OK;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

struct mention {
    const struct flow *flow;
    const struct flow_step *step;
    char wrong[STR_NAME_SIZE];
    bool later;
};

static void see_mention(void *self, const char *name, size_t len)
{
    struct mention *m = self;
    char id[STR_NAME_SIZE];

    if (m->wrong[0] || !str_copy_n(id, sizeof id, name, len))
        return;
    const struct flow_step *other = flow_find(m->flow, id);
    bool later                    = other && m->step && other->at >= m->step->at;
    if (!other || later) {
        m->later = later;
        str_copy(m->wrong, sizeof m->wrong, id);
    }
}

static void scan_text(struct mention *m, const char *text)
{
    struct json_part parts[64];
    size_t count = 0;
    char why[JSON_WHY_SIZE];

    if (!text || failed(json_expr_split(text, parts, 64, &count, why, sizeof why)))
        return;
    for (size_t i = 0; i < count; i++)
        if (parts[i].is_expr)
            json_expr_steps(parts[i].at, parts[i].len, see_mention, m);
}

static void scan(struct mention *m, const struct json *v)
{
    const char *key;
    const struct json *item;

    if (json_str(v))
        scan_text(m, json_str(v));
    for (size_t i = 0; json_type(v) == JSON_ARRAY && i < json_count(v); i++)
        scan(m, json_at(v, i));
    for (size_t it = 0; json_type(v) == JSON_OBJECT && json_each(v, &it, &key, &item);)
        scan(m, item);
}

static struct err check_text(struct reader *r, const char *text, const char *at,
                             const char *field)
{
    struct json_part parts[64];
    size_t count = 0;
    char why[JSON_WHY_SIZE];

    if (text && failed(json_expr_split(text, parts, 64, &count, why, sizeof why)))
        return invalid(r, at, field, "%s", why);
    for (size_t i = 0; i < count; i++)
        if (parts[i].is_expr && json_expr_is_secret(parts[i].at, parts[i].len))
            return invalid(r, at, field, "secrets are not available in this version");
    return OK;
}

static struct err check_syntax(struct reader *r, const struct json *v, const char *at)
{
    const char *key;
    const struct json *item;

    if (json_str(v))
        return check_text(r, json_str(v), at, NULL);
    for (size_t i = 0; json_type(v) == JSON_ARRAY && i < json_count(v); i++) {
        struct err e = check_syntax(r, json_at(v, i), at);
        if (failed(e))
            return e;
    }
    for (size_t it = 0; json_type(v) == JSON_OBJECT && json_each(v, &it, &key, &item);) {
        struct err e = check_syntax(r, item, at);
        if (failed(e))
            return e;
    }
    return OK;
}

static struct err check_mentions(struct reader *r, const struct flow_step *s, const char *at)
{
    struct mention m = {r->flow, s, "", false};
    char place[96];

    flow_pointer(r->flow, s, at, place, sizeof place);
    struct err e = check_syntax(r, s->body, place);
    if (!failed(e))
        e = check_text(r, s->when, place, "when");
    if (!failed(e))
        e = check_text(r, s->expect, place, "expect");
    if (!failed(e))
        e = check_text(r, s->milestone, place, "milestone");
    if (failed(e))
        return e;
    scan(&m, s->body);
    scan_text(&m, s->when);
    if (m.wrong[0] && m.later)
        return invalid(r, place, NULL, "an expression reads .steps.%s, which comes later",
                       m.wrong);
    if (m.wrong[0]) {
        const char *nearest = flow_nearest_step(r->flow, m.wrong);
        return invalid(r, place, NULL,
                       "an expression reads .steps.%s, but there is no such step%s%s", m.wrong,
                       nearest ? "; the nearest is " : "", nearest ? nearest : "");
    }
    return OK;
}

static struct err check_jump(struct reader *r, const struct flow_step *s, const char *target,
                             const char *at)
{
    char place[96];

    if (!target)
        return OK;
    flow_pointer(r->flow, s, at, place, sizeof place);
    const struct flow_step *to = flow_find(r->flow, target);
    if (!to) {
        const char *nearest = flow_nearest_step(r->flow, target);
        return invalid(r, place, "on", "there is no step \"%.60s\"%s%s", target,
                       nearest ? "; the nearest is " : "", nearest ? nearest : "");
    }
    if (to->at <= s->at)
        return invalid(r, place, "on", "\"%s\" comes before this step; jumps go forward only",
                       target);
    return OK;
}

static bool is_target(const struct flow *f, const struct flow_step *step)
{
    for (size_t i = 0; i < f->step_count; i++)
        if (str_equal(f->steps[i].on_failed, step->id) ||
            str_equal(f->steps[i].on_indeterminate, step->id))
            return true;
    return false;
}

static struct err check_reach(struct reader *r, const struct flow_step *s, const char *at)
{
    char place[96];

    if (s->verb != VERB_END || s->when || !s->next || is_target(r->flow, s->next))
        return OK;
    flow_pointer(r->flow, s->next, at, place, sizeof place);
    return invalid(r, place, NULL,
                   "step \"%s\" can never be reached: \"%s\" before it ends the run",
                   s->next->id, s->id);
}

static struct err check_whole(struct reader *r, const char *at)
{
    char place[96];

    str_format(place, sizeof place, "%s/result", at);
    struct err bad = check_syntax(r, r->flow->result, place);
    if (failed(bad))
        return bad;
    for (size_t i = 0; i < r->flow->step_count; i++) {
        const struct flow_step *s = &r->flow->steps[i];
        struct err e              = check_mentions(r, s, at);

        if (!failed(e))
            e = check_jump(r, s, s->on_failed, at);
        if (!failed(e))
            e = check_jump(r, s, s->on_indeterminate, at);
        if (!failed(e))
            e = check_reach(r, s, at);
        if (failed(e))
            return e;
    }
    return OK;
}

static struct err read_lane(struct reader *r, const char *at)
{
    const char *word = NULL;
    struct err e     = read_text(r, r->flow->doc, at, "lane", &word);

    r->flow->lane = word ? lane_of(word) : LANE_NONE;
    if (!failed(e) && word && r->flow->lane == LANE_NONE)
        return invalid(r, at, "lane", "\"%.40s\" is no lane; write realtime, standard or bulk",
                       word);
    return e;
}

static struct err read_input(struct reader *r, const char *at)
{
    char pointer[96], why[JSON_WHY_SIZE], place[96];

    r->flow->input = json_get(r->flow->doc, "input");
    if (!r->flow->input ||
        !failed(json_schema_check(r->flow->input, pointer, sizeof pointer, why, sizeof why)))
        return OK;
    str_format(place, sizeof place, "%s/input%s", at, pointer);
    return invalid(r, place, NULL, "%s", why);
}

static struct err read_head(struct reader *r, const char *at)
{
    struct flow *f = r->flow;
    struct err e   = fields_known(r, f->doc, at, FLOW_FIELDS, FLOW_LATER);

    if (!failed(e))
        e = read_text(r, f->doc, at, "name", &f->name);
    if (!failed(e))
        e = read_text(r, f->doc, at, "upstream", &f->upstream);
    if (!failed(e))
        e = read_lane(r, at);
    if (!failed(e))
        e = read_duration(r, f->doc, at, "timeout", &f->timeout_ms);
    if (!failed(e))
        e = read_duration(r, f->doc, at, "keep_session", &f->keep_session_ms);
    if (!failed(e))
        e = read_input(r, at);
    if (failed(e))
        return e;
    f->result = json_get(f->doc, "result");
    if (f->name && !str_is_name(f->name))
        return invalid(r, at, "name", "\"%.70s\" is not a name: 1 to 64 of A-Z a-z 0-9 _ -",
                       f->name);
    if (f->upstream && !str_is_name(f->upstream))
        return invalid(r, at, "upstream", "\"%.70s\" is not a name: 1 to 64 of A-Z a-z 0-9 _ -",
                       f->upstream);
    const char *shot = json_str(json_get(f->doc, "screenshot"));
    if (json_get(f->doc, "screenshot") && !str_equal(shot, "on_failure") &&
        !str_equal(shot, "never"))
        return invalid(r, at, "screenshot", "screenshot is \"on_failure\" or \"never\"");
    return OK;
}

struct err flow_read(struct flow **ret, const struct json *doc, const char *at,
                     struct problem *why)
{
    AUTO(flow_free) struct flow *f = mem_new(struct flow);
    struct reader r                = {.flow = f, .why = why};
    const struct flow_step *first  = NULL;
    char place[96];

    f->doc   = json_ref(doc);
    f->steps = mem_array(FLOW_STEPS_MAX + 1, sizeof *f->steps);
    if (json_type(doc) != JSON_OBJECT)
        return invalid(&r, at, NULL, "%s where a flow (a name or an object) is needed",
                       json_type_word(doc));
    struct err e = read_head(&r, at);
    if (failed(e))
        return e;
    str_format(place, sizeof place, "%s/steps", at);
    if (!json_get(doc, "steps"))
        return invalid(&r, place, NULL, "a flow needs \"steps\": a list of steps");
    e = read_steps(&r, json_get(doc, "steps"), place, NULL, &first);
    if (failed(e))
        return e;
    if (!first)
        return invalid(&r, place, NULL, "a flow needs at least one step");
    e = check_whole(&r, at);
    if (failed(e))
        return e;
    *ret = take(&f);
    return OK;
}

void flow_free(struct flow **slot)
{
    struct flow *f = take(slot);

    if (!f)
        return;
    json_free(&f->doc);
    mem_free(&f->steps);
    mem_free(&f);
}

const struct flow_step *flow_find(const struct flow *flow, const char *id)
{
    for (size_t i = 0; id && i < flow->step_count; i++)
        if (str_equal(flow->steps[i].id, id))
            return &flow->steps[i];
    return NULL;
}

const struct flow_step *flow_first(const struct flow *flow)
{
    return flow->step_count ? &flow->steps[0] : NULL;
}

static bool place_among(const struct flow_step *first, const struct flow_step *step,
                        size_t *ret)
{
    size_t n = 0;

    for (; first && first != step; first = first->next)
        n++;
    *ret = n;
    return first != NULL;
}

void flow_pointer(const struct flow *flow, const struct flow_step *step, const char *at,
                  char *to, size_t size)
{
    const struct flow_step *parent = step->parent;
    char above[FLOW_POINTER_SIZE];
    size_t n = 0;

    if (!parent) {
        (void)place_among(flow_first(flow), step, &n);
        str_format(to, size, "%s/steps/%zu", at, n);
        return;
    }
    bool then =
        place_among(parent->then_first, step, &n) || !place_among(parent->else_first, step, &n);
    flow_pointer(flow, parent, at, above, sizeof above);
    str_format(to, size, "%s/%s/%zu", above, then ? "then" : "else", n);
}

const struct flow_step *flow_after(const struct flow *flow, const struct flow_step *step,
                                   const char *branch, const char *go_to)
{
    if (go_to && *go_to)
        return flow_find(flow, go_to);
    if (str_equal(branch, "then") && step->then_first)
        return step->then_first;
    if (str_equal(branch, "else") && step->else_first)
        return step->else_first;
    while (step && !step->next)
        step = step->parent;
    return step ? step->next : NULL;
}

const char *flow_nearest_step(const struct flow *flow, const char *id)
{
    const char *words[FLOW_STEPS_MAX + 1];

    for (size_t i = 0; i < flow->step_count; i++)
        words[i] = flow->steps[i].id;
    words[flow->step_count] = NULL;
    return str_nearest(id, words);
}

bool flow_needs_session(const struct flow_step *step)
{
    if (step->verb == VERB_BROWSE)
        return true;
    return step->verb == VERB_RETRIEVE && !json_get(step->body, "url");
}

const struct flow_step *flow_open_before(const struct flow *flow, const struct flow_step *step)
{
    for (size_t i = step->at; i-- > 0;)
        if (flow->steps[i].verb == VERB_OPEN)
            return &flow->steps[i];
    return NULL;
}

const struct flow_step *flow_restart_before(const struct flow *flow,
                                            const struct flow_step *step)
{
    for (size_t i = step->at + 1; i-- > 0;)
        if (flow->steps[i].restart || flow->steps[i].verb == VERB_OPEN)
            return &flow->steps[i];
    return NULL;
}

const char *run_flow_token(const char *flow_name, char *at, size_t size)
{
    size_t len = strcspn(flow_name, "@");

    str_copy_n(at, size, flow_name, len);
    return at;
}
