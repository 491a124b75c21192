/*
 * json - bounded documents: parsed once, read by path, printed compact; jansson behind it.
 *
 * Limits are given at the door: bytes (by the caller), depth (JSON_DEPTH_MAX), so that 10,000 brackets
 * are an error with a place in it and never a deep recursion, and the number of values (JSON_VALUES_MAX),
 * so that 16 MiB of "{},{},{}" are not 1.2 GB.  Strings are UTF-8 without a zero, so
 * json_str is the whole string.  Integers are 64-bit and exact; a greater one is refused, not rounded.
 *
 * A `const struct json *` is a borrowed place inside a document; a `struct json *` that a function
 * returns as new is a reference the caller frees.
 */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

struct json; /* a jansson value, under our name */

enum json_type { JSON_NULL, JSON_BOOL, JSON_INT, JSON_REAL, JSON_STR, JSON_ARRAY, JSON_OBJECT };

enum { JSON_DEPTH_MAX = 64, JSON_VALUES_MAX = 1000000, JSON_WHY_SIZE = 160 };

/* Any value.  REJECT with a sentence in why: "line 3 column 9: unexpected '}'", "nested deeper than 64", "duplicate field \"a\"".
   FULL likewise: "line 1 column 2999998: more values than 1000000". */
MUST_USE struct err json_parse(struct json **ret, struct bytes text, char *why,
                               size_t why_size);
void json_free(struct json **doc);
struct json *json_ref(const struct json *v);  /* one more owner */
struct json *json_copy(const struct json *v); /* deep */

enum json_type json_type(const struct json *v);   /* NULL pointer: JSON_NULL */
const char *json_type_word(const struct json *v); /* "a string", "an object": for errors */

/* Reading; a wrong type gives the zero value. */
const struct json *json_get(const struct json *object, const char *key); /* NULL if absent */
const struct json *json_at(const struct json *array, size_t n);
size_t json_count(const struct json *v);    /* of an array or object; else 0 */
const char *json_str(const struct json *v); /* NULL if it is no string */
size_t json_str_len(const struct json *v);
int64_t json_int(const struct json *v);
double json_number(const struct json *v); /* int or real */
bool json_bool(const struct json *v);
bool json_truth(
    const struct json *v); /* as in jq: false and null are false, all else is true */
bool json_is_number(const struct json *v);
bool json_equal(const struct json *a, const struct json *b); /* 1 equals 1.0 */
/* for (size_t it = 0; json_each(object, &it, &key, &value);)  in the order of the document; it must not lose members meanwhile */
bool json_each(const struct json *object, size_t *it, const char **ret_key,
               const struct json **ret_value);

/* Building: each returns a new value the caller owns; *_set and *_add take theirs over (and accept NULL as null). */
struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *
json_new_str(const char *s); /* invalid UTF-8 and zeros become U+FFFD; NULL gives null */
struct json *json_new_str_n(const char *at, size_t len);
struct json *json_new_int(int64_t n);
struct json *json_new_bool(bool yes);
struct json *json_new_null(void);
void json_set(struct json *object, const char *key, struct json *value);
void json_add(struct json *array, struct json *value);
void json_unset(struct json *object, const char *key);
/* RFC 7396: null removes. */
void json_merge_patch(struct json *target, const struct json *patch);

/* Printing: compact; sorted (by bytes, at each level) for digests.  Stops when `to` is full.  A number is the shortest
   text that reads back as the same; 5.0 is 5. */
void json_print(const struct json *v, struct buf *to);
void json_print_sorted(const struct json *v, struct buf *to);

/* Appends a JSON string literal / a member to text that is being built by hand. */
void json_quote(struct buf *to, const char *s);
void json_quote_n(struct buf *to, const char *at, size_t len);

/* The closed world of fields: true if every key of object is in the NULL-terminated list; else false with the
   first unknown one and the nearest allowed name (or NULL). */
bool json_known(const struct json *object, const char *const *allowed, const char **ret_unknown,
                const char **ret_nearest);

#endif
