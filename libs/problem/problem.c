#include "problem/problem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "base/str.h"

struct row {
    const char *word;
    const char *title;
    int status;
};

static const struct row ROWS[] = {{"", "", 0},
#define X(name, word, status, title) {#word, title, status},
                                  PROBLEM_CODES(X)
#undef X
};

enum { ROW_COUNT = sizeof(ROWS) / sizeof(*ROWS) };

static const struct row *row_of(enum problem_code code)
{
    must((size_t)code < ROW_COUNT);
    return &ROWS[code];
}

void problem_set(struct problem *ret, enum problem_code code, const char *pointer,
                 const char *format, ...)
{
    char detail[2 * sizeof(ret->detail)]; /* pointer and format may point into ret */
    char place[sizeof(ret->pointer)];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    must(len >= 0);
    str_copy(place, sizeof(place), pointer);

    *ret = (struct problem){.code = code};
    str_copy(ret->pointer, sizeof(ret->pointer), place);
    str_copy(ret->detail, sizeof(ret->detail), detail);
}

const char *problem_word(enum problem_code code)
{
    return row_of(code)->word;
}

const char *problem_title(enum problem_code code)
{
    return row_of(code)->title;
}

int problem_status(enum problem_code code)
{
    int status = row_of(code)->status;

    return status > 0 ? status : 500;
}

enum problem_code problem_of_word(const char *word)
{
    for (size_t n = 1; n < ROW_COUNT; n++)
        if (str_equal(ROWS[n].word, word))
            return (enum problem_code)n;
    return PROBLEM_NONE;
}

bool problem_replayable(enum problem_code code)
{
    switch (code) {
    /* The world may be better next time: load, time, a page, a worker. */
    case PROBLEM_QUEUE_FULL:
    case PROBLEM_BUDGET_EXCEEDED:
    case PROBLEM_NO_CAPACITY:
    case PROBLEM_UNAVAILABLE:
    case PROBLEM_STEP_TIMEOUT:
    case PROBLEM_RUN_TIMEOUT:
    case PROBLEM_EXPIRED:
    case PROBLEM_UPSTREAM_FAILED:
    case PROBLEM_SESSION_LOST:
    case PROBLEM_SCHEMA_MISMATCH:
    case PROBLEM_ELEMENT_MISSING:
    case PROBLEM_EXPECTATION_FAILED:
    case PROBLEM_WORKER_LOST:
    case PROBLEM_CANCELLED:
        return true;
    /* The same request meets the same refusal, or the author said so. */
    case PROBLEM_NONE:
    case PROBLEM_INVALID_REQUEST:
    case PROBLEM_INVALID_FLOW:
    case PROBLEM_TOO_LARGE:
    case PROBLEM_URL_FORBIDDEN:
    case PROBLEM_UNAUTHENTICATED:
    case PROBLEM_FORBIDDEN:
    case PROBLEM_LANE_NOT_ALLOWED:
    case PROBLEM_NOT_FOUND:
    case PROBLEM_RUN_FINISHED:
    case PROBLEM_CONFLICT:
    case PROBLEM_KEY_CONFLICT:
    case PROBLEM_BUSY:
    case PROBLEM_UPSTREAM_REFUSED:
    case PROBLEM_EXPRESSION_FAILED:
    case PROBLEM_SECRET_MISSING:
    case PROBLEM_FANOUT_REFUSED:
    case PROBLEM_BUDGET_EXHAUSTED:
    case PROBLEM_RESPONSE_TOO_LARGE:
    case PROBLEM_FLOW_FAILED:
    /* An unsafe step may have happened: never again by a machine's decision. */
    case PROBLEM_INDETERMINATE:
        return false;
    }
    must(!"unknown problem");
    return false;
}

/* ---- problem+json -------------------------------------------------------------------------- */

static size_t character(const char *at, size_t len)
{
    for (size_t n = 1; n <= 4 && n <= len; n++)
        if (str_is_utf8(bytes_of(at, n)))
            return n;
    return 0;
}

