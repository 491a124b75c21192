#include "cli_input.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { NAME_MAX = 256 };

#define REFUSE(...) (str_format(why, why_size, __VA_ARGS__), err_of(ERR_REJECT, "read input"))

static struct json *value_of(const char *text, bool json_values)
{
    struct json *value = NULL;
    char why[JSON_WHY_SIZE];

    if (json_values && !failed(json_parse(&value, bytes_str(text), why, sizeof(why))))
        return value;
    return json_new_str(text);
}

/* "k=v" into an object. */
static struct err put(struct json *object, const char *pair, bool json_values, char *why,
                      size_t why_size)
{
    const char *equals = strchr(pair, '=');
    char name[NAME_MAX];

    if (!equals || equals == pair)
        return REFUSE("\"%.60s\" is not k=v", pair);
    if (!str_copy_n(name, sizeof(name), pair, (size_t)(equals - pair)))
        return REFUSE("the name in \"%.60s…\" is too long", pair);
    if (!str_is_utf8(bytes_str(pair)))
        return REFUSE("\"%.60s\" is not UTF-8", name);
    if (json_get(object, name))
        return REFUSE("\"%.60s\" is given twice", name);
    json_set(object, name, value_of(equals + 1, json_values));
    return OK;
}

static struct err document(struct json **ret, const char *what, struct bytes text, char *why,
                           size_t why_size)
{
    char detail[JSON_WHY_SIZE];

    if (failed(json_parse(ret, text, detail, sizeof(detail))))
        return REFUSE("%s is not valid JSON: %s", what, detail);
    return OK;
}

static struct err read_flow(struct json *submit, const struct cli_input *input, char *why,
                            size_t why_size)
{
    struct json *flow = NULL;

    if (!input->flow_text) {
        json_set(submit, "flow", json_new_str(input->flow));
        return OK;
    }
    struct err e = document(&flow, "the flow", *input->flow_text, why, why_size);

    if (!failed(e))
        json_set(submit, "flow", flow);
    return e;
}

static struct err read_input(struct json *submit, const struct cli_args *args,
                             const struct cli_input *input, char *why, size_t why_size)
{
    AUTO(json_free) struct json *value = NULL;
    const char *pair;
    struct err e = OK;

    if (input->input_text)
        e = document(&value, "the input", *input->input_text, why, why_size);
    if (failed(e) || (!value && !cli_args_has(args, "in")))
        return e;
    if (!value)
        value = json_new_object();
    if (json_type(value) != JSON_OBJECT)
        return REFUSE("the input is %s; it must be an object", json_type_word(value));
    for (size_t i = 0; (pair = cli_args_nth(args, "in", i)) != NULL && !failed(e); i++)
        e = put(value, pair, true, why, why_size);
    if (!failed(e))
        json_set(submit, "input", take(&value));
    return e;
}

static struct err read_labels(struct json *submit, const struct cli_args *args, char *why,
                              size_t why_size)
{
    AUTO(json_free) struct json *labels = json_new_object();
    const char *pair;
    struct err e = OK;

    for (size_t i = 0; (pair = cli_args_nth(args, "label", i)) != NULL && !failed(e); i++)
        e = put(labels, pair, false, why, why_size);
    if (!failed(e) && json_count(labels))
        json_set(submit, "labels", take(&labels));
    return e;
}

static void read_fields(struct json *submit, const struct cli_args *args)
{
    static const char *const FIELDS[][2] = {
        {"key", "key"},
        {"lane", "lane"},
        {"lock", "lock"},
        {"pool", "pool"},
        {"upstream", "upstream"},
        {"session", "session"},
        {"step", "step"},
        {"not-before", "not_before"},
        {"start-within", "start_within"},
        {"timeout", "timeout"},
        {"keep-session", "keep_session"},
    };

    for (size_t i = 0; i < sizeof(FIELDS) / sizeof(*FIELDS); i++)
        if (cli_args_has(args, FIELDS[i][0]))
            json_set(submit, FIELDS[i][1], json_new_str(cli_args_get(args, FIELDS[i][0])));
    if (cli_args_has(args, "dry-run"))
        json_set(submit, "dry_run", json_new_bool(true));
}

struct err cli_input_submit(struct json **ret, const struct cli_args *args,
                            const struct cli_input *input, char *why, size_t why_size)
{
    AUTO(json_free) struct json *submit = json_new_object();
    struct err e                        = read_flow(submit, input, why, why_size);

    if (!failed(e))
        e = read_input(submit, args, input, why, why_size);
    if (!failed(e))
        e = read_labels(submit, args, why, why_size);
    if (failed(e))
        return e;
    read_fields(submit, args);
    *ret = take(&submit);
    return OK;
}
