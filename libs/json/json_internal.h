/*
 * json_internal - what the files of this room share.
 */
#ifndef JSON_JSON_INTERNAL_H
#define JSON_JSON_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "json/json_expr.h"
#include "json/json_schema.h"

/* The length of the UTF-8 character at `at`; 0: there is none that a document may hold (malformed, or the zero). */
size_t json_utf8_len(const char *at, size_t left);

/* Fills why, on one line, whatever stands in sentence, cut at a whole character; returns REJECT. */
MUST_USE struct err json_refuse(const char *what, const char *sentence, char *why,
                                size_t why_size);

/* The value of a plain path in `scope` ({input, steps, vars, run, item}).  A member named "." of scope, if there is one,
   is what `.` means (in `expect`: the step's outcome), while `$input` and the other four stay what they are.  *ret is
   borrowed; NULL: null or absent.  REJECT in jq's words where jq would fail (".a" of a string). */
MUST_USE struct err json_expr_follow(const struct json *scope, const char *at, size_t len,
                                     const struct json **ret, char *why, size_t why_size);

/* Part by part: *from goes on, in a text of len bytes.  *ret_any false: there is no more. */
MUST_USE struct err json_expr_next(const char *text, size_t len, size_t *from,
                                   struct json_part *ret, bool *ret_any, char *why,
                                   size_t why_size);

/* json_place - where one is in a document, as a JSON pointer that grows and shrinks. */
struct json_place {
    char *at;
    size_t size;
    size_t len;
};
struct json_place json_place_at(char *at, size_t size);
/* Goes into a member, or an element; the length before, to come back with. */
size_t json_place_in(struct json_place *p, const char *key);
size_t json_place_nth(struct json_place *p, size_t n);
void json_place_out(struct json_place *p, size_t len);

/* json_pattern - a regular expression (json_schema.h says which), and whether it matches somewhere in a text: in a time
   of at most cost times length. */
struct json_pattern;
MUST_USE struct err json_pattern_open(struct json_pattern **ret, const char *text, char *why,
                                      size_t why_size);
void json_pattern_free(struct json_pattern **p);
size_t json_pattern_cost(const struct json_pattern *p);
bool json_pattern_fits(const struct json_pattern *p, const char *text, size_t len);

#endif
