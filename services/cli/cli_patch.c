#include "cli_patch.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { NAME_MAX = 64 };

static struct json *list_of(const char *text)
{
    struct json *list = json_new_array();

    for (size_t len; *text; text += len + (text[len] == ',')) {
        len = strcspn(text, ",");
        if (len)
            json_add(list, json_new_str_n(text, len));
    }
    return list;
}

static struct json *number_of(const char *text)
{
    struct json *value = NULL;
    char why[JSON_WHY_SIZE];

    if (failed(json_parse(&value, bytes_str(text), why, sizeof(why))) || !json_is_number(value))
        json_free(&value);
    return value;
}

/* NULL: it is no such thing. */
static struct json *value_of(enum cli_patch_type type, const char *text)
{
    if (str_equal(text, "null"))
        return json_new_null();
    switch (type) {
    case CLI_PATCH_TEXT:
        return json_new_str(text);
    case CLI_PATCH_NUMBER:
        return number_of(text);
    case CLI_PATCH_BOOL:
        if (!str_equal(text, "true") && !str_equal(text, "false"))
            return NULL;
        return json_new_bool(str_equal(text, "true"));
    case CLI_PATCH_LIST:
        return list_of(text);
    }
    return NULL;
}

static const char *type_word(enum cli_patch_type type)
{
    switch (type) {
    case CLI_PATCH_NUMBER:
        return "a number, or null";
    case CLI_PATCH_BOOL:
        return "true or false";
    case CLI_PATCH_TEXT:
    case CLI_PATCH_LIST:
        break;
    }
    return "text";
}

static void put(struct json *patch, const char *field, struct json *value)
{
    const char *slash = strchr(field, '/');
    char outer[NAME_MAX];

    if (!slash) {
        json_set(patch, field, value);
        return;
    }
    str_copy_n(outer, sizeof(outer), field, (size_t)(slash - field));

    const struct json *there = json_get(patch, outer);
    struct json *inner = json_type(there) == JSON_OBJECT ? json_copy(there) : json_new_object();

    json_set(inner, slash + 1, value);
    json_set(patch, outer, inner);
}

struct err cli_patch_read(struct json *patch, const struct cli_patch_field *fields,
                          const struct cli_args *args, char *why, size_t why_size)
{
    for (; fields->flag; fields++) {
        const char *given = cli_args_get(args, fields->flag);
        struct json *value;

        if (!given)
            continue;
        value = value_of(fields->type, given);
        if (!value) {
            str_format(why, why_size, "--%s \"%.60s\" is not %s", fields->flag, given,
                       type_word(fields->type));
            return err_of(ERR_REJECT, "read flags");
        }
        put(patch, fields->field, value);
    }
    return OK;
}
