#include "run/run_flow_internal.h"

#include <string.h>

#include "base/str.h"
#include "json/json_expr.h"
#include "json/json_schema.h"

static const char *const VERB_WORDS[VERBS] = {
    [VERB_OPEN] = "open",   [VERB_BROWSE] = "browse", [VERB_RETRIEVE] = "retrieve",
    [VERB_CALL] = "call",   [VERB_SET] = "set",       [VERB_IF] = "if",
    [VERB_SLEEP] = "sleep", [VERB_CLOSE] = "close",   [VERB_END] = "end"};

const char *flow_verb_word(enum flow_verb verb)
{
    return VERB_WORDS[verb] ? VERB_WORDS[verb] : "";
}

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

static struct err check_actions(struct flow_reader *r, const struct json *actions,
                                const char *at)
{
    char place[96];

    if (json_type(actions) != JSON_ARRAY || json_count(actions) == 0)
        return flow_field_wrong(r, at, "actions",
                                "actions must be a list of at least one action");
    for (size_t i = 0; i < json_count(actions); i++) {
        const struct json *action = json_at(actions, i);

        str_format(place, sizeof place, "%s/actions/%zu", at, i);
        if (json_type(action) != JSON_OBJECT || json_count(action) != 1)
            return flow_field_wrong(
                r, place, NULL,
                "an action is an object with one field: go, click, type, select, press, "
                "wait, scroll or screenshot");
        struct err e = flow_field_known(r, action, place, ACTIONS, NULL);
        if (failed(e))
            return e;
    }
    return OK;
}

static struct err check_browse(struct flow_reader *r, const struct flow_step *s, const char *at)
{
    struct err e = flow_field_known(r, s->body, at, BROWSE_FIELDS, NULL);

    if (failed(e))
        return e;
    const struct json *actions = json_get(s->body, "actions");
    if (!actions && !json_str(json_get(s->body, "cmd")))
        return flow_field_wrong(
            r, at, NULL, "browse needs \"cmd\" (for agents) or \"actions\" (for webdriver)");
    return actions ? check_actions(r, actions, at) : OK;
}

static struct err check_retrieve(struct flow_reader *r, const struct flow_step *s,
                                 const char *at)
{
    struct err e = flow_field_known(r, s->body, at, RETRIEVE_FIELDS, NULL);

    if (failed(e))
        return e;
    char pointer[96], why[JSON_WHY_SIZE];
    const struct json *schema = json_get(s->body, "schema"),
                      *select = json_get(s->body, "select");
    if (!schema && !select && !json_get(s->body, "cmd"))
        return flow_field_wrong(
            r, at, NULL,
            "retrieve needs \"select\" (for webdriver), or \"cmd\" or \"schema\" (for agents)");
    if (schema &&
        failed(json_rows_schema_check(schema, pointer, sizeof pointer, why, sizeof why)))
        return flow_field_wrong(r, at, "schema", "%s", why);
    if (select && json_type(select) != JSON_OBJECT)
        return flow_field_wrong(r, at, "select",
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

static struct err check_call(struct flow_reader *r, const struct flow_step *s, const char *at)
{
    struct err e = flow_field_known(r, s->body, at, CALL_FIELDS, NULL);

    if (failed(e))
        return e;
    if (json_get(s->body, "url"))
        return flow_field_wrong(
            r, at, "url", "call over HTTPS is not available in this version; use \"subject\"");
    if (json_get(s->body, "upstream"))
        return flow_field_wrong(
            r, at, "upstream",
            "the limits of an upstream for a call are not available in this version");
    const char *subject = json_str(json_get(s->body, "subject"));
    if (!subject)
        return flow_field_wrong(
            r, at, "subject",
            "call needs \"subject\": the request goes to sluice.call.<tenant>.<subject>");
    if (!dotted_name(subject))
        return flow_field_wrong(
            r, at, "subject",
            "\"%.60s\" is not a name of tokens [A-Za-z0-9_-] with dots between", subject);
    return OK;
}

static struct err check_sleep(struct flow_reader *r, const struct flow_step *s, const char *at)
{
    struct err e = flow_field_known(r, s->body, at, SLEEP_FIELDS, NULL);

    if (failed(e))
        return e;
    const char *span  = json_str(json_get(s->body, "for")),
               *until = json_str(json_get(s->body, "until"));
    if (!span == !until)
        return flow_field_wrong(
            r, at, NULL, "sleep needs one of \"for\" (a duration) and \"until\" (a time)");
    uint64_t ms;
    int64_t wall;
    if (span && !json_expr_any(span) && failed(str_duration_ms(span, &ms)))
        return flow_field_wrong(r, at, "for",
                                "\"%.40s\" is not a duration; write \"90s\", \"5m\" or \"24h\"",
                                span);
    if (until && !json_expr_any(until) && failed(str_time_ms(until, &wall)))
        return flow_field_wrong(
            r, at, "until", "\"%.40s\" is not a time; write \"2026-11-21T03:00:00Z\"", until);
    return OK;
}

static struct err check_end(struct flow_reader *r, const struct flow_step *s, const char *at)
{
    struct err e = flow_field_known(r, s->body, at, END_FIELDS, NULL);

    if (failed(e))
        return e;
    const char *status = json_str(json_get(s->body, "status"));
    enum run_status is = status ? run_status_of(status) : STATUS_NONE;
    if (is == STATUS_NONE || is == STATUS_EXPIRED)
        return flow_field_wrong(
            r, at, "status", "end needs \"status\": done, failed, cancelled or indeterminate");
    return OK;
}

struct err flow_verb_check(struct flow_reader *r, const struct flow_step *s, const char *at)
{
    bool text = s->verb == VERB_IF;
    char place[96];

    str_format(place, sizeof place, "%s/%s", at, flow_verb_word(s->verb));
    if (text ? !json_str(s->body) : json_type(s->body) != JSON_OBJECT)
        return flow_field_wrong(r, place, NULL, "%s where %s is needed",
                                json_type_word(s->body), text ? "an expression" : "an object");
    switch (s->verb) {
    case VERB_OPEN:
        return flow_field_known(r, s->body, place, OPEN_FIELDS, NULL);
    case VERB_BROWSE:
        return check_browse(r, s, place);
    case VERB_RETRIEVE:
        return check_retrieve(r, s, place);
    case VERB_CALL:
        return check_call(r, s, place);
    case VERB_SLEEP:
        return check_sleep(r, s, place);
    case VERB_CLOSE:
        return flow_field_known(r, s->body, place, CLOSE_FIELDS, NULL);
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
