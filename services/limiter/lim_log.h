/*
 * lim_log - the grant log of one shard, as one leader reads and writes it:
 * sluice.grants.<shard>.
 *
 * Reading ends with an empty batch that this leader appends, expecting the last it read:
 * from then on whatever an older leader still appends is refused, and the server's time of
 * that batch sets our clock.  All times in the log are that clock: the server's wall time,
 * by our boot clock since.
 *
 * Writing is one append at a time, each expecting the one before: what comes meanwhile is
 * the next batch.  Refused: another leads, and this log is dead.  No answer: the same is sent
 * again, and if it is refused then, it is read back.  A log that ends before what was expected was
 * purged or made anew: lost as well, for nobody remembers what this leader does.
 *
 * Snapshots replace what was before them: one message by rollup; one that is too large for
 * that in parts, after whose last the older is purged.
 */
#ifndef LIM_LOG_H
#define LIM_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/wire_permit.h"

struct bus;
struct lim_log;

typedef void lim_log_emit_fn(void *self, const struct grant_record *r);

struct lim_log_events {
    void *self;
    void (*fold)(void *self, const struct grant_record *r); /* while it is read */
    void (*forget)(void *self); /* a snapshot begins: nothing before it counts */
    void (*ready)(void *self);  /* read, and ours */
    void (*stored)(void *self, uint64_t batch, uint64_t seq);
    void (*lost)(void *self, const char *why); /* once; close it */
    /* The state of now, as records to `emit`. */
    void (*snapshot)(void *self, lim_log_emit_fn *emit, void *to);
};

struct lim_log_counts {
    uint64_t appends, records, repeats, snapshots, bytes;
};

/* epoch: of the leadership; the log is read at once. */
struct lim_log *lim_log_open(struct bus *bus, unsigned shard, uint64_t epoch,
                             const struct lim_log_events *events);
/* No event comes any more; what is under way ends by itself. */
void lim_log_close(struct lim_log **log);

bool lim_log_ready(const struct lim_log *log);   /* read, and ours */
uint64_t lim_log_now(const struct lim_log *log); /* ms; from ready on */

void lim_log_add(struct lim_log *log, const struct grant_record *r);
/* The batch that must be stored before all that was added so far is. */
uint64_t lim_log_mark(const struct lim_log *log);
uint64_t lim_log_stored(const struct lim_log *log); /* the last that is */
/* Sends what there is, if nothing is under way and the last was not just now; returns when to call again
   (monotonic ms). */
uint64_t lim_log_flush(struct lim_log *log, uint64_t now);
bool lim_log_idle(const struct lim_log *log);

struct lim_log_counts lim_log_counts(const struct lim_log *log);

#endif
