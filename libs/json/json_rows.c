#include "json/json_rows.h"

#include "base/str.h"
#include "json/json_internal.h"

#include <stdio.h>
#include <string.h>

static const char *const TYPES[] = {"string", "number", "bool", "url", "date", NULL};

/* ------------------------------------------------------------------------------ of a schema */

/* A word, without the "?" that may end it. */
static bool read_word(const char *word, char *ret, size_t size, bool *ret_optional)
{
    size_t len = strlen(word);

    *ret_optional = len > 0 && word[len - 1] == '?';
    if (!str_copy_n(ret, size, word, len - *ret_optional))
        return false;
    for (const char *const *type = TYPES; *type; type++)
        if (str_equal(*type, ret))
            return true;
    return false;
}

static struct err refuse(const char *words, const char *more, char *why, size_t why_size)
{
    char sentence[512];

    str_format(sentence, sizeof sentence, "%s%s", words, more);
    return json_refuse("check rows", sentence, why, why_size);
}

static struct err check_fields(struct json_place *place, const struct json *fields, char *why,
                               size_t why_size);

static struct err check_word(const char *word, char *why, size_t why_size)
{
    char type[16], words[256];
    bool optional;

    if (read_word(word, type, sizeof type, &optional))
        return OK;
    const char *nearest = str_nearest(type, TYPES);
    if (nearest)
        str_format(words, sizeof words, "no such type \"%s\"; did you mean \"%s%s\"?", word,
                   nearest, optional ? "?" : "");
    else
        str_format(words, sizeof words,
                   "no such type \"%s\"; there are string, number, bool, url and date, each "
                   "with a ? if it may be absent",
                   word);
    return refuse(words, "", why, why_size);
}

static struct err check_type(struct json_place *place, const struct json *type, char *why,
                             size_t why_size)
{
    if (json_type(type) == JSON_OBJECT)
        return check_fields(place, type, why, why_size);
    if (json_type(type) == JSON_ARRAY) {
        if (json_count(type) != 1)
            return refuse("an array has one type in it, that of each element", "", why,
                          why_size);
        json_place_nth(place, 0);
        return check_type(place, json_at(type, 0), why, why_size);
    }
    if (!json_str(type))
        return refuse("a type is a word, an array of one type or an object of types, not ",
                      json_type_word(type), why, why_size);
    return check_word(json_str(type), why, why_size);
}

static struct err check_fields(struct json_place *place, const struct json *fields, char *why,
                               size_t why_size)
{
    const char *key;
    const struct json *type;

    if (json_count(fields) == 0)
        return refuse("names no field", "", why, why_size);
    for (size_t it = 0; json_each(fields, &it, &key, &type);) {
        size_t back  = json_place_in(place, key);
        struct err e = check_type(place, type, why, why_size);
        if (failed(e))
            return e;
        json_place_out(place, back);
    }
    return OK;
}

struct err json_rows_schema_check(const struct json *schema, char *pointer, size_t pointer_size,
                                  char *why, size_t why_size)
{
    struct json_place place = json_place_at(pointer, pointer_size);

    if (json_type(schema) != JSON_OBJECT)
        return refuse("must be an object of fields and their types, not ",
                      json_type_word(schema), why, why_size);
    return check_fields(&place, schema, why, why_size);
}

/* --------------------------------------------------------------------------------- of rows */

static bool is_absolute_url(const char *s)
{
    size_t scheme =
        strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

    if (scheme == 0 || s[scheme] != ':' || s[scheme + 1] == '\0')
        return false;
    if ((s[0] >= '0' && s[0] <= '9') || strchr("+.-", s[0]))
        return false;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7F)
            return false;
    return true;
}

/* 2026-11-21, or that, T and a time of day with or without seconds, fraction and zone: made whole for str_time_ms. */
static bool is_date(const char *s)
{
    char whole[64];
    int64_t at;
    size_t len      = strlen(s);
    bool seconds    = len >= 19 && s[16] == ':';
    size_t time_end = seconds ? 19 : 16;

    if (len == 10)
        return str_format(whole, sizeof whole, "%sT00:00:00Z", s) &&
               !failed(str_time_ms(whole, &at));
    if (len < 16)
        return false;
    const char *zone = s + time_end;
    if (seconds && *zone == '.')
        zone += 1 + strspn(zone + 1, "0123456789");
    return str_format(whole, sizeof whole, "%.*s%s%.*s%s", (int)time_end, s,
                      seconds ? "" : ":00", (int)(zone - s - (long)time_end), s + time_end,
                      *zone ? zone : "Z") &&
           !failed(str_time_ms(whole, &at));
}

