/*
 * sch_tell - what the leader tells without being asked.
 *
 * sluice.state.depth.<shard>, each 100 ms the tenants that changed, and all of them about every five seconds (in as many
 * messages as it takes):
 *
 *     {"tenants":{"acme":{"queued":37,"queue_max":10000,"in_flight":20,"cap":20,"paused":false}}}
 *
 *     queued     tickets that count in the quota: not of woken, yielded or reconciled runs that were leased before
 *     queue_max  of the tenant as it is configured now; in_flight, cap, paused: for explain and top
 *
 * sluice.state.load.<pool>, each second: the answer of sluice.admin.load.<pool> (surface 10, 16), with two more
 * reasons in "blocked": "lock" and "flow_cap".
 */
#ifndef SCH_TELL_H
#define SCH_TELL_H

#include <stdint.h>

struct buf;
struct sch;

uint64_t sch_tell_turn(struct sch *s, uint64_t now); /* returns when it is to be said again */
/* The load of a pool, which must be known; NULL: of all. */
void sch_tell_load(const struct sch *s, const char *pool, struct buf *to);

#endif
