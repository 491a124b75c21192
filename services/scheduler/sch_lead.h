/*
 * sch_lead - terms.
 *
 * A new one begins with the leadership, and again after every gap: what was delivered to a consumer that we lost sight
 * of would stay hidden until its AckWait is over.  Under the same name the old acknowledgements would still be honoured,
 * so each term has a consumer of its own, named by the epoch and its round.
 */
#ifndef SCH_LEAD_H
#define SCH_LEAD_H

#include <stdint.h>

struct sch;

void sch_lead_begin(struct sch *s, const char *why, uint64_t in_ms); /* a new term, soon */
void sch_lead_end(struct sch *s); /* back to standby, all forgotten */
/* Begins what is to begin; returns when it wants to be asked again, UINT64_MAX: not by itself. */
uint64_t sch_lead_turn(struct sch *s, uint64_t now);
/* STREAM.INFO of JOBS against what we believe.  then (may be NULL) is called once that is done, if the term goes on; when
   it cannot be done, who had a then gets a new term, and the others look again later. */
void sch_lead_look(struct sch *s, void (*then)(struct sch *s));

#endif