/* What the value should have been; NULL: it fits. */
static const char *misfit(const char *type, const struct json *v)
{
    const char *s = json_str(v);

    if (str_equal(type, "string"))
        return s ? NULL : "a string";
    if (str_equal(type, "number"))
        return json_is_number(v) ? NULL : "a number";
    if (str_equal(type, "bool"))
        return json_type(v) == JSON_BOOL ? NULL : "a boolean";
    if (str_equal(type, "url"))
        return s && is_absolute_url(s) ? NULL : "an absolute URL";
    return s && is_date(s) ? NULL : "a date (ISO 8601)";
}

/* row - where one is, and where to tell. */
struct row {
    size_t n;
    struct json_place place;
    char *why;
    size_t why_size;
};

static struct err refuse_value(struct row *row, const char *wanted, const struct json *v)
{
    char sentence[512];
    const char *field = row->place.len > 0 ? row->place.at + 1 : "";

    if (!v)
        str_format(sentence, sizeof sentence, "row %zu: \"%s\" is missing", row->n, field);
    else if (row->place.len == 0)
        str_format(sentence, sizeof sentence, "row %zu must be %s, not %s", row->n, wanted,
                   json_type_word(v));
    else if (json_str(v) && !str_equal(wanted, "a string"))
        str_format(sentence, sizeof sentence, "row %zu: \"%s\" must be %s, not \"%.40s\"",
                   row->n, field, wanted, json_str(v));
    else
        str_format(sentence, sizeof sentence, "row %zu: \"%s\" must be %s, not %s", row->n,
                   field, wanted, json_type_word(v));
    return json_refuse("fit rows", sentence, row->why, row->why_size);
}

static struct err fit_fields(struct row *row, const struct json *fields, const struct json *v);

static struct err fit_array(struct row *row, const struct json *of, const struct json *v);

static struct err fit(struct row *row, const struct json *type, const struct json *v)
{
    char word[16];
    bool optional;

    if (json_type(type) == JSON_OBJECT)
        return json_type(v) == JSON_OBJECT ? fit_fields(row, type, v)
                                           : refuse_value(row, "an object", v);
    if (json_type(type) == JSON_ARRAY)
        return json_type(v) == JSON_ARRAY ? fit_array(row, json_at(type, 0), v)
                                          : refuse_value(row, "an array", v);
    if (!json_str(type) || !read_word(json_str(type), word, sizeof word, &optional))
        return refuse_value(row, "of a type that the schema names", v);
    if (optional && json_type(v) == JSON_NULL)
        return OK;
    const char *wanted = misfit(word, v);
    return wanted ? refuse_value(row, wanted, v) : OK;
}

static struct err fit_array(struct row *row, const struct json *of, const struct json *v)
{
    for (size_t i = 0; i < json_count(v); i++) {
        size_t back  = json_place_nth(&row->place, i);
        struct err e = fit(row, of, json_at(v, i));
        if (failed(e))
            return e;
        json_place_out(&row->place, back);
    }
    return OK;
}

static struct err fit_fields(struct row *row, const struct json *fields, const struct json *v)
{
    const char *key;
    const struct json *type;

    for (size_t it = 0; json_each(fields, &it, &key, &type);) {
        size_t back  = json_place_in(&row->place, key);
        struct err e = fit(row, type, json_get(v, key));
        if (failed(e))
            return e;
        json_place_out(&row->place, back);
    }
    return OK;
}

struct err json_rows_fit(const struct json *schema, const struct json *rows, char *why,
                         size_t why_size)
{
    char pointer[128];
    struct row row = {
        .place = json_place_at(pointer, sizeof pointer), .why = why, .why_size = why_size};

    if (json_type(rows) != JSON_ARRAY)
        return refuse("the rows are no array but ", json_type_word(rows), why, why_size);
    for (size_t i = 0; i < json_count(rows); i++) {
        row.n = i + 1;
        if (json_type(json_at(rows, i)) != JSON_OBJECT)
            return refuse_value(&row, "an object", json_at(rows, i));
        struct err e = fit_fields(&row, schema, json_at(rows, i));
        if (failed(e))
            return e;
    }
    return OK;
}
