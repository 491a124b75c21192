#include "agent_sim/sim_latency.h"

#include <math.h>
#include <string.h>

#include "agent_sim/sim_base.h"

static const double LATENCY_MAX_MS = 24.0 * 3600 * 1000;

struct sim_latency_random sim_latency_seed(uint64_t seed)
{
    return (struct sim_latency_random){seed};
}

/* splitmix64 (Steele, Lea, Flood 2014): one word of state, no bad seeds. */
uint64_t sim_latency_bits(struct sim_latency_random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double sim_latency_chance(struct sim_latency_random *r)
{
    return (double)(sim_latency_bits(r) >> 11) * 0x1.0p-53;
}

static bool in_range(double ms)
{
    return ms >= 0 && ms <= LATENCY_MAX_MS;
}

bool sim_latency_read(struct sim_latency *ret, const json_t *from)
{
    if (json_is_number(from)) {
        double ms = json_number_value(from);

        *ret = (struct sim_latency){SIM_LATENCY_UNIFORM, ms, ms, ms};
        return in_range(ms);
    }

    struct sim_latency read = {SIM_LATENCY_UNIFORM, 0, -1, 0};
    const char *name;
    json_t *value;

    if (!json_is_object(from))
        return false;
    json_object_foreach(sim_base_mutable(from), name, value)
    {
        double ms = json_number_value(value);

        if (!json_is_number(value) || !in_range(ms))
            return false;
        if (strcmp(name, "min") == 0) {
            read.min_ms = ms;
        } else if (strcmp(name, "max") == 0) {
            read.max_ms = ms;
        } else if (strcmp(name, "mean") == 0) {
            read.mean_ms = ms;
            read.shape   = SIM_LATENCY_EXPONENTIAL;
        } else {
            return false;
        }
    }
    if (read.max_ms < 0)
        read.max_ms = read.shape == SIM_LATENCY_EXPONENTIAL ? LATENCY_MAX_MS : read.min_ms;
    if (read.max_ms < read.min_ms)
        return false;
    *ret = read;
    return true;
}

double sim_latency_draw(const struct sim_latency *l, struct sim_latency_random *r)
{
    double chance = sim_latency_chance(r);
    double ms     = 0;

    switch (l->shape) {
    case SIM_LATENCY_UNIFORM:
        return l->min_ms + chance * (l->max_ms - l->min_ms);
    case SIM_LATENCY_EXPONENTIAL:
        ms = -l->mean_ms * log(1 - chance);
        return ms < l->min_ms ? l->min_ms : ms > l->max_ms ? l->max_ms : ms;
    }
    return ms;
}
