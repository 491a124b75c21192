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

#endif
