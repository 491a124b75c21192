/*
 * sch_slot - which slots are taken, and by which job.  Pure.
 *
 * A tenant's cap is a number of slots, 1 to cap; slot 0 is the closing slot and outside the cap.  What
 * stands here is what we believe; the server has the last word, since a job is published expecting
 * its slot to be empty.  A slot is free, asked for (a publish is on its way), or taken by a job.
 */
#ifndef SCH_SLOT_H
#define SCH_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "base/list.h"
#include "base/map.h"
#include "sch_fair.h"
#include "sch_gate.h"

struct sch_tenant;
struct sch_queue;
struct sch_pool;
struct sch_worker;

enum sch_slot_state { SLOT_FREE, SLOT_ASKED, SLOT_TAKEN };

struct sch_job { /* a message of SLUICE_JOBS: an admitted run */
    uint64_t seq;
    char run[ID_SIZE];
    uint32_t wake, slot;
    struct sch_tenant *tenant;
    struct sch_pool *pool;
    enum lane lane;
    struct sch_queue *queue; /* whose account pays */
    struct sch_gate *gates[GATES];
    struct sch_fee fee;
    bool charged; /* its lane and tenant pay for its time; not those in the closing slot */
    struct sch_worker *worker; /* who leased it, NULL: nobody yet */
    struct list of_worker;
    bool probing;     /* it passed the gate of its upstream as the one that tries */
    bool orphan;      /* that worker is gone: its place in the pool is not taken */
    int64_t since;    /* when we knew of it */
    bool asked, seen; /* known when the look that is going on was sent; and it is there */
};

struct sch_slot {
    enum sch_slot_state state;
    struct sch_job *job;
    uint64_t hint; /* ASKED: this sequence was told to be freed already */
    uint64_t gone; /* FREE: the job that was here last */
};

struct sch_slots { /* of one tenant */
    struct sch_slot *at;
    uint32_t room;
    uint32_t taken; /* numbered ones, asked for or taken */
    uint32_t low;   /* no free one below */
};

struct sch_jobs { /* of all: by run and by sequence */
    struct map *by_run, *by_seq;
};

void sch_slot_init(struct sch_jobs *jobs);
void sch_slot_deinit(struct sch_jobs *jobs); /* must be empty */

/* The lowest free slot, now asked for; 0 if the cap is reached. */
uint32_t sch_slot_ask(struct sch_slots *slots, uint32_t cap);
/* The closing slot; false if it is taken. */
bool sch_slot_ask_closing(struct sch_slots *slots);
bool sch_slot_closing_free(const struct sch_slots *slots);
/* Whether a numbered one could be had. */
bool sch_slot_any(const struct sch_slots *slots, uint32_t cap);

/* An asked-for slot was not got: free again. */
void sch_slot_undo(struct sch_slots *slots, uint32_t slot);

/* The job in a slot, NULL if there is none that we know of. */
struct sch_job *sch_slot_holder(const struct sch_slots *slots, uint32_t slot);
/* The job is in its slot, which was asked for or free; a job that was there must be out first.  True: a hint that
   it is done already came before. */
bool sch_slot_put(struct sch_jobs *jobs, struct sch_slots *slots, struct sch_job *job);
/* Takes the job out of its slot and the tables; it is the caller's to free. */
void sch_slot_out(struct sch_jobs *jobs, struct sch_slots *slots, struct sch_job *job);
/* The job that was last in a slot that is free or asked for. */
uint64_t sch_slot_gone(const struct sch_slots *slots, uint32_t slot);

/* "This slot's job is done": the job if it is the occupant, NULL if it is not.  An asked-for slot keeps the hint;
   ret_doubt: a sequence we do not know. */
struct sch_job *sch_slot_freed(struct sch_slots *slots, uint32_t slot, uint64_t seq,
                               bool *ret_doubt);

struct sch_job *sch_slot_job(const struct sch_jobs *jobs,
                             const char *run); /* NULL: it has none */
struct sch_job *sch_slot_job_seq(const struct sch_jobs *jobs, uint64_t seq);

void sch_slot_forget(struct sch_slots *slots);

#endif
