#include "run/run_value.h"

#include "base/str.h"

struct err run_value_wrong(struct problem *why, const char *field, const char *detail,
                           const char *attempt)
{
    char pointer[sizeof(why->pointer)];

    str_format(pointer, sizeof(pointer), "/%s", field);
    for (char *c = pointer + 1; *c; c++)
        if (*c == '.')
            *c = '/';
    problem_set(why, PROBLEM_INVALID_REQUEST, pointer, "%s: %s", field, detail);
    if (attempt)
        str_copy(why->attempt, sizeof(why->attempt), attempt);
    return err_of(ERR_REJECT, "read value");
}

struct err run_value_known(const struct json *doc, const char *within,
                           const char *const *fields, const char *of, struct problem *why)
{
    const char *unknown = NULL, *nearest = NULL;
    char field[160], detail[160];

    if (json_known(doc, fields, &unknown, &nearest))
        return OK;
    str_format(field, sizeof(field), "%s%.64s", within, unknown);
    if (nearest)
        str_format(detail, sizeof(detail), "is no field of %s; is \"%s\" meant?", of, nearest);
    else
        str_format(detail, sizeof(detail), "is no field of %s", of);
    return run_value_wrong(why, field, detail, nearest);
}

struct err run_value_object(const struct json *doc, const char *like, struct problem *why)
{
    if (json_type(doc) == JSON_OBJECT)
        return OK;
    problem_set(why, PROBLEM_INVALID_REQUEST, "", "must be an object such as %s, not %s", like,
                json_type_word(doc));
    return err_of(ERR_REJECT, "read value");
}

const struct json *run_value_get(const struct json *doc, const char *field)
{
    const struct json *at = json_get(doc, field);

    return json_type(at) == JSON_NULL ? NULL : at;
}

struct err run_value_limit(const struct json *at, const char *field, uint32_t *ret,
                           struct problem *why)
{
    if (!at)
        return OK;
    if (json_type(at) != JSON_INT || json_int(at) < 1 || json_int(at) > RUN_VALUE_LIMIT_MAX)
        return run_value_wrong(
            why, field, "must be a whole number from 1 to 1000000; leave it out for no limit",
            NULL);
    *ret = (uint32_t)json_int(at);
    return OK;
}

struct err run_value_bool(const struct json *doc, const char *field, bool *ret,
                          struct problem *why)
{
    const struct json *at = run_value_get(doc, field);

    if (!at)
        return OK;
    if (json_type(at) != JSON_BOOL)
        return run_value_wrong(why, field, "must be true or false", NULL);
    *ret = json_bool(at);
    return OK;
}
