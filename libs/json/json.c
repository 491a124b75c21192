#include "json/json.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json_internal.h"

/* jansson has some of our words for its own; while its header is read they are called otherwise.  Of its functions
   only json_copy and json_equal have a name that we define, too: ours mean the same, and we never call theirs. */
#define json_type jansson_type
#define json_copy jansson_copy
#define json_equal jansson_equal
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_REAL JANSSON_REAL
#define JSON_NULL JANSSON_NULL
#include <jansson.h>
#undef json_type
#undef json_copy
#undef json_equal
#undef json_is_number
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_REAL
#undef JSON_NULL

#include <math.h>
#include <string.h>

_Static_assert(sizeof(size_t) >= sizeof(void *),
               "json_each keeps jansson's iterator in a size_t");
_Static_assert(sizeof(json_int_t) == sizeof(int64_t),
               "jansson was built without 64-bit integers");

static json_t *theirs(const struct json *v)
{
    return (json_t *)v;
}

/* jansson answers NULL when there is no memory; that cannot be. */
static struct json *ours(json_t *v)
{
    must(v);
    return (struct json *)v;
}

/* ------------------------------------------------------------------------------------ text */

size_t json_utf8_len(const char *at, size_t left)
{
    unsigned char c = (unsigned char)at[0];
    size_t len      = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;

    return c != '\0' && len <= left && str_is_utf8(bytes_of(at, len)) ? len : 0;
}

/* What a document may hold: UTF-8 without a zero.  What is neither becomes U+FFFD. */
static bool is_clean(const char *at, size_t len)
{
    return !memchr(at, '\0', len) && str_is_utf8(bytes_of(at, len));
}

static char *cleaned(const char *at, size_t len, size_t *ret_len)
{
    char *to    = mem_array(len + 1, 3);
    size_t used = 0;

    for (size_t i = 0; i < len;) {
        size_t n = json_utf8_len(at + i, len - i);
        memcpy(to + used, n > 0 ? at + i : "\xEF\xBF\xBD", n > 0 ? n : 3);
        used += n > 0 ? n : 3;
        i += n > 0 ? n : 1;
    }
    *ret_len = used;
    return to;
}

/* What stands near an error is an outsider's text. */
struct err json_refuse(const char *what, const char *sentence, char *why, size_t why_size)
{
    size_t len;
    AUTO(mem_free) char *clean = cleaned(sentence, strlen(sentence), &len);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)clean[i] < ' ' || clean[i] == 0x7F)
            clean[i] = ' ';
    if (len >= why_size) {
        len = why_size - 1;
        while (len > 0 && ((unsigned char)clean[len] & 0xC0) == 0x80)
            len--;
    }
    memcpy(why, clean, len);
    why[len] = '\0';
    return err_of(ERR_REJECT, what);
}

/* ---------------------------------------------------------------------------------- parsing */

/* What a text holds, and where it held too much. */
struct extent {
    size_t depth, values, line, column;
};

/* jansson goes down once a bracket, and makes 200 bytes of an object that is written with three, so both are counted
   before it sees them: each value but the first stands behind a bracket or a comma.  Strings hold some that are none. */
static bool within(struct bytes text, struct extent *ret)
{
    struct extent x = {.values = 1, .line = 1};
    size_t begin    = 0;
    bool in_string  = false;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (c == '"')
            in_string = !in_string;
        else if (c == '\\')
            i += in_string ? 1 : 0;
        else if (c == '\n')
            x.line++, begin = i + 1;
        else if (in_string)
            continue;
        else if (c == '[' || c == '{')
            x.depth++, x.values++;
        else if (c == ',')
            x.values++;
        else if ((c == ']' || c == '}') && x.depth > 0)
            x.depth--;
        if (x.depth <= JSON_DEPTH_MAX && x.values <= JSON_VALUES_MAX)
            continue;
        x.column = i - begin + 1;
        *ret     = x;
        return false;
    }
    return true;
}

static struct err refuse_extent(const struct extent *x, const char *what, char *why,
                                size_t why_size)
{
    char sentence[128];
    bool deep = x->depth > JSON_DEPTH_MAX;

    str_format(sentence, sizeof sentence, "line %zu column %zu: %s %d", x->line, x->column,
               deep ? "nested deeper than" : "more values than",
               deep ? JSON_DEPTH_MAX : JSON_VALUES_MAX);
    struct err e = json_refuse(what, sentence, why, why_size);
    return deep ? e : err_of(ERR_FULL, what);
}

