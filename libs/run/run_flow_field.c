#include "run/run_flow_internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"

struct err flow_field_wrong(struct flow_reader *r, const char *at, const char *field,
                            const char *format, ...)
{
    char pointer[sizeof r->why->pointer], detail[sizeof r->why->detail];
    va_list args;

    str_format(pointer, sizeof pointer, field ? "%s/%s" : "%s", at, field);
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    problem_set(r->why, PROBLEM_INVALID_FLOW, pointer, "%s", detail);
    return err_of(ERR_REJECT, "read flow");
}

static bool listed(const char *const *words, const char *word)
{
    for (; *words; words++)
        if (str_equal(*words, word))
            return true;
    return false;
}

struct err flow_field_known(struct flow_reader *r, const struct json *object, const char *at,
                            const char *const *allowed, const char *const *later)
{
    const char *unknown, *nearest;

    if (json_known(object, allowed, &unknown, &nearest))
        return OK;
    if (later && listed(later, unknown))
        return flow_field_wrong(r, at, unknown, "\"%s\" is not available in this version",
                                unknown);
    if (nearest) {
        struct err e = flow_field_wrong(
            r, at, unknown, "unknown field \"%.60s\"; did you mean \"%s\"?", unknown, nearest);
        str_copy(r->why->attempt, sizeof r->why->attempt, nearest);
        return e;
    }
    return flow_field_wrong(r, at, unknown, "unknown field \"%.60s\"", unknown);
}

struct err flow_field_duration(struct flow_reader *r, const struct json *object, const char *at,
                               const char *field, uint64_t *ret)
{
    const struct json *v = json_get(object, field);

    if (!v)
        return OK;
    if (!json_str(v))
        return flow_field_wrong(r, at, field,
                                "%s is not a duration; write \"90s\", \"5m\" or \"24h\"",
                                json_type_word(v));
    if (!failed(str_duration_ms(json_str(v), ret)))
        return OK;
    char guess[32];
    if (!str_duration_guess(json_str(v), guess, sizeof guess))
        return flow_field_wrong(r, at, field,
                                "\"%.40s\" is not a duration; write \"90s\", \"5m\" or \"24h\"",
                                json_str(v));
    struct err e = flow_field_wrong(r, at, field, "\"%.40s\" is not a duration; write \"%s\"",
                                    json_str(v), guess);
    str_copy(r->why->attempt, sizeof r->why->attempt, guess);
    return e;
}

struct err flow_field_text(struct flow_reader *r, const struct json *object, const char *at,
                           const char *field, const char **ret)
{
    const struct json *v = json_get(object, field);

    if (!v || json_type(v) == JSON_NULL)
        return OK;
    if (!json_str(v))
        return flow_field_wrong(r, at, field, "%s where a string is needed", json_type_word(v));
    *ret = json_str(v);
    return OK;
}

struct err flow_field_flag(struct flow_reader *r, const struct json *object, const char *at,
                           const char *field, bool *ret)
{
    const struct json *v = json_get(object, field);

    if (!v)
        return OK;
    if (json_type(v) != JSON_BOOL)
        return flow_field_wrong(r, at, field, "%s where true or false is needed",
                                json_type_word(v));
    *ret = json_bool(v);
    return OK;
}
