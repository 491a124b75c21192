/*
 * sch_journal - the journal and the results as they grow: each entry goes into the facts (sch_reconcile), and what it
 * changes for a run that waits or has a job is done at once.
 */
#ifndef SCH_JOURNAL_H
#define SCH_JOURNAL_H

struct sch;
struct sch_job;

void sch_journal_follow(struct sch *s);
/* A job that is known now: who leased it?  The journal may have told of that before. */
void sch_journal_job(struct sch *s, struct sch_job *job);

#endif
