/*
 * readme - each command that README.md shows is run, and shows what the README says it does.
 *
 * A command nobody judges fails the test, and so does a judgement of a command that is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/proc.h"
#include "support/system/world.h"

enum { COMMANDS_MAX = 64, LINE_MAX_LEN = 1024, READY_MS = 60000, COMMAND_MS = 30000 };

/* ---- the README -------------------------------------------------------------------------------- */

struct readme {
    char commands[COMMANDS_MAX][LINE_MAX_LEN];
    size_t count;
};

static char *trimmed(char *line)
{
    size_t len = strlen(line);

    while (len > 0 && strchr(" \t\r\n", line[len - 1]))
        line[--len] = '\0';
    return line + strspn(line, " \t");
}

/* The lines of the blocks that are fenced as sh; one that ends in a back slash goes on. */
static void read_readme(struct readme *ret)
{
    char line[LINE_MAX_LEN], *at;
    bool within = false, goes_on = false;
    FILE *f = fopen("README.md", "re");

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        at = trimmed(line);
        if (strncmp(at, "```", 3) == 0) {
            within = !within && strcmp(at, "```sh") == 0;
            continue;
        }
        if (!within || *at == '\0' || *at == '#')
            continue;
        assert_true(ret->count < COMMANDS_MAX);
        char *to   = ret->commands[goes_on ? ret->count - 1 : ret->count++];
        size_t len = strlen(to);
        snprintf(to + len, LINE_MAX_LEN - len, "%s", at);
        goes_on = to[strlen(to) - 1] == '\\';
        if (goes_on)
            to[strlen(to) - 1] = ' ';
    }
    fclose(f);
}

/* ---- a machine where something happens ------------------------------------------------------------ */

static natsSubscription *service; /* never answers before the end */

static void somebody_waits(struct world *w)
{
    char run[27];

    client_put(w->client, "sluice_tenants", "held", "{\"paused\":true}");
    struct answer a;
    bool known;
    WORLD_WAIT(w, 10000,
               (a     = client_ask_text(w->client, "sluice.admin.tenant.held", ""),
                known = json_is_true(json_object_get(a.json, "paused")), answer_deinit(&a),
                known));
    client_submit(w->client, "held", "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{}}]}}", run);
}

static void somebody_runs(struct world *w)
{
    char run[27];

    assert_int_equal(
        natsConnection_SubscribeSync(&service, w->client->nc, "sluice.call.dev.never"),
        NATS_OK);
    client_submit(
        w->client, "dev",
        "{\"flow\":{\"steps\":[{\"id\":\"a\",\"call\":{\"subject\":\"never\",\"body\":{"
        "}}}]}}",
        run);
    WORLD_WAIT(w, 10000, client_count(w->client, "SLUICE_JOBS") == 1);
}

static void answer_who_runs(struct world *w)
{
    natsMsg *msg = NULL;

    assert_int_equal(natsSubscription_NextMsg(&msg, service, 10000), NATS_OK);
    natsConnection_PublishString(w->client->nc, natsMsg_GetReply(msg), "{}");
    natsMsg_Destroy(msg);
    natsSubscription_Destroy(service);
    WORLD_WAIT(w, 10000, client_count(w->client, "SLUICE_JOBS") == 0);
}

static void one_more_run(struct world *w)
{
    char run[27];

    client_submit(w->client, "dev", "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{}}]}}", run);
    WORLD_WAIT(w, 10000, client_status_is(w->client, "dev", run, "done"));
}

/* ---- what each command must show -------------------------------------------------------------------- */

struct judged {
    const char *begins;
    const char *shows[4];
    void (*before)(struct world *w);
    void (*during)(struct world *w); /* it goes on until it is stopped; again and again */
    bool found;
};

static struct judged JUDGED[] = {
    {.begins = "nats req sluice.api.submit.dev '{\"key\":\"hello\"",
     .shows  = {"\"status\":\"queued\"", "\"created\":true", "\"watch\":\"sluice.watch.dev."}},
    {.begins = "nats req --timeout 10s sluice.api.wait.dev '{\"key\":\"hello\"}'",
     .shows  = {"\"status\":\"done\"", "\"result\":{\"x\":1}"}},
    {.begins = "nats req sluice.api.get.dev '{\"key\":\"hello\"}'",
     .shows  = {"\"status\":\"done\"", "\"key\":\"hello\"", "\"result\":{\"x\":1}"}},
    {.begins = "nats sub 'sluice.watch.dev.>' --headers-only",
     .shows  = {"Sluice-Kind: PLAN", "Sluice-Kind: LEASED", "Sluice-Kind: END"},
     .during = one_more_run},
    {.begins = "nats stream subjects SLUICE_RESULTS", .shows = {"sluice.result.dev."}},
    {.begins = "nats stream subjects SLUICE_PENDING",
     .shows  = {"sluice.pending.0.standard.held"},
     .before = somebody_waits},
    {.begins = "nats stream subjects SLUICE_JOBS --names",
     .shows  = {"sluice.jobs.dev.1.default"},
     .before = somebody_runs},
    {.begins = "nats req sluice.admin.tenant.dev '{\"cap\":5}'",
     .shows  = {"\"tenant\":\"dev\"", "\"cap\":5"}},
    {.begins = "nats req sluice.admin.load ''",
     .shows  = {"\"wanted_slots\":1", "\"blocked\":{", "\"paused\":1"}},
    {.begins = "nats micro stats sluice-gateway", .shows = {"submit", "wait", "get"}},
};

/* They are run as they are by others: the demo by its own test, the tests by whoever reads this. */
static const char *const EXCEPTED[] = {"./dev demo", "./dev test", NULL};

