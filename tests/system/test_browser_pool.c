/* browser_pool - an upstream without a url: its browsers are where the worker's SLUICE_WEBDRIVER says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "support/system/browser.h"
#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/record.h"
#include "support/system/world.h"

enum { RUN_MS = 60000, RUNS = 3 };

static const char READS[] = "{\"flow\":{\"upstream\":\"chrome\",\"steps\":["
                            "{\"id\":\"open\",\"open\":{\"url\":\"SHOP/cart\"}},"
                            "{\"id\":\"read\",\"retrieve\":{\"select\":{\"h\":\"h1\"}}}],"
                            "\"result\":{\"h\":\"${.steps.read.rows[0].h}\"}}}";

/* At no point of the journal more than one between OPENED and CLOSED; how many there were in all. */
static size_t judge_one_at_a_time(struct world *w)
{
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    size_t open = 0, opened = 0;

    for (size_t i = 0; i < journal->count; i++) {
        const char *kind = record_header(&journal->items[i], "Sluice-Kind");
        if (strcmp(kind, "OPENED") == 0 && ++opened && ++open > 1)
            world_fail(w, "two sessions at one place");
        open -= strcmp(kind, "CLOSED") == 0;
    }
    record_free(&journal);
    return opened;
}

/* The record says where, so that any worker can go on there. */
static bool recorded_at(struct world *w, unsigned port)
{
    struct record *sessions = record_read(w, "KV_sluice_sessions");
    char where[64];
    bool said = false;

    snprintf(where, sizeof(where), "\"endpoint\":\"http://127.0.0.1:%u\"", port);
    for (size_t i = 0; i < sessions->count; i++) {
        const natsMsg *m = sessions->items[i].msg;
        said = said || memmem(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m), where,
                              strlen(where));
    }
    record_free(&sessions);
    return said;
}

static void a_place_has_its_number_of_sessions_and_the_others_wait(void **state)
{
    struct world *w   = browser_world(state, "browser_pool", 0);
    struct browser *b = browser_start(w);
    char run[RUNS][27], where[64];

    snprintf(where, sizeof(where), "dns+http://127.0.0.1:%u", b->port);
    world_env(w, "SLUICE_WEBDRIVER", where);
    world_env(w, "SLUICE_SESSIONS_PER_BROWSER", "1");
    (void)world_start(w, "browser-worker");
    browser_put(b, "{\"driver\":\"webdriver\"}");
    for (size_t i = 0; i < RUNS; i++)
        browser_submit(b, "dev", READS, run[i]);
    for (size_t i = 0; i < RUNS; i++)
        WORLD_WAIT(w, RUN_MS, client_status_is(w->client, "dev", run[i], "done"));
    judge_all(w, NULL, RUN_MS);
    WORLD_MUST(w, judge_one_at_a_time(w) == RUNS);
    WORLD_MUST(w, recorded_at(w, b->port));
    WORLD_WAIT(w, RUN_MS, browser_sessions(b) == 0);
    browser_free(&b);
}

static void a_wrong_place_is_refused_before_it_starts(void **state)
{
    char command[PROC_LINE_MAX], said[600] = "";

    (void)state;
    snprintf(command, sizeof(command),
             "SLUICE_WEBDRIVER=browser:9515 '%s/sluice-browser-worker' --check 2>&1",
             getenv("SLUICE_BIN"));
    FILE *from = popen(command, "re");
    (void)!fgets(said, sizeof(said), from);
    int status = pclose(from);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
    assert_non_null(strstr(said, "SLUICE_WEBDRIVER: \"browser:9515\" is no place; write "
                                 "http://HOST[:PORT][/PATH] or dns+http://NAME[:PORT]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_place_has_its_number_of_sessions_and_the_others_wait,
                                  world_teardown),
        cmocka_unit_test(a_wrong_place_is_refused_before_it_starts),
    };
    return cmocka_run_group_tests_name("browser_pool", tests, NULL, NULL);
}
