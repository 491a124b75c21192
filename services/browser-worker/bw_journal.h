/*
 * bw_journal - the holder's pen: reading a run's journal, appending to it with CAS.
 *
 * The expected sequence is always that of the last entry folded.  A refused append folds what came:
 * a foreign token means the run is lost to us; mail only means that what is in hand is appended again
 * behind it and what was decided is decided anew.  An unknown outcome is repeated with the same
 * expectation; a refusal of the repeat is read back, and an entry of our own token is ours.
 */
#ifndef BW_JOURNAL_H
#define BW_JOURNAL_H

#include "bw_run.h"

/* Reads from the last entry folded on, folds, then goes on. */
void bw_journal_read(struct bw_run *run, bw_then_fn *then);

/* A blank entry of a kind under our lease; fill it, strings in `arena` or literals, then append. */
struct entry *bw_journal_entry(struct bw_run *run, enum entry_kind kind);
struct arena *bw_journal_arena(struct bw_run *run);

/* Appends the entry; `then` when it stands.  A fact (in hand) survives mail; a decision does not: bw_run_advance decides anew. */
void bw_journal_fact(struct bw_run *run, bw_then_fn *then);
void bw_journal_decision(struct bw_run *run, bw_then_fn *then);

/* When a run is freed in the middle of it all. */
void bw_journal_forget_left(struct bw_run *run);

#endif
