/*
 * run_view - what users read of a run: the answer of `get`, the result message, the scope of expressions.  Pure.
 */
#ifndef RUN_RUN_VIEW_H
#define RUN_RUN_VIEW_H

#include <stdint.h>

#include "json/json.h"
#include "run/run_fold.h"

/* One document for a living and an ended run (surface 4, 5, 16).  now_wall_ms: of the reader.  A new value. */
struct json *run_view(const struct run_fold *f, int64_t now_wall_ms);

/* The result message (surface 4). */
struct json *run_view_result(const struct run_fold *f);

/* {input, steps, vars, run, item} for `${…}`.  tries etc. as of now. */
struct json *run_scope(const struct run_fold *f);

/* The token of a flow in subjects: the name without its version ("hn_titles@3" -> "hn_titles"). */
const char *run_flow_token(const char *flow_name, char *at, size_t size);

/* The submit's digest (shapes 2): SHA-256 over tenant and the request without its key, sorted keys, compact; hex in ret. */
void run_body_sha(const char *tenant, const struct json *request, char ret[65]);

/* The run id: random, or derived from (tenant, key) when there is one. */
void run_id_for(const char *tenant, const char *key, int64_t wall_ms, char *ret);

/* The ticket of a run's present wake, from its journal.  due from WAITING's or PLAN's stored time, counted from now. */
struct ticket;
void run_ticket(const struct run_fold *f, int cause, uint64_t cause_seq, int64_t now_wall_ms,
                struct ticket *ret);

#endif
