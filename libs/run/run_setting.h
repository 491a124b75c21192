/*
 * run_setting - what an operator says of a flow and of a pool: values of the buckets sluice_flows and
 * sluice_pools (docs/protocol.md).  Pure.
 *
 * A value that does not fit is refused whole, and the last good one stays.
 */
#ifndef RUN_RUN_SETTING_H
#define RUN_RUN_SETTING_H

#include "base/str.h"
#include "run/run_value.h"

enum { RUN_SETTING_REASON_SIZE = 128 };

/* {"version":3,"flow":{…},"max_running":50,"paused":false} under <flow>, older ones under <flow>.v<n>. */
struct run_flow_setting {
    uint64_t version;        /* 0: it has none */
    const struct json *flow; /* of the value's; its steps were read and are well-formed */
    uint64_t max_running;    /* of the setting, else of the flow itself; 0: not limited */
    bool paused;
};
MUST_USE struct err run_setting_flow(struct run_flow_setting *ret, const char *key,
                                     const struct json *doc, struct problem *why);

/* {"paused":false,"reason":"","runnable_age_sla":"30s"} under <pool>. */
struct run_pool_setting {
    bool paused;
    char reason[RUN_SETTING_REASON_SIZE];
    uint64_t sla_ms; /* how old the oldest runnable run may get; 0: nobody said */
};
MUST_USE struct err run_setting_pool(struct run_pool_setting *ret, const char *key,
                                     const struct json *doc, struct problem *why);

#endif
