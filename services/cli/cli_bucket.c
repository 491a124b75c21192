#include "cli_bucket.h"

#include "base/mem.h"
#include "base/str.h"
#include "cli_ask.h"
#include "cli_link.h"
#include "cli_print.h"
#include "wire/subject.h"

enum { VALUE_MAX = 1 << 20, TRIES = 10 };

/* ---- list ------------------------------------------------------------------------------------------- */

/* A value that somebody wrote by hand may be anything. */
static struct json *value_of(struct bytes text)
{
    struct json *value = NULL;
    char why[JSON_WHY_SIZE];

    if (!failed(json_parse(&value, text, why, sizeof(why))) && json_type(value) == JSON_OBJECT)
        return value;
    json_free(&value);
    value = json_new_object();
    json_set(value, "invalid", json_new_bool(true));
    return value;
}

static void on_value(void *self, const char *key, struct bytes text, bool gone)
{
    struct json *by_key = self;

    json_unset(by_key, key);
    if (!gone)
        json_set(by_key, key, value_of(text));
}

/* {"rate":{"per_s":10,"burst":2}} is "10/s +2"; all else as it is. */
static void put_cell(struct cli_grid *grid, const struct json *value)
{
    char text[64];

    if (json_is_number(json_get(value, "per_s"))) {
        str_format(text, sizeof(text), "%.9g/s +%.9g", json_number(json_get(value, "per_s")),
                   json_number(json_get(value, "burst")));
        cli_grid_add(grid, text);
    } else {
        cli_print_cell(grid, value);
    }
}

static void put_row(const struct cli_bucket_list *list, struct cli_grid *grid, const char *key,
                    const struct json *value)
{
    cli_grid_add(grid, key);
    for (size_t i = 1; list->columns[i]; i++)
        put_cell(grid, json_get(value, list->columns[i]));
}

static struct json *named(const struct cli_bucket_list *list, const char *key,
                          const struct json *value)
{
    struct json *one             = json_new_object();
    const char *const *forbidden = list->forbidden;

    json_set(one, list->noun, json_new_str(key));
    json_merge_patch(one, value);
    for (; forbidden && *forbidden; forbidden++)
        json_unset(one, *forbidden);
    return one;
}

static void print_list(const struct cli *cli, const struct cli_bucket_list *list,
                       const struct json *by_key)
{
    struct json *doc = json_new_object(), *all = json_new_array();
    struct cli_grid grid;
    const struct json *value;
    const char *key;

    cli_grid_init(&grid, list->columns);
    for (size_t it = 0; json_each(by_key, &it, &key, &value);) {
        put_row(list, &grid, key, value);
        json_add(all, named(list, key, value));
    }
    json_set(doc, list->plural, all);
    cli_print_grid(cli, &grid, doc, list->none);
    cli_grid_deinit(&grid);
    json_free(&doc);
}

static void say_the_same(const struct cli *cli, const char *bucket)
{
    const char *words[] = {"kv", "ls", "-v", "--display-value", bucket, NULL};

    cli_print_nats(cli, words);
}

int cli_bucket_list(struct cli *cli, const struct cli_bucket_list *list)
{
    AUTO(json_free) struct json *by_key = json_new_object();
    int status                          = cli_link_open(cli);

    if (status != CLI_OK)
        return status;
    say_the_same(cli, list->bucket);
    struct err e = cli_link_values(cli->link, list->bucket, on_value, by_key);

    if (failed(e))
        return cli_print_error(cli, e, list->bucket);
    print_list(cli, list, by_key);
    return CLI_OK;
}

/* ---- show -------------------------------------------------------------------------------------------- */

bool cli_bucket_name_good(const char *name)
{
    if (!str_is_name(name))
        cli_print_usage("\"%.80s\" is not a name: 1 to 64 of A-Z a-z 0-9 _ -", name);
    return str_is_name(name);
}

int cli_bucket_show(struct cli *cli, const char *noun, const char *name)
{
    char subject[SUBJECT_SIZE];

    if (!cli_bucket_name_good(name))
        return CLI_USAGE;
    return cli_ask_and_print(cli, subject_admin(subject, noun, name), NULL);
}

/* ---- change -------------------------------------------------------------------------------------------- */

static int problem_of(const struct cli *cli, const struct problem *why)
{
    AUTO(json_free) struct json *doc = NULL;
    AUTO(buf_deinit) struct buf text = {0};
    char detail[JSON_WHY_SIZE];

    buf_init(&text, VALUE_MAX);
    problem_json(why, NULL, &text);
    must(!failed(json_parse(&doc, buf_bytes(&text), detail, sizeof(detail))));
    return cli_print_problem(cli, doc);
}

/* The patched value; what is there and cannot be read is as if it were not. */
static struct err read_and_patch(struct cli *cli, const struct cli_bucket_change *c,
                                 struct json **ret, uint64_t *ret_revision)
{
    AUTO(buf_deinit) struct buf text = {0};
    struct json *value               = NULL;
    char why[JSON_WHY_SIZE];

    buf_init(&text, VALUE_MAX);
    struct err e = cli_link_get(cli->link, c->bucket, c->name, &text, ret_revision);

    if (failed(e) && e.kind != ERR_ABSENT)
        return e;
    if (failed(e) || failed(json_parse(&value, buf_bytes(&text), why, sizeof(why))) ||
        json_type(value) != JSON_OBJECT) {
        json_free(&value);
        value = json_new_object();
    }
    json_merge_patch(value, c->patch);
    *ret = value;
    return OK;
}

static struct err store(struct cli *cli, const struct cli_bucket_change *c,
                        const struct json *value, uint64_t revision)
{
    AUTO(buf_deinit) struct buf text = {0};

    buf_init(&text, VALUE_MAX);
    json_print(value, &text);
    return cli_link_put(cli->link, c->bucket, c->name, buf_bytes(&text), revision);
}

static int store_ourselves(struct cli *cli, const struct cli_bucket_change *c)
{
    struct err e = OK;

    for (int i = 0; i < TRIES; i++) {
        AUTO(json_free) struct json *value = NULL;
        struct problem why                 = {0};
        uint64_t revision                  = 0;

        e = read_and_patch(cli, c, &value, &revision);
        if (failed(e))
            break;
        if (failed(c->check(c->name, value, &why)))
            return problem_of(cli, &why);
        e = store(cli, c, value, revision);
        if (!failed(e)) {
            cli_print_doc(cli, value);
            return CLI_OK;
        }
        if (e.kind != ERR_CONFLICT)
            break;
    }
    return cli_print_error(cli, e, c->bucket);
}

int cli_bucket_change(struct cli *cli, const struct cli_bucket_change *c)
{
    AUTO(json_free) struct json *answer = NULL;
    char subject[SUBJECT_SIZE];

    if (!cli_bucket_name_good(c->name))
        return CLI_USAGE;
    int status = cli_link_open(cli);

    if (status != CLI_OK)
        return status;
    subject_admin(subject, c->noun, c->name);
    struct err e = cli_ask_quietly(cli, subject, c->patch, CLI_ASK_MS, &answer);

    if (e.kind == ERR_ABSENT && c->check)
        return store_ourselves(cli, c);
    if (failed(e))
        return cli_print_error(cli, e, subject);
    if (cli_print_is_problem(answer))
        return cli_print_problem(cli, answer);
    cli_print_doc(cli, answer);
    return CLI_OK;
}
