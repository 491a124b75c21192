#include "bus/bus_scan.h"

#include "bus/bus_meta.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct bus_scan *s)
{
    while (s->at < s->end && is_blank(*s->at))
        s->at++;
}

static bool skip_char(struct bus_scan *s, uint8_t c)
{
    skip_blanks(s);
    if (s->at >= s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

/* From its first quote to after its last. */
static bool skip_string(struct bus_scan *s)
{
    if (s->at >= s->end || *s->at != '"')
        return false;
    for (s->at++; s->at < s->end; s->at++) {
        if (*s->at == '"') {
            s->at++;
            return true;
        }
        if (*s->at == '\\' && ++s->at >= s->end)
            return false;
    }
    return false;
}

/* An object or an array: counts brackets outside of strings. */
static bool skip_nest(struct bus_scan *s)
{
    size_t depth = 0;

    while (s->at < s->end) {
        switch (*s->at) {
        case '"':
            if (!skip_string(s))
                return false;
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            depth--;
            break;
        default:
            break;
        }
        s->at++;
        if (depth == 0)
            return true;
    }
    return false;
}

static bool is_plain(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '-' || c == '+' || c == '.';
}

static bool skip_value(struct bus_scan *s)
{
    const uint8_t *from = s->at;

    if (s->at >= s->end)
        return false;
    if (*s->at == '"')
        return skip_string(s);
    if (*s->at == '{' || *s->at == '[')
        return skip_nest(s);
    while (s->at < s->end && is_plain(*s->at))
        s->at++;
    return s->at > from;
}

bool bus_scan_open(struct bus_scan *s, struct bytes json)
{
    *s = (struct bus_scan){json.at, json.at ? json.at + json.len : NULL};
    return s->at && skip_char(s, '{');
}

static bool end_scan(struct bus_scan *s, bool broken)
{
    s->at  = NULL;
    s->end = broken ? (const uint8_t *)"" : NULL;
    return false;
}

bool bus_scan_broken(const struct bus_scan *s)
{
    return !s->at && s->end;
}

bool bus_scan_next(struct bus_scan *s, struct bytes *ret_name, struct bytes *ret_value)
{
    if (!s->at)
        return false;
    (void)skip_char(s, ',');
    if (skip_char(s, '}'))
        return end_scan(s, false);

    const uint8_t *name = s->at;
    if (!skip_string(s))
        return end_scan(s, true);
    struct bytes got_name = bytes_of(name + 1, (size_t)(s->at - name) - 2);
    if (!skip_char(s, ':'))
        return end_scan(s, true);
    skip_blanks(s);
    const uint8_t *value = s->at;
    if (!skip_value(s))
        return end_scan(s, true);
    *ret_name  = got_name;
    *ret_value = bytes_of(value, (size_t)(s->at - value));
    return true;
}

bool bus_scan_name_is(struct bytes name, const char *word)
{
    return bytes_equal(name, bytes_str(word));
}

bool bus_scan_find(struct bytes json, const char *path, struct bytes *ret_value)
{
    for (;;) {
        struct bus_scan s;
        struct bytes name, value;
        size_t len = strcspn(path, ".");
        bool found = false;

        if (!bus_scan_open(&s, json))
            return false;
        while (!found && bus_scan_next(&s, &name, &value))
            found = bytes_equal(name, bytes_of(path, len));
        if (!found)
            return false;
        if (path[len] == '\0') {
            *ret_value = value;
            return true;
        }
        json = value;
        path += len + 1;
    }
}

bool bus_scan_u64(struct bytes value, uint64_t *ret)
{
    return bus_meta_u64(value, ret);
}

bool bus_scan_i64(struct bytes value, int64_t *ret)
{
    bool minus = value.len > 0 && value.at[0] == '-';
    uint64_t n;

    if (value.len > 0 && (minus || value.at[0] == '+'))
        value = bytes_of(value.at + 1, value.len - 1);
    if (!bus_meta_u64(value, &n) || n > (uint64_t)INT64_MAX + minus)
        return false;
    *ret = minus ? (int64_t)(0 - n) : (int64_t)n;
    return true;
}

static int hex4(const uint8_t *at)
{
    int n = 0;

    for (int i = 0; i < 4; i++) {
        int c     = at[i] | 0x20;
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

        if (digit < 0)
            return -1;
        n = n * 16 + digit;
    }
    return n;
}

/* UTF-8 of a code unit; halves of pairs become "?": the server's words have none. */
static size_t utf8(int unit, uint8_t to[3])
{
    if (unit >= 0xd800 && unit <= 0xdfff)
        unit = '?';
    if (unit < 0x80) {
        to[0] = (uint8_t)unit;
        return 1;
    }
    if (unit < 0x800) {
        to[0] = (uint8_t)(0xc0 | unit >> 6);
        to[1] = (uint8_t)(0x80 | (unit & 0x3f));
        return 2;
    }
    to[0] = (uint8_t)(0xe0 | unit >> 12);
    to[1] = (uint8_t)(0x80 | (unit >> 6 & 0x3f));
    to[2] = (uint8_t)(0x80 | (unit & 0x3f));
    return 3;
}

/* Reads one character or escape at *at; returns its bytes in to. */
static size_t read_char(const uint8_t **at, const uint8_t *end, uint8_t to[3])
{
    uint8_t c = *(*at)++;

    to[0] = c;
    if (c != '\\' || *at >= end)
        return 1;
    c = *(*at)++;
    switch (c) {
    case 'b':
        to[0] = '\b';
        return 1;
    case 'f':
        to[0] = '\f';
        return 1;
    case 'n':
        to[0] = '\n';
        return 1;
    case 'r':
        to[0] = '\r';
        return 1;
    case 't':
        to[0] = '\t';
        return 1;
    case 'u': {
        int unit = end - *at >= 4 ? hex4(*at) : -1;

        if (unit <= 0)
            break;
        *at += 4;
        return utf8(unit, to);
    }
    default:
        break;
    }
    to[0] = c;
    return 1;
}

bool bus_scan_text(struct bytes value, char *to, size_t size)
{
    size_t used = 0;
    uint8_t c[3];

    to[0] = '\0';
    if (value.len < 2 || value.at[0] != '"' || value.at[value.len - 1] != '"')
        return false;
    const uint8_t *at = value.at + 1, *end = value.at + value.len - 1;
    while (at < end) {
        size_t n = read_char(&at, end, c);

        if (used + n >= size)
            return false;
        memcpy(to + used, c, n);
        used += n;
        to[used] = '\0';
    }
    return true;
}
