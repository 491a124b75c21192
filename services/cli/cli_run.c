#include "cli_run.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/clk.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli_ask.h"
#include "cli_file.h"
#include "cli_input.h"
#include "cli_link.h"
#include "cli_print.h"
#include "cli_watch.h"
#include "wire/subject.h"
#include "wire/wire_journal.h"

enum {
    ROUND_MS   = 20000, /* of one sluice.api.wait */
    SLACK_MS   = 5000,  /* for its answer */
    AWAY_MS    = 30000, /* that long without any answer: give up */
    AGAIN_MS   = 500,
    SUBMIT_MS  = 15000,
    SUBJECT_OF = SUBJECT_SIZE,
};

/* ---- which run ------------------------------------------------------------------------------------- */

/* {"run_id"} or {"key"}; NULL: it was said what is wrong. */
static struct json *which_run(const struct cli *cli)
{
    const char *key  = cli_args_get(cli->args, "key");
    const char *id   = cli->args->place_count ? cli->args->places[0] : NULL;
    struct json *ret = NULL;

    if (!key == !id) {
        cli_print_usage(key ? "say the run's id or --key, not both"
                            : "which run?  Its id (26 characters), or --key K");
        return NULL;
    }
    if (id && !id_valid(id)) {
        cli_print_usage("\"%.40s\" is not a run id: 26 characters; or is it a --key?", id);
        return NULL;
    }
    ret = json_new_object();
    json_set(ret, id ? "run_id" : "key", json_new_str(id ? id : key));
    return ret;
}

static bool has_ended(const struct json *run)
{
    const char *status = json_str(json_get(run, "status"));

    return status && run_status_of(status) != STATUS_NONE;
}

static int exit_of(const struct json *run)
{
    return str_equal(json_str(json_get(run, "status")), "done") ? CLI_OK : CLI_FAILED;
}

static const char *id_of(const struct json *run)
{
    const char *id = json_str(json_get(run, "run_id"));

    return id && id_valid(id) ? id : NULL;
}

/* ---- get, cancel ----------------------------------------------------------------------------------------- */

int cli_run_get(struct cli *cli)
{
    AUTO(json_free) struct json *body = which_run(cli);
    char subject[SUBJECT_OF];

    if (!body)
        return CLI_USAGE;
    return cli_ask_and_print(cli, subject_api(subject, "get", cli->tenant), body);
}

int cli_run_cancel(struct cli *cli)
{
    AUTO(json_free) struct json *body = which_run(cli);
    const char *reason                = cli_args_get(cli->args, "reason");
    char subject[SUBJECT_OF];

    if (!body)
        return CLI_USAGE;
    if (reason)
        json_set(body, "reason", json_new_str(reason));
    return cli_ask_and_print(cli, subject_api(subject, "cancel", cli->tenant), body);
}

/* ---- wait -------------------------------------------------------------------------------------------------- */

struct waiting {
    struct cli *cli;
    struct json *body; /* of each round */
    struct json *run;  /* the last answer */
    uint64_t until, heard_at;
    char subject[SUBJECT_OF];
};

static uint64_t round_ms(const struct waiting *w, uint64_t now)
{
    uint64_t left = w->until - now;

    return left < ROUND_MS ? left : ROUND_MS;
}

/* A gateway that is away for a moment is no reason to give up. */
static bool try_on(struct waiting *w, struct err e, uint64_t now)
{
    bool may_pass = e.kind == ERR_ABSENT || e.kind == ERR_RETRY || e.kind == ERR_UNKNOWN;

    if (!may_pass || now - w->heard_at > AWAY_MS)
        return false;
    cli_link_pause(w->cli->link, AGAIN_MS);
    return true;
}

/* One round: true while there is more to wait for. */
static bool ask_again(struct waiting *w, int *ret_status)
{
    AUTO(json_free) struct json *answer = NULL;
    uint64_t now                        = clk_mono_ms();
    char duration[24];

    if (now >= w->until) {
        *ret_status = CLI_TIMED_OUT;
        return false;
    }
    uint64_t ms = round_ms(w, now);

    str_duration_text(ms, duration, sizeof(duration));
    json_set(w->body, "timeout", json_new_str(duration));
    struct err e =
        cli_ask_quietly(w->cli, w->subject, w->body, (uint32_t)ms + SLACK_MS, &answer);

    if (failed(e) || str_equal(json_str(json_get(answer, "code")), "unavailable")) {
        e = failed(e) ? e : err_of(ERR_RETRY, "wait");
        if (try_on(w, e, clk_mono_ms()))
            return true;
        *ret_status = cli_print_error(w->cli, e, w->subject);
        return false;
    }
    w->heard_at = clk_mono_ms();
    if (cli_print_is_problem(answer)) {
        *ret_status = cli_print_problem(w->cli, answer);
        return false;
    }
    json_free(&w->run);
    w->run      = take(&answer);
    *ret_status = exit_of(w->run);
    return !has_ended(w->run);
}

