/*
 * gw_cancel - cancel: mail in the run's journal, and a nudge for whoever holds or keeps the run.
 */
#ifndef GW_CANCEL_H
#define GW_CANCEL_H

#include "gw_request.h"

void gw_cancel(struct gw *gw, struct bus_msg **msg);

#endif
