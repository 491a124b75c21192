#include "run/run_flow_internal.h"

#include "base/str.h"
#include "json/json_expr.h"

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

static struct err check_text(struct flow_reader *r, const char *text, const char *at,
                             const char *field)
{
    struct json_part parts[64];
    size_t count = 0;
    char why[JSON_WHY_SIZE];

    if (text && failed(json_expr_split(text, parts, 64, &count, why, sizeof why)))
        return flow_field_wrong(r, at, field, "%s", why);
    for (size_t i = 0; i < count; i++)
        if (parts[i].is_expr && json_expr_is_secret(parts[i].at, parts[i].len))
            return flow_field_wrong(r, at, field, "secrets are not available in this version");
    return OK;
}

static struct err check_syntax(struct flow_reader *r, const struct json *v, const char *at)
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

static struct err check_mentions(struct flow_reader *r, const struct flow_step *s,
                                 const char *at)
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
        return flow_field_wrong(r, place, NULL,
                                "an expression reads .steps.%s, which comes later", m.wrong);
    if (m.wrong[0]) {
        const char *nearest = flow_nearest_step(r->flow, m.wrong);
        return flow_field_wrong(
            r, place, NULL, "an expression reads .steps.%s, but there is no such step%s%s",
            m.wrong, nearest ? "; the nearest is " : "", nearest ? nearest : "");
    }
    return OK;
}

static struct err check_jump(struct flow_reader *r, const struct flow_step *s,
                             const char *target, const char *at)
{
    char place[96];

    if (!target)
        return OK;
    flow_pointer(r->flow, s, at, place, sizeof place);
    const struct flow_step *to = flow_find(r->flow, target);
    if (!to) {
        const char *nearest = flow_nearest_step(r->flow, target);
        return flow_field_wrong(r, place, "on", "there is no step \"%.60s\"%s%s", target,
                                nearest ? "; the nearest is " : "", nearest ? nearest : "");
    }
    if (to->at <= s->at)
        return flow_field_wrong(r, place, "on",
                                "\"%s\" comes before this step; jumps go forward only", target);
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

static struct err check_reach(struct flow_reader *r, const struct flow_step *s, const char *at)
{
    char place[96];

    if (s->verb != VERB_END || s->when || !s->next || is_target(r->flow, s->next))
        return OK;
    flow_pointer(r->flow, s->next, at, place, sizeof place);
    return flow_field_wrong(r, place, NULL,
                            "step \"%s\" can never be reached: \"%s\" before it ends the run",
                            s->next->id, s->id);
}

struct err flow_check(struct flow_reader *r, const char *at)
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
