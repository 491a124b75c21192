#include "run/run_setting.h"

#include <string.h>

#include "run/run_flow.h"

static const char *const FLOW_FIELDS[] = {"version", "flow", "max_running", "paused", NULL};
static const char *const POOL_FIELDS[] = {"paused", "reason", "runnable_age_sla", NULL};

static struct err bad_key(struct problem *why, const char *key, const char *of)
{
    problem_set(why, PROBLEM_INVALID_REQUEST, "", "\"%.64s\" is no name of %s", key, of);
    return err_of(ERR_REJECT, "read value");
}

/* <flow>, or <flow>.v<n>. */
static bool is_flow_key(const char *key)
{
    const char *dot  = strchr(key, '.');
    uint64_t version = 0;

    if (!dot)
        return str_is_name(key);
    return str_is_name_n(key, (size_t)(dot - key)) && dot[1] == 'v' &&
           !failed(str_u64(dot + 2, &version));
}

static struct err read_count(const struct json *doc, const char *field, uint64_t *ret,
                             struct problem *why)
{
    const struct json *at = run_value_get(doc, field);

    if (!at)
        return OK;
    if (json_type(at) != JSON_INT || json_int(at) < 1 || json_int(at) > UINT32_MAX)
        return run_value_wrong(why, field, "must be a whole number from 1", NULL);
    *ret = (uint64_t)json_int(at);
    return OK;
}

/* The flow itself, by the same reading that a submit gives it. */
static struct err read_flow(struct run_flow_setting *ret, const struct json *doc,
                            struct problem *why)
{
    struct flow *flow = NULL;

    ret->flow = run_value_get(doc, "flow");
    if (!ret->flow)
        return run_value_wrong(why, "flow", "is missing: the document",
                               "{\"version\":1,\"flow\":{…}}");
    struct err e = flow_read(&flow, ret->flow, "/flow", why);
    if (failed(e))
        return e;
    ret->max_running = flow->max_running;
    flow_free(&flow);
    return OK;
}

struct err run_setting_flow(struct run_flow_setting *ret, const char *key,
                            const struct json *doc, struct problem *why)
{
    struct run_flow_setting value = {0};

    if (!is_flow_key(key))
        return bad_key(why, key, "a flow");
    struct err e = run_value_object(doc, "{\"version\":1,\"flow\":{…}}", why);
    if (!failed(e))
        e = run_value_known(doc, "", FLOW_FIELDS, "a flow's value", why);
    if (!failed(e))
        e = read_count(doc, "version", &value.version, why);
    if (!failed(e))
        e = run_value_bool(doc, "paused", &value.paused, why);
    if (!failed(e))
        e = read_flow(&value, doc, why);
    if (!failed(e))
        e = read_count(doc, "max_running", &value.max_running, why);
    if (!failed(e))
        *ret = value;
    return e;
}

static struct err read_reason(const struct json *doc, char *ret, struct problem *why)
{
    const struct json *at = run_value_get(doc, "reason");

    if (!at)
        return OK;
    if (!json_str(at))
        return run_value_wrong(why, "reason", "must be a string", NULL);
    str_copy(ret, RUN_SETTING_REASON_SIZE, json_str(at));
    return OK;
}

static struct err read_sla(const struct json *doc, uint64_t *ret, struct problem *why)
{
    const struct json *at = run_value_get(doc, "runnable_age_sla");
    const char *text      = json_str(at);

    if (!at || (text && !failed(str_duration_ms(text, ret))))
        return OK;
    return run_value_wrong(why, "runnable_age_sla", "must be a duration", "30s");
}

struct err run_setting_pool(struct run_pool_setting *ret, const char *key,
                            const struct json *doc, struct problem *why)
{
    struct run_pool_setting value = {0};

    if (!str_is_name(key))
        return bad_key(why, key, "a pool");
    struct err e = run_value_object(doc, "{\"paused\":true}", why);
    if (!failed(e))
        e = run_value_known(doc, "", POOL_FIELDS, "a pool", why);
    if (!failed(e))
        e = run_value_bool(doc, "paused", &value.paused, why);
    if (!failed(e))
        e = read_reason(doc, value.reason, why);
    if (!failed(e))
        e = read_sla(doc, &value.sla_ms, why);
    if (!failed(e))
        *ret = value;
    return e;
}
