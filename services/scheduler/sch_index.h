/*
 * sch_index - every run that wants to run: its tickets, when it is due, what it waits for, who is next.
 * Pure: told the time.
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
    uint64_t waiting[LANES];
};

struct sch_queue { /* the due runs of one tenant in one lane of one pool */
    struct sch_share share;
    struct heap runs; /* by rank */
    struct sch_tenant *tenant;
    struct sch_pool *pool;
    enum lane lane;
    struct list link;
    uint64_t dormant, parked[GATES];
};

enum sch_stage { STAGE_NONE, STAGE_DORMANT, STAGE_PARKED, STAGE_QUEUED, STAGE_HELD, STAGE_BUSY };

struct sch_ticket { /* one message of PENDING, not yet acknowledged */
    struct sch_ticket *next;
    const char *acks; /* interned beginning of its reply subject, or all of it */
    uint64_t seq, consumer_seq;
    uint32_t wake;
    uint16_t tries; /* 0: acks is all of it, owned */
    bool fresh;     /* counts in the quota */
};

struct sch_closing;

struct sch_run {
    struct sch_run *next; /* of its hash chain */
    struct heap_node place, expiry;
    struct sch_queue *queue;
    struct sch_gate *gates[GATES]; /* NULL: names none */
    struct sch_closing *closing;   /* NULL: it is not to be closed */
    char *session, *parent;        /* of the ticket; NULL mostly */
    struct sch_ticket ticket;      /* the first; more follow */
    int64_t stored, due, start_by, deadline; /* INT64_MAX: none */
    uint64_t cause_seq, plan_seq, ticket_seq;
    uint32_t wake;
    char run[ID_SIZE];
    uint8_t stage, cause, parked_at;
    bool started, passed, probing, over, unrun_refused;
};

/* A ticket's message, as far as it is not the ticket. */
struct sch_message {
    uint64_t seq, consumer_seq;
    const char *acks;   /* the reply subject */
    uint32_t deliveries;
    int64_t stored;     /* monotonic */
    bool fresh;
};

/* What is done with a ticket that is of no more use. */
typedef void sch_ack_fn(void *self, const char *acks);

struct sch_index *sch_index_new(struct sch_pools *pools, struct sch_jobs *jobs, const struct run_tenants *book,
                                sch_ack_fn *ack, void *self);
void sch_index_free(struct sch_index **index);
/* Forgets all runs (without an answer: another consumer gives them again) and all jobs. */
void sch_index_clear(struct sch_index *index);

/* ---- tickets */

/* Keeps the ticket, or answers it.  NULL: it was answered, and nothing has changed. */
struct sch_run *sch_index_put(struct sch_index *index, const struct ticket *ticket, const struct sch_message *message,
                              int64_t now);
struct sch_run *sch_index_find(const struct sch_index *index, const char *run);
/* Due now, whatever the ticket said (mail came). */
void sch_index_hurry(struct sch_index *index, struct sch_run *run, int64_t now);
/* It was leased before: start_within no longer counts. */
void sch_index_started(struct sch_index *index, struct sch_run *run, int64_t now);
/* To be ended by a worker: through the closing slot, past all gates. */
void sch_index_close(struct sch_index *index, struct sch_run *run, int64_t now);
/* Its tickets are worth nothing: answered, forgotten (when its op is done, if it is busy). */
void sch_index_drop(struct sch_index *index, struct sch_run *run, int64_t now);
/* Tickets below this wake are worth nothing. */
void sch_index_drop_below(struct sch_index *index, struct sch_run *run, uint32_t wake, int64_t now);

/* ---- time */

/* What has come due is placed; returns when to look again. */
int64_t sch_index_turn(struct sch_index *index, int64_t now);
/* A run whose start_by or deadline is over and that nobody works on; NULL if there is none.  The same is not named again
   before sch_index_again. */
struct sch_run *sch_index_expired(struct sch_index *index, int64_t now);
/* It was looked at: it may be named again from then on (INT64_MAX: never). */
void sch_index_again(struct sch_index *index, struct sch_run *run, int64_t at);

/* ---- decisions */

/* Whose turn it is in the pool; NULL: nobody, or no room. */
struct sch_run *sch_index_next(struct sch_index *index, struct sch_pool *pool, int64_t now);
/* A run that should be ended and whose closing slot is free. */
struct sch_run *sch_index_next_closing(struct sch_index *index);

struct sch_claim { /* what a run was given while its job is on its way */
    struct sch_tenant *tenant;
    struct sch_queue *queue;
    uint32_t slot, wake;
    bool charged;
    struct sch_fee fee;
};
/* Takes the run out of its place and a slot for it; ret_job: what is published. */
void sch_index_claim(struct sch_index *index, struct sch_run *run, bool closing, int64_t now, struct sch_claim *ret,
                     struct job *ret_job);
/* The job is stored: the run's tickets up to that wake are answered, the job stands in its slot. */
struct sch_job *sch_index_admitted(struct sch_index *index, struct sch_run *run, const struct sch_claim *claim,
                                   uint64_t seq, int64_t now, bool *ret_over);
/* It was not: the run goes back to its place, the slot is free. */
void sch_index_refused(struct sch_index *index, struct sch_run *run, const struct sch_claim *claim, int64_t now);
/* For ops that end a run: out of its place, and back. */
void sch_index_busy(struct sch_index *index, struct sch_run *run, int64_t now);
void sch_index_back(struct sch_index *index, struct sch_run *run, int64_t now);

/* A job that we did not admit: of an earlier leader.  The slot must be free or asked for by nobody. */
struct sch_job *sch_index_found(struct sch_index *index, const struct job *job, uint64_t seq, int64_t now);
/* A job is gone: its slot is free; runs that waited for that go on. */
void sch_index_job_gone(struct sch_index *index, struct sch_job **job, int64_t now);

/* ---- what is told from outside */

struct sch_tenant *sch_index_tenant(struct sch_index *index, const char *name); /* made if there is none */
struct sch_tenant *sch_index_tenant_find(const struct sch_index *index, const char *name);
/* The book has changed: for one tenant, or all (a tier). */
void sch_index_rules(struct sch_index *index, const char *tenant, int64_t now);

struct sch_gate *sch_index_gate(struct sch_index *index, enum sch_gate_kind kind, const char *name); /* made if there is none */
struct sch_gate *sch_index_gate_find(const struct sch_index *index, enum sch_gate_kind kind, const char *name);
/* The gate's fields were changed: who may no longer pass goes back to it (all: look at every run), who may now is let through. */
void sch_index_gate_changed(struct sch_index *index, struct sch_gate *gate, bool all, int64_t now);

/* ---- figures */

struct sch_figures {
    size_t runs, tickets, dormant, queued, parked, held, busy, tenants, jobs;
};
struct sch_figures sch_index_figures(const struct sch_index *index);
/* Counts what each pool's load is made of; O(tenants). */
void sch_index_load(struct sch_index *index, int64_t now, uint64_t age_promote_ms);
/* The oldest due run of a tenant; INT64_MAX if none waits. */
int64_t sch_index_oldest(const struct sch_index *index, const struct sch_tenant *tenant);
bool sch_index_tenant_next(const struct sch_index *index, size_t *it, struct sch_tenant **ret);
/* The next tenant whose depth has changed; NULL if there is none. */
struct sch_tenant *sch_index_dirty(struct sch_index *index);

#endif
