#include "json/json_expr.h"

#include "base/str.h"
#include "json/json_internal.h"

#include <stdio.h>
#include <string.h>

static const char *const SCOPE[] = {"input", "steps", "vars", "run", "item", NULL};

/* ---------------------------------------------------------------------- code and not code */

enum { NEST_MAX = 64, NAME_SIZE = 256 };

/* scan - walks over jq text and stops at each character of code: not in strings, but in what is interpolated into them. */
struct scan {
    const char *at;
    size_t len;
    size_t i; /* behind the character that was given last */
    size_t depth;
    char open[NEST_MAX]; /* '{' '(' '"' that wait for their end */
};

static bool scan_open(struct scan *s, char c)
{
    if (s->depth == NEST_MAX)
        return false;
    s->open[s->depth++] = c;
    return true;
}

static bool scan_in(const struct scan *s, char c)
{
    return s->depth > 0 && s->open[s->depth - 1] == c;
}

/* Goes to the end of the string, or into the next \(…). */
static bool skip_string(struct scan *s)
{
    while (s->i < s->len) {
        char c = s->at[s->i++];
        if (c == '"') {
            s->depth--;
            return true;
        }
        if (c == '\\' && s->i < s->len && s->at[s->i++] == '(')
            return scan_open(s, '(');
    }
    return true;
}

static void skip_comment(struct scan *s)
{
    while (s->i < s->len && s->at[s->i] != '\n')
        s->i++;
}

/* The next character of code; 0: there is none, or it is nested too deep to be told.  Of a string its first quote. */
static char scan_next(struct scan *s)
{
    while (s->i < s->len) {
        if (scan_in(s, '"')) {
            if (!skip_string(s))
                return 0;
            continue;
        }
        char c = s->at[s->i++];
        if (c == '#') {
            skip_comment(s);
            continue;
        }
        if ((c == '"' || c == '{' || c == '(') && !scan_open(s, c))
            return 0;
        if ((c == '}' && scan_in(s, '{')) || (c == ')' && scan_in(s, '('))) {
            s->depth--;
            return ' ';
        }
        return c;
    }
    return 0;
}

