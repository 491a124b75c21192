/*
 * log - one line, one constant message, typed fields; logfmt or JSON on stderr.
 *
 * The message is a constant (count it, alert on it); everything variable is a field:
 *     log_info("run leased", KV("run", run), KV("try", tries));
 * Field names are a closed list: run tenant flow step session upstream status ms worker subject
 * try err from to why n job slot pool lane wake seq token stream epoch signal port key at.
 * A value above 512 bytes is cut (with an ellipsis), a line above 4 KiB loses its last fields:
 * one write(2) of that size is never mixed with another's.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
    const char *name;
    enum { LOG_STR, LOG_I64, LOG_U64, LOG_F64, LOG_BOOL, LOG_ERR } type;
    union {
        const char *str;
        int64_t i64;
        uint64_t u64;
        double f64;
        bool yes;
        struct err err;
    } v;
};

static inline struct log_field log_str(const char *n, const char *v)
{
    return (struct log_field){n, LOG_STR, {.str = v}};
}
static inline struct log_field log_i64(const char *n, int64_t v)
{
    return (struct log_field){n, LOG_I64, {.i64 = v}};
}
static inline struct log_field log_u64(const char *n, uint64_t v)
{
    return (struct log_field){n, LOG_U64, {.u64 = v}};
}
static inline struct log_field log_f64(const char *n, double v)
{
    return (struct log_field){n, LOG_F64, {.f64 = v}};
}
static inline struct log_field log_bool(const char *n, bool v)
{
    return (struct log_field){n, LOG_BOOL, {.yes = v}};
}
static inline struct log_field log_err(const char *n, struct err v)
{
    return (struct log_field){n, LOG_ERR, {.err = v}};
}

#define KV(name, value) \
    _Generic((value), char *: log_str, const char *: log_str, int: log_i64, long: log_i64, \
        long long: log_i64, unsigned: log_u64, unsigned long: log_u64, \
        unsigned long long: log_u64, unsigned short: log_u64, unsigned char: log_u64, \
        double: log_f64, _Bool: log_bool, struct err: log_err)(name, value)

#define LOG_AT(level, message, ...) \
    do { \
        if ((level) >= log_level_now) \
            log_write((level), (message), (const struct log_field[]){__VA_ARGS__}, \
                      sizeof((const struct log_field[]){__VA_ARGS__}) / \
                          sizeof(struct log_field)); \
    } while (0)
#define log_debug(message, ...) LOG_AT(LOG_LEVEL_DEBUG, message, __VA_ARGS__)
#define log_info(message, ...) LOG_AT(LOG_LEVEL_INFO, message, __VA_ARGS__)
#define log_warn(message, ...) LOG_AT(LOG_LEVEL_WARN, message, __VA_ARGS__)
#define log_error(message, ...) LOG_AT(LOG_LEVEL_ERROR, message, __VA_ARGS__)

extern enum log_level log_level_now;

void log_setup(const char *service, enum log_level level, enum log_format format);
void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count);

/* Tests see each line instead of stderr; NULL restores. */
typedef void log_sink_fn(void *self, enum log_level level, const char *message,
                         const char *line);
void log_sink(log_sink_fn *fn, void *self);

#endif
