/*
 * bw_close - the run's session is closed: permit, call, tried again until it is confirmed, CLOSED, the record.
 *
 * Tried a few times only: CLOSED then says that it failed, and the session is the reaper's.
 */
#ifndef BW_CLOSE_H
#define BW_CLOSE_H

#include "bw_run.h"

/* MOVE_CLOSE: close, have it confirmed, CLOSED, and decide again. */
void bw_close_do(struct bw_run *run, const struct run_move *move);
/* The flow's `close` step. */
void bw_close_step(struct bw_run *run, bw_then_fn *then);
/* End duties: close what is open; then. */
void bw_close_end(struct bw_run *run, const char *why, bw_then_fn *then);

#endif
