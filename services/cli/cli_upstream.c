#include "cli_upstream.h"

#include "base/mem.h"
#include "base/str.h"
#include "cli_ask.h"
#include "cli_bucket.h"
#include "cli_patch.h"
#include "cli_print.h"
#include "run/run_upstream.h"
#include "wire/subject.h"

static const struct cli_patch_field FIELDS[] = {
    {"driver", "driver", CLI_PATCH_TEXT},
    {"profile", "profile", CLI_PATCH_TEXT},
    {"url", "url", CLI_PATCH_TEXT},
    {"rate", "rate/per_s", CLI_PATCH_NUMBER},
    {"burst", "rate/burst", CLI_PATCH_NUMBER},
    {"in-flight", "in_flight", CLI_PATCH_NUMBER},
    {"sessions", "sessions", CLI_PATCH_NUMBER},
    {"timeout", "timeout", CLI_PATCH_TEXT},
    {"session-idle", "session_idle", CLI_PATCH_TEXT},
    {NULL, NULL, CLI_PATCH_TEXT},
};

int cli_upstream_list(struct cli *cli)
{
    static const char *const COLUMNS[] = {"upstream",  "driver",   "profile", "url", "rate",
                                          "in_flight", "sessions", "paused",  NULL};
    const struct cli_bucket_list list  = {
         .bucket  = BUCKET_UPSTREAMS,
         .noun    = "upstream",
         .plural  = "upstreams",
         .columns = COLUMNS,
         .none    = "no upstream is defined; sluice upstream set U --driver webdriver --url "
                     "http://127.0.0.1:9515",
    };

    return cli_bucket_list(cli, &list);
}

int cli_upstream_show(struct cli *cli)
{
    return cli_bucket_show(cli, "upstream", cli->args->places[0]);
}

static struct err check(const char *name, const struct json *value, struct problem *why)
{
    struct run_upstream read;

    return run_upstream_check(&read, name, value, why);
}

static int change(struct cli *cli, const struct json *patch)
{
    const struct cli_bucket_change it = {.bucket = BUCKET_UPSTREAMS,
                                         .noun   = "upstream",
                                         .name   = cli->args->places[0],
                                         .patch  = patch,
                                         .check  = check};

    return cli_bucket_change(cli, &it);
}

/* The key is one thing: to say one kind of it takes the other away. */
static void put_key(struct json *patch, const struct cli_args *args)
{
    const char *env = cli_args_get(args, "key-env"), *file = cli_args_get(args, "key-file");
    struct json *key;

    if (!env && !file)
        return;
    key = json_new_object();
    json_set(key, "env", env ? json_new_str(env) : json_new_null());
    json_set(key, "file", file ? json_new_str(file) : json_new_null());
    json_set(patch, "key", key);
}

static struct err read_patch(struct json **patch, const struct cli_args *args, char *why,
                             size_t why_size)
{
    const char *json = cli_args_get(args, "json");
    char detail[JSON_WHY_SIZE];

    if (json && failed(json_parse(patch, bytes_str(json), detail, sizeof(detail)))) {
        str_format(why, why_size, "--json is not valid JSON: %s", detail);
        return err_of(ERR_REJECT, "read flags");
    }
    if (!json)
        *patch = json_new_object();
    if (json_type(*patch) != JSON_OBJECT) {
        str_format(why, why_size, "--json must be an object such as {\"in_flight\":20}");
        return err_of(ERR_REJECT, "read flags");
    }
    if (cli_args_has(args, "key-env") && cli_args_has(args, "key-file")) {
        str_format(why, why_size, "--key-env or --key-file, not both");
        return err_of(ERR_REJECT, "read flags");
    }
    put_key(*patch, args);
    return cli_patch_read(*patch, FIELDS, args, why, why_size);
}

int cli_upstream_set(struct cli *cli)
{
    AUTO(json_free) struct json *patch = NULL;
    char why[240];

    if (failed(read_patch(&patch, cli->args, why, sizeof(why))))
        return cli_print_usage("%s", why);
    if (json_count(patch) == 0)
        return cli_print_usage("set what?  sluice upstream set --help says what there is");
    return change(cli, patch);
}

int cli_upstream_resume(struct cli *cli)
{
    AUTO(json_free) struct json *body = json_new_object();
    const char *ramp                  = cli_args_get(cli->args, "ramp");
    char subject[SUBJECT_SIZE];
    uint64_t ms;

    if (!cli_bucket_name_good(cli->args->places[0]))
        return CLI_USAGE;
    if (ramp && failed(str_duration_ms(ramp, &ms)))
        return cli_print_usage("--ramp \"%.40s\" is not a duration; write 5m", ramp);
    json_set(body, "resume", json_new_bool(true));
    if (ramp)
        json_set(body, "ramp", json_new_str(ramp));
    return cli_ask_and_print(cli, subject_admin(subject, "upstream", cli->args->places[0]),
                             body);
}

static int set_paused(struct cli *cli, bool paused)
{
    AUTO(json_free) struct json *patch = json_new_object();

    json_set(patch, "paused", json_new_bool(paused));
    return change(cli, patch);
}

int cli_upstream_pause(struct cli *cli)
{
    return set_paused(cli, true);
}

int cli_upstream_unpause(struct cli *cli)
{
    return set_paused(cli, false);
}