static bool is_excepted(const char *command)
{
    for (size_t n = 0; EXCEPTED[n]; n++) {
        size_t len = strlen(EXCEPTED[n]);
        if (strncmp(command, EXCEPTED[n], len) == 0 && strchr(" \t", command[len]))
            return true;
    }
    return false;
}

static struct judged *judge_of(struct world *w, const char *command)
{
    for (size_t n = 0; n < sizeof(JUDGED) / sizeof(*JUDGED); n++) {
        size_t len = strlen(JUDGED[n].begins);
        if (strncmp(command, JUDGED[n].begins, len) == 0) {
            if (JUDGED[n].found)
                world_fail(w, "shown twice: %s", command);
            JUDGED[n].found = true;
            return &JUDGED[n];
        }
    }
    world_fail(w, "README.md shows a command that nobody runs: %s", command);
}

/* ---- running -------------------------------------------------------------------------------------------- */

static bool shows_all(const struct proc *p, const struct judged *j)
{
    for (size_t n = 0; n < sizeof(j->shows) / sizeof(*j->shows) && j->shows[n]; n++)
        if (!proc_said(p, j->shows[n]))
            return false;
    return true;
}

/* What is killed later must be the command itself. */
static void shell_init(struct proc *p, struct world *w, const char *command, bool goes_on,
                       size_t n)
{
    char text[LINE_MAX_LEN + 8];

    *p = (struct proc){.name = "shell"};
    snprintf(p->log, sizeof(p->log), "%s/command-%zu.out", w->folder, n);
    proc_arg(p, "/bin/bash");
    proc_arg(p, "-c");
    snprintf(text, sizeof(text), "%s%s", goes_on ? "exec " : "", command);
    proc_arg(p, text);
    proc_env(p, "NATS_URL", w->url);
}

static void run(struct world *w, const char *command, size_t n)
{
    struct judged *j = judge_of(w, command);
    struct proc p;
    int status = 0;

    if (j->before)
        j->before(w);
    shell_init(&p, w, command, j->during != NULL, n);
    proc_start(&p);
    if (j->during) {
        int64_t until = clock_ms() + COMMAND_MS;
        while (!shows_all(&p, j) && clock_ms() < until && proc_runs(&p, &status))
            j->during(w);
        WORLD_MUST(w, proc_runs(&p, &status));
        proc_kill(&p);
    } else {
        status = proc_wait(&p, COMMAND_MS);
    }
    if (status != 0 || !shows_all(&p, j)) {
        char *said = proc_log(&p);
        print_message("$ %s\n%s\n", command, said);
        free(said);
        world_fail(w, "exit %d, or not what it should show: %s", status, command);
    }
    print_message("ok: %s\n", command);
    proc_deinit(&p);
}

/* ---- `sluice dev` ------------------------------------------------------------------------------------ */

static void read_url(struct world *w, const struct proc *dev)
{
    char *said     = proc_log(dev);
    const char *at = strstr(said, "\n  nats ");

    if (!at || sscanf(at, " nats %63s", w->url) != 1)
        world_fail(w, "sluice dev does not say where nats is");
    free(said);
}

/* What ./dev up does, with ports and a store of its own. */
static int group_up(void **state)
{
    struct world *w  = calloc(1, sizeof(*w));
    struct proc *dev = calloc(1, sizeof(*dev));
    const char *bin = getenv("SLUICE_BIN"), *server = getenv("NATS_SERVER"),
               *build = getenv("BUILD_DIR");
    char text[PROC_LINE_MAX];

    *state = w;
    assert_true(bin && server && build);
    snprintf(w->name, sizeof(w->name), "readme");
    snprintf(w->folder, sizeof(w->folder), "%s/tests/worlds/readme", build);
    snprintf(text, sizeof(text), "rm -rf '%s' && mkdir -p '%s'", w->folder, w->folder);
    assert_int_equal(system(text), 0);
    snprintf(dev->name, sizeof(dev->name), "dev");
    snprintf(dev->log, sizeof(dev->log), "%s/dev.log", w->folder);
    snprintf(text, sizeof(text), "%s/sluice", bin);
    proc_arg(dev, text);
    proc_arg(dev, "dev");
    proc_arg(dev, "--nats-port");
    proc_arg(dev, "0");
    proc_arg(dev, "--http-port");
    proc_arg(dev, "0");
    proc_arg(dev, "--store");
    snprintf(text, sizeof(text), "%s/store", w->folder);
    proc_arg(dev, text);
    proc_env(dev, "SLUICE_NATS_SERVER", server);
    w->procs[w->proc_count++] = dev;
    proc_start(dev);
    WORLD_WAIT(w, READY_MS, proc_said(dev, "Ctrl-C stops all"));
    read_url(w, dev);
    w->client = client_new(w);
    return 0;
}

static void every_command_is_run(void **state)
{
    struct world *w      = *state;
    struct readme readme = {.count = 0};
    size_t count         = sizeof(JUDGED) / sizeof(*JUDGED);

    read_readme(&readme);
    for (size_t n = 0; n < readme.count; n++) {
        if (is_excepted(readme.commands[n]))
            print_message("elsewhere: %s\n", readme.commands[n]);
        else
            run(w, readme.commands[n], n);
    }
    for (size_t n = 0; n < count; n++)
        if (!JUDGED[n].found)
            world_fail(w, "README.md does not show any more: %s", JUDGED[n].begins);
    answer_who_runs(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_command_is_run)};

    return cmocka_run_group_tests_name("readme", tests, group_up, world_teardown);
}
