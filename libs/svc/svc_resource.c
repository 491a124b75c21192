#include "svc/svc_resource.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

static int hex_of(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static bool is_encoded(const char *at, const char *end)
{
    return end - at >= 3 && isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2]);
}

static bool valid_pair(const char *at, const char *end)
{
    const char *is = memchr(at, '=', (size_t)(end - at));

    if (!is || is == at)
        return false;
    for (const char *c = at; c < end; c++)
        if ((uint8_t)*c <= ' ' || (*c == '%' && !is_encoded(c, end)))
            return false;
    return true;
}

bool svc_resource_valid(const char *text)
{
    if (!text || !*text)
        return true;
    for (const char *end; text; text = *end ? end + 1 : NULL) {
        end = strchrnul(text, ',');
        if (!valid_pair(text, end))
            return false;
    }
    return true;
}

/* The label of a key sign by sign, 0 after the last (the key ends where = is): no label begins with
   a digit, and letters, digits and _ are all it has. */
static char label_sign(const char *key, size_t n)
{
    if (isdigit((unsigned char)*key)) {
        if (n == 0)
            return '_';
        n--;
    }
    if (key[n] == '=')
        return '\0';
    return isalnum((unsigned char)key[n]) ? key[n] : '_';
}

static bool same_label(const char *a, const char *b)
{
    for (size_t n = 0; label_sign(a, n) == label_sign(b, n); n++)
        if (!label_sign(a, n))
            return true;
    return false;
}

/* Is the label of the pair at `key` that of an earlier pair? */
static bool is_written(const char *text, const char *key)
{
    for (; text < key; text = strchr(text, ',') + 1)
        if (same_label(text, key))
            return true;
    return false;
}

static void write_name(const char *key, struct buf *to)
{
    char sign;

    for (size_t n = 0; (sign = label_sign(key, n)); n++)
        buf_char(to, sign);
}

static void write_value(const char *at, const char *end, struct buf *to)
{
    for (; at < end; at++) {
        char c = *at;

        if (c == '%') {
            c = (char)(hex_of(at[1]) << 4 | hex_of(at[2]));
            at += 2;
        }
        if (c == '\n' || c == '"' || c == '\\')
            buf_char(to, '\\');
        buf_char(to, c == '\n' ? 'n' : c);
    }
}

void svc_resource_labels(const char *text, struct buf *to)
{
    const char *end;

    for (const char *key = text; key; key = *end ? end + 1 : NULL) {
        end = strchrnul(key, ',');
        if (is_written(text, key))
            continue;
        buf_str(to, key == text ? "" : ",");
        write_name(key, to);
        buf_str(to, "=\"");
        write_value((const char *)memchr(key, '=', (size_t)(end - key)) + 1, end, to);
        buf_str(to, "\"");
    }
}
