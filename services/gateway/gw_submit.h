/*
 * gw_submit - accept: quota, PLAN, ticket, answer.  In this order, so that a refused submit leaves nothing
 * that runs and an answered one is never lost.
 *
 * Only the gateway that wrote a PLAN rejects it, in the same request; a repeat that meets a bare PLAN
 * appends ACCEPTED first, so that nobody can reject what was answered (design 5.1).
 */
#ifndef GW_SUBMIT_H
#define GW_SUBMIT_H

#include "gw_request.h"

void gw_submit(struct gw *gw, struct bus_msg **msg);

#endif
