/*
 * sch_place - where a run stands: not yet due, parked at a gate, in its tenant's queue, held, busy.  Pure: told the time.
 *
 * All gates are looked at before one is passed: who waits for an upstream keeps no lock meanwhile.
 */
#ifndef SCH_PLACE_H
#define SCH_PLACE_H

#include "sch_index.h"

/* ---- for the shell */

/* What has come due is placed; returns when to look again. */
int64_t sch_place_turn(struct sch_index *index, int64_t now);
/* A run whose start_by or deadline is over and that nobody works on; NULL if there is none.  The same is not named again
   before sch_place_expire_again. */
struct sch_run *sch_place_expired(struct sch_index *index, int64_t now);
/* It was looked at: it may be named again from then on (INT64_MAX: never). */
void sch_place_expire_again(struct sch_index *index, struct sch_run *run, int64_t at);
/* The gate's fields were changed: who may no longer pass goes back to it (all: look at every run), who may now is
   let through.  The gate may be freed. */
void sch_place_gate_changed(struct sch_index *index, struct sch_gate *gate, bool all,
                            int64_t now);

/* ---- for sch_index and sch_claim */

/* A run that stands nowhere gets its place; one that stands somewhere leaves it; both; its op is not disturbed. */
void sch_place_put(struct sch_index *index, struct sch_run *run, int64_t now);
void sch_place_out(struct sch_index *index, struct sch_run *run, int64_t now);
void sch_place_anew(struct sch_index *index, struct sch_run *run, int64_t now);
/* Nothing but the mark and its counts. */
void sch_place_stage(struct sch_index *index, struct sch_run *run, enum sch_stage stage);
void sch_place_expiry(struct sch_index *index, struct sch_run *run);
/* The gates it passed know it no more; others go on. */
void sch_place_leave(struct sch_index *index, struct sch_run *run, int64_t now);
/* Lets through who may pass now, in order. */
void sch_place_drain(struct sch_index *index, struct sch_gate *gate, int64_t now);
/* Whether its gates still let it through: one may have shut since it passed. */
bool sch_place_open(const struct sch_run *run, int64_t now);
/* Does the queue want a turn?  All of a tenant's. */
void sch_place_look(struct sch_queue *queue, int64_t now);
void sch_place_look_all(struct sch_tenant *tenant, int64_t now);

#endif
