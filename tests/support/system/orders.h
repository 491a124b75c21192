/*
 * orders - runs whose step `place` orders what their load's number says ("<upstream>-<number>"), and whose workers are lost
 * in the middle of it: what they say, against what was placed.
 */
#ifndef SUPPORT_SYSTEM_ORDERS_H
#define SUPPORT_SYSTEM_ORDERS_H

#include <stdbool.h>
#include <stddef.h>

struct load;
struct record;
struct upstream_record;
struct world;

/* INTENTs that no OUTCOME of their own lease followed: their worker was lost in an unsafe step.  Each of these runs must
   hold an OUTCOME indeterminate of that step, by another; else the test fails.  ret_workers: how many workers these were. */
size_t orders_judge_lost(struct world *w, const struct record *journal, size_t *ret_workers);

/* A run that says it ordered has; one whose worker was lost in it ended indeterminate, or, if its flow looks then, done. */
void orders_judge(struct world *w, const struct upstream_record *r, struct load *load,
                  const struct record *journal, bool looks);

#endif
