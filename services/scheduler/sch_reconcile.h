/*
 * sch_reconcile - a run that has not ended always has a message in PENDING or JOBS.  Pure: told the time.
 *
 * Fed with the headers of the journal and of the results, it knows of each run whose story is not over: a run
 * is forgotten when it was refused, or when it has ended and its result is stored, or was.  A sweep goes round over the
 * rest and names those that nobody will look after: without a message, with mail that nobody will read, ended
 * without a result.
 */
#ifndef SCH_RECONCILE_H
#define SCH_RECONCILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "wire/wire_journal.h"

enum sch_fact_state { FACT_QUEUED, FACT_LEASED, FACT_RELEASED, FACT_WAITING, FACT_ENDED };

struct sch_fact { /* what the journal shows of one run */
    struct sch_fact *next;
    char run[ID_SIZE];
    uint8_t state;
    bool cancelled;
    bool mail;          /* came after WAITING */
    bool started;       /* was leased at least once */
    uint32_t wake;      /* the stretch it is in; of a waiting run the one to come */
    const char *tenant; /* interned by the owner */
    uint64_t plan_seq;
    uint64_t job;       /* LEASED: of this job … */
    const char *worker; /* … by this one, interned; NULL: nobody */
    int64_t ended_ms;   /* ENDED: when END was stored */
    int64_t
        bare_since; /* nobody looks after it since; 0: somebody does, or it was not looked at */
};

enum sch_event { /* what an entry changed for those who decide */
                 EVENT_NONE,
                 EVENT_LEASED,    /* a worker has it: fact->job, fact->worker */
                 EVENT_WAITING,   /* its wake is over */
                 EVENT_CANCELLED, /* CANCEL came */
                 EVENT_OVER, /* ended and its result is stored, or refused: no ticket of it is worth anything; the fact is gone */
};

enum sch_need { NEED_TICKET, NEED_WAKE, NEED_END };

enum sch_has {
    HAS_NOTHING = 0,
    HAS_TICKET  = 1,
    HAS_DUE     = 2,
    HAS_JOB     = 4
}; /* in PENDING, due there, in JOBS */

struct sch_reconcile;

struct sch_reconcile *sch_reconcile_new(void);
void sch_reconcile_free(struct sch_reconcile **r);
void sch_reconcile_clear(struct sch_reconcile *r); /* the journal was made anew */

/* One entry, as far as its headers tell; tenant and worker: pointers that stay valid.  ret_fact (NULL if there is none). */
enum sch_event sch_reconcile_entry(struct sch_reconcile *r, const char *tenant, const char *run,
                                   const struct entry *e, const char *worker,
                                   const struct sch_fact **ret_fact);
/* One result. */
enum sch_event sch_reconcile_result(struct sch_reconcile *r, const char *run);
/* Its journal, read at its leader, is in this wake, an earlier one than its headers told: entries were lost or removed.
   Else no ticket of the wake that stands would be worth anything. */
void sch_reconcile_cut(struct sch_reconcile *r, const char *run, uint32_t wake);
/* Results have left their stream (it makes room, or was purged): of a run that ended before this instant, the time of the
   first that is left, none is missed.  Whoever began to read later cannot see that it was there. */
void sch_reconcile_results_left(struct sch_reconcile *r, int64_t until_ms);
/* Results whose END was never seen are remembered for one to two of these calls: about a minute apart, and only
   once the journal was read to its end. */
void sch_reconcile_age(struct sch_reconcile *r);

const struct sch_fact *sch_reconcile_find(const struct sch_reconcile *r, const char *run);
size_t sch_reconcile_count(const struct sch_reconcile *r);

/* Is a ticket worth nothing?  Its run is known to be over (the journal was read beyond its PLAN and shows nothing
   that goes on), or it is of an earlier wake. */
bool sch_reconcile_stale(const struct sch_reconcile *r, const char *run, uint32_t wake,
                         uint64_t plan_seq, uint64_t read_to);

struct sch_sweep {
    int64_t now;
    int64_t patience_ms;
    size_t budget;                                            /* how many runs to look at */
    unsigned (*has)(void *self, const struct sch_fact *fact); /* enum sch_has */
    void (*needs)(void *self, const struct sch_fact *fact, enum sch_need need);
    void *self;
};
/* Goes on where the last one stopped; each need is named again after another patience. */
void sch_reconcile_sweep(struct sch_reconcile *r, const struct sch_sweep *sweep);

#endif
