#include "base/log.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/str.h"

/* PIPE_BUF of Linux: up to here one write(2) to a pipe is never mixed with another's, so
   lines of many threads and processes stay whole without a lock. */
enum {
    LINE_SIZE = 4096,
    TAIL_SIZE = 16, /* kept back for the mark of a cut, the quote, the brace, the newline */
    TEXT_MAX  = LINE_SIZE - TAIL_SIZE,
    VALUE_MAX = 512, /* of one field: one long value must not push out the others */
    OTHER_MAX = 48,  /* the punctuation around a field, and any number */
};

struct line {
    char at[LINE_SIZE];
    size_t len;
    bool json;
};

enum log_level log_level_now = LOG_LEVEL_INFO;

static char service_now[64]       = "sluice";
static enum log_format format_now = LOG_FORMAT_LOGFMT;
static log_sink_fn *sink_now;
static void *sink_self;

void log_setup(const char *service, enum log_level level, enum log_format format)
{
    str_copy(service_now, sizeof(service_now), service);
    log_level_now = level;
    format_now    = format;
}

void log_sink(log_sink_fn *fn, void *self)
{
    sink_now  = fn;
    sink_self = self;
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_DEBUG:
        return "debug";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_WARN:
        return "warn";
    case LOG_LEVEL_ERROR:
        return "error";
    }
    return "error";
}

/* Into the tail too: the callers count.  The bound is a promise of memory safety, not of
   sense. */
static void put(struct line *l, const char *at, size_t len)
{
    if (len > LINE_SIZE - l->len)
        return;
    memcpy(l->at + l->len, at, len);
    l->len += len;
}

static void put_str(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

static void put_quoted(struct line *l, const char *s)
{
    size_t start = l->len;
    char one[8];

    put_str(l, "\"");
    while (*s) {
        size_t took = str_escape(s, one);
        size_t len  = strlen(one);

        if (l->len + len > TEXT_MAX || l->len - start + len > VALUE_MAX) {
            put_str(l, "\xe2\x80\xa6"); /* an ellipsis: there was more */
            break;
        }
        put(l, one, len);
        s += took;
    }
    put_str(l, "\"");
}

static bool wants_quotes(const char *s)
{
    if (*s == '\0' || strlen(s) > VALUE_MAX - 2)
        return true;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || strchr("=\"\\", *s))
            return true;
    return false;
}

/* NULL and "" differ: `step=` and `step=""`, null and "". */
static void put_text(struct line *l, const char *s)
{
    if (!s)
        put_str(l, l->json ? "null" : "");
    else if (l->json || wants_quotes(s) || l->len + strlen(s) > TEXT_MAX)
        put_quoted(l, s);
    else
        put_str(l, s);
}

/* The fewest digits that read back as the same number. */
static void put_double(struct line *l, double n)
{
    char text[40];

    str_format(text, sizeof(text), "%.15g", n);
    double again = 0;
    if (failed(str_double(text, &again)) || again < n || again > n)
        str_format(text, sizeof(text), "%.17g", n);
    put_str(l, l->json && !isfinite(n) ? "null" : text);
}

static void put_value(struct line *l, const struct log_field *f)
{
    char text[160];

    switch (f->type) {
    case LOG_STR:
        put_text(l, f->v.str);
        return;
    case LOG_I64:
        str_format(text, sizeof(text), "%lld", (long long)f->v.i64);
        put_str(l, text);
        return;
    case LOG_U64:
        str_format(text, sizeof(text), "%llu", (unsigned long long)f->v.u64);
        put_str(l, text);
        return;
    case LOG_F64:
        put_double(l, f->v.f64);
        return;
    case LOG_BOOL:
        put_str(l, f->v.yes ? "true" : "false");
        return;
    case LOG_ERR:
        put_text(l, err_text(f->v.err, text, sizeof(text)));
        return;
    }
}

/* A field that has no room left is left out: the line stays a line that parses. */
static void put_field(struct line *l, const struct log_field *f)
{
    if (l->len + strlen(f->name) + OTHER_MAX > TEXT_MAX)
        return;
    if (l->json) {
        put_str(l, l->len > 0 ? ",\"" : "{\"");
        put_str(l, f->name);
        put_str(l, "\":");
    } else {
        put_str(l, l->len > 0 ? " " : "");
        put_str(l, f->name);
        put_str(l, "=");
    }
    put_value(l, f);
}

static void emit(struct line *l, enum log_level level, const char *message)
{
    ssize_t done = 0;

    if (sink_now) {
        l->at[l->len] = '\0';
        sink_now(sink_self, level, message, l->at);
        return;
    }
    put_str(l, "\n");
    do
        done = write(STDERR_FILENO, l->at, l->len);
    while (done < 0 && errno == EINTR); /* anything else: nobody is left to be told */
}

void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count)
{
    int kept = errno; /* logging must not change what the caller is about to look at */
    char ts[32];
    struct line l;
    const struct log_field first[] = {
        log_str("ts", str_time_text(clk_wall_ms(), ts, sizeof(ts))),
        log_str("level", level_name(level)),
        log_str("service", service_now),
        log_str("msg", message),
    };

    l.len  = 0;
    l.json = format_now == LOG_FORMAT_JSON;
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
        put_field(&l, &first[i]);
    for (size_t i = 0; i < count; i++)
        put_field(&l, &fields[i]);
    if (l.json)
        put_str(&l, "}");
    emit(&l, level, message);
    errno = kept;
}
