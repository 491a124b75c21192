/*
 * sch_mend - one run's journal is read, folded, and acted upon: a run that never started is ended here, since nobody
 * else holds its ticket; a run that nobody looks after gets a ticket.
 */
#ifndef SCH_MEND_H
#define SCH_MEND_H

#include "sch_reconcile.h"

struct sch;
struct sch_run;

enum { SCH_MENDS_MAX = 128 }; /* at once */

/* It never started, and should end; not if it is held, or busy with another op. */
void sch_mend_end(struct sch *s, struct sch_run *run);
/* Written down; done when its turn comes, if it is needed still. */
void sch_mend_need(struct sch *s, const char *run, enum sch_need need);
void sch_mend_turn(struct sch *s); /* those that wait for their turn */
/* A ticket and its journal: cancelled, ended, started? */
void sch_mend_look(struct sch *s, struct sch_run *run);
/* The same for a run that was busy with an op: what was read of it meanwhile could not be acted upon. */
void sch_mend_missed(struct sch *s, const char *run);

#endif
