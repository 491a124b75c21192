#include "agent_sim/sim_config.h"

#include <string.h>

#include "agent_sim/sim_base.h"

/* It also is the list of names that exist; README.md explains them. */
static const char DEFAULTS[] =
    "{\"seed\":1,\"keys\":null,\"latency\":{\"default\":{\"min\":5,\"max\":15}},"
    "\"refuse_ms\":1,\"act_at\":0.5,\"session_idle_ms\":600000,"
    "\"lost\":{\"status\":404,\"text\":\"Session not found or expired\"},"
    "\"limits\":{\"enforce\":false,\"in_flight\":null,\"sessions\":null,\"rate\":null,"
    "\"retry_after\":1},"
    "\"rows\":{\"count\":5,\"fields\":[\"title\",\"url\"],\"missing\":0,\"over\":false},"
    "\"statuses\":\"DONE\",\"message\":\"done\",\"answer_bytes\":0}";

static json_t *get(const json_t *o, const char *name)
{
    return json_object_get(o, name);
}

static void merge(json_t *into, const json_t *change, bool within)
{
    const char *name;
    json_t *value;

    json_object_foreach(sim_base_mutable(change), name, value)
    {
        json_t *old = get(into, name);

        if (!within && json_is_object(old) && json_is_object(value))
            merge(old, value, true); /* a latency, two deep, is replaced whole */
        else
            json_object_set_new(into, name, json_deep_copy(value));
    }
}

static bool wrong(char ret[64], const char *name)
{
    sim_base_copy(ret, 64, name);
    return false;
}

static bool names_known(const json_t *document, const json_t *known, char ret_wrong[64])
{
    const char *name;
    json_t *value;

    json_object_foreach(sim_base_mutable(document), name, value)
    {
        json_t *like = get(known, name);

        if (!like)
            return wrong(ret_wrong, name);
        if (!json_is_object(like))
            continue;
        if (!json_is_object(value))
            return wrong(ret_wrong, name);
        if (strcmp(name, "latency") != 0 && !names_known(value, like, ret_wrong))
            return false;
    }
    return true;
}

static bool read_latencies(struct sim_config *c, const json_t *from, char ret_wrong[64])
{
    const char *name;
    json_t *value;
    struct sim_latency usual;

    if (!sim_latency_read(&usual, get(from, "default")))
        return wrong(ret_wrong, "latency.default");
    for (int i = 0; i < SIM_ENDPOINTS; i++)
        c->latency[i] = usual;
    json_object_foreach(sim_base_mutable(from), name, value)
    {
        enum sim_endpoint endpoint;

        if (strcmp(name, "default") == 0)
            continue;
        if (!sim_event_endpoint_find(name, &endpoint) ||
            !sim_latency_read(&c->latency[endpoint], value))
            return wrong(ret_wrong, name);
    }
    return true;
}

static bool read_number(double *ret, const json_t *value, double max)
{
    *ret = json_number_value(value);
    return json_is_number(value) && *ret >= 0 && *ret <= max;
}

static bool read_limit(int64_t *ret, const json_t *value)
{
    *ret = json_is_null(value) ? SIM_CONFIG_UNLIMITED : json_integer_value(value);
    return json_is_null(value) || (json_is_integer(value) && *ret >= 0);
}

static bool read_text(const char **ret, const json_t *value)
{
    *ret = json_string_value(value);
    return *ret != NULL;
}

static bool read_texts(const json_t **ret, const json_t *value)
{
    *ret = value;
    if (!json_is_array(value))
        return false;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_string(json_array_get(value, i)))
            return false;
    return true;
}

/* The document's texts and arrays are lent to *c. */
static bool read_document(struct sim_config *c, const json_t *d, char ret_wrong[64])
{
    const json_t *lost   = get(d, "lost");
    const json_t *limits = get(d, "limits");
    const json_t *rows   = get(d, "rows");
    const json_t *keys   = get(d, "keys");
    double seed = 0, status = 0;

    c->enforce  = json_is_true(get(limits, "enforce"));
    c->row_over = json_is_true(get(rows, "over"));
    c->keys     = keys;
    if (!json_is_null(keys) && !read_texts(&c->keys, keys))
        return wrong(ret_wrong, "keys");
    if (!read_latencies(c, get(d, "latency"), ret_wrong))
        return false;
    if (!read_number(&seed, get(d, "seed"), 1e15))
        return wrong(ret_wrong, "seed");
    if (!read_number(&c->refuse_ms, get(d, "refuse_ms"), 1e9))
        return wrong(ret_wrong, "refuse_ms");
    if (!read_number(&c->act_at, get(d, "act_at"), 1))
        return wrong(ret_wrong, "act_at");
    if (!read_number(&c->session_idle_ms, get(d, "session_idle_ms"), 1e12))
        return wrong(ret_wrong, "session_idle_ms");
    if (!read_number(&status, get(lost, "status"), 599) || status < 400)
        return wrong(ret_wrong, "lost.status");
    if (!read_text(&c->lost_text, get(lost, "text")))
        return wrong(ret_wrong, "lost.text");
    if (!json_is_boolean(get(limits, "enforce")))
        return wrong(ret_wrong, "limits.enforce");
    if (!read_limit(&c->in_flight_max, get(limits, "in_flight")))
        return wrong(ret_wrong, "limits.in_flight");
    if (!read_limit(&c->sessions_max, get(limits, "sessions")))
        return wrong(ret_wrong, "limits.sessions");
    if (!read_limit(&c->rate_max, get(limits, "rate")))
        return wrong(ret_wrong, "limits.rate");
    if (!read_limit(&c->retry_after_s, get(limits, "retry_after")))
        return wrong(ret_wrong, "limits.retry_after");
    if (!read_limit(&c->row_count, get(rows, "count")) || c->row_count > 100000)
        return wrong(ret_wrong, "rows.count");
    if (!read_texts(&c->row_fields, get(rows, "fields")))
        return wrong(ret_wrong, "rows.fields");
    if (!read_number(&c->row_missing, get(rows, "missing"), 1))
        return wrong(ret_wrong, "rows.missing");
    if (!read_text(&c->statuses, get(d, "statuses")))
        return wrong(ret_wrong, "statuses");
    if (!read_text(&c->message, get(d, "message")))
        return wrong(ret_wrong, "message");
    if (!read_limit(&c->answer_bytes, get(d, "answer_bytes")))
        return wrong(ret_wrong, "answer_bytes");
    c->seed        = (uint64_t)seed;
    c->lost_status = (int)status;
    return true;
}

void sim_config_init(struct sim_config *config)
{
    char ignored[64];

    *config = (struct sim_config){.document = json_loads(DEFAULTS, 0, NULL)};
    must(config->document && read_document(config, config->document, ignored));
}

void sim_config_deinit(struct sim_config *config)
{
    json_decref(config->document);
    *config = (struct sim_config){0};
}

bool sim_config_merge(struct sim_config *config, const json_t *change, char ret_wrong[64])
{
    struct sim_config changed = {.document = json_deep_copy(config->document)};
    json_t *known             = json_loads(DEFAULTS, 0, NULL);

    merge(changed.document, change, false);

    bool ok = names_known(changed.document, known, ret_wrong) &&
              read_document(&changed, changed.document, ret_wrong);

    json_decref(known);
    json_decref(ok ? config->document : changed.document);
    if (ok)
        *config = changed;
    return ok;
}
