/*
 * sch_fair - whose turn it is in one pool: lanes by weight with a reserve, tenants in a lane by use.
 * Pure: told the time.
 *
 * Each party has an account of what it used: slot-milliseconds divided by its weight.  Whoever used
 * least goes next.  An admission costs a fee at once, so that ten free slots are shared out in one
 * instant; while a run runs its time is charged; the fee is given back at the end, so that what is
 * paid in all is the time that was really used.
 *
 * An account that was idle starts at the present virtual time: nobody saves up.  When nobody waits
 * for a turn the period is over and the past is forgiven: use without competition costs nothing.
 */
#ifndef SCH_FAIR_H
#define SCH_FAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/heap.h"
#include "wire/wire_ticket.h"

enum { SCH_FEE_MS = 1000, SCH_WEIGHT_MAX = 1000 };

struct sch_lanes {
    uint32_t weight[LANES];
    uint32_t reserve[LANES]; /* percent of the pool that lanes below may not borrow */
};

/* "realtime=70/10,standard=25,bulk=5".  REJECT with a sentence. */
MUST_USE struct err sch_fair_lanes(const char *text, struct sch_lanes *ret, char *why,
                                   size_t why_size);

/* One party's account; embedded in a tenant's queue, and one for each lane. */
struct sch_share {
    struct heap_node turn; /* among those that want one */
    uint64_t used;         /* virtual */
    uint64_t
        lifted; /* raised to the present by that much when it came back: not to be given back as fees */
    int64_t at; /* charged up to then */
    uint32_t running;
    uint32_t weight;
    uint32_t period;
};

struct sch_circle { /* the parties among whom turns go round */
    struct heap wanting;
    uint64_t virtual_now;
    uint32_t period;
};

struct sch_fair {
    struct sch_lanes lanes;
    struct sch_circle tenants[LANES];
    struct sch_circle root;
    struct sch_share lane[LANES];
};

/* What was charged at an admission, to be given back at its end. */
struct sch_fee {
    uint64_t tenant, lane;
    uint32_t tenant_period, lane_period;
};

/* How much of the pool is free, and for whom. */
struct sch_room {
    uint32_t slots;    /* of live workers */
    uint32_t prefetch; /* more, for realtime only */
    uint32_t taken[LANES];
    bool aged[LANES]; /* a run that only lacks a slot has waited longer than age promotes at */
};

void sch_fair_init(struct sch_fair *f, const struct sch_lanes *lanes);
void sch_fair_deinit(struct sch_fair *f); /* forgets who wants */

void sch_fair_share(struct sch_share *share, uint32_t weight, int64_t now);
void sch_fair_weight(struct sch_fair *f, enum lane lane, struct sch_share *share,
                     uint32_t weight, int64_t now);

/* Enters or leaves the circle of those that want a turn; says it again without harm. */
void sch_fair_want(struct sch_fair *f, enum lane lane, struct sch_share *share, bool wants,
                   int64_t now);

/* May the lane take one more? */
bool sch_fair_room(const struct sch_fair *f, const struct sch_room *room, enum lane lane);

/* Whose turn it is; NULL if nobody wants, or there is no room for those who do. */
struct sch_share *sch_fair_next(struct sch_fair *f, const struct sch_room *room, int64_t now,
                                enum lane *ret_lane);

struct sch_fee sch_fair_start(struct sch_fair *f, enum lane lane, struct sch_share *share,
                              int64_t now);
void sch_fair_stop(struct sch_fair *f, enum lane lane, struct sch_share *share,
                   const struct sch_fee *fee, int64_t now);
/* One that was running already when we came: no fee. */
void sch_fair_found(struct sch_fair *f, enum lane lane, struct sch_share *share, int64_t now);

#endif
