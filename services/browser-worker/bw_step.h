/*
 * bw_step - one step of a flow: when, expand, do, expect, OUTCOME, and what its failure means.
 *
 * Verbs that decide (set, if, sleep, end) are done here; pages, calls and sessions in bw_page, bw_call,
 * bw_open and bw_close.
 */
#ifndef BW_STEP_H
#define BW_STEP_H

#include "bw_run.h"

/* A clean slate for the step, and its stretch.  False: the run is left alone, as of bw_run_stretch. */
bool bw_step_begin(struct bw_run *run, const struct run_move *move);

void bw_step_do(struct bw_run *run, const struct run_move *move);

/* A foreign INTENT, or one of ours without an answer, whose fence is done or cannot be. */
void bw_step_indeterminate(struct bw_run *run, const struct run_move *move);

/* Starts over with a clean slate, before the next decision. */
void bw_step_clear(struct bw_run *run);
/* Cancels what is under way without a word (the run is dropped). */
void bw_step_stop(struct bw_run *run);

/* A cancel came, or there is no more time: drops what is in flight if it may be, and decides anew. */
void bw_step_interrupt(struct bw_run *run);
/* Was something sent whose answer is awaited? */
bool bw_step_sent(const struct bw_run *run);

/* From bw_page, bw_open and bw_call: the attempt is over; fate, outcome and value are in run->doing. */
void bw_step_attempted(struct bw_run *run);

/* It could not even begin: an expression failed, the driver cannot do it, the URL is forbidden. */
void bw_step_refused(struct bw_run *run, const char *code, const char *detail);

/* Waits without a slot: WAITING{on, due}, the ticket, ack. */
void bw_step_wait(struct bw_run *run, enum entry_on on, uint64_t due_ms, const char *why);

/* A copy in an arena, cut after 4 KiB: of what people read, and of what others choose the length of.  NULL is "". */
const char *bw_step_cut(struct arena *arena, const char *text);
/* The same in the step's arena. */
const char *bw_step_keep(struct bw_run *run, const char *text);

/* What programs read is whole or not there: the value's text in the step's arena.  False: it has more than max bytes. */
bool bw_step_print(struct bw_run *run, const struct json *value, size_t max, struct bytes *ret);

#endif
