/*
 * sch - the scheduler: what it knows, and what it does by itself.
 *
 * Any number of them run; one leads.  All of them follow the journal, the configuration and the workers; the
 * leader alone holds tickets and jobs and decides.  A term is one stretch of knowing them: it begins with a new
 * consumer over PENDING and a look at JOBS, and ends with the leadership, the connection or a gap.  An op that
 * outlives its term touches nothing.
 *
 * The decisions are in sch_index and its neighbours, sch_fair, sch_gate, sch_slot, sch_pool and sch_reconcile, all pure; here
 * and in sch_on, sch_admit, sch_dead, sch_lease, sch_lead, sch_mend, sch_tell and sch_admin is the shell around them.
 */
#ifndef SCH_H
#define SCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "run/run_good.h"
#include "sch_config.h"
#include "sch_index.h"
#include "sch_reconcile.h"
#include "svc/svc.h"
#include "svc/svc_leader.h"
#include "svc/svc_metric.h"

enum { SCH_MAGIC = 0x53434831 };

enum {
    SCH_MENDS_MAX = 128,
    SCH_LOOK_MS   = 5000, /* between two looks at JOBS */
    SCH_DEPTH_MS  = 100,
    SCH_FULL_MS   = 5000, /* all tenants' depth, for who came later */
    SCH_LOAD_MS   = 1000,
    SCH_FILL_MS   = 3000, /* a backlog that takes longer is decided upon while it comes */
    SCH_AGE_MS    = 60000,
};

enum sch_role {
    ROLE_STANDBY,
    ROLE_TAKING,  /* leads, and learns what is in flight */
    ROLE_FILLING, /* tickets come in */
    ROLE_DECIDING,
};

#define SCH_METRICS(X) \
    X(COUNTER, scheduler_tickets, "tickets received") \
    X(COUNTER, scheduler_tickets_stale, "tickets of runs that were over, or of earlier wakes") \
    X(COUNTER, scheduler_tickets_dead, "tickets that could not be read") \
    X(COUNTER, scheduler_admitted, "jobs published") \
    X(COUNTER, scheduler_admitted_closing, "of these into the closing slot") \
    X(COUNTER, scheduler_slot_conflicts, "publishes refused because another held the slot") \
    X(COUNTER, scheduler_unanswered, "publishes without an answer, repeated") \
    X(COUNTER, scheduler_freed, "slots freed by a worker's word") \
    X(COUNTER, scheduler_slots_repaired, "slots found free or taken by a look at JOBS") \
    X(COUNTER, scheduler_ended_unrun, "runs ended before they started: cancelled or expired") \
    X(COUNTER, scheduler_reconciled, "tickets published for runs that had no message") \
    X(COUNTER, scheduler_terms, "times it took over or began anew") \
    X(GAUGE, scheduler_leads, "1: this one decides") \
    X(GAUGE, scheduler_runs_waiting, "due runs without a slot") \
    X(GAUGE, scheduler_runs_dormant, "runs not yet due") \
    X(GAUGE, scheduler_jobs, "jobs in flight") \
    X(GAUGE, scheduler_slots, "slots of live workers") \
    X(GAUGE, scheduler_tenants, "tenants seen") \
    X(GAUGE, scheduler_runs_followed, "runs in the journal whose story is not over")

METRIC_STRUCT(sch_metrics, SCH_METRICS)

/* What all our chains begin with. */
struct sch_op {
    struct bus_op op; /* first: SELF() */
    struct sch *s;    /* NULL: the scheduler is gone */
    struct list link;
    uint64_t term;
};

struct sch {
    uint32_t magic;
    struct svc *svc;
    struct bus *bus;
    const struct sch_config *config;

    struct svc_leader *leader;
    enum sch_role role;
    uint64_t epoch;
    uint32_t round; /* terms within the epoch */
    uint64_t term;
    bool begin; /* a term is to begin */
    uint64_t begin_at;
    const char *begin_why;
    char consumer_name[STR_NAME_SIZE];
    struct bus_consumer *consumer;
    bool filled;
    uint64_t fill_since;

