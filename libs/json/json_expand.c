#include "json/json_expand.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json_expr.h"
#include "json/json_internal.h"

#include <string.h>

/* walk - one expansion on its way. */
struct walk {
    const struct json_expand *how;
    size_t text_left;
    char *why;
    size_t why_size;
};

static enum json_expr_is expand(struct walk *w, const struct json *from, unsigned depth,
                                struct json **ret);

static enum json_expr_is fail(struct walk *w, const char *words)
{
    struct err e = json_refuse("expand", words, w->why, w->why_size);

    return failed(e) ? EXPR_FAILED : EXPR_VALUE;
}

/* "${.steps.list | lenght}: lenght/0 is not defined" */
static enum json_expr_is fail_at(struct walk *w, const struct json_part *part,
                                 const char *words)
{
    char sentence[512];
    bool cut = part->len > 60;

    str_format(sentence, sizeof sentence, "${%.*s%s}: %s", cut ? 57 : (int)part->len, part->at,
               cut ? "..." : "", words);
    return fail(w, sentence);
}

static bool deeper_than(const struct json *v, unsigned limit)
{
    const char *key;
    const struct json *value;

    if (json_count(v) == 0)
        return false;
    if (limit == 0)
        return true;
    for (size_t i = 0; json_type(v) == JSON_ARRAY && i < json_count(v); i++)
        if (deeper_than(json_at(v, i), limit - 1))
            return true;
    for (size_t it = 0; json_type(v) == JSON_OBJECT && json_each(v, &it, &key, &value);)
        if (deeper_than(value, limit - 1))
            return true;
    return false;
}

static enum json_expr_is look_up(struct walk *w, const struct json_part *part,
                                 struct json **ret)
{
    const struct json *found;
    char why[JSON_WHY_SIZE];

    struct err e =
        json_expr_follow(w->how->scope, part->at, part->len, &found, why, sizeof why);
    if (failed(e))
        return fail_at(w, part, why);
    *ret = json_ref(found);
    return EXPR_VALUE;
}

static enum json_expr_is ask(struct walk *w, json_eval_fn *whom, const struct json_part *part,
                             struct json **ret)
{
    char why[JSON_WHY_SIZE] = "no value";
    enum json_expr_is is =
        whom(w->how->self, part->at, part->len, w->how->scope, ret, why, sizeof why);

    return is == EXPR_FAILED ? fail_at(w, part, why) : is;
}

static enum json_expr_is value_of(struct walk *w, const struct json_part *part,
                                  struct json **ret)
{
    if (json_expr_is_path(part->at, part->len))
        return look_up(w, part, ret);
    if (json_expr_is_secret(part->at, part->len))
        return fail_at(w, part, "a secret must be the whole value");
    if (!w->how->eval)
        return fail_at(w, part, "only plain paths can be looked up here");
    return ask(w, w->how->eval, part, ret);
}

static enum json_expr_is whole(struct walk *w, const struct json_part *part, unsigned depth,
                               struct json **ret)
{
    AUTO(json_free) struct json *v = NULL;
    enum json_expr_is is           = value_of(w, part, &v);

    if (is != EXPR_VALUE)
        return is;
    if (deeper_than(v, JSON_EXPAND_DEPTH_MAX - depth))
        return fail_at(w, part, "the value is nested too deep");
    *ret = take(&v);
    return EXPR_VALUE;
}

static enum json_expr_is add_text(struct walk *w, const struct json_part *part, struct buf *to)
{
    AUTO(json_free) struct json *v = NULL;

    if (!part->is_expr) {
        buf_add(to, part->at, part->len);
        return EXPR_VALUE;
    }
    enum json_expr_is is = value_of(w, part, &v);
    if (is != EXPR_VALUE)
        return is;
    if (json_type(v) == JSON_STR)
        buf_add(to, json_str(v), json_str_len(v));
    else
        json_print(v, to);
    return to->full ? fail_at(w, part, "the text is longer than 1 MiB with it") : EXPR_VALUE;
}

