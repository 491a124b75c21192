#include "run/run_flow_internal.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json_schema.h"

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

static enum entry_effect effect_of(enum flow_verb verb)
{
    return verb == VERB_BROWSE || verb == VERB_CALL ? EFFECT_UNSAFE : EFFECT_READ;
}

static struct err read_effect(struct flow_reader *r, struct flow_step *s, const char *at)
{
    const char *word = NULL;
    struct err e     = flow_field_text(r, s->doc, at, "effect", &word);

    s->effect = effect_of(s->verb);
    if (failed(e) || !word)
        return e;
    for (enum entry_effect effect = EFFECT_READ; effect <= EFFECT_UNSAFE; effect++)
        if (str_equal(entry_effect_word(effect), word)) {
            s->effect = effect;
            return OK;
        }
    return flow_field_wrong(r, at, "effect",
                            "\"%.40s\" is no effect; write read, idempotent or unsafe", word);
}

static struct err read_retry(struct flow_reader *r, struct flow_step *s, const char *at)
{
    static const char *const fields[] = {"tries", "wait", "max_wait", NULL};
    const struct json *doc            = json_get(s->doc, "retry");
    char place[96];

    s->retry = (struct flow_retry){s->effect == EFFECT_UNSAFE ? 1 : 3, 1000, 30000};
    if (!doc)
        return OK;
    str_format(place, sizeof place, "%s/retry", at);
    if (json_type(doc) != JSON_OBJECT)
        return flow_field_wrong(
            r, place, NULL,
            "retry is an object: {\"tries\":3,\"wait\":\"1s\",\"max_wait\":\"30s\"}");
    struct err e = flow_field_known(r, doc, place, fields, NULL);
    if (failed(e))
        return e;
    const struct json *tries = json_get(doc, "tries");
    if (tries) {
        if (json_type(tries) != JSON_INT || json_int(tries) < 1 || json_int(tries) > 100)
            return flow_field_wrong(r, place, "tries", "tries is a number from 1 to 100");
        if (s->effect == EFFECT_UNSAFE && json_int(tries) > 1)
            return flow_field_wrong(
                r, place, "tries",
                "an unsafe step is never repeated; say \"effect\":\"idempotent\" or "
                "\"read\" if it may be");
        s->retry.tries = (unsigned)json_int(tries);
    }
    e = flow_field_duration(r, doc, place, "wait", &s->retry.wait_ms);
    return failed(e) ? e
                     : flow_field_duration(r, doc, place, "max_wait", &s->retry.max_wait_ms);
}

static struct err read_on(struct flow_reader *r, struct flow_step *s, const char *at)
{
    static const char *const fields[] = {"failed", "indeterminate", NULL};
    const struct json *on             = json_get(s->doc, "on");
    char place[96];

    if (!on)
        return OK;
    str_format(place, sizeof place, "%s/on", at);
    if (json_type(on) != JSON_OBJECT)
        return flow_field_wrong(r, place, NULL,
                                "on is an object: {\"failed\":STEP,\"indeterminate\":STEP}");
    struct err e = flow_field_known(r, on, place, fields, NULL);
    if (failed(e))
        return e;
    e = flow_field_text(r, on, place, "failed", &s->on_failed);
    return failed(e) ? e : flow_field_text(r, on, place, "indeterminate", &s->on_indeterminate);
}

static struct err read_verb(struct flow_reader *r, struct flow_step *s, const char *at)
{
    for (enum flow_verb verb = VERB_OPEN; verb < VERBS; verb++) {
        const struct json *body = json_get(s->doc, flow_verb_word(verb));

        if (!body)
            continue;
        if (s->verb != VERB_NONE)
            return flow_field_wrong(r, at, NULL, "a step has one verb; this one has %s and %s",
                                    flow_verb_word(s->verb), flow_verb_word(verb));
        s->verb = verb;
        s->body = body;
    }
    if (s->verb == VERB_NONE)
        return flow_field_wrong(
            r, at, NULL,
            "a step needs one verb: open, browse, retrieve, call, set, if, sleep, "
            "close or end");
    return OK;
}

static struct err read_id(struct flow_reader *r, struct flow_step *s, const char *at)
{
    struct err e = flow_field_text(r, s->doc, at, "id", &s->id);

