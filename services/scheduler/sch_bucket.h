/*
 * sch_bucket - what the buckets say: tenants, upstreams, flows and pools as they are configured, and who holds a lock.
 *
 * A value that is refused leaves the last good one.  Formats that are ours to read, beside those of wire and run:
 *
 * sluice_locks <tenant>.<lock>, by workers: {"run":"<run id>",…}; no run, or "": nobody holds it.
 * sluice_flows <flow>: "paused" and "max_running" (its own, else that of "flow"); keys with a dot are old versions.
 * sluice_upstreams <upstream>: "paused".  sluice_pools <pool>: "paused", "reason", "runnable_age_sla".
 */
#ifndef SCH_BUCKET_H
#define SCH_BUCKET_H

#include <stdbool.h>

#include "base/bytes.h"

struct sch;

void sch_bucket_follow(struct sch *s);
/* Each was read to its end: it is known who is paused, and whose cap is what. */
bool sch_bucket_caught_up(const struct sch *s);
/* A tenant's value that had been refused for want of its tier (self: the scheduler). */
void sch_bucket_tenant_taken(void *self, const char *key, struct bytes value);

#endif
