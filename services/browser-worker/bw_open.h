/*
 * bw_open - a session is opened: OPENING, its permit, the call, OPENED, the record.
 *
 * OPENING comes before the call, so that what may stand over there is known to be the run's.  If no session came of it,
 * CLOSED takes it back: `unsent` when that is certain, `failed` when nobody knows.
 */
#ifndef BW_OPEN_H
#define BW_OPEN_H

#include "bw_run.h"

/* MOVE_OPEN: for an `open` step, or for a page step that opens by itself. */
void bw_open_do(struct bw_run *run, const struct run_move *move);
/* Its permit is no longer asked for, and nothing was sent: take OPENING back, and decide anew. */
void bw_open_take_back(struct bw_run *run);

#endif