    if (failed(e))
        return e;
    if (!s->id)
        return flow_field_wrong(r, at, "id", "a step needs an id");
    if (!str_is_name(s->id))
        return flow_field_wrong(r, at, "id",
                                "\"%.70s\" is not a name: 1 to 64 of A-Z a-z 0-9 _ -", s->id);
    for (size_t i = 0; i < s->at; i++)
        if (str_equal(r->flow->steps[i].id, s->id))
            return flow_field_wrong(r, at, "id", "there are two steps with the id \"%s\"",
                                    s->id);
    return OK;
}

static struct err read_steps(struct flow_reader *r, const struct json *list, const char *at,
                             const struct flow_step *parent,
                             const struct flow_step **ret_first);

static struct err read_branches(struct flow_reader *r, struct flow_step *s, const char *at)
{
    const struct json *then = json_get(s->doc, "then"), *otherwise = json_get(s->doc, "else");
    char place[96];

    if (s->verb != VERB_IF) {
        if (then || otherwise)
            return flow_field_wrong(r, at, then ? "then" : "else",
                                    "only an \"if\" has then and else");
        return OK;
    }
    if (!then)
        return flow_field_wrong(r, at, "then", "an \"if\" needs \"then\": a list of steps");
    if (r->depth >= FLOW_DEPTH_MAX)
        return flow_field_wrong(r, at, NULL, "steps are nested deeper than %d", FLOW_DEPTH_MAX);
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

static struct err read_attributes(struct flow_reader *r, struct flow_step *s, const char *at)
{
    s->timeout_ms = FLOW_STEP_TIMEOUT_MS;
    struct err e  = flow_field_duration(r, s->doc, at, "timeout", &s->timeout_ms);
    if (!failed(e))
        e = read_effect(r, s, at);
    if (!failed(e))
        e = read_retry(r, s, at);
    if (!failed(e))
        e = read_on(r, s, at);
    if (!failed(e))
        e = flow_field_text(r, s->doc, at, "when", &s->when);
    if (!failed(e))
        e = flow_field_text(r, s->doc, at, "expect", &s->expect);
    if (!failed(e))
        e = flow_field_text(r, s->doc, at, "milestone", &s->milestone);
    if (!failed(e))
        e = flow_field_text(r, s->doc, at, "artifact", &s->artifact);
    if (!failed(e))
        e = flow_field_flag(r, s->doc, at, "restart", &s->restart);
    if (!failed(e))
        e = flow_field_flag(r, s->doc, at, "setup", &s->setup);
    if (failed(e))
        return e;
    if (s->timeout_ms == 0)
        return flow_field_wrong(r, at, "timeout", "a step needs some time; write \"60s\"");
    if (s->setup && s->effect == EFFECT_UNSAFE)
        return flow_field_wrong(
            r, at, "setup",
            "an unsafe step cannot be run again as setup; say \"effect\":\"idempotent\"");
    return OK;
}

static struct err read_step(struct flow_reader *r, const struct json *doc, const char *at,
                            const struct flow_step *parent, struct flow_step **ret)
{
    struct flow *f = r->flow;

    if (json_type(doc) != JSON_OBJECT)
        return flow_field_wrong(r, at, NULL, "%s where a step (an object) is needed",
                                json_type_word(doc));
    if (f->step_count == FLOW_STEPS_MAX)
        return flow_field_wrong(r, at, NULL, "a flow has at most %d steps", FLOW_STEPS_MAX);

    struct flow_step *s = &f->steps[f->step_count];
    *s                  = (struct flow_step){.doc = doc, .at = f->step_count, .parent = parent};
    struct err e        = flow_field_known(r, doc, at, STEP_FIELDS, STEP_LATER);
    if (!failed(e))
        e = read_id(r, s, at);
    if (!failed(e))
        e = read_verb(r, s, at);
    if (!failed(e))
        e = flow_verb_check(r, s, at);
    if (!failed(e))
        e = read_attributes(r, s, at);
    if (failed(e))
        return e;
    f->step_count++;
    *ret = s;
    return read_branches(r, s, at);
}

static struct err read_steps(struct flow_reader *r, const struct json *list, const char *at,
                             const struct flow_step *parent, const struct flow_step **ret_first)
{
    struct flow_step *before = NULL;
    char place[96];

    if (json_type(list) != JSON_ARRAY)
        return flow_field_wrong(r, at, NULL, "%s where a list of steps is needed",
                                json_type_word(list));
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

static struct err read_lane(struct flow_reader *r, const char *at)
{
    const char *word = NULL;
    struct err e     = flow_field_text(r, r->flow->doc, at, "lane", &word);

    r->flow->lane = word ? lane_of(word) : LANE_NONE;
    if (!failed(e) && word && r->flow->lane == LANE_NONE)
        return flow_field_wrong(r, at, "lane",
                                "\"%.40s\" is no lane; write realtime, standard or bulk", word);
    return e;
}

static struct err read_input(struct flow_reader *r, const char *at)
{
    char pointer[96], why[JSON_WHY_SIZE], place[96];

    r->flow->input = json_get(r->flow->doc, "input");
    if (!r->flow->input ||
        !failed(json_schema_check(r->flow->input, pointer, sizeof pointer, why, sizeof why)))
        return OK;
    str_format(place, sizeof place, "%s/input%s", at, pointer);
    return flow_field_wrong(r, place, NULL, "%s", why);
}

static struct err read_head(struct flow_reader *r, const char *at)
{
    struct flow *f = r->flow;
    struct err e   = flow_field_known(r, f->doc, at, FLOW_FIELDS, FLOW_LATER);

    if (!failed(e))
        e = flow_field_text(r, f->doc, at, "name", &f->name);
    if (!failed(e))
        e = flow_field_text(r, f->doc, at, "upstream", &f->upstream);
    if (!failed(e))
        e = read_lane(r, at);
    if (!failed(e))
        e = flow_field_duration(r, f->doc, at, "timeout", &f->timeout_ms);
    if (!failed(e))
        e = flow_field_duration(r, f->doc, at, "keep_session", &f->keep_session_ms);
    if (!failed(e))
        e = read_input(r, at);
    if (failed(e))
        return e;
    f->result = json_get(f->doc, "result");
    if (f->name && !str_is_name(f->name))
        return flow_field_wrong(r, at, "name",
                                "\"%.70s\" is not a name: 1 to 64 of A-Z a-z 0-9 _ -", f->name);
    if (f->upstream && !str_is_name(f->upstream))
        return flow_field_wrong(r, at, "upstream",
                                "\"%.70s\" is not a name: 1 to 64 of A-Z a-z 0-9 _ -",
                                f->upstream);
    const char *shot = json_str(json_get(f->doc, "screenshot"));
    if (json_get(f->doc, "screenshot") && !str_equal(shot, "on_failure") &&
        !str_equal(shot, "never"))
        return flow_field_wrong(r, at, "screenshot",
                                "screenshot is \"on_failure\" or \"never\"");
    return OK;
}

struct err flow_read(struct flow **ret, const struct json *doc, const char *at,
                     struct problem *why)
{
    AUTO(flow_free) struct flow *f = mem_new(struct flow);
    struct flow_reader r           = {.flow = f, .why = why};
    const struct flow_step *first  = NULL;
    char place[96];

    f->doc   = json_ref(doc);
    f->steps = mem_array(FLOW_STEPS_MAX + 1, sizeof *f->steps);
    if (json_type(doc) != JSON_OBJECT)
        return flow_field_wrong(&r, at, NULL, "%s where a flow (a name or an object) is needed",
                                json_type_word(doc));
    struct err e = read_head(&r, at);
    if (failed(e))
        return e;
    str_format(place, sizeof place, "%s/steps", at);
    if (!json_get(doc, "steps"))
        return flow_field_wrong(&r, place, NULL, "a flow needs \"steps\": a list of steps");
    e = read_steps(&r, json_get(doc, "steps"), place, NULL, &first);
    if (failed(e))
        return e;
    if (!first)
        return flow_field_wrong(&r, place, NULL, "a flow needs at least one step");
    e = flow_check(&r, at);
    if (failed(e))
        return e;
    *ret = take(&f);
    return OK;
}
