/*
 * bw_select - the `select` of a retrieve: field -> css, css@attribute, css|type, taken apart.  Pure.
 *
 * The field "" is the row; without it there is one row, the document.  Types: text (default), number, url,
 * html, date, bool.
 */
#ifndef BW_SELECT_H
#define BW_SELECT_H

#include "json/json.h"

/* {"row":css|null,"fields":[{"name","css","attribute","type"}…]}: what the page's script is given.  REJECT with why. */
MUST_USE struct err bw_select_read(const struct json *select, struct json **ret, char *why,
                                   size_t why_size);

/* The script: one expression of a function body that answers {"rows":[…]} from such a spec, at most `max` rows. */
extern const char bw_select_script[];

#endif
