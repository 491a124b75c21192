/*
 * sch_lease - the consumers of the pools.
 *
 * Workers wait for their pool's consumer, and read the lease from it.  A longer lease may be set at once; a shorter
 * one takes running leases away, so it waits until the pool is empty.  What else a pool lives by is made right too,
 * whoever changed it: all of its jobs and no others, as many at once as there are slots, and each given again until it
 * is acked.
 */
#ifndef SCH_LEASE_H
#define SCH_LEASE_H

#include <stdint.h>

struct sch;

/* Looks at the consumer of each pool that has workers, where that is due, and makes it or makes it right. */
void sch_lease_turn(struct sch *s, uint64_t now);

#endif
