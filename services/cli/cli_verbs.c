#include "cli_verbs.h"

#include <string.h>

#include "base/str.h"

#define END \
    { \
        0 \
    }

static const struct cli_flag GLOBALS[] = {
    {"server", "URL", "where NATS is (NATS_URL; nats://127.0.0.1:4222)", 's', false},
    {"creds", "FILE", "credentials for NATS (NATS_CREDS, else NATS_USER_FILE)", 0, false},
    {"context", "NAME", "a context of the nats CLI: its url and creds", 0, false},
    {"tenant", "T", "whose runs (SLUICE_TENANT; dev)", 0, false},
    {"output", "table|json", "how the answer is printed (table)", 'o', false},
    {"verbose", NULL, "prints the nats command that does the same", 'v', false},
    {"help", NULL, "prints this; after a noun or a verb, what it takes", 'h', false},
    {"version", NULL, "prints the version", 0, false},
    END,
};

static const struct cli_flag SUBMIT[] = {
    {"in", "k=v", "one field of the input: JSON if it parses, else text", 'i', true},
    {"input", "FILE|-", "the whole input, a JSON file or stdin", 0, false},
    {"key", "K", "idempotency key: the same key is the same run", 0, false},
    {"lane", "L", "realtime, standard or bulk (the flow's)", 0, false},
    {"lock", "L", "runs with the same lock never overlap", 0, false},
    {"pool", "P", "which workers", 0, false},
    {"upstream", "U", "instead of the flow's", 0, false},
    {"session", "S", "an open session that an earlier run kept", 0, false},
    {"step", "ID", "begin there", 0, false},
    {"not-before", "T", "not before this time, as 2026-11-21T03:00:00Z", 0, false},
    {"start-within", "D", "expire if not begun by then, as 30s", 0, false},
    {"timeout", "D", "longest time of the run, as 45m", 0, false},
    {"keep-session", "D", "leave the session open that long after the end", 0, false},
    {"label", "k=v", "found and shown with the run", 0, true},
    {"wait", NULL, "wait for the end and print the run", 0, false},
    {"watch", NULL, "follow the run to its end", 0, false},
    {"dry-run", NULL, "check only; nothing is begun", 0, false},
    END,
};

static const struct cli_flag KEY[] = {
    {"key", "K", "the run with this idempotency key", 0, false},
    END,
};
static const struct cli_flag WAIT[] = {
    {"key", "K", "the run with this idempotency key", 0, false},
    {"timeout", "D", "give up after that long, exit 5 (for ever)", 0, false},
    END,
};
static const struct cli_flag CANCEL[] = {
    {"key", "K", "the run with this idempotency key", 0, false},
    {"reason", "R", "stands in the run's journal", 0, false},
    END,
};
static const struct cli_flag REASON[] = {
    {"reason", "R", "shown with the pause", 0, false},
    END,
};

static const struct cli_flag TENANT[] = {
    {"tier", "NAME", "plan whose values hold where nothing is set", 0, false},
    {"cap", "N", "runs in flight at once; null: the tier's", 0, false},
    {"weight", "N", "share beside other tenants", 0, false},
    {"queue-max", "N", "runs that may wait", 0, false},
    {"lanes", "a,b", "lanes it may use", 0, false},
    {"sessions", "N", "open sessions at once; null: the tier's", 0, false},
    {"paused", "true|false", "nothing new is begun", 0, false},
    {"reason", "R", "shown with the pause", 0, false},
    {"private-net", "true|false", "may visit private addresses", 0, false},
    END,
};

static const struct cli_flag UPSTREAM[] = {
    {"driver", "D", "agent or webdriver", 0, false},
    {"profile", "P", "which agent API, as multion", 0, false},
    {"url", "URL", "where it is; a webdriver's may be left to SLUICE_WEBDRIVER", 0, false},
    {"key-env", "NAME", "its key is in this variable of the workers", 0, false},
    {"key-file", "F", "its key is in this file of the workers", 0, false},
    {"rate", "N", "requests a second", 0, false},
    {"burst", "N", "requests beyond the rate at once", 0, false},
    {"in-flight", "N", "calls at once", 0, false},
    {"sessions", "N", "open sessions at once", 0, false},
    {"timeout", "D", "of a call, as 120s", 0, false},
    {"session-idle", "D", "how long it keeps a silent session", 0, false},
    {"json", "{…}", "any other fields; what flags say wins", 0, false},
    END,
};
static const struct cli_flag RESUME[] = {
    {"ramp", "D", "back to full rate over that time, as 5m", 0, false},
    END,
};

static const struct cli_flag DEV[] = {
    {"store", "DIR", "where the data lives, also over a restart (./.sluice)", 0, false},
    {"nats-port", "N", "of nats-server; 0: a free one (4222)", 0, false},
    {"http-port", "N", "/livez, /readyz and /metrics of the gateway; 0: a free one (8080)", 0,
     false},
    {"workers", "N", "worker processes (1)", 0, false},
    {"slots", "N", "runs at once of each worker (the worker's own default)", 0, false},
    {"chrome", NULL, "starts a chromedriver and defines the upstream chrome", 0, false},
    {"no-nats", NULL, "uses the nats-server of --server, starts none", 0, false},
    END,
};