static void add_escaped(struct buf *to, unsigned char c)
{
    switch (c) {
    case '"':
        buf_str(to, "\\\"");
        return;
    case '\\':
        buf_str(to, "\\\\");
        return;
    case '\n':
        buf_str(to, "\\n");
        return;
    case '\r':
        buf_str(to, "\\r");
        return;
    case '\t':
        buf_str(to, "\\t");
        return;
    default:
        if (c < 0x20 || c == 0x7f)
            buf_printf(to, "\\u%04x", c);
        else
            buf_char(to, (char)c);
    }
}

/* A JSON string; what is not UTF-8 is U+FFFD, byte by byte. */
static void quote(struct buf *to, const char *s)
{
    size_t len = strlen(s);

    buf_char(to, '"');
    for (size_t at = 0, n; at < len; at += n) {
        n = character(s + at, len - at);
        if (n == 1)
            add_escaped(to, (unsigned char)s[at]);
        else if (n > 1)
            buf_add(to, s + at, n);
        else
            buf_str(to, "\xef\xbf\xbd");
        n = n > 0 ? n : 1;
    }
    buf_char(to, '"');
}

/* "/flow/steps/3/timeout" is "steps[3].timeout" to the author of a flow: a path as they would write
   it, without the field the document came in.  "" if the pointer is the whole. */
static const char *path_of(const char *pointer, char *at, size_t size)
{
    size_t len = 0;

    if (str_starts(pointer, "/flow/"))
        pointer += strlen("/flow");
    at[0] = '\0';
    while (*pointer == '/' && len + 1 < size) {
        size_t token = strcspn(++pointer, "/");
        bool number  = token > 0 && strspn(pointer, "0123456789") == token;

        if (number)
            str_format(at + len, size - len, "[%.*s]", (int)token, pointer);
        else
            str_format(at + len, size - len, "%s%.*s", len > 0 ? "." : "", (int)token, pointer);
        len += strlen(at + len);
        pointer += token;
    }
    return at;
}

static void add_detail(struct buf *to, const struct problem *p)
{
    char path[2 * sizeof(p->pointer)];
    char whole[sizeof(path) + sizeof(p->detail) + 2];

    path_of(p->pointer, path, sizeof(path));
    if (path[0] == '\0' || str_starts(p->detail, path))
        str_copy(whole, sizeof(whole), p->detail);
    else
        str_format(whole, sizeof(whole), "%s: %s", path, p->detail);
    quote(to, whole);
}

static void add_errors(struct buf *to, const struct problem *p)
{
    buf_str(to, ",\"errors\":[{\"pointer\":");
    quote(to, p->pointer);
    buf_str(to, ",\"detail\":");
    quote(to, p->detail);
    if (p->attempt[0] != '\0') {
        buf_str(to, ",\"try\":");
        quote(to, p->attempt);
    }
    buf_str(to, "}]");
}

static void add_or_null(struct buf *to, const char *name, const char *value)
{
    buf_printf(to, ",\"%s\":", name);
    if (value && *value != '\0')
        quote(to, value);
    else
        buf_str(to, "null");
}

/* Of a traceparent ("00-<32 hex>-<16 hex>-01") its trace id; anything else is one already. */
static const char *trace_id(const char *trace, char at[33])
{
    if (!trace || strlen(trace) != 55 || trace[2] != '-' || trace[35] != '-')
        return trace;
    str_copy_n(at, 33, trace + 3, 32);
    return at;
}

void problem_json(const struct problem *p, const char *trace, struct buf *to)
{
    const char *word = problem_word(p->code);
    char id[33];

    buf_printf(to, "{\"type\":\"https://sluice.dev/docs/errors#%s\",\"title\":", word);
    quote(to, problem_title(p->code));
    buf_printf(to, ",\"status\":%d,\"code\":\"%s\",\"detail\":", problem_status(p->code), word);
    add_detail(to, p);
    if (p->pointer[0] != '\0')
        add_errors(to, p);
    add_or_null(to, "run_id", p->run);
    add_or_null(to, "trace_id", trace_id(trace, id));
    if (p->retry_after_ms > 0)
        buf_printf(to, ",\"retry_after_ms\":%u", (unsigned)p->retry_after_ms);
    buf_char(to, '}');
}
