/*
 * json_rows - the types of what a `retrieve` gives: field -> "string" "number" "bool" "url" "date" (a trailing "?":
 * may be absent or null), arrays [of one type] and objects of these.
 * Pure: no clock, no I/O.
 */
#ifndef JSON_JSON_ROWS_H
#define JSON_JSON_ROWS_H

#include "json/json.h"

/* Is it such a schema, an object of fields?  pointer: of what is wrong, relative to the schema. */
MUST_USE struct err json_rows_schema_check(const struct json *schema, char *pointer,
                                           size_t pointer_size, char *why, size_t why_size);

/* Rows of a retrieve against its field types: REJECT names row (from 1) and field.  Fields beyond the schema are
   allowed.  A url is absolute; a date is ISO 8601, with or without a time. */
MUST_USE struct err json_rows_fit(const struct json *schema, const struct json *rows, char *why,
                                  size_t why_size);

#endif
