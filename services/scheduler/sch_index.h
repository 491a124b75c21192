/*
 * sch_index - every run that wants to run, and all that is known of it.  Pure: told the time.
 *
 * sch_ticket answers its tickets, sch_place says where it stands, sch_claim gives it a slot, sch_load counts.
 *
 * Keyed by run: what counts are the tickets of the highest wake, the earliest due among them; tickets of lower
 * wakes are answered at once.  A run is in one stage: not yet due, parked at a gate, in its tenant's queue,
 * held (a job of an earlier wake of it is still there), or busy (an op works on it; its owner says how it went).
 *
 * All instants are monotonic ms and signed: a ticket may be older than the machine is up.
 */
#ifndef SCH_INDEX_H
#define SCH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "run/run_tenant.h"
#include "sch_gate.h"
#include "sch_pool.h"
#include "sch_slot.h"
#include "sch_ticket.h"
#include "wire/wire_ticket.h"

struct sch_index;

struct sch_tenant { /* one at work here */
    const char *name;
    struct run_rule rule;
    struct sch_slots slots;
    struct list queues;  /* sch_queue.link */
    struct list closing; /* runs to be ended outside the cap */
    struct list closer;  /* among the tenants that have such */
    struct list dirty;   /* among those whose depth is to be told */
    uint64_t fresh;      /* tickets that count in its quota */
};

struct sch_queue { /* the due runs of one tenant in one lane of one pool */
    struct sch_share share;
    struct heap runs;  /* by rank */
    struct heap ready; /* the same by due time: the first waits longest, whoever goes first */
    struct heap kept;  /* who waits for something else than a turn, by due time */
    struct sch_tenant *tenant;
    struct sch_pool *pool;
    enum lane lane;
    struct list link;
    uint64_t dormant, parked[GATES];
};

enum sch_stage {
    STAGE_NONE,
    STAGE_DORMANT,
    STAGE_PARKED,
    STAGE_QUEUED,
    STAGE_HELD,
    STAGE_BUSY
};

struct sch_closing;

struct sch_run {
    struct sch_run *next; /* of its hash chain */
    struct heap_node place, age, expiry;
    struct sch_queue *queue;
    struct sch_gate *gates[GATES];           /* NULL: names none */
    struct sch_closing *closing;             /* NULL: it is not to be closed */
    char *session, *parent;                  /* of the ticket; NULL mostly */
    struct sch_ticket ticket;                /* the first; more follow */
    int64_t stored, due, start_by, deadline; /* INT64_MAX: none */
    uint64_t cause_seq, plan_seq, ticket_seq;
    uint32_t wake;
    char run[ID_SIZE];
    uint8_t stage, cause, parked_at;
    bool started, passed, probing, over, unrun_refused;
};

/* What is done with a ticket that is of no more use. */
typedef void sch_ack_fn(void *self, const char *acks);

struct sch_index *sch_index_new(struct sch_pools *pools, struct sch_jobs *jobs,
                                const struct run_tenants *book, sch_ack_fn *ack, void *self);
void sch_index_free(struct sch_index **index);
/* Forgets all runs (without an answer: another consumer gives them again) and all jobs. */
void sch_index_clear(struct sch_index *index);

/* ---- tickets */

/* Keeps the ticket, or answers it.  NULL: it was answered, and nothing has changed. */
struct sch_run *sch_index_put(struct sch_index *index, const struct ticket *ticket,
                              const struct sch_message *message, int64_t now);
struct sch_run *sch_index_find(const struct sch_index *index, const char *run);
/* It was leased before: start_within no longer counts. */
void sch_index_started(struct sch_index *index, struct sch_run *run, int64_t now);
/* To be ended by a worker: through the closing slot, past all gates. */
void sch_index_close(struct sch_index *index, struct sch_run *run, int64_t now);
/* Its tickets are worth nothing: answered, forgotten (when its op is done, if it is busy). */
void sch_index_drop(struct sch_index *index, struct sch_run *run, int64_t now);
/* Tickets below this wake are worth nothing. */
void sch_index_drop_below(struct sch_index *index, struct sch_run *run, uint32_t wake,
                          int64_t now);

/* ---- what is told from outside */

struct sch_tenant *sch_index_tenant(struct sch_index *index,
                                    const char *name); /* made if there is none */
struct sch_tenant *sch_index_tenant_find(const struct sch_index *index, const char *name);
/* The book has changed: for one tenant, or all (a tier). */
void sch_index_rules(struct sch_index *index, const char *tenant, int64_t now);

struct sch_gate *sch_index_gate(struct sch_index *index, enum sch_gate_kind kind,
                                const char *name); /* made if there is none */
struct sch_gate *sch_index_gate_find(const struct sch_index *index, enum sch_gate_kind kind,
                                     const char *name);
/* The gate just visited may be freed meanwhile. */
bool sch_index_gate_next(const struct sch_index *index, enum sch_gate_kind kind, size_t *it,
                         struct sch_gate **ret);
/* ---- figures */

struct sch_figures {
    size_t runs, tickets, dormant, queued, parked, held, busy, tenants, jobs;
};
struct sch_figures sch_index_figures(const struct sch_index *index);
bool sch_index_tenant_next(const struct sch_index *index, size_t *it, struct sch_tenant **ret);
/* The next tenant whose depth has changed; NULL if there is none. */
struct sch_tenant *sch_index_dirty(struct sch_index *index);

#endif
