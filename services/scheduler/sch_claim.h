/*
 * sch_claim - who is next, and how its job comes and goes.  Pure: told the time.
 *
 * A claim is what a run was given while its job is on its way: a slot, a place in the pool, its entry fee.  It ends
 * with the answer: the job stands in the slot, or everything is given back.
 */
#ifndef SCH_CLAIM_H
#define SCH_CLAIM_H

#include "sch_index.h"

/* Whose turn it is in the pool; NULL: nobody, or no room. */
struct sch_run *sch_claim_next(struct sch_index *index, struct sch_pool *pool, int64_t now);
/* A run that should be ended and whose closing slot is free. */
struct sch_run *sch_claim_next_closing(struct sch_index *index);

struct sch_claim {
    struct sch_tenant *tenant;
    struct sch_queue *queue;
    uint32_t slot, wake;
    bool charged;
    struct sch_fee fee;
};
/* Takes the run out of its place and a slot for it; ret_job: what is published. */
void sch_claim_take(struct sch_index *index, struct sch_run *run, bool closing, int64_t now,
                    struct sch_claim *ret, struct job *ret_job);
/* The job is stored: the run's tickets up to that wake are answered, the job stands in its slot.  ret_over: a hint that
   it is done came before. */
struct sch_job *sch_claim_admitted(struct sch_index *index, struct sch_run *run,
                                   const struct sch_claim *claim, uint64_t seq, int64_t now,
                                   bool *ret_over);
/* It was not: the run goes back to its place, the slot is free. */
void sch_claim_refused(struct sch_index *index, struct sch_run *run,
                       const struct sch_claim *claim, int64_t now);
/* For ops that end a run: out of its place, and back. */
void sch_claim_busy(struct sch_index *index, struct sch_run *run, int64_t now);
void sch_claim_back(struct sch_index *index, struct sch_run *run, int64_t now);

/* A job that we did not admit: of an earlier leader.  No job of ours is in that slot. */
struct sch_job *sch_claim_found(struct sch_index *index, const struct job *job, uint64_t seq,
                                int64_t now);
/* A job is gone: its slot is free; runs that waited for that go on. */
void sch_claim_job_gone(struct sch_index *index, struct sch_job **job, int64_t now);

#endif
