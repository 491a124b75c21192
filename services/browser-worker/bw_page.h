/*
 * bw_page - what is done at an upstream: opening, closing, browsing, retrieving.
 *
 * The order is the design's (shapes 5): evaluate, OPENING of a new session, permit, INTENT of an unsafe
 * step, deadline not over and permit fresh, send, OUTCOME.  What was announced and not sent is taken
 * back: CLOSED{unsent}, OUTCOME{unsent}.
 */
#ifndef BW_PAGE_H
#define BW_PAGE_H

#include "bw_run.h"

/* MOVE_OPEN: for an `open` step, or for a page step that opens by itself. */
void bw_page_open(struct bw_run *run, const struct run_move *move);
/* Its permit is no longer asked for, and nothing was sent: take OPENING back, and decide anew. */
void bw_page_take_back(struct bw_run *run);
/* MOVE_CLOSE: close, have it confirmed, CLOSED, and decide again. */
void bw_page_close(struct bw_run *run, const struct run_move *move);
/* The flow's `close` step. */
void bw_page_close_step(struct bw_run *run, bw_then_fn *then);
/* End duties: close what is open; then. */
void bw_page_close_end(struct bw_run *run, const char *why, bw_then_fn *then);
/* browse, retrieve; the body is expanded. */
void bw_page_do(struct bw_run *run);

/* Has the run's upstream no calls outside a session? */
bool bw_page_sessions_only(const struct bw_run *run);

#endif
