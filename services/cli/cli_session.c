#include "cli_session.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli_bucket.h"
#include "cli_link.h"
#include "cli_print.h"
#include "wire/subject.h"

static const char *const FORBIDDEN[] = {"endpoint", "remote_id", "token", NULL};

int cli_session_list(struct cli *cli)
{
    static const char *const COLUMNS[] = {"session",   "status",     "upstream",        "run",
                                          "last_step", "last_error", "last_updated_at", NULL};
    const struct cli_bucket_list list  = {.bucket    = BUCKET_SESSIONS,
                                          .noun      = "session",
                                          .plural    = "sessions",
                                          .columns   = COLUMNS,
                                          .none      = "there is no session",
                                          .forbidden = FORBIDDEN};

    return cli_bucket_list(cli, &list);
}

/* "<tenant>.<session>", or the session alone: then of --tenant. */
static bool key_of(const struct cli *cli, char *at, size_t size)
{
    const char *place = cli->args->places[0], *dot = strchr(place, '.');
    bool whole = dot ? str_is_name_n(place, (size_t)(dot - place)) && str_is_name(dot + 1)
                     : str_is_name(place);

    if (!whole)
        cli_print_usage("\"%.80s\" is not a session: SESSION or TENANT.SESSION", place);
    return whole && (dot ? str_copy(at, size, place)
                         : str_format(at, size, "%s.%s", cli->tenant, place));
}

static int print_record(const struct cli *cli, const char *key, struct bytes text)
{
    AUTO(json_free) struct json *value = NULL;
    AUTO(json_free) struct json *doc   = json_new_object();
    char why[JSON_WHY_SIZE];

    if (failed(json_parse(&value, text, why, sizeof(why))) || json_type(value) != JSON_OBJECT) {
        fprintf(stderr, "sluice: the record of %s is not an object of JSON\n", key);
        return CLI_FAILED;
    }
    for (size_t i = 0; FORBIDDEN[i]; i++)
        json_unset(value, FORBIDDEN[i]);
    json_set(doc, "session", json_new_str(key));
    json_merge_patch(doc, value);
    cli_print_doc(cli, doc);
    return CLI_OK;
}

int cli_session_show(struct cli *cli)
{
    AUTO(buf_deinit) struct buf text = {0};
    char key[2 * STR_NAME_SIZE];
    uint64_t revision;
    const char *words[] = {"kv", "get", BUCKET_SESSIONS, key, "--raw", NULL};

    if (!key_of(cli, key, sizeof(key)))
        return CLI_USAGE;
    int status = cli_link_open(cli);

    if (status != CLI_OK)
        return status;
    cli_print_nats(cli, words);
    buf_init(&text, 1 << 20);
    struct err e = cli_link_get(cli->link, BUCKET_SESSIONS, key, &text, &revision);

    if (e.kind == ERR_ABSENT) {
        fprintf(stderr,
                "sluice: there is no session %s\n  sluice session list says what there "
                "is; another tenant's: TENANT.SESSION\n",
                key);
        return CLI_REFUSED;
    }
    return failed(e) ? cli_print_error(cli, e, BUCKET_SESSIONS)
                     : print_record(cli, key, buf_bytes(&text));
}