static int wait_for(struct cli *cli, const struct json *which, uint64_t timeout_ms)
{
    uint64_t now     = clk_mono_ms();
    struct waiting w = {.cli      = cli,
                        .body     = json_copy(which),
                        .until    = timeout_ms ? now + timeout_ms : UINT64_MAX,
                        .heard_at = now};
    int status       = cli_link_open(cli);

    subject_api(w.subject, "wait", cli->tenant);
    if (status == CLI_OK) {
        while (ask_again(&w, &status))
            ;
        if (w.run)
            cli_print_doc(cli, w.run);
        if (status == CLI_TIMED_OUT)
            fprintf(stderr, "sluice: the run has not ended in that time\n");
    }
    json_free(&w.body);
    json_free(&w.run);
    return status;
}

int cli_run_wait(struct cli *cli)
{
    AUTO(json_free) struct json *body = which_run(cli);
    const char *timeout               = cli_args_get(cli->args, "timeout");
    uint64_t timeout_ms               = 0;

    if (!body)
        return CLI_USAGE;
    if (timeout && (failed(str_duration_ms(timeout, &timeout_ms)) || timeout_ms == 0))
        return cli_print_usage("--timeout \"%.40s\" is not a duration; write 90s or 5m",
                               timeout);
    return wait_for(cli, body, timeout_ms);
}

/* ---- watch ------------------------------------------------------------------------------------------------------ */

int cli_run_watch(struct cli *cli)
{
    AUTO(json_free) struct json *body = which_run(cli);
    AUTO(json_free) struct json *run  = NULL;
    char subject[SUBJECT_OF];

    if (!body)
        return CLI_USAGE;
    int status = cli_ask(cli, subject_api(subject, "get", cli->tenant), body, CLI_ASK_MS, &run);

    if (status != CLI_OK)
        return status;
    return id_of(run) ? cli_watch(cli, id_of(run))
                      : cli_print_error(cli, err_of(ERR_REJECT, "read the answer"), subject);
}

/* ---- submit ------------------------------------------------------------------------------------------------------- */

/* A folder may well be called as a stored flow is. */
static bool is_file(const char *place)
{
    struct stat it;

    return str_ends(place, ".json") || (stat(place, &it) == 0 && !S_ISDIR(it.st_mode));
}

/* The request; NULL: it was said what is wrong. */
static struct json *read_submit(const struct cli *cli)
{
    const char *place = cli->args->places[0], *input_path = cli_args_get(cli->args, "input");
    AUTO(buf_deinit) struct buf flow_text = {0}, input_text = {0};
    struct cli_input input = {.flow = place};
    struct bytes flow, more;
    struct json *ret = NULL;
    char why[CLI_INPUT_WHY_SIZE];

    if (is_file(place)) {
        if (!cli_file_read(place, &flow_text))
            return NULL;
        flow            = buf_bytes(&flow_text);
        input.flow_text = &flow;
    }
    if (input_path) {
        if (!cli_file_read(input_path, &input_text))
            return NULL;
        more             = buf_bytes(&input_text);
        input.input_text = &more;
    }
    if (failed(cli_input_submit(&ret, cli->args, &input, why, sizeof(why))))
        cli_print_usage("%s", why);
    return ret;
}

static int go_on(struct cli *cli, const struct json *answer)
{
    AUTO(json_free) struct json *which = json_new_object();
    const char *id                     = id_of(answer);

    if (!id || cli_args_has(cli->args, "dry-run"))
        return CLI_OK;
    json_set(which, "run_id", json_new_str(id));
    if (cli_args_has(cli->args, "watch"))
        return cli_watch(cli, id);
    return cli_args_has(cli->args, "wait") ? wait_for(cli, which, 0) : CLI_OK;
}

int cli_run_submit(struct cli *cli)
{
    AUTO(json_free) struct json *body   = NULL;
    AUTO(json_free) struct json *answer = NULL;
    bool wait                           = cli_args_has(cli->args, "wait");
    char subject[SUBJECT_OF];

    if (wait && cli_args_has(cli->args, "watch"))
        return cli_print_usage("--wait or --watch, not both");
    body = read_submit(cli);
    if (!body)
        return CLI_USAGE;
    int status =
        cli_ask(cli, subject_api(subject, "submit", cli->tenant), body, SUBMIT_MS, &answer);

    if (status != CLI_OK)
        return status;
    if (!wait) /* then what it became is the answer */
        cli_print_doc(cli, answer);
    return go_on(cli, answer);
}
