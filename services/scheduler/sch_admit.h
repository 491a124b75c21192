/*
 * sch_admit - a job into a free slot: what sch_claim decided is published, and its answer carried back.
 *
 * The server refuses a second job in a slot; who is refused gives the slot and the run back.  A publish without an
 * answer is repeated to the same slot, or the run might stand in two.
 */
#ifndef SCH_ADMIT_H
#define SCH_ADMIT_H

struct sch;

/* Whose turn it is, in each pool as far as it has room; nothing while NATS refuses (hold_until). */
void sch_admit_turn(struct sch *s);

#endif
