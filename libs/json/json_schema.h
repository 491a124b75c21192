/*
 * json_schema - the input of a flow, in a subset of JSON Schema: type required properties enum default minimum
 * maximum pattern items; title and description are allowed and mean nothing.  What a schema does not mention is
 * allowed.  (The types of retrieved rows are json_rows.)
 *
 * pattern is a POSIX extended regular expression that may match anywhere, of bytes, not of characters.  It is
 * bounded, in itself and in the text it is asked about, because regcomp and regexec of glibc are not:
 * `((a+)+)+…` doubles at each plus, and each byte of `(a|b)*a(a|b){400}` makes a state of some kilobytes.
 * Pure: no clock, no I/O.
 */
#ifndef JSON_JSON_SCHEMA_H
#define JSON_JSON_SCHEMA_H

#include "json/json.h"
#include "json/json_rows.h"

enum {
    JSON_PATTERN_MAX = 256, /* bytes of a pattern                                         */
    JSON_PATTERN_ATOMS_MAX =
        512, /* with repetitions written out: `^.{1,255}$` has 257         */
    JSON_PATTERN_TEXT_MAX =
        1024, /* bytes of a text that has a pattern                         */
    JSON_PATTERN_WORK_MAX =
        8
        << 20, /* bytes times atoms of one json_schema_apply: half a second at the very worst */
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
