#include "cli_ask.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli_link.h"
#include "cli_print.h"

enum { BODY_MAX = 8 << 20, ANSWER_MAX = 64 << 20 };

static void say_the_same(const struct cli *cli, const char *subject, const struct buf *body,
                         uint32_t timeout_ms)
{
    char timeout[24];
    const char *words[] = {"req",       "--no-templates",
                           "--timeout", str_duration_text(timeout_ms, timeout, sizeof(timeout)),
                           subject,     body->at ? body->at : "",
                           NULL};

    cli_print_nats(cli, words);
}

struct err cli_ask_quietly(struct cli *cli, const char *subject, const struct json *body,
                           uint32_t timeout_ms, struct json **ret)
{
    AUTO(buf_deinit) struct buf text;
    AUTO(buf_deinit) struct buf answer;
    char why[JSON_WHY_SIZE];

    buf_init(&text, BODY_MAX);
    buf_init(&answer, ANSWER_MAX);
    if (body)
        json_print(body, &text);
    say_the_same(cli, subject, &text, timeout_ms);
    if (text.full)
        return err_of(ERR_FULL, "send a request of more than 8 MiB");

    struct err e = cli_link_request(cli->link, subject, buf_bytes(&text), timeout_ms, &answer);

    return failed(e) ? e : json_parse(ret, buf_bytes(&answer), why, sizeof(why));
}

int cli_ask(struct cli *cli, const char *subject, const struct json *body, uint32_t timeout_ms,
            struct json **ret)
{
    AUTO(json_free) struct json *answer = NULL;
    int status                          = cli_link_open(cli);

    if (status != CLI_OK)
        return status;
    struct err e = cli_ask_quietly(cli, subject, body, timeout_ms, &answer);

    if (failed(e))
        return cli_print_error(cli, e, subject);
    if (cli_print_is_problem(answer))
        return cli_print_problem(cli, answer);
    *ret = take(&answer);
    return CLI_OK;
}

int cli_ask_and_print(struct cli *cli, const char *subject, const struct json *body)
{
    AUTO(json_free) struct json *answer = NULL;
    int status                          = cli_ask(cli, subject, body, CLI_ASK_MS, &answer);

    if (status == CLI_OK)
        cli_print_doc(cli, answer);
    return status;
}
