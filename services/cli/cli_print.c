#include "cli_print.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli_nats.h"
#include "problem/problem.h"

enum { TEXT_MAX = 16 << 20, NAME_WIDTH = 13 };

static void put(FILE *file, const struct buf *text)
{
    fwrite(text->at ? text->at : "", 1, text->len, file);
}

static void print_json(const struct json *doc)
{
    AUTO(buf_deinit) struct buf text = {0};

    buf_init(&text, TEXT_MAX);
    json_print(doc, &text);
    buf_char(&text, '\n');
    put(stdout, &text);
}

/* ---- documents --------------------------------------------------------------------------------------- */

static void add_value(const struct json *value, struct buf *to)
{
    AUTO(buf_deinit) struct buf text = {0};

    buf_init(&text, TEXT_MAX);
    if (json_str(value))
        buf_str(&text, json_str(value));
    else if (json_type(value) != JSON_NULL)
        json_print(value, &text);
    cli_grid_safe(text.at ? text.at : "", to);
}

static bool nothing_in(const struct json *value)
{
    enum json_type type = json_type(value);

    return type == JSON_NULL || (type == JSON_STR && !*json_str(value)) ||
           ((type == JSON_ARRAY || type == JSON_OBJECT) && json_count(value) == 0);
}

static void add_field(struct buf *to, int indent, const char *name, const struct json *value)
{
    buf_printf(to, "%*s%-*s ", indent, "", NAME_WIDTH, name);
    add_value(value, to);
    buf_char(to, '\n');
}

/* An object of objects (steps, pools) has a line for each of them. */
static bool many_objects(const struct json *value)
{
    const char *key;
    const struct json *one;
    size_t it = 0;

    return json_each(value, &it, &key, &one) && json_type(one) == JSON_OBJECT;
}

void cli_print_doc(const struct cli *cli, const struct json *doc)
{
    AUTO(buf_deinit) struct buf text = {0};
    const struct json *value, *inner;
    const char *key, *inner_key;

    if (cli->json) {
        print_json(doc);
        return;
    }
    buf_init(&text, TEXT_MAX);
    for (size_t it = 0; json_each(doc, &it, &key, &value);) {
        if (nothing_in(value))
            continue;
        if (json_type(value) != JSON_OBJECT || !many_objects(value)) {
            add_field(&text, 0, key, value);
            continue;
        }
        buf_printf(&text, "%s\n", key);
        for (size_t in = 0; json_each(value, &in, &inner_key, &inner);)
            add_field(&text, 2, inner_key, inner);
    }
    put(stdout, &text);
}

void cli_print_cell(struct cli_grid *grid, const struct json *value)
{
    AUTO(buf_deinit) struct buf text = {0};

    buf_init(&text, TEXT_MAX);
    add_value(value, &text);
    cli_grid_add(grid, text.at);
}

void cli_print_grid(const struct cli *cli, const struct cli_grid *grid, const struct json *doc,
                    const char *none)
{
    AUTO(buf_deinit) struct buf text = {0};

    if (cli->json) {
        print_json(doc);
        return;
    }
    buf_init(&text, TEXT_MAX);
    if (cli_grid_rows(grid) == 0)
        fprintf(stderr, "%s\n", none);
    else
        cli_grid_print(grid, &text);
    put(stdout, &text);
}

/* ---- problems ------------------------------------------------------------------------------------------ */

bool cli_print_is_problem(const struct json *answer)
{
    return json_type(json_get(answer, "status")) == JSON_INT &&
           json_str(json_get(answer, "code")) != NULL;
}

/* The second line: what to write instead, when to come again, or where more is said. */
static void add_advice(const struct json *problem, struct buf *to)
{
    const struct json *first = json_at(json_get(problem, "errors"), 0);
    const char *attempt      = json_str(json_get(first, "try"));
    int64_t again_ms         = json_int(json_get(problem, "retry_after_ms"));
    const char *type         = json_str(json_get(problem, "type"));
    char duration[24];

    if (attempt && *attempt) {
        buf_str(to, "try ");
        cli_grid_safe(attempt, to);
    } else if (again_ms > 0) {
        buf_printf(to, "it may be repeated in %s",
                   str_duration_text((uint64_t)again_ms, duration, sizeof(duration)));
    } else {
        buf_str(to, "more: ");
        cli_grid_safe(type ? type : "docs/errors.md", to);
    }
}

