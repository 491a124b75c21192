#include "json/json_schema.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const WORDS[] = {"type",    "required", "properties",  "enum",
                                    "default", "minimum",  "maximum",     "pattern",
                                    "items",   "title",    "description", NULL};
static const char *const TYPES[] = {"object",  "array",   "string", "number",
                                    "integer", "boolean", "null",   NULL};

/* check - a walk over a schema, or over a value with its schema. */
struct check {
    struct json_place place;
    char *why;
    size_t why_size;
    size_t work_left;
    /* The patterns met last: those of the items of an array come again and again. */
    struct {
        const struct json *of;
        struct json_pattern *pattern;
    } known[8];
    unsigned next;
};

static struct check check_begin(char *pointer, size_t pointer_size, char *why, size_t why_size)
{
    return (struct check){.place     = json_place_at(pointer, pointer_size),
                          .why       = why,
                          .why_size  = why_size,
                          .work_left = JSON_PATTERN_WORK_MAX};
}

static void check_end(struct check *c)
{
    for (size_t i = 0; i < sizeof c->known / sizeof *c->known; i++)
        json_pattern_free(&c->known[i].pattern);
}

static struct err refuse(struct check *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct err refuse(struct check *c, const char *format, ...)
{
    char sentence[512];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    return json_refuse("check against schema", sentence, c->why, c->why_size);
}

static struct err fit(struct check *c, const struct json *schema, struct json *v);

/* ------------------------------------------------------------------------------ of a schema */

static bool is_type(const char *word)
{
    for (const char *const *type = TYPES; word && *type; type++)
        if (str_equal(*type, word))
            return true;
    return false;
}

static struct err refuse_type(struct check *c, const struct json *type)
{
    const char *word    = json_str(type);
    const char *nearest = word ? str_nearest(word, TYPES) : NULL;

    if (!word)
        return refuse(c, "a type is a word, not %s", json_type_word(type));
    if (nearest)
        return refuse(c, "no such type \"%s\"; did you mean \"%s\"?", word, nearest);
    return refuse(c,
                  "no such type \"%s\"; there are object, array, string, number, integer, "
                  "boolean and null",
                  word);
}

static struct err check_type(struct check *c, const struct json *type)
{
    if (json_type(type) != JSON_ARRAY)
        return is_type(json_str(type)) ? OK : refuse_type(c, type);
    if (json_count(type) == 0)
        return refuse(c, "no type at all");
    for (size_t i = 0; i < json_count(type); i++)
        if (!is_type(json_str(json_at(type, i))))
            return refuse_type(c, json_at(type, i));
    return OK;
}

static struct err check_required(struct check *c, const struct json *required)
{
    if (json_type(required) != JSON_ARRAY)
        return refuse(c, "must be an array of field names, not %s", json_type_word(required));
    for (size_t i = 0; i < json_count(required); i++)
        if (!json_str(json_at(required, i)))
            return refuse(c, "must be an array of field names, and one is %s",
                          json_type_word(json_at(required, i)));
    return OK;
}

static struct err check_schema(struct check *c, const struct json *schema);

static struct err check_properties(struct check *c, const struct json *properties)
{
    const char *key;
    const struct json *value;

    if (json_type(properties) != JSON_OBJECT)
        return refuse(c, "must be an object of schemas, not %s", json_type_word(properties));
    for (size_t it = 0; json_each(properties, &it, &key, &value);) {
        size_t back  = json_place_in(&c->place, key);
        struct err e = check_schema(c, value);
        if (failed(e))
            return e;
        json_place_out(&c->place, back);
    }
    return OK;
}

static struct err check_pattern(struct check *c, const struct json *pattern)
{
    AUTO(json_pattern_free) struct json_pattern *p = NULL;

    if (!json_str(pattern))
        return refuse(c, "must be a regular expression in a string, not %s",
                      json_type_word(pattern));
    return json_pattern_open(&p, json_str(pattern), c->why, c->why_size);
}

static struct err check_bound(struct check *c, const struct json *schema,
                              const struct json *bound)
{
    const struct json *min = json_get(schema, "minimum"), *max = json_get(schema, "maximum");

    if (!json_is_number(bound))
        return refuse(c, "must be a number, not %s", json_type_word(bound));
    if (json_is_number(min) && json_is_number(max) && json_number(min) > json_number(max))
        return refuse(c, "the minimum is above the maximum");
    return OK;
}

static struct err check_default(struct check *c, const struct json *schema,
                                const struct json *preset)
{
    AUTO(json_free) struct json *copy = json_copy(preset);
    size_t len                        = c->place.len;

    struct err e = fit(c, schema, copy);
    if (failed(e) && c->place.len == len) { /* else it names a part of the default */
        char words[JSON_WHY_SIZE];
        str_copy(words, sizeof words, c->why);
        return refuse(c, "the default does not fit its own schema: %s", words);
    }
    return e;
}

static struct err check_word(struct check *c, const struct json *schema, const char *word,
                             const struct json *value)
{
    if (str_equal(word, "type"))
        return check_type(c, value);
    if (str_equal(word, "required"))
        return check_required(c, value);
    if (str_equal(word, "properties"))
        return check_properties(c, value);
    if (str_equal(word, "items"))
        return check_schema(c, value);
    if (str_equal(word, "pattern"))
        return check_pattern(c, value);
    if (str_equal(word, "minimum") || str_equal(word, "maximum"))
        return check_bound(c, schema, value);
    if (str_equal(word, "enum") && (json_type(value) != JSON_ARRAY || json_count(value) == 0))
        return refuse(c, "must be an array of values");
    return OK;
}

static struct err check_schema(struct check *c, const struct json *schema)
{
    const char *key, *nearest;
    const struct json *value;
    size_t back;

    if (json_type(schema) != JSON_OBJECT)
        return refuse(c, "a schema is an object, not %s", json_type_word(schema));
    if (!json_known(schema, WORDS, &key, &nearest)) {
        json_place_in(&c->place, key);
        if (nearest)
            return refuse(c, "\"%s\" is not in our part of JSON Schema; did you mean \"%s\"?",
                          key, nearest);
        return refuse(c, "\"%s\" is not in our part of JSON Schema", key);
    }
    for (size_t it = 0; json_each(schema, &it, &key, &value);) {
        back         = json_place_in(&c->place, key);
        struct err e = check_word(c, schema, key, value);
        if (failed(e))
            return e;
        json_place_out(&c->place, back);
    }
    value = json_get(schema, "default");
    if (!value)
        return OK;
    back         = json_place_in(&c->place, "default");
    struct err e = check_default(c, schema, value);
    if (!failed(e))
        json_place_out(&c->place, back);
    return e;
}

struct err json_schema_check(const struct json *schema, char *pointer, size_t pointer_size,
                             char *why, size_t why_size)
{
    AUTO(check_end) struct check c = check_begin(pointer, pointer_size, why, why_size);

    return check_schema(&c, schema);
}

/* ------------------------------------------------------------------------------- of a value */

static bool is_whole(const struct json *v)
{
    return json_type(v) == JSON_INT ||
           (json_type(v) == JSON_REAL && json_number(v) == floor(json_number(v)));
}

static bool has_type(const struct json *v, const char *type)
{
    switch (json_type(v)) {
    case JSON_NULL:
        return str_equal(type, "null");
    case JSON_BOOL:
        return str_equal(type, "boolean");
    case JSON_INT:
    case JSON_REAL:
        return str_equal(type, "number") || (str_equal(type, "integer") && is_whole(v));
    case JSON_STR:
        return str_equal(type, "string");
    case JSON_ARRAY:
        return str_equal(type, "array");
    case JSON_OBJECT:
        return str_equal(type, "object");
    }
    return false;
}

static bool has_one_of(const struct json *v, const struct json *type)
{
    if (json_type(type) != JSON_ARRAY)
        return !type || has_type(v, json_str(type));
    for (size_t i = 0; i < json_count(type); i++)
        if (has_type(v, json_str(json_at(type, i))))
            return true;
    return false;
}

static const char *with_article(const char *type)
{
    static const char *const words[] = {"an object",      "an array",  "a string", "a number",
                                        "a whole number", "a boolean", "null"};

    for (size_t i = 0; TYPES[i]; i++)
        if (str_equal(TYPES[i], type))
            return words[i];
    return type;
}

static struct err fit_type(struct check *c, const struct json *type, const struct json *v)
{
    AUTO(buf_deinit) struct buf text = {0};

    if (has_one_of(v, type))
        return OK;
    buf_init(&text, JSON_WHY_SIZE);
    if (json_str(type))
        buf_str(&text, with_article(json_str(type)));
    for (size_t i = 0; i < json_count(type); i++)
        buf_printf(&text, "%s%s", i > 0 ? " or " : "",
                   with_article(json_str(json_at(type, i))));
    bool fraction = json_is_number(v) && strstr(text.at, "whole number");
    return refuse(c, "must be %s, not %s", text.at,
                  fraction ? "a fraction" : json_type_word(v));
}

static struct err fit_enum(struct check *c, const struct json *values, const struct json *v)
{
    AUTO(buf_deinit) struct buf text = {0};

    for (size_t i = 0; i < json_count(values); i++)
        if (json_equal(json_at(values, i), v))
            return OK;
    if (!values)
        return OK;
    buf_init(&text, JSON_WHY_SIZE - 32);
    for (size_t i = 0; i < json_count(values) && !text.full; i++) {
        buf_str(&text, i > 0 ? ", " : "");
        json_print(json_at(values, i), &text);
    }
    return refuse(c, "must be one of %s%s", text.at ? text.at : "", text.full ? ", ..." : "");
}

static struct err fit_bounds(struct check *c, const struct json *schema, const struct json *v)
{
    const struct json *min = json_get(schema, "minimum"), *max = json_get(schema, "maximum");

    if (!json_is_number(v))
        return OK;
    if (min && json_number(v) < json_number(min))
        return refuse(c, "must be at least %.15g", json_number(min));
    if (max && json_number(v) > json_number(max))
        return refuse(c, "must be at most %.15g", json_number(max));
    return OK;
}

static struct err find_pattern(struct check *c, const struct json *pattern,
                               struct json_pattern **ret)
{
    size_t count = sizeof c->known / sizeof *c->known;

    for (size_t i = 0; i < count; i++)
        if (c->known[i].of == pattern) {
            *ret = c->known[i].pattern;
            return OK;
        }
    struct json_pattern *p;
    struct err e = json_pattern_open(&p, json_str(pattern), c->why, c->why_size);
    if (failed(e))
        return e;
    size_t slot = c->next++ % count;
    json_pattern_free(&c->known[slot].pattern);
    c->known[slot].of = pattern;
    *ret = c->known[slot].pattern = p;
    return OK;
}

static struct err fit_pattern(struct check *c, const struct json *pattern, const struct json *v)
{
    struct json_pattern *p;

    if (!json_str(pattern) || !json_str(v))
        return OK;
    if (json_str_len(v) > JSON_PATTERN_TEXT_MAX)
        return refuse(c, "is longer than the %d bytes that a pattern is asked about",
                      JSON_PATTERN_TEXT_MAX);
    struct err e = find_pattern(c, pattern, &p);
    if (failed(e))
        return e;
    size_t work = (json_str_len(v) + 64) * json_pattern_cost(p);
    if (work > c->work_left)
        return refuse(c, "there are more texts with patterns here than we try");
    c->work_left -= work;
    if (!json_pattern_fits(p, json_str(v), json_str_len(v)))
        return refuse(c, "does not match %s", json_str(pattern));
    return OK;
}

static struct err fit_properties(struct check *c, const struct json *properties, struct json *v)
{
    const char *key;
    const struct json *schema;

    for (size_t it = 0; json_each(properties, &it, &key, &schema);) {
        const struct json *preset = json_get(schema, "default");
        if (!json_get(v, key) && preset)
            json_set(v, key, json_copy(preset));
        struct json *member = (struct json *)json_get(v, key);
        if (!member)
            continue;
        size_t back  = json_place_in(&c->place, key);
        struct err e = fit(c, schema, member);
        if (failed(e))
            return e;
        json_place_out(&c->place, back);
    }
    return OK;
}

static struct err fit_required(struct check *c, const struct json *required,
                               const struct json *v)
{
    for (size_t i = 0; i < json_count(required); i++) {
        const char *key = json_str(json_at(required, i));
        if (!key || json_get(v, key))
            continue;
        json_place_in(&c->place, key);
        return refuse(c, "\"%s\" is required", key);
    }
    return OK;
}

static struct err fit_object(struct check *c, const struct json *schema, struct json *v)
{
    if (json_type(v) != JSON_OBJECT)
        return OK;
    struct err e = fit_properties(c, json_get(schema, "properties"), v);
    return failed(e) ? e : fit_required(c, json_get(schema, "required"), v);
}

static struct err fit_items(struct check *c, const struct json *items, struct json *v)
{
    if (!items || json_type(v) != JSON_ARRAY)
        return OK;
    for (size_t i = 0; i < json_count(v); i++) {
        size_t back  = json_place_nth(&c->place, i);
        struct err e = fit(c, items, (struct json *)json_at(v, i));
        if (failed(e))
            return e;
        json_place_out(&c->place, back);
    }
    return OK;
}

/* v is ours to fill. */
static struct err fit(struct check *c, const struct json *schema, struct json *v)
{
    struct err e = fit_type(c, json_get(schema, "type"), v);
    if (!failed(e))
        e = fit_enum(c, json_get(schema, "enum"), v);
    if (!failed(e))
        e = fit_bounds(c, schema, v);
    if (!failed(e))
        e = fit_pattern(c, json_get(schema, "pattern"), v);
    if (!failed(e))
        e = fit_object(c, schema, v);
    if (!failed(e))
        e = fit_items(c, json_get(schema, "items"), v);
    return e;
}

/* What a value is that was not given. */
static struct json *preset_of(const struct json *schema)
{
    AUTO(json_free) struct json *object = json_new_object();
    const struct json *preset           = json_get(schema, "default");

    if (preset)
        return json_copy(preset);
    return has_one_of(object, json_get(schema, "type")) ? take(&object) : json_new_null();
}

struct err json_schema_apply(const struct json *schema, const struct json *value,
                             struct json **ret, char *pointer, size_t pointer_size, char *why,
                             size_t why_size)
{
    AUTO(check_end) struct check c = check_begin(pointer, pointer_size, why, why_size);
    AUTO(json_free) struct json *v = value ? json_copy(value) : preset_of(schema);

    struct err e = fit(&c, schema, v);
    if (!failed(e))
        *ret = take(&v);
    return e;
}
