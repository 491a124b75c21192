/*
 * json_expr - `${…}` in strings: taken apart; plain paths looked up by our own code.
 *
 * A string that is one `${…}` keeps its type; `$$` is one dollar; a dollar before anything else is
 * itself.  A *plain path* is `.a.b[0].c`, `.a["b-c"]` or `$input.a`: looked up here, absent is null as in jq.
 * Everything else is jq and is handed to the evaluator (a child process, see services/browser-worker).
 * The walk over a whole document is json_expand.
 * Pure: no clock, no I/O.
 */
#ifndef JSON_JSON_EXPR_H
#define JSON_JSON_EXPR_H

#include <stdbool.h>
#include <stddef.h>

#include "json/json.h"
#include "json/json_expand.h"

struct json_part {
    bool is_expr;
    const char
        *at; /* into the string that was split; of an expression: what is between the braces */
    size_t len;
};

/* Splits text into literal and expression parts; at most `max` (too many: REJECT).  Braces inside jq strings
   ("}"), comments and nested objects are respected; of `$$` the second dollar is in no part.  REJECT with why on
   an unclosed or empty `${`. */
MUST_USE struct err json_expr_split(const char *text, struct json_part *parts, size_t max,
                                    size_t *ret_count, char *why, size_t why_size);

/* Whether text has any expression at all, be it a broken one; whether it is one whole `${…}` (then its inside). */
bool json_expr_any(const char *text);
bool json_expr_whole(const char *text, const char **ret_at, size_t *ret_len);

/* Whether an expression is a plain path.  A `$input` at the front is the same as `.input`, and so for the other four
   of json_expand's scope. */
bool json_expr_is_path(const char *at, size_t len);

/* Whether an expression is `secret.a.b`: no jq, and allowed only as a whole value. */
bool json_expr_is_secret(const char *at, size_t len);

/* The names of steps an expression mentions (`.steps.x`, `$steps.x`, `.steps["x"]`): calls see(self, name) for
   each mention.  By the text alone: `.rows[] | .steps.x` counts too. */
void json_expr_steps(const char *at, size_t len,
                     void (*see)(void *self, const char *name, size_t name_len), void *self);

#endif
