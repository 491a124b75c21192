/*
 * bw_expand - replaces the `${…}` of a step: plain paths here, jq in the sluice-eval child.
 *
 * The walk stops at the first expression that has to be evaluated elsewhere, asks, remembers the
 * value by its text, and walks again: expressions have no effects, so a second walk costs only time.
 */
#ifndef BW_EXPAND_H
#define BW_EXPAND_H

#include "bw_run.h"

/* then(run, value, NULL): the value is the callee's; then(run, NULL, why): an expression failed.  May be called before
   this returns.  scope: borrowed until then. */
typedef void bw_expand_fn(struct bw_run *run, struct json *value, const char *why);
void bw_expand(struct bw_run *run, const struct json *from, const struct json *scope,
               bw_expand_fn *then);

/* A string with `${…}` in it. */
void bw_expand_string(struct bw_run *run, const char *text, const struct json *scope,
                      bw_expand_fn *then);

/* One text ("${…}" around it or not); `this` (may be NULL): what `.` means instead of the scope, as in `expect`. */
void bw_expand_text(struct bw_run *run, const char *text, const struct json *scope,
                    const struct json *this_outcome, bw_expand_fn *then);

/* Forgets what is under way. */
void bw_expand_stop(struct bw_run *run);

#endif
