/*
 * json_schema - the input of a flow, in a subset of JSON Schema: type required properties enum default minimum
 * maximum pattern items; title and description are allowed and mean nothing.  What a schema does not mention is
 * allowed.  (The types of retrieved rows are json_rows.)
 *
 * pattern is the part of ECMAScript's regular expressions that means the same in POSIX's extended ones: characters,
 * `.`, [sets] (with [:alpha:] and the like), \d \w \s, groups, `|`, `^`, `$`, `*`, `+`, `?` and {2,5}.  It may match
 * anywhere in the text.  Nothing looks back or ahead.  It is matched by our own automaton: regcomp and regexec of glibc
 * take exponential time or memory for `z****…`, `((a+)+)+…`, `(a|b)*a(a|b){400}`, and a tenant writes the pattern.
 * Pure: no clock, no I/O.
 */
#ifndef JSON_JSON_SCHEMA_H
#define JSON_JSON_SCHEMA_H

#include "json/json.h"
#include "json/json_rows.h"

enum {
    JSON_PATTERN_MAX =
        256, /* bytes of a pattern                                                 */
    JSON_PATTERN_SIZE_MAX =
        1024, /* states, repetitions written out: `^.{1,255}$` has 512              */
    JSON_PATTERN_COST_MAX =
        16 << 10, /* states, and ranges of characters in them                           */
    JSON_PATTERN_TEXT_MAX =
        4096, /* bytes of a text that has a pattern                                 */
    JSON_PATTERN_WORK_MAX =
        64 << 20, /* bytes times cost, of one json_schema_apply: a quarter of a second  */
};

/* Is the schema itself in the subset?  pointer: JSON pointer of what is wrong, relative to the schema. */
MUST_USE struct err json_schema_check(const struct json *schema, char *pointer,
                                      size_t pointer_size, char *why, size_t why_size);
/* Does the value fit?  Defaults are filled into a copy: *ret is new.  pointer is relative to the value.  The schema
   was checked.  A value of NULL was not given: it is the default, else {} where that is allowed, else null. */
MUST_USE struct err json_schema_apply(const struct json *schema, const struct json *value,
                                      struct json **ret, char *pointer, size_t pointer_size,
                                      char *why, size_t why_size);

#endif
