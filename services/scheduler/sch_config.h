/*
 * sch_config - the scheduler's own settings (docs/operations.md).
 */
#ifndef SCH_CONFIG_H
#define SCH_CONFIG_H

#include <stdint.h>

#include "base/config.h"
#include "sch_fair.h"

struct sch_config {
    uint64_t shards, shard, prefetch;
    uint64_t age_promote_ms, lease_ms, sweep_ms, leader_ttl_ms;
    const char *lanes_text;
    struct sch_lanes lanes; /* read by sch_config_check */
};

extern const struct config_key sch_config_keys[];

/* What the table cannot say; REJECT with a sentence. */
struct err sch_config_check(void *config, char *why, unsigned long why_size);

#endif
