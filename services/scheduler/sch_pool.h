/*
 * sch_pool - what the workers of a pool can take.  Pure: told the time.
 *
 * A worker counts while its last word is at most SCH_WORD_MS old and it does not drain.  A job leased by one that
 * does not count is an orphan: its place died with the worker, and is taken again when somebody else leases it.  It is
 * in flight all the same: a pool without workers wants slots for what is stuck there.
 */
#ifndef SCH_POOL_H
#define SCH_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "sch_fair.h"
#include "sch_slot.h"
#include "wire/wire_ticket.h"

enum { SCH_WORD_MS = 3000, SCH_WORKERS_MAX = 100000, SCH_FORGET_MS = 600 * 1000 };

/* The consumer through which a pool's workers get jobs; the leader makes it. */
enum sch_lease_state { LEASE_UNKNOWN, LEASE_ASKING, LEASE_RIGHT, LEASE_TOO_LONG };

struct sch_blocked {
    uint64_t tenant_cap, flow_cap, lock, paused, upstream, not_due;
};

struct sch_load { /* of one pool, counted once a second */
    uint64_t runnable, waiting[LANES];
    int64_t oldest_ms[LANES]; /* age, whatever it waits for; 0 if nobody waits */
    int64_t runnable_age_ms;  /* of the oldest that only lacks a slot */
    struct sch_blocked blocked;
};

struct sch_pool {
    char name[STR_NAME_SIZE];
    struct sch_fair fair;
    struct sch_room room;
    uint32_t orphans[LANES]; /* beside what is taken of the room */
    struct list workers;     /* those that count or may count again */
    bool paused;
    char reason[128];
    uint64_t sla_ms;
    enum sch_lease_state lease;
    int64_t lease_at; /* when to look at the consumer again */
    struct sch_load load;
    uint32_t counting; /* whose headroom was taken last while the load is counted */
    uint64_t headroom;
};

struct sch_worker {
    char name[STR_NAME_SIZE];
    struct sch_pool *pool;
    uint32_t slots, busy;
    bool draining, live;
    int64_t heard_at;
    struct list link;
    struct list jobs; /* sch_job.of_worker */
};

struct sch_pools {
    struct map *pools; /* name -> struct sch_pool; never freed before the end */
    struct map *workers;
    struct sch_lanes lanes;
    uint32_t prefetch;
};

void sch_pool_init(struct sch_pools *pools, const struct sch_lanes *lanes, uint32_t prefetch);
void sch_pool_deinit(struct sch_pools *pools);

struct sch_pool *sch_pool_get(struct sch_pools *pools,
                              const char *name); /* made if there is none */
struct sch_pool *sch_pool_find(const struct sch_pools *pools, const char *name);

/* A worker's word.  False: there are too many workers, or the word makes no sense. */
bool sch_pool_heard(struct sch_pools *pools, const struct worker_status *status, int64_t now);
/* Who was not heard no longer counts; returns when to look again. */
int64_t sch_pool_turn(struct sch_pools *pools, int64_t now);

/* A job is in JOBS: its place in the pool is taken. */
void sch_pool_job(struct sch_job *job);
void sch_pool_job_gone(struct sch_job *job);
/* A worker leased it; one that we have not heard yet does not count. */
void sch_pool_leased(struct sch_pools *pools, struct sch_job *job, const char *worker);
/* All jobs are gone: accounts begin anew, consumers are to be looked at again. */
void sch_pool_clear(struct sch_pools *pools);

/* Jobs, orphans and those on their way into a slot among them. */
uint32_t sch_pool_in_flight(const struct sch_pool *pool);
uint32_t sch_pool_lane_in_flight(const struct sch_pool *pool, enum lane lane);

#endif
