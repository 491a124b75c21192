#include "cli_bucket.h"

#include "base/mem.h"
#include "base/str.h"
#include "cli_ask.h"
#include "cli_link.h"
#include "cli_print.h"
#include "run/run_good.h"
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

/* {"rate":{"per_s":10,"burst":2}} is "10/s +2", without its burst "10/s"; all else as it is. */
static void put_cell(struct cli_grid *grid, const struct json *value)
{
    char text[64];

    if (json_is_number(json_get(value, "per_s"))) {
        const struct json *burst = json_get(value, "burst");

        str_format(text, sizeof(text), json_is_number(burst) ? "%.9g/s +%.9g" : "%.9g/s",
                   json_number(json_get(value, "per_s")), json_number(burst));
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

static struct err check_it(void *self, const struct json *value, struct problem *why)
{
    const struct cli_bucket_change *c = self;

    return c->check(c->name, value, why);
}

/* The patched value.  What is broken is not patched: what was good before is known to a service, and none runs. */
static struct err patched(const struct cli_bucket_change *c, const struct bytes *stored,
                          struct json **ret, struct problem *why)
{
    const struct run_good_change change = {.key    = c->name,
                                           .stored = stored,
                                           .heard  = true,
                                           .patch  = c->patch,
                                           .check  = check_it,
                                           .self   = (void *)(uintptr_t)c};
    struct run_good_changed changed     = {0};
    struct run_good *none               = run_good_new();
    struct err e                        = run_good_patch(none, &change, &changed, why);

    run_good_free(&none);
    if (!failed(e) && changed.anew && !changed.mended && changed.broken.code != PROBLEM_NONE) {
        problem_set(
            why, PROBLEM_INVALID_REQUEST, "",
            "what is stored of %s is broken (%.120s), and no service runs that knows what was "
            "good before: start them, or nats kv del %s %s",
            c->name, changed.broken.detail, c->bucket, c->name);
        json_free(&changed.value);
        return err_of(ERR_REJECT, "patch a value");
    }
    *ret = changed.value;
    return e;
}

static struct err read_and_patch(struct cli *cli, const struct cli_bucket_change *c,
                                 struct json **ret, uint64_t *ret_revision, struct problem *why)
{
    AUTO(buf_deinit) struct buf text = {0};

    buf_init(&text, VALUE_MAX);
    struct err e = cli_link_get(cli->link, c->bucket, c->name, &text, ret_revision);

    if (failed(e) && e.kind != ERR_ABSENT)
        return e;
    const struct bytes stored = buf_bytes(&text);

    return patched(c, failed(e) ? NULL : &stored, ret, why);
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

        e = read_and_patch(cli, c, &value, &revision, &why);
        if (why.code != PROBLEM_NONE)
            return problem_of(cli, &why);
        if (failed(e))
            break;
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
