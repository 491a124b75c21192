/*
 * sim_act - the moment at which a call does its work: an order is placed, a
 * session begins or ends.  Everything that matters to a client that got no
 * answer has happened, or not, by this.
 */
#ifndef SIM_ACT_H
#define SIM_ACT_H

#include <stdbool.h>

struct sim_call;

/* Does the work and records it.  If the session is not there (any more) it does nothing and
   turns the call's plan into the upstream's "session lost". */
void sim_act(struct sim_call *call);

#endif
