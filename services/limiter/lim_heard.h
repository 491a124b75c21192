/*
 * lim_heard - reports that the log may not have.
 *
 * A report is said once.  If its leader died or was deposed before it was stored, the permit
 * would stay taken for the whole lifetime of a call; so who may lead next remembers what was
 * said of late, and who leads what is not stored yet.  Said again it changes nothing; what it
 * says of a session is left out, since that is repeated until confirmed.
 */
#ifndef LIM_HEARD_H
#define LIM_HEARD_H

#include "bus/bus.h"
#include "wire/wire_permit.h"

struct lim;

/* One that came while another decides, or nobody; what is no report is not kept. */
void lim_heard_keep(struct lim *lim, struct bytes body);
/* One that the gate was told of just now. */
void lim_heard_decided(struct lim *lim, const struct permit_report *r);
/* We decide from now on: the gate is told of them all. */
void lim_heard_report(struct lim *lim);
/* The log has this batch and all before it. */
void lim_heard_stored(struct lim *lim, uint64_t batch);
void lim_heard_forget(struct lim *lim);

#endif