    struct run_tenants *book;
    struct run_good *good_tenants; /* the tenants' values as they were written */
    struct sch_pools pools;
    struct sch_jobs jobs;
    struct sch_index *index;
    struct sch_reconcile *facts;
    struct arena *arena; /* of the message in hand */
    struct map *words;   /* names of tenants and workers in facts */

    struct bus_follower *journal, *results, *tenants, *upstreams, *flows, *pool_values, *locks;
    struct bus_sub *status, *freed, *upstream_state;
    bool following;
    bool journal_read, results_read;

    struct list ops; /* all chains */
    unsigned admits, mends;
    bool looking;
    struct sch_need_list {
        struct sch_needed {
            char run[ID_SIZE];
            uint8_t need;
        } * at;
        size_t first, count, room;
    } needed;

    uint64_t hold_until; /* NATS refuses: no decisions before */
    uint64_t look_at, depth_at, full_at, load_at, sweep_at, age_at, workers_at;
    bool draining;
    int64_t wall_offset; /* of the calendar against our clock */
    struct sch_metrics metrics;
};

struct sch *sch_new(struct svc *svc, const struct sch_config *config);
void sch_free(struct sch **sch);
uint64_t sch_tick(void *self, uint64_t now);

int64_t sch_now(const struct sch *s);
int64_t sch_instant(struct sch *s,
                    int64_t wall_ms); /* of a stored time, on our monotonic clock */
bool sch_mine(const struct sch *s, const char *tenant); /* of my shard? */
const char *sch_word(struct sch *s, const char *name);  /* interned */

void sch_op_start(struct sch *s, struct sch_op *op, uint32_t magic, const char *what,
                  bus_end_fn *end);
bool sch_op_live(const struct sch_op *op); /* its term goes on: it may touch what it knows */
struct sch *sch_op_end(struct sch_op *op); /* in `end`: NULL if the scheduler is gone */

/* ---- sch_on: what comes in */
extern const struct svc_route sch_on_routes[];
void sch_on_follow(struct sch *s); /* from the first moment the streams stand */
bool sch_on_configured(
    const struct sch *s); /* tenants, upstreams, flows, pools, locks are read */
/* A tenant's value that had been refused for want of its tier. */
void sch_on_tenant_taken(void *self, const char *key, struct bytes value);
void sch_on_ticket(void *self, struct bus_msg **msg);
void sch_on_gap(void *self, const char *why);
void sch_on_job(struct sch *s, struct sch_job *job); /* one that is known now: who leased it? */

/* ---- sch_lead: terms */
void sch_lead_begin(struct sch *s, const char *why, uint64_t in_ms); /* a new term, soon */
void sch_lead_end(struct sch *s); /* back to standby, all forgotten */
uint64_t sch_lead_turn(struct sch *s, uint64_t now);
void sch_lead_look(
    struct sch *s,
    void (*then)(struct sch *s)); /* STREAM.INFO of JOBS against what we believe */

/* ---- sch_mend: one run's journal, read and acted upon */
void sch_mend_end(struct sch *s, struct sch_run *run); /* it never started, and should end */
void sch_mend_need(struct sch *s, const char *run, enum sch_need need);
void sch_mend_turn(struct sch *s); /* those that wait for their turn */
void sch_mend_look(
    struct sch *s,
    struct sch_run *run); /* a ticket and its journal: cancelled, ended, started? */
/* The same for a run that was busy with an op: what was read of it meanwhile could not be acted upon. */
void sch_mend_missed(struct sch *s, const char *run);

/* ---- sch_tell: what others should know */
uint64_t sch_tell_turn(struct sch *s, uint64_t now);
void sch_tell_load(const struct sch *s, const char *pool, struct buf *to); /* NULL: all */

/* ---- sch_admin */
void sch_admin_on_load(void *self, struct bus_msg **msg);
void sch_admin_on_tenant(void *self, struct bus_msg **msg);

#endif
