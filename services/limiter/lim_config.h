/*
 * lim_config - the limiter's settings (surface 12).
 */
#ifndef LIM_CONFIG_H
#define LIM_CONFIG_H

#include <stdint.h>

#include "base/config.h"

struct lim_config {
    uint64_t shards, shard;
    uint64_t leader_ttl_ms;
    uint64_t probe_ms, ramp_ms, window_min;
};
extern const struct config_key lim_config_keys[];
struct err lim_config_check(void *config, char *why, unsigned long why_size);

#endif
