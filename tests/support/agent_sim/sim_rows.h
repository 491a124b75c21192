/*
 * sim_rows - what a retrieve finds: rows made up from the names of the fields.
 *
 * Pure.  The same index and field give the same value, so a test can say what
 * it expects: text "title 3", number 3.99 for prices and totals, an absolute
 * URL for urls, links and images, true for is_… and in_…, else text.
 */
#ifndef SIM_ROWS_H
#define SIM_ROWS_H

#include <jansson.h>

#include "agent_sim/sim_latency.h"

/* `count` rows with the fields named in the array; each field is missing with that chance. */
json_t *sim_rows_new(const json_t *fields, long count, double missing,
                     struct sim_latency_random *random);

#endif
