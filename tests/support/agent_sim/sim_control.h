/*
 * sim_control - the simulator's own API under /_sim/, which tests steer it by.
 *
 * Answered at once, never counted, needs no key.  README.md describes it.
 */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include <jansson.h>

struct sim;
struct sim_conn;
struct sim_http;

void sim_control_answer(struct sim *sim, struct sim_conn *conn, const struct sim_http *http);

/* Appends one fault or an array of them, their ids to `ret_ids` (may be NULL).  NULL, or the
   name of the wrong field; then those before it were added. */
const char *sim_control_add_faults(struct sim *sim, const json_t *faults, json_t *ret_ids);

#endif
