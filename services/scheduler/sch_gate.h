/*
 * sch_gate - what a run may have to wait for beside its turn: a lock, an upstream, a flow's maximum.
 * Pure: told the time.
 *
 * A gate counts those that passed it (they stand in a queue, or have a job) and keeps the others, in
 * order.  When one that passed goes, the next is let through: one waits in the queue for a lock, never all.
 */
#ifndef SCH_GATE_H
#define SCH_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/id.h"

enum sch_gate_kind { GATE_LOCK, GATE_UPSTREAM, GATE_FLOW, GATES };

enum { GATE_OPEN = INT32_MAX };

struct sch_gate {
    struct heap parked; /* place nodes of the runs that wait here, by rank */
    char *name;         /* of a lock: <tenant>.<lock> */
    enum sch_gate_kind kind;
    uint32_t limit; /* how many may have passed at a time */
    uint32_t passed;
    uint32_t refs;       /* runs and jobs that name it */
    bool paused;         /* by a person */
    bool known;          /* somebody configured it, or told its state: it stays */
    char owner[ID_SIZE]; /* of a lock: the run that the record names; "" none */
    /* Of an upstream: shut by its limiter until then (INT64_MAX: until it says otherwise), and one probe now and then. */
    int64_t shut_until;
    int64_t probe_at;  /* the next may pass from then on */
    uint64_t probe_ms; /* 0: no probes */
    bool limited;      /* 402, as opposed to closed for a while */
    char why[64];
};

void sch_gate_init(struct sch_gate *g, enum sch_gate_kind kind, const char *name);
void sch_gate_deinit(struct sch_gate *g); /* forgets who is parked */

/* May this run pass now?  probe: it passes only as the one that tries. */
bool sch_gate_open(const struct sch_gate *g, const char *run, int64_t now, bool *ret_probe);
/* It does. */
void sch_gate_pass(struct sch_gate *g, bool probe, int64_t now);
/* One that passed is gone, or was taken back. */
void sch_gate_leave(struct sch_gate *g);
/* The one that tried is back.  Its limiter counts the interval from the answer: a next one that is let through
   by the instant of the last comes too early, each second time. */
void sch_gate_probed(struct sch_gate *g, int64_t now);

/* When something may change by itself; INT64_MAX: never. */
int64_t sch_gate_next_at(const struct sch_gate *g, int64_t now);

bool sch_gate_idle(const struct sch_gate *g); /* nobody needs it: it may be freed */

#endif
