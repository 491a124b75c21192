#include "cli_tenant.h"

#include "base/mem.h"
#include "cli_bucket.h"
#include "cli_patch.h"
#include "cli_print.h"
#include "run/run_tenant.h"
#include "wire/subject.h"

static const struct cli_patch_field FIELDS[] = {
    {"tier", "tier", CLI_PATCH_TEXT},
    {"cap", "cap", CLI_PATCH_NUMBER},
    {"weight", "weight", CLI_PATCH_NUMBER},
    {"queue-max", "queue_max", CLI_PATCH_NUMBER},
    {"lanes", "lanes", CLI_PATCH_LIST},
    {"sessions", "sessions", CLI_PATCH_NUMBER},
    {"paused", "paused", CLI_PATCH_BOOL},
    {"reason", "reason", CLI_PATCH_TEXT},
    {"private-net", "private_net", CLI_PATCH_BOOL},
    {NULL, NULL, CLI_PATCH_TEXT},
};

int cli_tenant_list(struct cli *cli)
{
    static const char *const COLUMNS[] = {"tenant", "tier",     "cap",    "weight", "queue_max",
                                          "lanes",  "sessions", "paused", "reason", NULL};
    const struct cli_bucket_list list  = {
         .bucket  = BUCKET_TENANTS,
         .noun    = "tenant",
         .plural  = "tenants",
         .columns = COLUMNS,
         .none    = "no tenant has values of its own; sluice tenant set T --tier pro",
    };

    return cli_bucket_list(cli, &list);
}

int cli_tenant_show(struct cli *cli)
{
    return cli_bucket_show(cli, "tenant", cli->args->places[0]);
}

/* Without the scheduler the tiers are not known: what is built in and what has that shape. */
static struct err check(const char *name, const struct json *value, struct problem *why)
{
    struct run_tenants *book = run_tenant_new(NULL, NULL);
    struct err e             = run_tenant_check(book, name, value, false, why);

    run_tenant_free(&book);
    return e;
}

static int change(struct cli *cli, const struct json *patch)
{
    const struct cli_bucket_change it = {.bucket = BUCKET_TENANTS,
                                         .noun   = "tenant",
                                         .name   = cli->args->places[0],
                                         .patch  = patch,
                                         .check  = check};

    return cli_bucket_change(cli, &it);
}

int cli_tenant_set(struct cli *cli)
{
    AUTO(json_free) struct json *patch = json_new_object();
    char why[160];

    if (failed(cli_patch_read(patch, FIELDS, cli->args, why, sizeof(why))))
        return cli_print_usage("%s", why);
    if (json_count(patch) == 0)
        return cli_print_usage("set what?  sluice tenant set --help says what there is");
    return change(cli, patch);
}

int cli_tenant_pause(struct cli *cli)
{
    AUTO(json_free) struct json *patch = json_new_object();
    const char *reason                 = cli_args_get(cli->args, "reason");

    json_set(patch, "paused", json_new_bool(true));
    if (reason)
        json_set(patch, "reason", json_new_str(reason));
    return change(cli, patch);
}

int cli_tenant_resume(struct cli *cli)
{
    AUTO(json_free) struct json *patch = json_new_object();

    json_set(patch, "paused", json_new_bool(false));
    json_set(patch, "reason", json_new_null());
    return change(cli, patch);
}
