/*
 * sch_on - what is said to the scheduler: one handler for each subject.
 *
 * What it reads from the beginning on is elsewhere: the buckets in sch_bucket, the journal in sch_journal.  A format that
 * is ours to read, beside those of wire:
 *
 * sluice.state.upstream.<shard>, by the limiter's leader, on change and each second; all of its upstreams, or those
 * that changed (what is not named stays as it was):
 *
 *     {"upstreams":{"multion":{"mode":"limited","until_ms":0,"probe_ms":60000,"limit":0,"why":"402"}}}
 *
 *     mode      open | slowed | closed | limited | ramp
 *     until_ms  wall ms; of closed: nobody is admitted before; 0: a few seconds, until it is said again
 *     probe_ms  of limited: one parked run passes in each such interval (default 60000)
 *     limit     calls that may be in flight; of limited: above 0 the upstream still bears some, and nobody is parked
 *     why       for people
 *     Further fields (used, rate, sessions, waiting, since_ms) are for others.
 */
#ifndef SCH_ON_H
#define SCH_ON_H

#include "svc/svc.h"

struct bus_msg;
struct sch;

extern const struct svc_route sch_on_routes[]; /* what it answers */

/* Of the term's consumer over PENDING (self: the scheduler): a ticket; and one that was given out and never came. */
void sch_on_ticket(void *self, struct bus_msg **msg);
void sch_on_gap(void *self, const char *why);

void sch_on_hear(struct sch *s); /* workers, and the upstreams' states, from now on */

#endif
