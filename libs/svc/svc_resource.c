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

static void write_name(const char *at, const char *end, struct buf *to)
{
    if (isdigit((unsigned char)*at))
        buf_str(to, "_");
    for (; at < end; at++)
        buf_char(to, isalnum((unsigned char)*at) ? *at : '_');
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
    for (const char *end; text; text = *end ? end + 1 : NULL) {
        end            = strchrnul(text, ',');
        const char *is = memchr(text, '=', (size_t)(end - text));

        write_name(text, is, to);
        buf_str(to, "=\"");
        write_value(is + 1, end, to);
        buf_str(to, *end ? "\"," : "\"");
    }
}
