#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli_context.h"
#include "cli_decode.h"
#include "cli_dev.h"
#include "cli_guard.h"
#include "cli_link.h"
#include "cli_pool.h"
#include "cli_print.h"
#include "cli_run.h"
#include "cli_session.h"
#include "cli_tenant.h"
#include "cli_upstream.h"
#include "cli_verbs.h"

enum { HELP_MAX = 64 * 1024, WHY_SIZE = 240 };

static cli_fn *const VERBS[CLI_VERBS] = {
    [CLI_RUN_SUBMIT]       = cli_run_submit,
    [CLI_RUN_GET]          = cli_run_get,
    [CLI_RUN_WAIT]         = cli_run_wait,
    [CLI_RUN_WATCH]        = cli_run_watch,
    [CLI_RUN_CANCEL]       = cli_run_cancel,
    [CLI_TENANT_LIST]      = cli_tenant_list,
    [CLI_TENANT_SHOW]      = cli_tenant_show,
    [CLI_TENANT_SET]       = cli_tenant_set,
    [CLI_TENANT_PAUSE]     = cli_tenant_pause,
    [CLI_TENANT_RESUME]    = cli_tenant_resume,
    [CLI_UPSTREAM_LIST]    = cli_upstream_list,
    [CLI_UPSTREAM_SHOW]    = cli_upstream_show,
    [CLI_UPSTREAM_SET]     = cli_upstream_set,
    [CLI_UPSTREAM_RESUME]  = cli_upstream_resume,
    [CLI_UPSTREAM_PAUSE]   = cli_upstream_pause,
    [CLI_UPSTREAM_UNPAUSE] = cli_upstream_unpause,
    [CLI_SESSION_LIST]     = cli_session_list,
    [CLI_SESSION_SHOW]     = cli_session_show,
    [CLI_POOL_LIST]        = cli_pool_list,
    [CLI_DECODE]           = cli_decode,
    [CLI_DEV]              = cli_dev,
};

static int help(const struct cli_args *args)
{
    AUTO(buf_deinit) struct buf text = {0};

    buf_init(&text, HELP_MAX);
    cli_verbs_help(args->noun, args->verb, &text);
    fwrite(text.at, 1, text.len, stdout);
    return CLI_OK;
}

/* A flag wins over a context, a context over the environment. */
static const char *choose(const char *flag, const char *context, const char *env,
                          const char *preset)
{
    const char *value = getenv(env);

    if (flag)
        return flag;
    if (context && *context)
        return context;
    return value && *value ? value : preset;
}

static bool read_globals(struct cli *cli, struct cli_context *context)
{
    const struct cli_args *args = cli->args;
    const char *output = cli_args_get(args, "output"), *name = cli_args_get(args, "context");

    if (output && !str_equal(output, "json") && !str_equal(output, "table")) {
        cli_print_usage("-o is table or json");
        return false;
    }
    if (name && !cli_context_load(name, context))
        return false;
    cli->json    = str_equal(output, "json");
    cli->verbose = cli_args_has(args, "verbose");
    cli->server =
        choose(cli_args_get(args, "server"), context->url, "NATS_URL", "nats://127.0.0.1:4222");
    cli->creds     = choose(cli_args_get(args, "creds"), context->creds, "NATS_CREDS", NULL);
    cli->user_file = cli->creds ? NULL : choose(NULL, NULL, "NATS_USER_FILE", NULL);
    cli->ca        = choose(NULL, NULL, "NATS_CA", NULL);
    cli->tenant    = choose(cli_args_get(args, "tenant"), NULL, "SLUICE_TENANT", "dev");
    if (str_is_name(cli->tenant))
        return true;
    cli_print_usage("--tenant is a name: 1 to 64 of A-Z a-z 0-9 _ -");
    return false;
}

static int do_it(struct cli *cli)
{
    struct cli_context context = {.url = ""};

    if (!read_globals(cli, &context))
        return CLI_USAGE;
    int status = VERBS[cli->args->verb->id](cli);

    cli_link_free(&cli->link);
    if (fflush(stdout) != 0 || ferror(stdout))
        status = status ? status : CLI_FAILED;
    return status;
}

int cli_main(int argc, char **argv)
{
    struct cli_args args;
    struct cli cli = {.args = &args};
    char why[WHY_SIZE];

    if (argc > 2 && str_equal(argv[1], CLI_GUARD_WORD))
        return cli_guard(argv + 2);
    log_setup("sluice", LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT); /* what went wrong is said by us */
    if (failed(cli_args_read(&args, &cli_verbs_table, argc > 0 ? (size_t)argc - 1 : 0,
                             (const char *const *)argv + 1, why, sizeof(why))))
        return cli_print_usage("%s", why);
    if (cli_args_has(&args, "help"))
        return help(&args);
    if (cli_args_has(&args, "version")) {
        printf("sluice %s\n", SLUICE_VERSION);
        return CLI_OK;
    }
    return do_it(&cli);
}
