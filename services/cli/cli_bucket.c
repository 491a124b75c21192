#include "cli_bucket.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli_ask.h"
#include "cli_link.h"
#include "cli_print.h"
#include "wire/subject.h"

enum { VALUE_MAX = 1 << 20, TRIES = 10 };

/* ---- list ------------------------------------------------------------------------------------------- */

struct listing {
    const struct cli_bucket_list *list;
    struct cli_grid grid;
    struct json *all;
};

static void put_row(struct listing *l, const char *key, const struct json *value)
{
    cli_grid_add(&l->grid, key);
    for (size_t i = 1; i < l->grid.columns; i++)
        cli_print_cell(&l->grid, json_get(value, l->list->columns[i]));
}

static void on_value(void *self, const char *key, struct bytes text)
{
    struct listing *l            = self;
    struct json *value           = NULL;
    struct json *one             = json_new_object();
    const char *const *forbidden = l->list->forbidden;
    char why[JSON_WHY_SIZE];

    if (failed(json_parse(&value, text, why, sizeof(why))) || json_type(value) != JSON_OBJECT) {
        json_free(&value);
        value = json_new_object();
        json_set(value, "invalid", json_new_str(*why ? why : "not an object"));
    }
    for (; forbidden && *forbidden; forbidden++)
        json_unset(value, *forbidden);
    json_set(one, l->list->noun, json_new_str(key));
    json_merge_patch(one, value);
    put_row(l, key, value);
    json_add(l->all, one);
    json_free(&value);
}

static void say_the_same(const struct cli *cli, const char *bucket)
{
    const char *words[] = {"kv", "ls", "-v", "--display-value", bucket, NULL};

    cli_print_nats(cli, words);
}

int cli_bucket_list(struct cli *cli, const struct cli_bucket_list *list)
{
    struct listing l = {.list = list, .all = json_new_array()};
    struct json *doc = json_new_object();
    int status       = cli_link_open(cli);

    cli_grid_init(&l.grid, list->columns);
    if (status == CLI_OK) {
        say_the_same(cli, list->bucket);
        struct err e = cli_link_values(cli->link, list->bucket, on_value, &l);

        if (failed(e))
            status = cli_print_error(cli, e, list->bucket);
    }
    json_set(doc, list->plural, l.all);
    if (status == CLI_OK)
        cli_print_grid(cli, &l.grid, doc, list->none);
    json_free(&doc);
    cli_grid_deinit(&l.grid);
    return status;
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
