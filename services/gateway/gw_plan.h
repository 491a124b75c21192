/*
 * gw_plan - from a submit request to the PLAN of a run, or to the problem with it.
 *
 * Pure but for the book it looks names up in.  What it lets through will run; what it refuses says
 * which field is wrong and what to write instead.
 */
#ifndef GW_PLAN_H
#define GW_PLAN_H

#include "gw_book.h"
#include "run/run_flow.h"
#include "wire/wire_journal.h"

struct gw_plan {
    struct arena *arena; /* holds every string and bytes of `plan` */
    struct entry_plan plan;
    enum lane lane;
    bool dry_run;
};

/* request: the submit's JSON; trace: its traceparent, or NULL.  Fills *ret (free with gw_plan_free in any case).  After a
   REJECT plan.run is NULL, or says which run it would be: one that exists is not undone by what was changed since. */
MUST_USE struct err gw_plan_read(struct gw_plan *ret, const struct gw *gw, const char *tenant,
                                 const struct run_rule *rule, const struct json *request,
                                 const char *trace, int64_t now_wall_ms, struct problem *why);
void gw_plan_free(struct gw_plan *plan);

#endif
