/* browser_leak - a worker dies while chromedriver opens a session for it: nobody ever hears the id, and yet it is closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/browser.h"
#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/record.h"
#include "support/system/upstream.h"
#include "support/system/world.h"

enum { TRIES = 6, RUN_MS = 60000, REAP_MS = 60000 };

static const char OPENS[] = "{\"flow\":{\"upstream\":\"chrome\",\"steps\":["
                            "{\"id\":\"open\",\"timeout\":\"20s\",\"retry\":{\"tries\":9},"
                            "\"open\":{\"url\":\"SHOP/cart\"}},"
                            "{\"id\":\"read\",\"retrieve\":{\"select\":{\"h\":\"h1\"}}}],"
                            "\"result\":{\"h\":\"${.steps.read.rows[0].h}\"}}}";

static size_t entries(struct world *w, const char *run, const char *kind)
{
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    size_t count           = record_entries(journal, run, kind);

    record_free(&journal);
    return count;
}

static bool is_over(struct world *w, const char *run)
{
    return client_status_is(w->client, "dev", run, "done");
}

/* Kills the worker as soon as there is a process of a browser; false: it knew the session already. */
static bool kill_within_open(struct browser *b, char run[27])
{
    struct world *w     = b->world;
    struct proc *worker = upstream_proc(w, "browser-worker", 1);

    browser_submit(b, "dev", OPENS, run);
    WORLD_WAIT(w, RUN_MS, browser_processes(b) > 0);
    proc_kill(worker);
    bool within = entries(w, run, "OPENING") == 1 && entries(w, run, "OPENED") == 0;
    WORLD_WAIT(w, RUN_MS, browser_sessions(b) == 1); /* it is made all the same */
    world_restart(w, worker);
    return within;
}

/* The upstream takes one session at a time: the run goes on only when the one that leaked is gone, and its place is free. */
static void a_session_that_nobody_heard_of_is_closed(void **state)
{
    struct world *w   = browser_world(state, "browser_leak", 1);
    struct browser *b = browser_start(w);
    bool within       = false;
    char run[27];

    browser_put(b, "{\"driver\":\"webdriver\",\"url\":\"CHROME\",\"sessions\":1}");
    for (unsigned i = 0; i < TRIES && !within; i++) {
        within = kill_within_open(b, run);
        WORLD_WAIT(w, REAP_MS + RUN_MS, is_over(w, run));
    }
    WORLD_MUST(w, within); /* else nothing was proved */
    WORLD_MUST(w, entries(w, run, "OPENED") == 1);
    judge_all(w, NULL, RUN_MS);
    WORLD_WAIT(w, REAP_MS, browser_sessions(b) == 0);
    WORLD_WAIT(w, REAP_MS, browser_processes(b) == 0);
    browser_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_session_that_nobody_heard_of_is_closed, world_teardown),
    };
    return cmocka_run_group_tests_name("browser_leak", tests, NULL, NULL);
}
