/*
 * sch_index_internal - what the files around the index know of it: sch_index, sch_ticket, sch_place, sch_claim, sch_load.
 */
#ifndef SCH_INDEX_INTERNAL_H
#define SCH_INDEX_INTERNAL_H

#include "sch_index.h"

struct sch_closing { /* beside a run that is to be ended */
    struct list link;
    struct sch_run *run;
};

struct sch_index {
    struct sch_pools *pools;
    struct sch_jobs *jobs;
    const struct run_tenants *book;
    sch_ack_fn *ack;
    void *self;

    struct sch_run **buckets;
    size_t mask;
    struct map *tenants;
    struct map *gates[GATES];
    struct map *words; /* beginnings of reply subjects */
    struct heap timers, expiries;
    struct list closers, dirty;
    struct sch_figures figures;
};

/* Made if there is none. */
struct sch_queue *sch_index_queue(struct sch_index *index, struct sch_tenant *tenant,
                                  const char *pool_name, enum lane lane, int64_t now);
/* One that named it is gone: so is the gate, if it was the last. */
void sch_index_gate_unref(struct sch_index *index, struct sch_gate *gate);
void sch_index_gate_free(struct sch_gate *gate);
/* Its tickets are answered, and it stands nowhere. */
void sch_index_remove(struct sch_index *index, struct sch_run *run);

#endif
