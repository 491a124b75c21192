#include "sch_config.h"

#include <stddef.h>

#include "base/str.h"

#define FIELD(field) CONFIG_FIELD(struct sch_config, field)

const struct config_key sch_config_keys[] = {
    {"SLUICE_SHARDS", CONFIG_UINT, FIELD(shards), "1", "1", "1024",
     "into how many parts tenants are divided; the same for all services"},
    {"SLUICE_SHARD", CONFIG_UINT, FIELD(shard), "0", "0", "1023",
     "which part this scheduler looks after"},
    {"SLUICE_LANES", CONFIG_STRING, FIELD(lanes_text), "realtime=70/10,standard=25,bulk=5",
     NULL, NULL, "share of each lane, and what lanes below may not borrow (percent)"},
    {"SLUICE_AGE_PROMOTE", CONFIG_DURATION, FIELD(age_promote_ms), "10m", "1s", "24h",
     "a lane where a run that only lacks a slot waited longer goes first, within its share"},
    {"SLUICE_PREFETCH", CONFIG_UINT, FIELD(prefetch), "1", "0", "1000",
     "realtime runs a pool is given beyond its free slots"},
    {"SLUICE_LEASE", CONFIG_DURATION, FIELD(lease_ms), "15s", "5s", "1h",
     "silence of a worker after which its runs are given to others"},
    {"SLUICE_SWEEP", CONFIG_DURATION, FIELD(sweep_ms), "30s", "1s", "1h",
     "a run without a message for that long gets one"},
    {"SLUICE_LEADER_TTL", CONFIG_DURATION, FIELD(leader_ttl_ms), "5s", "1s", "5m",
     "how long a silent leader leads; at least 15s with replicas"},
    {NULL, CONFIG_STRING, 0, NULL, NULL, NULL, NULL},
};

struct err sch_config_check(void *config, char *why, unsigned long why_size)
{
    struct sch_config *c = config;
    char detail[160];

    if (c->shard >= c->shards) {
        str_format(why, why_size,
                   "SLUICE_SHARD is %llu, but there are only %llu parts (0 to %llu)",
                   (unsigned long long)c->shard, (unsigned long long)c->shards,
                   (unsigned long long)c->shards - 1);
        return err_of(ERR_REJECT, "check configuration");
    }

    struct err e = sch_fair_lanes(c->lanes_text, &c->lanes, detail, sizeof(detail));

    if (failed(e))
        str_format(why, why_size, "SLUICE_LANES: %s", detail);
    return e;
}
