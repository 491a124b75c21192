/*
 * judge - what must hold of the streams, recomputed from them entry by entry; never asked of Sluice.
 *
 * Each function fails the test with a sentence that names the run, after its journal.
 */
#ifndef SUPPORT_SYSTEM_JUDGE_H
#define SUPPORT_SYSTEM_JUDGE_H

#include <stddef.h>

#include "support/system/load.h"
#include "support/system/record.h"
#include "support/system/world.h"

/* Waits until nobody waits, nobody has a job and every run that was taken has its result; the deadline is the test's. */
void judge_settles(struct world *w, int timeout_ms);

/*
 * Every run in the journal: exactly one END, nothing of a holder after it but CLOSED; each of a holder's
 * entries under the token of the last LEASED, none without; exactly one result, of END's status;
 * PENDING and JOBS empty.  A refused run (REJECTED) has none of these.
 */
void judge_runs(struct world *w, const struct record *journal);
/* Each accepted submit has a run that ended; a refused one has none that was leased. */
void judge_load(struct world *w, const struct record *journal, struct load *l);
/* At no point of the journal more than `cap` runs of the tenant between LEASED and END, WAITING or
   RELEASED; `closing` more may be there in c0.  Returns the most. */
size_t judge_cap(struct world *w, const struct record *journal, const char *tenant, size_t cap,
                 size_t closing);
/* Runs with this lock: from the first step to END no two at once.  Returns how many had it. */
size_t judge_lock(struct world *w, const struct record *journal, const char *lock);

/* How many leases were lost: LEASED over a lease that nobody gave back. */
size_t judge_lost(const struct record *journal);

/* All of it, after judge_settles. */
void judge_all(struct world *w, struct load *l, int timeout_ms);

#endif
