/* closed_descriptors - a program whose stdin, stdout or stderr is closed does what it does otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/proc.h"
#include "support/system/world.h"

enum { READY_MS = 30000, COMMAND_MS = 30000, END_MS = 30000 };

static const char *const CLOSED[]   = {"<&-", ">&-", "2>&-", "<&- >&- 2>&-"};
static const char *const SERVICES[] = {"gateway", "scheduler", "limiter", "browser-worker"};

enum { WAYS = sizeof(CLOSED) / sizeof(*CLOSED), MANY = sizeof(SERVICES) / sizeof(*SERVICES) };

static const char FLOW[] = "{\"steps\":[{\"id\":\"a\",\"set\":{}}]}";

static int world_up(void **state)
{
    (void)world_new(state, "closed_descriptors");
    return 0;
}

/* The rest of a line of shell, which becomes that program. */
static void begin(struct world *w, struct proc *p, const char *name, const char *rest)
{
    char line[PROC_LINE_MAX];

    snprintf(p->name, sizeof(p->name), "%s", name);
    snprintf(p->log, sizeof(p->log), "%s/%s.log", w->folder, name);
    snprintf(line, sizeof(line), "exec '%s/%s' %s", getenv("SLUICE_BIN"), name, rest);
    proc_arg(p, "/bin/sh");
    proc_arg(p, "-c");
    proc_arg(p, line);
    for (size_t i = 0; i < w->env_count; i++)
        proc_env(p, w->env[i][0], w->env[i][1]);
    proc_start(p);
}

static bool is_known(struct world *w)
{
    struct answer a = client_ask_text(w->client, "sluice.admin.upstream.agents", "");
    bool yes        = a.status == NATS_OK && strcmp(answer_text(&a, "upstream"), "agents") == 0;

    answer_deinit(&a);
    return yes;
}

static bool is_accepted(struct world *w, const char *key)
{
    char body[200];

    snprintf(body, sizeof(body), "{\"flow\":%s,\"key\":\"%s\"}", FLOW, key);
    struct answer a = client_ask_text(w->client, "sluice.api.submit.acme", body);
    bool yes        = *answer_text(&a, "run_id") != '\0';

    answer_deinit(&a);
    return yes;
}

static bool is_done(struct world *w, const char *key)
{
    char body[64];

    snprintf(body, sizeof(body), "{\"key\":\"%s\"}", key);
    struct answer a = client_ask_text(w->client, "sluice.api.get.acme", body);
    bool yes        = strcmp(answer_text(&a, "status"), "done") == 0;

    answer_deinit(&a);
    return yes;
}

static void services_work_and_end_in_order(void **state)
{
    struct world *w = *state;
    char name[64], key[16];

    for (size_t way = 0; way < WAYS; way++) {
        struct proc *procs[MANY];

        for (size_t i = 0; i < MANY; i++) {
            snprintf(name, sizeof(name), "sluice-%s", SERVICES[i]);
            procs[i] = w->procs[w->proc_count++] = calloc(1, sizeof(*procs[i]));
            begin(w, procs[i], name, CLOSED[way]);
        }
        snprintf(key, sizeof(key), "way-%zu", way);
        WORLD_WAIT(w, READY_MS, is_accepted(w, key));
        WORLD_WAIT(w, READY_MS, is_done(w, key));
        if (way == 0)
            client_put(w->client, "sluice_upstreams", "agents",
                       "{\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"http://"
                       "127.0.0.1:9\"}");
        WORLD_WAIT(w, READY_MS, is_known(w));
        for (size_t i = 0; i < MANY; i++) {
            int status = proc_end(procs[i], END_MS);
            if (status != 0)
                world_fail(w, "%s %s ends with %d", procs[i]->name, CLOSED[way], status);
        }
    }
}

static void the_command_answers(void **state)
{
    struct world *w = *state;
    char path[PROC_PATH_MAX], rest[PROC_LINE_MAX - PROC_PATH_MAX], answer[PROC_PATH_MAX];

    world_start_all(w);
    snprintf(path, sizeof(path), "%s/flow.json", w->folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(FLOW, f);
    fclose(f);
    for (size_t way = 0; way < WAYS; way++) {
        struct proc p = {0};

        snprintf(answer, sizeof(answer), "%s/sluice.log", w->folder);
        (void)remove(answer);
        snprintf(rest, sizeof(rest), "run submit '%s' --key k %s", path, CLOSED[way]);
        begin(w, &p, "sluice", rest);
        int status = proc_wait(&p, COMMAND_MS);
        if (status != 0)
            world_fail(w, "sluice %s ends with %d", CLOSED[way], status);
        if (!strstr(CLOSED[way], " >&-") && *CLOSED[way] != '>' && !proc_said(&p, "run_id"))
            world_fail(w, "sluice %s says nothing", CLOSED[way]);
        proc_deinit(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(services_work_and_end_in_order, world_up,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(the_command_answers, world_up, world_teardown),
    };
    return cmocka_run_group_tests_name("closed_descriptors", tests, NULL, NULL);
}