static const struct cli_verb VERBS[] = {
    {CLI_RUN_SUBMIT, "run", "submit", "FLOW|FILE", 1, 1, SUBMIT, "begin a run"},
    {CLI_RUN_GET, "run", "get", "ID", 0, 1, KEY, "what is known of a run"},
    {CLI_RUN_WAIT, "run", "wait", "ID", 0, 1, WAIT, "the same, when it has ended"},
    {CLI_RUN_WATCH, "run", "watch", "ID", 0, 1, KEY, "its journal as it is written"},
    {CLI_RUN_CANCEL, "run", "cancel", "ID", 0, 1, CANCEL, "end it"},
    {CLI_TENANT_LIST, "tenant", "list", "", 0, 0, NULL, "tenants with values of their own"},
    {CLI_TENANT_SHOW, "tenant", "show", "T", 1, 1, NULL, "what holds, what runs, what waits"},
    {CLI_TENANT_SET, "tenant", "set", "T", 1, 1, TENANT, "change it, within a second"},
    {CLI_TENANT_PAUSE, "tenant", "pause", "T", 1, 1, REASON, "begin nothing new of it"},
    {CLI_TENANT_RESUME, "tenant", "resume", "T", 1, 1, NULL, "end the pause"},
    {CLI_UPSTREAM_LIST, "upstream", "list", "", 0, 0, NULL, "upstreams that are defined"},
    {CLI_UPSTREAM_SHOW, "upstream", "show", "U", 1, 1, NULL, "its mode, limits and use"},
    {CLI_UPSTREAM_SET, "upstream", "set", "U", 1, 1, UPSTREAM, "define or change it"},
    {CLI_UPSTREAM_RESUME, "upstream", "resume", "U", 1, 1, RESUME, "end limited mode (402)"},
    {CLI_UPSTREAM_PAUSE, "upstream", "pause", "U", 1, 1, NULL, "call it no more"},
    {CLI_UPSTREAM_UNPAUSE, "upstream", "unpause", "U", 1, 1, NULL, "call it again"},
    {CLI_SESSION_LIST, "session", "list", "", 0, 0, NULL, "browser sessions"},
    {CLI_SESSION_SHOW, "session", "show", "S", 1, 1, NULL, "one of them"},
    {CLI_POOL_LIST, "pool", "list", "", 0, 0, NULL, "workers' slots, and what waits for them"},
    {CLI_DECODE, "decode", NULL, "", 0, 0, NULL,
     "a message on stdin as one line of JSON: nats … --translate 'sluice decode'"},
    {CLI_DEV, "dev", NULL, "", 0, 0, DEV, "nats-server and all services in this terminal"},
    END,
};

static const struct cli_later LATER[] = {
    {"run", "show list signal step explain replay artifacts"},
    {"flow", ""},
    {"top", ""},
    {"calls", ""},
    {"report", ""},
    {"session", "close"},
    {"dead", ""},
    {"tenant", "cancel"},
    {"pool", "show pause resume"},
    {"pause", ""},
    {"resume", ""},
    {"key", ""},
    {"secret", ""},
    {"hook", ""},
    {"repair", ""},
    {"doctor", ""},
    {"nats-permissions", ""},
    {"bench", ""},
    {"export", ""},
    END,
};

const struct cli_table cli_verbs_table = {VERBS, GLOBALS, LATER};

/* ---- help ------------------------------------------------------------------------------------- */

static void add_columns(struct buf *to, const char *left, int width, const char *right)
{
    buf_printf(to, "  %-*s  %s\n", width, left, right);
}

static void add_flags(struct buf *to, const struct cli_flag *flags)
{
    char left[64];

    for (; flags && flags->name; flags++) {
        size_t len = 0;

        if (flags->letter) {
            str_format(left, sizeof(left), "-%c, ", flags->letter);
            len = strlen(left);
        }
        str_format(left + len, sizeof(left) - len, "--%s%s%s", flags->name,
                   flags->value ? " " : "", flags->value ? flags->value : "");
        add_columns(to, left, 24, flags->help);
    }
}

static void add_verbs(struct buf *to, const char *noun)
{
    char left[64];

    for (const struct cli_verb *v = VERBS; v->noun; v++) {
        if (noun && !str_equal(v->noun, noun))
            continue;
        str_format(left, sizeof(left), "%s%s%s%s%s", v->noun, v->verb ? " " : "",
                   v->verb ? v->verb : "", *v->places ? " " : "", v->places);
        add_columns(to, left, 24, v->help);
    }
}

static void help_verb(const struct cli_verb *v, struct buf *to)
{
    buf_printf(to, "sluice %s%s%s - %s\n\nUsage: sluice %s%s%s%s%s%s\n", v->noun,
               v->verb ? " " : "", v->verb ? v->verb : "", v->help, v->noun, v->verb ? " " : "",
               v->verb ? v->verb : "", *v->places ? " " : "", v->places,
               v->flags ? " [flag]…" : "");
    if (v->flags)
        buf_char(to, '\n');
    add_flags(to, v->flags);
    buf_str(to, "\nFlags of every command:\n");
    add_flags(to, GLOBALS);
}

void cli_verbs_help(const char *noun, const struct cli_verb *verb, struct buf *to)
{
    if (verb) {
        help_verb(verb, to);
        return;
    }
    if (noun)
        buf_printf(to, "Usage: sluice %s <verb> …\n\n", noun);
    else
        buf_str(to, "sluice - run fleets of browser agents on NATS JetStream\n\n"
                    "Usage: sluice [flag]… <noun> <verb> …\n\n");
    add_verbs(to, noun);
    buf_str(to, "\nFlags of every command:\n");
    add_flags(to, GLOBALS);
    buf_str(to,
            "\nExit: 0 ok, 1 failed run or check, 2 usage, 3 refused, 4 unreachable, 5 timed "
            "out\n");
    if (!noun)
        buf_str(to, "More: sluice <noun> <verb> --help\n");
}
