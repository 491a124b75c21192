/*
 * bw_select - the `select` of a retrieve: field -> css, css@attribute, css|type, taken apart.  Pure.
 *
 * The field "" is the row; without it there is one row, the document.  Types: text, number, url, html, date,
 * bool; where none is said, that of the schema, else text.  A field that the schema says is an array is all
 * that its css finds.
 */
#ifndef BW_SELECT_H
#define BW_SELECT_H

#include "json/json.h"

/* {"row":css|null,"fields":[{"name","css","attribute","type","many"}…]}: what the page's script is given.  schema may be
   NULL.  REJECT with why. */
MUST_USE struct err bw_select_read(const struct json *select, const struct json *schema,
                                   struct json **ret, char *why, size_t why_size);

/* The body of a function of such a spec and a greatest number of rows; it answers {"rows":[[…]…]}, in each row the
   values of the fields, or {"wrong":"price: …"}. */
extern const char bw_select_script[];

/* The rows as objects, in the order of the fields: a new value. */
struct json *bw_select_rows(const struct json *spec, const struct json *rows);

#endif
