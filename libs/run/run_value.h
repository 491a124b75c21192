/*
 * run_value - what is wrong with a configuration value: said of one field, with what was meant.
 */
#ifndef RUN_RUN_VALUE_H
#define RUN_RUN_VALUE_H

#include <stdint.h>

#include "base/err.h"
#include "json/json.h"
#include "problem/problem.h"

enum { RUN_VALUE_LIMIT_MAX = 1000000 };

/* Always REJECT.  field: "rate.burst"; its pointer is /rate/burst.  attempt: what to write instead, or NULL. */
struct err run_value_wrong(struct problem *why, const char *field, const char *detail,
                           const char *attempt);

/* Does the object have only these fields?  within: "rate." for an object in a field, "" else; of: "a tenant". */
MUST_USE struct err run_value_known(const struct json *doc, const char *within,
                                    const char *const *fields, const char *of,
                                    struct problem *why);

/* A whole value: REJECT unless it is an object; like: an example. */
MUST_USE struct err run_value_object(const struct json *doc, const char *like,
                                     struct problem *why);

/* The field; NULL also for null: what a merge-patch left out. */
const struct json *run_value_get(const struct json *doc, const char *field);

/* How many there may be: from 1 to RUN_VALUE_LIMIT_MAX; NULL, no limit, leaves ret as it is. */
MUST_USE struct err run_value_limit(const struct json *at, const char *field, uint32_t *ret,
                                    struct problem *why);

/* What is absent leaves ret as it is. */
MUST_USE struct err run_value_bool(const struct json *doc, const char *field, bool *ret,
                                   struct problem *why);

#endif
