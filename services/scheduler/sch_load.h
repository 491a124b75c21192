/*
 * sch_load - what waits in each pool, why, and how much of it could run now: the scaling signal.  Pure: told the time.
 */
#ifndef SCH_LOAD_H
#define SCH_LOAD_H

#include "sch_index.h"

/* Counts what each pool's load is made of, and which lanes are aged: where a run that only lacks a slot has waited for
   longer than that.  O(tenants). */
void sch_load_count(struct sch_index *index, int64_t now, uint64_t age_promote_ms);
/* When the oldest of a tenant's runs that wait came due (or will), whatever it waits for; INT64_MAX if none does. */
int64_t sch_load_oldest(const struct sch_tenant *tenant);
/* How many of its runs wait in a lane. */
uint64_t sch_load_waiting(const struct sch_tenant *tenant, enum lane lane);

#endif