/* Our words for jansson's. */
static void tell(const json_error_t *error, char *to, size_t size)
{
    enum json_error_code code = json_error_code(error);
    const char *near          = strstr(error->text, " near ");
    const char *token         = near ? near + 6 : ""; /* in quotes */

    if (code == json_error_duplicate_key)
        str_format(to, size, "duplicate field %.*s", token[0] ? (int)strlen(token) - 2 : 0,
                   token + !!token[0]);
    else if (code == json_error_null_character || code == json_error_null_byte_in_key)
        str_format(to, size, "a string holds the character \\u0000");
    else if (code == json_error_premature_end_of_input)
        str_format(to, size, "the text ends too early");
    else if (code == json_error_end_of_input_expected)
        str_format(to, size, "text after the end: %s", token);
    else if (code == json_error_numeric_overflow)
        str_format(to, size, "a number too big for 64 bits: write it as a string");
    else if (code == json_error_invalid_syntax && str_starts(error->text, "unexpected token"))
        str_format(to, size, "unexpected %s", token);
    else
        str_format(to, size, "%s", error->text);
}

struct err json_parse(struct json **ret, struct bytes text, char *why, size_t why_size)
{
    static const char what[] = "read JSON";
    char words[JSON_ERROR_TEXT_LENGTH + 32], sentence[sizeof words + 48];
    struct extent extent;
    json_error_t error = {0};

    if (text.len == 0)
        return json_refuse(what, "the text is empty", why, why_size);
    if (!within(text, &extent))
        return refuse_extent(&extent, what, why, why_size);

    json_t *doc = json_loadb((const char *)text.at, text.len,
                             JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!doc) {
        must(json_error_code(&error) != json_error_out_of_memory);
        tell(&error, words, sizeof words);
        str_format(sentence, sizeof sentence, "line %d column %d: %s", error.line, error.column,
                   words);
        return json_refuse(what, sentence, why, why_size);
    }
    *ret = ours(doc);
    return OK;
}

void json_free(struct json **doc)
{
    json_decref(theirs(take(doc)));
}

struct json *json_ref(const struct json *v)
{
    return v ? ours(json_incref(theirs(v))) : json_new_null();
}

struct json *json_copy(const struct json *v)
{
    return v ? ours(json_deep_copy(theirs(v))) : json_new_null();
}

/* ---------------------------------------------------------------------------------- reading */

enum json_type json_type(const struct json *v)
{
    if (!v)
        return JSON_NULL;
    switch (json_typeof(theirs(v))) {
    case JANSSON_OBJECT:
        return JSON_OBJECT;
    case JANSSON_ARRAY:
        return JSON_ARRAY;
    case JSON_STRING:
        return JSON_STR;
    case JSON_INTEGER:
        return JSON_INT;
    case JANSSON_REAL:
        return JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_BOOL;
    case JANSSON_NULL:
        return JSON_NULL;
    }
    must(!"unknown type of jansson");
    return JSON_NULL;
}

const char *json_type_word(const struct json *v)
{
    switch (json_type(v)) {
    case JSON_NULL:
        return "null";
    case JSON_BOOL:
        return "a boolean";
    case JSON_INT:
    case JSON_REAL:
        return "a number";
    case JSON_STR:
        return "a string";
    case JSON_ARRAY:
        return "an array";
    case JSON_OBJECT:
        return "an object";
    }
    return "nothing";
}

const struct json *json_get(const struct json *object, const char *key)
{
    return (const struct json *)json_object_get(theirs(object), key);
}

const struct json *json_at(const struct json *array, size_t n)
{
    return (const struct json *)json_array_get(theirs(array), n);
}

size_t json_count(const struct json *v)
{
    if (json_type(v) == JSON_ARRAY)
        return json_array_size(theirs(v));
    return json_object_size(theirs(v)); /* of what is no object: 0 */
}

const char *json_str(const struct json *v)
{
    return json_string_value(theirs(v));
}

size_t json_str_len(const struct json *v)
{
    return json_string_length(theirs(v));
}

int64_t json_int(const struct json *v)
{
    return json_integer_value(theirs(v));
}

double json_number(const struct json *v)
{
    return json_number_value(theirs(v));
}

bool json_bool(const struct json *v)
{
    return json_type(v) == JSON_BOOL && json_typeof(theirs(v)) == JSON_TRUE;
}

bool json_truth(const struct json *v)
{
    return json_type(v) == JSON_BOOL ? json_bool(v) : json_type(v) != JSON_NULL;
}

bool json_is_number(const struct json *v)
{
    return json_type(v) == JSON_INT || json_type(v) == JSON_REAL;
}

