/* upstream_stopped_worker - permits that a stopped worker was given are worth nothing when it goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/load.h"
#include "support/system/upstream.h"
#include "support/system/world.h"

enum { RUNS = 170, STOPPED_MS = 8000 };

static const char *const TENANTS[]         = {"acme", "globex", NULL};
static const struct upstream_limits LIMITS = {.per_s = 10, .burst = 2, .in_flight = 30};

static const struct load_spec READS = {
    .tenants = TENANTS,
    .runs    = RUNS,
    .body    = "\"flow\":{\"upstream\":\"sim\",\"steps\":[{\"id\":\"look\",\"timeout\":\"4s\","
               "\"retrieve\":{\"cmd\":\"page @N\",\"url\":\"https://shop.example/@N\"}}]}",
};

static void stored_permits_are_not_fired(void **state)
{
    struct world *w      = upstream_world(state, "upstream_stopped_worker", 2);
    struct upstream *sim = upstream_start(w, "sim", NULL);
    struct proc *frozen  = upstream_proc(w, "browser-worker", 1);

    upstream_put(sim,
                 "\"rate\":{\"per_s\":10,\"burst\":2},\"in_flight\":30,\"timeout\":\"4s\"");
    struct load *load = load_start(w, &READS);
    WORLD_WAIT(w, 15000, upstream_now(sim, "calls") >= 5);
    proc_stop(frozen);
    size_t held = upstream_least_held(w);
    print_message("%zu runs were waiting for a permit in the stopped worker, or more\n", held);
    WORLD_MUST(w, held >= LIMITS.per_s + LIMITS.burst); /* else it has nothing to fire */
    int64_t until = clock_ms() + STOPPED_MS;
    WORLD_WAIT(w, 2 * STOPPED_MS, clock_ms() >= until);
    int64_t before = upstream_now(sim, "calls");
    proc_continue(frozen);

    judge_all(w, load, 60000);
    WORLD_MUST(w, upstream_workers(w) == 2);
    WORLD_MUST(w, before < RUNS); /* else nobody was left who could have fired */
    WORLD_MUST(w, upstream_results(w, "done") == RUNS);
    upstream_judge(sim, &LIMITS, 1000);
    upstream_free(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(stored_permits_are_not_fired, world_teardown),
    };
    return cmocka_run_group_tests_name("upstream_stopped_worker", tests, NULL, NULL);
}
