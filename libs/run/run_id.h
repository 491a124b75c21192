/*
 * run_id - the ids of runs, random or derived from a key, and the digest by which a repeat is known.
 */
#ifndef RUN_RUN_ID_H
#define RUN_RUN_ID_H

#include <stdint.h>

#include "json/json.h"

/* ret: ID_SIZE.  With a key it is derived from (tenant, key): a repeat meets the run that exists. */
void run_id_for(const char *tenant, const char *key, int64_t wall_ms, char *ret);

/* The submit's digest (shapes 2): SHA-256 over tenant and the request without its key, sorted keys, compact; hex. */
void run_id_of_body(const char *tenant, const struct json *request, char ret[65]);

#endif
