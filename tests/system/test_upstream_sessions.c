/*
 * upstream_sessions - an upstream that ends silent sessions does not end those of runs that wait, and those that are kept;
 * and a tenant has no more open than it may.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/load.h"
#include "support/system/record.h"
#include "support/system/upstream.h"
#include "support/system/world.h"

enum { WAIT_MS = 40000 };

/* A session falls idle after six seconds; the run sleeps for twice that, and its session is kept for as long again. */
static const char SLEEPS[] =
    "{\"keep_session\":\"12s\",\"flow\":{\"upstream\":\"sim\",\"steps\":["
    "{\"id\":\"open\",\"open\":{\"url\":\"https://shop.example/\"}},"
    "{\"id\":\"sleep\",\"sleep\":{\"for\":\"12s\"}},"
    "{\"id\":\"go\",\"browse\":{\"cmd\":\"go on\"}}]}}";

static void a_session_does_not_fall_idle_while_its_run_waits(void **state)
{
    struct world *w      = upstream_world(state, "upstream_sessions_idle", 2);
    struct upstream *sim = upstream_start(w, "sim", "{\"session_idle_ms\":6000}");
    const struct upstream_limits limits = {.per_s = 20, .burst = 4, .sessions = 3};
    char run[3][27];

    upstream_put(sim, "\"rate\":{\"per_s\":20,\"burst\":4},\"sessions\":3,\"timeout\":\"5s\","
                      "\"session_idle\":\"6s\"");
    for (size_t n = 0; n < 3; n++)
        client_submit(w->client, "acme", SLEEPS, run[n]);
    for (size_t n = 0; n < 3; n++)
        WORLD_WAIT(w, WAIT_MS, client_status_is(w->client, "acme", run[n], "done"));
    WORLD_WAIT(w, WAIT_MS, upstream_now(sim, "sessions") == 0); /* kept long enough */

    judge_all(w, NULL, 10000);
    upstream_judge(sim, &limits, 10000);
    struct upstream_record *r = upstream_read(sim);
    WORLD_MUST(w, r->sessions.count == 3);
    for (size_t n = 0; n < 3; n++)
        WORLD_MUST(w, !r->sessions.items[n].expired);
    upstream_record_free(&r);
    upstream_free(&sim);
}

static const char *const TENANTS[]  = {"acme", NULL};
static const struct load_spec OPENS = {
    .tenants = TENANTS,
    .runs    = 16,
    .body    = "\"flow\":{\"upstream\":\"sim\",\"steps\":["
               "{\"id\":\"open\",\"open\":{\"url\":\"https://shop.example/\"}},"
               "{\"id\":\"go\",\"browse\":{\"cmd\":\"go on\"}},{\"id\":\"close\",\"close\":{}}]}"};

/* The upstream bears ten, the tenant may have two. */
static void a_tenant_has_no_more_open_than_it_may(void **state)
{
    struct world *w                     = upstream_world(state, "upstream_sessions_tenant", 2);
    struct upstream *sim                = upstream_start(w, "sim", NULL);
    const struct upstream_limits limits = {.per_s = 100, .burst = 10, .sessions = 2};

    upstream_put(sim,
                 "\"rate\":{\"per_s\":100,\"burst\":10},\"sessions\":10,\"timeout\":\"5s\"");
    client_put(w->client, "sluice_tenants", "acme", "{\"cap\":10,\"sessions\":2}");
    struct load *load = load_start(w, &OPENS);
    judge_all(w, load, WAIT_MS);
    WORLD_MUST(w, upstream_results(w, "done") == OPENS.runs);
    upstream_judge(sim, &limits, 10000);
    upstream_free(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_session_does_not_fall_idle_while_its_run_waits,
                                  world_teardown),
        cmocka_unit_test_teardown(a_tenant_has_no_more_open_than_it_may, world_teardown),
    };
    return cmocka_run_group_tests_name("upstream_sessions", tests, NULL, NULL);
}