bool json_each(const struct json *object, size_t *it, const char **ret_key,
               const struct json **ret_value)
{
    void *next = *it == 0 ? json_object_iter(theirs(object))
                          : json_object_iter_next(theirs(object), (void *)*it);

    if (!next)
        return false;
    *it        = (size_t)next;
    *ret_key   = json_object_iter_key(next);
    *ret_value = (const struct json *)json_object_iter_value(next);
    return true;
}

static bool equal_objects(const struct json *a, const struct json *b)
{
    const char *key;
    const struct json *value;

    if (json_count(a) != json_count(b))
        return false;
    for (size_t it = 0; json_each(a, &it, &key, &value);) {
        const struct json *other = json_get(b, key);
        if (!other || !json_equal(value, other))
            return false;
    }
    return true;
}

static bool equal_arrays(const struct json *a, const struct json *b)
{
    size_t n = json_count(a);

    if (n != json_count(b))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!json_equal(json_at(a, i), json_at(b, i)))
            return false;
    return true;
}

bool json_equal(const struct json *a, const struct json *b)
{
    if (a == b)
        return true;
    if (json_is_number(a) && json_is_number(b)) /* 1 is 1.0 */
        return json_type(a) == JSON_INT && json_type(b) == JSON_INT
                   ? json_int(a) == json_int(b)
                   : json_number(a) == json_number(b);
    if (json_type(a) != json_type(b))
        return false;
    switch (json_type(a)) {
    case JSON_NULL:
        return true;
    case JSON_BOOL:
        return json_bool(a) == json_bool(b);
    case JSON_INT:
    case JSON_REAL:
        return false;
    case JSON_STR:
        return bytes_equal(bytes_of(json_str(a), json_str_len(a)),
                           bytes_of(json_str(b), json_str_len(b)));
    case JSON_ARRAY:
        return equal_arrays(a, b);
    case JSON_OBJECT:
        return equal_objects(a, b);
    }
    return false;
}

/* --------------------------------------------------------------------------------- building */

struct json *json_new_object(void)
{
    return ours(json_object());
}

struct json *json_new_array(void)
{
    return ours(json_array());
}

struct json *json_new_str(const char *s)
{
    return s ? json_new_str_n(s, strlen(s)) : json_new_null();
}

struct json *json_new_str_n(const char *at, size_t len)
{
    AUTO(mem_free) char *clean = NULL;

    if (!is_clean(at, len))
        at = clean = cleaned(at, len, &len);
    return ours(json_stringn_nocheck(at, len));
}

struct json *json_new_int(int64_t n)
{
    return ours(json_integer(n));
}

struct json *json_new_bool(bool yes)
{
    return ours(yes ? json_true() : json_false());
}

struct json *json_new_null(void)
{
    return ours(json_null());
}

void json_set(struct json *object, const char *key, struct json *value)
{
    AUTO(mem_free) char *clean = NULL;
    size_t len                 = strlen(key);

    if (!value)
        value = json_new_null();
    if (!is_clean(key, len))
        key = clean = cleaned(key, len, &len);
    must(json_object_set_new_nocheck(theirs(object), key, theirs(value)) ==
         0); /* no object, or into itself */
}

void json_add(struct json *array, struct json *value)
{
    if (!value)
        value = json_new_null();
    must(json_array_append_new(theirs(array), theirs(value)) == 0);
}

void json_unset(struct json *object, const char *key)
{
    json_object_del(theirs(object), key); /* -1: was not there */
}

/* What a patch gives where there was nothing: itself, without its nulls. */
static struct json *patched_nothing(const struct json *patch)
{
    struct json *v;

    if (json_type(patch) != JSON_OBJECT)
        return json_copy(patch);
    v = json_new_object();
    json_merge_patch(v, patch);
    return v;
}

void json_merge_patch(struct json *target, const struct json *patch)
{
    const char *key;
    const struct json *value;

    must(json_type(target) == JSON_OBJECT && target != patch);
    for (size_t it = 0; json_each(patch, &it, &key, &value);) {
        struct json *old = (struct json *)json_get(target, key);

        if (json_type(value) == JSON_NULL)
            json_unset(target, key);
        else if (json_type(value) == JSON_OBJECT && json_type(old) == JSON_OBJECT)
            json_merge_patch(old, value);
        else
            json_set(target, key, patched_nothing(value));
    }
}

bool json_known(const struct json *object, const char *const *allowed, const char **ret_unknown,
                const char **ret_nearest)
{
    const char *key;
    const struct json *value;

    for (size_t it = 0; json_each(object, &it, &key, &value);) {
        size_t i = 0;
        while (allowed[i] && !str_equal(allowed[i], key))
            i++;
        if (allowed[i])
            continue;
        *ret_unknown = key;
        *ret_nearest = str_nearest(key, allowed);
        return false;
    }
    return true;
}
