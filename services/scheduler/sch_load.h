/*
 * sch_load - what waits in each pool, why, and how much of it could run now: the scaling signal.  Pure: told the time.
 */
#ifndef SCH_LOAD_H
#define SCH_LOAD_H

#include "sch_index.h"

/* Counts what each pool's load is made of, and which lanes are aged; O(tenants). */
void sch_load_count(struct sch_index *index, int64_t now, uint64_t age_promote_ms);
/* When the oldest due run of a tenant came due; INT64_MAX if none waits in a queue. */
int64_t sch_load_oldest(const struct sch_tenant *tenant);

#endif
