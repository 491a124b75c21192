/*
 * sim_deliver - how a call's answer leaves: whole, or as its plan has it.
 *
 * What ends the call is recorded first, the bytes leave after.
 */
#ifndef SIM_DELIVER_H
#define SIM_DELIVER_H

struct sim_call;

/* The latency is over.  Ends the call, now or (slow bodies, hanging) later. */
void sim_deliver(struct sim_call *call);

/* Answers and lets the client go, though the call goes on being counted: a misbehaviour. */
void sim_deliver_early(struct sim_call *call);

#endif
