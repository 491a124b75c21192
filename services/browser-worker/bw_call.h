/*
 * bw_call - the `call` step: a request to the tenant's own service, over NATS.
 *
 * It has no fence: a call of a lost holder may still be under way and nothing can stop it.  So an unsafe
 * one is sent only under a lease that is not suspect, and an unanswered one ends the run indeterminate.
 */
#ifndef BW_CALL_H
#define BW_CALL_H

#include "bw_run.h"

/* The body is expanded: {subject, body}. */
void bw_call_do(struct bw_run *run);

/* Its answer, if one comes, is nobody's; the service may have acted. */
void bw_call_cancel(struct bw_service_ask **ask);

#endif
