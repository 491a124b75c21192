#include "lim_config.h"

#include <stddef.h>

#include "base/str.h"

#define FIELD(field) CONFIG_FIELD(struct lim_config, field)

const struct config_key lim_config_keys[] = {
    {"SLUICE_SHARDS", CONFIG_UINT, FIELD(shards), "1", "1", "1024",
     "into how many parts upstreams are divided; the same for all services"},
    {"SLUICE_SHARD", CONFIG_UINT, FIELD(shard), "0", "0", "1023",
     "which part this limiter looks after"},
    {"SLUICE_LEADER_TTL", CONFIG_DURATION, FIELD(leader_ttl_ms), "5s", "1s", "5m",
     "how long a silent leader leads; at least 15s with replicas"},
    {"SLUICE_PROBE", CONFIG_DURATION, FIELD(probe_ms), "60s", "100ms", "24h",
     "how often one call tries an upstream that is limited (402)"},
    {"SLUICE_RAMP", CONFIG_DURATION, FIELD(ramp_ms), "5m", "1ms", "24h",
     "how long an upstream takes to its full limits after it was limited"},
    {"SLUICE_WINDOW_MIN", CONFIG_UINT, FIELD(window_min), "1", "1", "1000000",
     "calls in flight that a failing upstream is always left"},
    {NULL, CONFIG_STRING, 0, NULL, NULL, NULL, NULL},
};

struct err lim_config_check(void *config, char *why, unsigned long why_size)
{
    const struct lim_config *c = config;

    if (c->shard < c->shards)
        return OK;
    str_format(why, why_size, "SLUICE_SHARD is %llu, but there are only %llu parts (0 to %llu)",
               (unsigned long long)c->shard, (unsigned long long)c->shards,
               (unsigned long long)c->shards - 1);
    return err_of(ERR_REJECT, "check configuration");
}
