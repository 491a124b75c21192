/*
 * sim_route - which of the API's seven endpoints a request means.  Pure.
 */
#ifndef SIM_ROUTE_H
#define SIM_ROUTE_H

#include "agent_sim/sim_event.h"

struct sim_route {
    enum sim_endpoint endpoint;
    int refusal;      /* 404 or 405 for SIM_ENDPOINT_OTHER, else 0 */
    char session[80]; /* from the path; "" = none                  */
};

struct sim_route sim_route_read(const char *method, const char *path);

#endif