/* Where the `}` is that ends an expression which begins at `at`. */
static bool find_end(const char *at, size_t len, size_t *ret_end)
{
    struct scan s = {.at = at, .len = len};

    for (char c; (c = scan_next(&s));)
        if (c == '}' && s.depth == 0) {
            *ret_end = s.i - 1;
            return true;
        }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void trim(const char **at, size_t *len)
{
    while (*len > 0 && is_blank(**at)) {
        (*at)++;
        (*len)--;
    }
    while (*len > 0 && is_blank((*at)[*len - 1]))
        (*len)--;
}

/* ------------------------------------------------------------------------------- splitting */

static struct err broken(const char *words, size_t place, char *why, size_t why_size)
{
    char sentence[128];

    str_format(sentence, sizeof sentence, "%s at character %zu", words, place + 1);
    return json_refuse("split expression", sentence, why, why_size);
}

static struct err next_expr(const char *text, size_t len, size_t *from, struct json_part *ret,
                            char *why, size_t why_size)
{
    struct json_part part = {.is_expr = true, .at = text + *from + 2};

    if (!find_end(part.at, len - *from - 2, &part.len))
        return broken("\"${\" without its \"}\"", *from, why, why_size);
    const char *inside = part.at;
    size_t inside_len  = part.len;
    trim(&inside, &inside_len);
    if (inside_len == 0)
        return broken("nothing in \"${}\"", *from, why, why_size);
    *from += 2 + part.len + 1;
    *ret = part;
    return OK;
}

struct err json_expr_next(const char *text, size_t len, size_t *from, struct json_part *ret,
                          bool *ret_any, char *why, size_t why_size)
{
    size_t begin = *from, i = begin;

    *ret_any = begin < len;
    for (; i + 1 < len; i++) {
        if (text[i] != '$')
            continue;
        if (text[i + 1] == '$') {
            *ret  = (struct json_part){.at = text + begin, .len = i + 1 - begin};
            *from = i + 2;
            return OK;
        }
        if (text[i + 1] != '{')
            continue;
        if (i == begin)
            return next_expr(text, len, from, ret, why, why_size);
        len = i;
    }
    *ret  = (struct json_part){.at = text + begin, .len = len - begin};
    *from = len;
    return OK;
}

struct err json_expr_split(const char *text, struct json_part *parts, size_t max,
                           size_t *ret_count, char *why, size_t why_size)
{
    size_t len = strlen(text), from = 0, count = 0;

    for (;;) {
        struct json_part part;
        bool any;
        struct err e = json_expr_next(text, len, &from, &part, &any, why, why_size);
        if (failed(e))
            return e;
        if (!any)
            break;
        if (count == max)
            return broken("too many parts", from, why, why_size);
        parts[count++] = part;
    }
    *ret_count = count;
    return OK;
}

bool json_expr_any(const char *text)
{
    size_t len = strlen(text), from = 0;
    bool any = true;
    char why[JSON_WHY_SIZE];

    while (any) {
        struct json_part part = {0};
        struct err e          = json_expr_next(text, len, &from, &part, &any, why, sizeof why);
        if (failed(e) || part.is_expr)
            return true;
    }
    return false;
}

bool json_expr_whole(const char *text, const char **ret_at, size_t *ret_len)
{
    size_t len = strlen(text), from = 0;
    struct json_part part = {0};
    bool any;
    char why[JSON_WHY_SIZE];

    struct err e = json_expr_next(text, len, &from, &part, &any, why, sizeof why);
    if (failed(e) || !part.is_expr || from != len)
        return false;
    *ret_at  = part.at;
    *ret_len = part.len;
    return true;
}

/* ------------------------------------------------------------------------------------ paths */

/* hop - one step of a path: by name, or by number. */
struct hop {
    bool by_name;
    char name[NAME_SIZE];
    long n;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t word_len(const char *at, size_t len)
{
    size_t n = 0;

    if (len == 0 || !is_letter(at[0]))
        return 0;
    while (n < len && (is_letter(at[n]) || is_digit(at[n])))
        n++;
    return n;
}

/* "name", without escapes: the length of what is between the quotes, or -1. */
static long quoted_len(const char *at, size_t len)
{
    if (len < 2 || at[0] != '"')
        return -1;
    for (size_t i = 1; i < len; i++) {
        if (at[i] == '"')
            return (long)i - 1;
        if (at[i] == '\\')
            return -1;
    }
    return -1;
}

static bool set_name(struct hop *hop, const char *at, size_t len)
{
    hop->by_name = true;
    return str_copy_n(hop->name, sizeof hop->name, at, len);
}

static size_t read_number(const char *at, size_t len, long *ret)
{
    bool minus = len > 0 && at[0] == '-';
    size_t i   = minus;
    long n     = 0;

    for (; i < len && is_digit(at[i]) && i < 10; i++)
        n = n * 10 + (at[i] - '0');
    *ret = minus ? -n : n;
    return i > minus ? i : 0;
}

/* The length of the hop at `at`; 0: there is none. */
static size_t read_hop(const char *at, size_t len, struct hop *ret)
{
    long quoted;
    size_t n;

    if (len < 2)
        return 0;
    if (at[0] == '.') {
        if ((n = word_len(at + 1, len - 1)) > 0)
            return set_name(ret, at + 1, n) ? n + 1 : 0;
        quoted = quoted_len(at + 1, len - 1);
        return quoted >= 0 && set_name(ret, at + 2, (size_t)quoted) ? (size_t)quoted + 3 : 0;
    }
    if (at[0] != '[')
        return 0;
    quoted = quoted_len(at + 1, len - 1);
    if (quoted >= 0) {
        n = (size_t)quoted + 2;
        if (!set_name(ret, at + 2, (size_t)quoted))
            return 0;
    } else {
        n            = read_number(at + 1, len - 1, &ret->n);
        ret->by_name = false;
    }
    return n > 0 && n + 1 < len && at[n + 1] == ']' ? n + 2 : 0;
}

/* Where a path begins: `.`, or one of the five names (then *ret_name).  What is behind it are hops. */
static bool read_root(const char **at, size_t *len, const char **ret_name)
{
    trim(at, len);
    if (*len == 0)
        return false;
    *ret_name = NULL;
    if ((*at)[0] == '.') { /* in .[0] the dot is the root; in .a it also begins the hop */
        size_t skip = *len == 1 || (*at)[1] == '[' ? 1 : 0;
        *at += skip;
        *len -= skip;
        return true;
    }
    if ((*at)[0] != '$')
        return false;
    size_t n = word_len(*at + 1, *len - 1);
    for (const char *const *name = SCOPE; *name; name++)
        if (n == strlen(*name) && memcmp(*at + 1, *name, n) == 0) {
            *ret_name = *name;
            *at += n + 1;
            *len -= n + 1;
            return true;
        }
    return false;
}

bool json_expr_is_path(const char *at, size_t len)
{
    const char *name;
    struct hop hop;

    if (!read_root(&at, &len, &name))
        return false;
    while (len > 0) {
        size_t n = read_hop(at, len, &hop);
        if (n == 0)
            return false;
        at += n;
        len -= n;
    }
    return true;
}

/* jq calls them so. */
static const char *kind_word(const struct json *v)
{
    switch (json_type(v)) {
    case JSON_NULL:
        return "null";
    case JSON_BOOL:
        return "boolean";
    case JSON_INT:
    case JSON_REAL:
        return "number";
    case JSON_STR:
        return "string";
    case JSON_ARRAY:
        return "array";
    case JSON_OBJECT:
        return "object";
    }
    return "null";
}

static struct err hop_over(const struct json *v, const struct hop *hop, const struct json **ret,
                           char *why, size_t why_size)
{
    char sentence[NAME_SIZE + 64];

    if (json_type(v) == JSON_NULL) {
        *ret = NULL;
        return OK;
    }
    if (hop->by_name && json_type(v) == JSON_OBJECT) {
        *ret = json_get(v, hop->name);
        return OK;
    }
    if (!hop->by_name && json_type(v) == JSON_ARRAY) {
        long n = hop->n < 0 ? hop->n + (long)json_count(v) : hop->n;
        *ret   = n < 0 ? NULL : json_at(v, (size_t)n);
        return OK;
    }
    if (hop->by_name)
        str_format(sentence, sizeof sentence, "Cannot index %s with string \"%s\"",
                   kind_word(v), hop->name);
    else
        str_format(sentence, sizeof sentence, "Cannot index %s with number", kind_word(v));
    return json_refuse("look up path", sentence, why, why_size);
}

struct err json_expr_follow(const struct json *scope, const char *at, size_t len,
                            const struct json **ret, char *why, size_t why_size)
{
    const char *name;
    struct hop hop;

    if (!read_root(&at, &len, &name))
        return json_refuse("look up path", "this is not a path", why, why_size);
    const struct json *v = json_get(scope, name ? name : ".");
    if (!name && !v)
        v = scope;
    while (len > 0) {
        size_t n = read_hop(at, len, &hop);
        if (n == 0)
            return json_refuse("look up path", "this is not a path", why, why_size);
        struct err e = hop_over(v, &hop, &v, why, why_size);
        if (failed(e))
            return e;
        at += n;
        len -= n;
    }
    *ret = json_type(v) == JSON_NULL ? NULL : v;
    return OK;
}

/* ------------------------------------------------------------------------- secrets and steps */

bool json_expr_is_secret(const char *at, size_t len)
{
    size_t begin = strlen("secret");

    trim(&at, &len);
    if (len < begin + 2 || memcmp(at, "secret.", begin + 1) != 0)
        return false;
    while (begin < len) {
        size_t n = 1;
        while (begin + n < len &&
               (is_letter(at[begin + n]) || is_digit(at[begin + n]) || at[begin + n] == '-'))
            n++;
        if (at[begin] != '.' || n == 1)
            return false;
        begin += n;
    }
    return true;
}

/* Is the `.` or `$` at s->i - 1 the beginning of a term, and not a hop of a longer path?  `.a.steps`, `.[0].steps` */
static bool begins_term(const struct scan *s)
{
    char before = s->i < 2 ? ' ' : s->at[s->i - 2];

    return !(is_letter(before) || is_digit(before) || strchr("])}\"?.$@", before));
}

void json_expr_steps(const char *at, size_t len,
                     void (*see)(void *self, const char *name, size_t name_len), void *self)
{
    struct scan s = {.at = at, .len = len};
    struct hop hop;

    for (char c; (c = scan_next(&s));) {
        if ((c != '.' && c != '$') || !begins_term(&s))
            continue;
        size_t left = len - s.i, n = word_len(at + s.i, left);
        if (n != strlen("steps") || memcmp(at + s.i, "steps", n) != 0)
            continue;
        if (read_hop(at + s.i + n, left - n, &hop) > 0 && hop.by_name)
            see(self, at + s.i + n + (at[s.i + n] == '[' || at[s.i + n + 1] == '"' ? 2 : 1),
                strlen(hop.name));
    }
}
