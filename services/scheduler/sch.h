/*
 * sch - the scheduler: what it knows, and what it does by itself.
 *
 * Any number of them run; one leads.  All of them follow the journal, the configuration and the workers; the
 * leader alone holds tickets and jobs and decides.  A term is one stretch of knowing them: it begins with a new
 * consumer over PENDING and a look at JOBS, and ends with the leadership, the connection or a gap.  An op that
 * outlives its term touches nothing.
 *
 * The decisions are in sch_index and its neighbours, sch_fair, sch_gate, sch_slot, sch_pool and sch_reconcile, all pure.
 * Around them is the shell: sch_lead (terms), sch_on, sch_bucket, sch_journal and sch_admin (what comes in), sch_admit,
 * sch_mend, sch_dead and sch_lease (what is done), sch_tell (what others should know).
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

/* A stream without which nothing can be decided: dies if it cannot be followed. */
void sch_follow(struct sch *s, const struct bus_follow *f, struct bus_follower **ret);

#endif
