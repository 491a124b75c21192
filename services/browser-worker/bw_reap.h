/*
 * bw_reap - the reaper: compares the session table with what upstreams list, and closes what
 * nobody owns.
 *
 * Kept sessions past their time are closed; records whose session the upstream no longer lists
 * are marked expired and their session permit is ended; sessions the upstream lists that a
 * record of an ended or unknown run owns are closed after a grace time.  A session that waits
 * with its run, or for a later one, is touched before it falls idle.  A session that no record
 * names is closed only if its stamp leads to a journal of ours that is done with it: the
 * browsers may be shared with others.
 */
#ifndef BW_REAP_H
#define BW_REAP_H

#include <stdint.h>

struct bw;
struct bw_reaper;

struct bw_reaper *bw_reap_new(struct bw *bw);
void bw_reap_free(struct bw_reaper **reaper);

/* The next instant it cares about (monotonic ms). */
uint64_t bw_reap_tick(struct bw_reaper *reaper, uint64_t now);

#endif
