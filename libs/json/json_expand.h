/*
 * json_expand - replaces every `${…}` in a document by its value.
 *
 * Plain paths are looked up in scope; other expressions are asked of `eval`.  Text around an expression makes a
 * string: of it a string is itself, anything else its JSON (null is "null", as in jq).  Keys are left alone, and a
 * value that was put in is not expanded again.
 * Pure: no clock, no I/O.
 */
#ifndef JSON_JSON_EXPAND_H
#define JSON_JSON_EXPAND_H

#include <stddef.h>

#include "json/json.h"

enum {
    JSON_EXPAND_TEXT_MAX = 1 << 20, /* bytes of all texts that one walk may put together */
    JSON_EXPAND_DEPTH_MAX =
        JSON_DEPTH_MAX - 16, /* so that what comes out can stand in another document */
};

/* When eval answers EXPR_LATER the whole walk stops with it; eval has noted which expression it was: have it
   evaluated, remember its value, walk again.  EXPR_FAILED: why says what and where. */
enum json_expr_is { EXPR_VALUE, EXPR_LATER, EXPR_FAILED };
typedef enum json_expr_is json_eval_fn(void *self, const char *at, size_t len,
                                       const struct json *scope, struct json **ret_value,
                                       char *why, size_t why_size);

/*
 * `secret` is asked for `${secret.a.b}` (at: "secret.a.b"); without it such a value is left as it stands, to be
 * shown or stored.  When the secret is needed walk the *same* document again with `secret` set: never look for
 * `${secret` in a document that was expanded, since a page may have said that.
 */
struct json_expand {
    const struct json *scope;
    json_eval_fn *eval; /* NULL: what is no plain path is a failure */
    void *self;
    json_eval_fn *secret;
};

/* *ret is new but may share parts with scope: json_copy it before changing it. */
enum json_expr_is json_expand(const struct json_expand *how, const struct json *from,
                              struct json **ret, char *why, size_t why_size);

#endif
