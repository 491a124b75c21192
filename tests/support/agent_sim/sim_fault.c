#include "agent_sim/sim_fault.h"

#include <string.h>

#include "agent_sim/sim_base.h"

static const uint64_t MS_NS    = 1000000u;
static const uint64_t FOR_EVER = UINT64_MAX;

struct sim_fault {
    uint64_t id;
    struct sim_plan plan;
    unsigned endpoints; /* bits; 0 = all */
    char *cmd;          /* substring; NULL = any */
    char *tenant;
    char *session;
    uint64_t skip;
    uint64_t left; /* how often it may still be played */
    uint64_t from_ns, until_ns;
    double probability;
    struct sim_latency_random random;
    uint64_t matched, played;
};

static void fault_deinit(struct sim_fault *f)
{
    sim_base_free(f->cmd);
    sim_base_free(f->tenant);
    sim_base_free(f->session);
}

void sim_fault_deinit(struct sim_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++)
        fault_deinit(&faults->list[i]);
    sim_base_free(faults->list);
    *faults = (struct sim_faults){.last_id = faults->last_id};
}

static bool read_endpoint(struct sim_fault *f, const json_t *value)
{
    enum sim_endpoint endpoint;

    if (json_is_string(value) && strcmp(json_string_value(value), "*") == 0) {
        f->endpoints = 0;
        return true;
    }
    if (!sim_event_endpoint_find(json_string_value(value), &endpoint))
        return false;
    f->endpoints |= 1u << endpoint;
    return true;
}

static bool read_endpoints(struct sim_fault *f, const json_t *value)
{
    if (!json_is_array(value))
        return read_endpoint(f, value);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!read_endpoint(f, json_array_get(value, i)))
            return false;
    return json_array_size(value) > 0;
}

static bool read_text(char **ret, const json_t *value)
{
    sim_base_free(*ret);
    *ret = sim_base_text(json_string_value(value));
    return *ret != NULL;
}

static bool read_count(uint64_t *ret, const json_t *value, uint64_t unit)
{
    if (!json_is_number(value) || json_number_value(value) < 0)
        return false;
    *ret = (uint64_t)(json_number_value(value) * (double)unit);
    return true;
}

/* One field; windows are read as distances from 0 and moved to now by the caller. */
static bool read_field(struct sim_fault *f, const char *name, const json_t *value)
{
    if (strcmp(name, "fault") == 0)
        return true; /* read before all others, which may override its values */
    if (strcmp(name, "endpoint") == 0)
        return read_endpoints(f, value);
    if (strcmp(name, "cmd") == 0)
        return read_text(&f->cmd, value);
    if (strcmp(name, "tenant") == 0)
        return read_text(&f->tenant, value);
    if (strcmp(name, "session") == 0)
        return read_text(&f->session, value);
    if (strcmp(name, "skip") == 0)
        return read_count(&f->skip, value, 1);
    if (strcmp(name, "count") == 0)
        return read_count(&f->left, value, 1);
    if (strcmp(name, "from_ms") == 0)
        return read_count(&f->from_ns, value, MS_NS);
    if (strcmp(name, "for_ms") == 0)
        return read_count(&f->until_ns, value, MS_NS);
    if (strcmp(name, "probability") == 0) {
        f->probability = json_number_value(value);
        return json_is_number(value) && f->probability >= 0 && f->probability <= 1;
    }
    if (strcmp(name, "seed") == 0) {
        f->random = sim_latency_seed((uint64_t)json_integer_value(value));
        return json_is_integer(value);
    }
    return sim_plan_set(&f->plan, name, value);
}

const char *sim_fault_add(struct sim_faults *faults, const json_t *from, uint64_t now_ns,
                          uint64_t *ret_id)
{
    const char *kind       = json_string_value(json_object_get(from, "fault"));
    struct sim_fault fault = {.left = FOR_EVER, .until_ns = FOR_EVER, .probability = -1};
    const char *name;
    json_t *value;

    if (!kind || !sim_plan_read(&fault.plan, kind))
        return "fault";
    json_object_foreach(sim_base_mutable(from), name, value)
    {
        if (!read_field(&fault, name, value)) {
            fault_deinit(&fault);
            return name;
        }
    }

    /* The plain one means "the next one"; a window or a probability limits itself. */
    if (fault.left == FOR_EVER && fault.until_ns == FOR_EVER && fault.probability < 0)
        fault.left = 1;
    if (fault.probability < 0)
        fault.probability = 1;
    fault.from_ns += now_ns;
    if (fault.until_ns != FOR_EVER)
        fault.until_ns += fault.from_ns;
    fault.id = *ret_id = ++faults->last_id;

    faults->list = sim_base_grow(faults->list, faults->count, &faults->room, sizeof fault);
    faults->list[faults->count++] = fault;
    return NULL;
}

static bool fits(const struct sim_fault *f, const struct sim_fault_call *call, uint64_t now_ns)
{
    if (f->left == 0 || now_ns < f->from_ns || now_ns >= f->until_ns)
        return false;
    if (f->endpoints && !(f->endpoints & 1u << call->endpoint))
        return false;
    if (f->cmd && (!call->cmd || !strstr(call->cmd, f->cmd)))
        return false;
    if (f->tenant && (!call->tenant || strcmp(call->tenant, f->tenant) != 0))
        return false;
    return !f->session || (call->session && strcmp(call->session, f->session) == 0);
}

bool sim_fault_pick(struct sim_faults *faults, const struct sim_fault_call *call,
                    uint64_t now_ns, struct sim_plan *ret)
{
    for (size_t i = 0; i < faults->count; i++) {
        struct sim_fault *f = &faults->list[i];

        if (!fits(f, call, now_ns))
            continue;
        f->matched++;
        if (f->skip > 0) {
            f->skip--;
            continue;
        }
        if (f->probability < 1 && sim_latency_chance(&f->random) >= f->probability)
            continue;
        if (f->left != FOR_EVER)
            f->left--;
        f->played++;
        *ret = f->plan;
        return true;
    }
    return false;
}

json_t *sim_fault_report(const struct sim_faults *faults)
{
    json_t *report = json_array();

    for (size_t i = 0; i < faults->count; i++) {
        const struct sim_fault *f = &faults->list[i];

        json_array_append_new(
            report,
            json_pack("{s:I,s:s,s:I,s:I,s:o}", "id", (json_int_t)f->id, "fault", f->plan.name,
                      "matched", (json_int_t)f->matched, "played", (json_int_t)f->played,
                      "left",
                      f->left == FOR_EVER ? json_null() : json_integer((json_int_t)f->left)));
    }
    return report;
}
