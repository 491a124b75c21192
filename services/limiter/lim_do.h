/*
 * lim_do - carries out what was decided: answers, state, leadership.  It decides nothing.
 */
#ifndef LIM_DO_H
#define LIM_DO_H

#include <stdbool.h>
#include <stdint.h>

#include "lim_gate.h"
#include "problem/problem.h"

struct lim;
struct bus_msg;

/* A request on its way to its answer: the tag of lim_gate. */
struct lim_call;

/* Takes the message over; json: to be answered so. */
struct lim_call *lim_do_call(struct bus_msg **msg, const char *endpoint, bool json);
void lim_do_drop(struct lim_call **call); /* no answer: another gives it */

/* The callbacks of the gate. */
extern const struct lim_gate_out lim_do_out;

void lim_do_problem(struct lim *lim, struct lim_call **call, const struct problem *why);
/* When all records so far are stored: "it was returned", or an upstream as it stands. */
void lim_do_returned(struct lim *lim, struct lim_call **call, const char *id);
void lim_do_upstream(struct lim *lim, struct lim_call **call, const char *name);

/* Batches up to this one are stored: their answers go out. */
void lim_do_stored(struct lim *lim, uint64_t batch, uint64_t seq);
/* Another decides: all that were to be answered are not. */
void lim_do_forget(struct lim *lim);

/* sluice.state.upstream.<shard> */
void lim_do_state(struct lim *lim);

#endif