static int exit_of(const struct json *problem)
{
    bool away = str_equal(json_str(json_get(problem, "code")), "unavailable");

    return away ? CLI_UNREACHABLE : CLI_REFUSED;
}

int cli_print_problem(const struct cli *cli, const struct json *problem)
{
    const char *title  = json_str(json_get(problem, "title"));
    const char *detail = json_str(json_get(problem, "detail"));
    const char *pointer =
        json_str(json_get(json_at(json_get(problem, "errors"), 0), "pointer"));
    AUTO(buf_deinit) struct buf text = {0};

    if (cli->json) {
        print_json(problem);
        return exit_of(problem);
    }
    buf_init(&text, TEXT_MAX);
    buf_str(&text, "sluice: ");
    cli_grid_safe(title ? title : json_str(json_get(problem, "code")), &text);
    if (detail && *detail) {
        buf_str(&text, ": ");
        cli_grid_safe(detail, &text);
    }
    if (pointer && *pointer) {
        buf_str(&text, " (at ");
        cli_grid_safe(pointer, &text);
        buf_char(&text, ')');
    }
    buf_str(&text, "\n  ");
    add_advice(problem, &text);
    buf_char(&text, '\n');
    put(stderr, &text);
    return exit_of(problem);
}

/* ---- errors ------------------------------------------------------------------------------------------------ */

static const char *who_answers(const char *subject)
{
    if (str_starts(subject, "sluice.admin.upstream"))
        return "no limiter answers";
    if (str_starts(subject, "sluice.admin"))
        return "no scheduler answers";
    if (str_starts(subject, "sluice.api"))
        return "no gateway answers";
    return "there is no such bucket or stream";
}

int cli_print_away(const struct cli *cli, int status, const char *what, const char *then)
{
    AUTO(buf_deinit) struct buf text = {0};
    struct problem why;

    if (!cli->json) {
        fprintf(stderr, "sluice: %s\n  %s\n", what, then);
        return status;
    }
    problem_set(&why, PROBLEM_UNAVAILABLE, "", "%s", what);
    buf_init(&text, TEXT_MAX);
    problem_json(&why, NULL, &text);
    buf_char(&text, '\n');
    put(stdout, &text);
    return status;
}

int cli_print_error(const struct cli *cli, struct err e, const char *subject)
{
    int status       = CLI_FAILED;
    const char *what = "", *then = "";
    char text[160], more[96];

    switch ((enum err_kind)e.kind) {
    case ERR_ABSENT:
    case ERR_RETRY:
        status = CLI_UNREACHABLE;
        what   = who_answers(subject);
        then   = "are the services running?  sluice dev begins all; nats micro ls shows who is "
                 "there";
        break;
    case ERR_UNKNOWN:
        status = CLI_TIMED_OUT;
        what   = "no answer came in time; whether it was done is not known";
        then   = "look first, then repeat; a submit with --key may be repeated as it is";
        break;
    case ERR_NONE:
    case ERR_REJECT:
    case ERR_CONFLICT:
    case ERR_FULL:
    case ERR_LOST:
    case ERR_FATAL:
        what = err_text(e, text, sizeof(text));
        str_format(more, sizeof(more), "it was about %.80s", subject);
        then = more;
        break;
    }
    return cli_print_away(cli, status, what, then);
}

int cli_print_usage(const char *format, ...)
{
    va_list args;

    fputs("sluice: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return CLI_USAGE;
}

/* ---- the same with nats ---------------------------------------------------------------------------------------- */

void cli_print_nats(const struct cli *cli, const char *const *words)
{
    AUTO(buf_deinit) struct buf text = {0};

    if (!cli->verbose)
        return;
    buf_init(&text, TEXT_MAX);
    cli_nats_line(cli, words, &text);
    put(stderr, &text);
}
