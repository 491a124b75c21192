/*
 * lim_admin - an operator's change of an upstream: a JSON merge-patch into
 * sluice_upstreams, by CAS.
 */
#ifndef LIM_ADMIN_H
#define LIM_ADMIN_H

#include "json/json.h"

struct lim;
struct lim_call;

/* Takes the call and the patch over; ends with an answer.  The patch may say "resume"
   (with "ramp"), too. */
void lim_admin_write(struct lim *lim, struct lim_call **call, const char *name,
                     struct json **patch);
void lim_admin_drop_all(struct lim *lim);

#endif
