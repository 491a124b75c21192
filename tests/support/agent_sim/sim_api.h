/*
 * sim_api - the documents of the agent API: what a request must have, and what
 * a right answer looks like.  Pure.
 */
#ifndef SIM_API_H
#define SIM_API_H

#include <jansson.h>

#include "agent_sim/sim_event.h"

struct sim_api_answer {
    enum sim_endpoint endpoint;
    const char *session; /* "" = none                              */
    const char *agent;   /* CONTINUE, DONE, …                      */
    const char *message;
    const char *url;
    const char *blob; /* where a screenshot lies; "" = not asked for */
    double took_s;
    json_t *list; /* rows or session ids; the answer takes it over */
};

/* NULL, or what is wrong with the body: a sentence for a 422. */
const char *sim_api_check(enum sim_endpoint endpoint, const json_t *body);

/* The body of the answer, a new reference. */
json_t *sim_api_answer(const struct sim_api_answer *a);

#endif
