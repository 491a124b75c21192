#include "json/json.h"

#include "base/mem.h"
#include "json/json_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print(const struct json *v, bool sorted, struct buf *to);

/* A whole number looks like one, so that a digest does not tell 5.0 from 5. */
static void print_real(double n, struct buf *to)
{
    char text[32];

    if (n == floor(n) && fabs(n) < 1e15) {
        buf_printf(to, "%lld", (long long)n);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, n);
        if (strtod(text, NULL) == n)
            break;
    }
    buf_str(to, text);
}

static void print_array(const struct json *v, bool sorted, struct buf *to)
{
    size_t n = json_count(v);

    buf_char(to, '[');
    for (size_t i = 0; i < n && !to->full; i++) {
        if (i > 0)
            buf_char(to, ',');
        print(json_at(v, i), sorted, to);
    }
    buf_char(to, ']');
}

static void print_member(const char *key, const struct json *value, bool sorted, struct buf *to)
{
    json_quote(to, key);
    buf_char(to, ':');
    print(value, sorted, to);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_members_sorted(const struct json *v, struct buf *to)
{
    AUTO(mem_free) const char **keys = mem_array(json_count(v) + 1, sizeof *keys);
    size_t n                         = 0;
    const char *key;
    const struct json *value;

    for (size_t it = 0; json_each(v, &it, &key, &value);)
        keys[n++] = key;
    qsort(keys, n, sizeof *keys, by_bytes);
    for (size_t i = 0; i < n && !to->full; i++) {
        if (i > 0)
            buf_char(to, ',');
        print_member(keys[i], json_get(v, keys[i]), true, to);
    }
}

static void print_members(const struct json *v, struct buf *to)
{
    bool first = true;
    const char *key;
    const struct json *value;

    for (size_t it = 0; !to->full && json_each(v, &it, &key, &value);) {
        if (!first)
            buf_char(to, ',');
        first = false;
        print_member(key, value, false, to);
    }
}

static void print_object(const struct json *v, bool sorted, struct buf *to)
{
    buf_char(to, '{');
    if (sorted)
        print_members_sorted(v, to);
    else
        print_members(v, to);
    buf_char(to, '}');
}

static void print(const struct json *v, bool sorted, struct buf *to)
{
    switch (json_type(v)) {
    case JSON_NULL:
        buf_str(to, "null");
        return;
    case JSON_BOOL:
        buf_str(to, json_bool(v) ? "true" : "false");
        return;
    case JSON_INT:
        buf_printf(to, "%lld", (long long)json_int(v));
        return;
    case JSON_REAL:
        print_real(json_number(v), to);
        return;
    case JSON_STR:
        json_quote_n(to, json_str(v), json_str_len(v));
        return;
    case JSON_ARRAY:
        print_array(v, sorted, to);
        return;
    case JSON_OBJECT:
        print_object(v, sorted, to);
        return;
    }
}

void json_print(const struct json *v, struct buf *to)
{
    print(v, false, to);
}

void json_print_sorted(const struct json *v, struct buf *to)
{
    print(v, true, to);
}

void json_quote(struct buf *to, const char *s)
{
    json_quote_n(to, s, strlen(s));
}

static void quote_control(struct buf *to, char c)
{
    static const char names[] = "btn?fr"; /* from 8 on; 11 has none */

    if (c >= '\b' && c <= '\r' && c != '\v')
        buf_printf(to, "\\%c", names[c - '\b']);
    else
        buf_printf(to, "\\u%04x", (unsigned char)c);
}

void json_quote_n(struct buf *to, const char *at, size_t len)
{
    size_t begin = 0;

    buf_char(to, '"');
    for (size_t i = 0; i < len && !to->full;) {
        unsigned char c = (unsigned char)at[i];
        size_t n        = json_utf8_len(at + i, len - i);

        if (n > 1 || (n == 1 && c >= ' ' && c != '"' && c != '\\')) {
            i += n;
            continue;
        }
        buf_add(to, at + begin, i - begin);
        if (n == 0)
            buf_str(to, "\xEF\xBF\xBD");
        else if (c < ' ')
            quote_control(to, at[i]);
        else
            buf_printf(to, "\\%c", at[i]);
        begin = ++i;
    }
    if (!to->full)
        buf_add(to, at + begin, len - begin);
    buf_char(to, '"');
}