/* A text with expressions in it. */
static enum json_expr_is mixed(struct walk *w, const char *text, size_t len, struct json **ret)
{
    AUTO(buf_deinit) struct buf to = {0};
    enum json_expr_is is           = EXPR_VALUE;
    bool any                       = true;

    buf_init(&to, w->text_left);
    for (size_t from = 0; is == EXPR_VALUE;) {
        struct json_part part;
        char why[JSON_WHY_SIZE];
        struct err e = json_expr_next(text, len, &from, &part, &any, why, sizeof why);
        if (failed(e))
            return fail(w, why);
        if (!any)
            break;
        is = add_text(w, &part, &to);
    }
    if (is != EXPR_VALUE)
        return is;
    if (to.full)
        return fail(w, "the texts are longer than 1 MiB");
    w->text_left -= to.len;
    *ret = json_new_str_n(to.len > 0 ? to.at : "", to.len);
    return EXPR_VALUE;
}

static enum json_expr_is expand_text(struct walk *w, const struct json *from, unsigned depth,
                                     struct json **ret)
{
    const char *text      = json_str(from);
    struct json_part part = {.is_expr = true};

    if (!strchr(text, '$')) {
        *ret = json_ref(from);
        return EXPR_VALUE;
    }
    if (!json_expr_whole(text, &part.at, &part.len))
        return mixed(w, text, json_str_len(from), ret);
    if (!json_expr_is_secret(part.at, part.len))
        return whole(w, &part, depth, ret);
    if (w->how->secret)
        return ask(w, w->how->secret, &part, ret);
    *ret = json_ref(from);
    return EXPR_VALUE;
}

static enum json_expr_is expand_array(struct walk *w, const struct json *from, unsigned depth,
                                      struct json **ret)
{
    AUTO(json_free) struct json *array = json_new_array();

    for (size_t i = 0; i < json_count(from); i++) {
        struct json *v;
        enum json_expr_is is = expand(w, json_at(from, i), depth + 1, &v);
        if (is != EXPR_VALUE)
            return is;
        json_add(array, v);
    }
    *ret = take(&array);
    return EXPR_VALUE;
}

static enum json_expr_is expand_object(struct walk *w, const struct json *from, unsigned depth,
                                       struct json **ret)
{
    AUTO(json_free) struct json *object = json_new_object();
    const char *key;
    const struct json *value;

    for (size_t it = 0; json_each(from, &it, &key, &value);) {
        struct json *v;
        enum json_expr_is is = expand(w, value, depth + 1, &v);
        if (is != EXPR_VALUE)
            return is;
        json_set(object, key, v);
    }
    *ret = take(&object);
    return EXPR_VALUE;
}

static enum json_expr_is expand(struct walk *w, const struct json *from, unsigned depth,
                                struct json **ret)
{
    switch (json_type(from)) {
    case JSON_STR:
        return expand_text(w, from, depth, ret);
    case JSON_ARRAY:
    case JSON_OBJECT:
        if (depth == JSON_EXPAND_DEPTH_MAX && json_count(from) > 0)
            return fail(w, "the document is nested too deep");
        return json_type(from) == JSON_ARRAY ? expand_array(w, from, depth, ret)
                                             : expand_object(w, from, depth, ret);
    case JSON_NULL:
    case JSON_BOOL:
    case JSON_INT:
    case JSON_REAL:
        *ret = json_ref(from);
        return EXPR_VALUE;
    }
    return fail(w, "the document has a value of no type");
}

enum json_expr_is json_expand(const struct json_expand *how, const struct json *from,
                              struct json **ret, char *why, size_t why_size)
{
    struct walk w = {
        .how = how, .text_left = JSON_EXPAND_TEXT_MAX, .why = why, .why_size = why_size};

    return expand(&w, from, 0, ret);
}
