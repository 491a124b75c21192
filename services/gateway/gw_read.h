/*
 * gw_read - get and wait: a run's state from its journal.
 *
 * wait listens to what is stored from now on, then reads: an end between the two is seen by one or the other.
 */
#ifndef GW_READ_H
#define GW_READ_H

#include "gw_request.h"

void gw_read_get(struct gw *gw, struct bus_msg **msg);
void gw_read_wait(struct gw *gw, struct bus_msg **msg);

#endif
