/*
 * bw_end - how a wake and a run end: END, the end duties, WAITING's ticket, the ack.
 *
 * Duties are idempotent and redone by whoever gets a delivery of a finished run; the result message is
 * the last of them: a run with a result has had its duties done.
 */
#ifndef BW_END_H
#define BW_END_H

#include "bw_run.h"

/* MOVE_END. */
void bw_end_run(struct bw_run *run, const struct run_move *move);
/* The flow's `end` step: its expanded body is run->doing.value. */
void bw_end_by_flow(struct bw_run *run);
/* The flow in the journal cannot be read: it was accepted by another version. */
void bw_end_broken(struct bw_run *run);
/* END stands: everything owed, then ack. */
void bw_end_duties(struct bw_run *run);
/* WAITING stands, or a later wake: the ticket again, then ack. */
void bw_end_wake(struct bw_run *run);
/* A job that cannot be read: kept in SLUICE_DEAD, then termed. */
void bw_end_unreadable(struct bw *bw, struct bus_msg *msg);

#endif
