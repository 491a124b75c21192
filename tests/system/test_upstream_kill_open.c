/* upstream_kill_open - workers die inside `open`: what was opened over there counts until it is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/load.h"
#include "support/system/upstream.h"
#include "support/system/world.h"

enum { RUNS = 20, SESSIONS = 8, WORKERS = 3, SLOTS = 4, OPENING = SESSIONS - 1 };

static const char *const TENANTS[]         = {"acme", "globex", NULL};
static const struct upstream_limits LIMITS = {
    .per_s = 40, .burst = 4, .in_flight = 20, .sessions = SESSIONS};

static const struct load_spec OPENS = {
    .tenants = TENANTS,
    .runs    = RUNS,
    .body    = "\"flow\":{\"upstream\":\"sim\",\"steps\":["
               "{\"id\":\"open\",\"timeout\":\"3s\",\"retry\":{\"tries\":9,"
               "\"wait\":\"200ms\",\"max_wait\":\"1s\"},\"open\":{\"url\":"
               "\"https://shop.example/@N\"}},"
               "{\"id\":\"look\",\"timeout\":\"3s\",\"effect\":\"read\",\"browse\":{\"cmd\":"
               "\"look @N\"}},"
               "{\"id\":\"close\",\"close\":{}}]}",
};

static void sessions_of_the_dead_count(void **state)
{
    struct world *w = upstream_world_new(state, "upstream_kill_open");
    size_t left     = 0;

    world_env(w, "SLUICE_SLOTS", "4");
    upstream_world_start(w, WORKERS);
    struct upstream *sim =
        upstream_start(w, "sim",
                       "{\"latency\":{\"default\":{\"min\":20,\"max\":60},\"open\":1200},"
                       "\"session_idle_ms\":4000,\"limits\":{\"sessions\":8}}");
    upstream_put(sim, "\"rate\":{\"per_s\":40,\"burst\":4},\"in_flight\":20,\"sessions\":8,"
                      "\"timeout\":\"3s\",\"session_idle\":\"4s\"");
    struct load *load = load_start(w, &OPENS);
    /* So many at once that one worker cannot have them all: the third asks beside the dead. */
    WORLD_WAIT(w, 30000, upstream_now(sim, "in_flight") >= OPENING);
    for (unsigned n = 1; n < WORKERS; n++)
        proc_kill(upstream_proc(w, "browser-worker", n));
    for (unsigned n = 1; n < WORKERS; n++)
        world_restart(w, upstream_proc(w, "browser-worker", n));

    judge_all(w, load, 90000);
    upstream_judge(sim, &LIMITS, 20000);
    struct upstream_record *r = upstream_read(sim);
    for (size_t i = 0; i < r->sessions.count; i++)
        left += r->sessions.items[i].expired;
    for (size_t i = 0; i < r->violations.count; i++)
        if (strcmp(r->violations.items[i].what, "sessions") == 0)
            world_fail(w, "the simulator saw one session too many");
    print_message("%zu of %zu sessions were left behind and expired; %zu runs done\n", left,
                  r->sessions.count, upstream_results(w, "done"));
    WORLD_MUST(w,
               upstream_results(w, "done") == RUNS); /* `open` is a read: it is tried again */
    WORLD_MUST(w, left >= OPENING - SLOTS);          /* else nobody was killed inside */
    upstream_record_free(&r);
    upstream_free(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(sessions_of_the_dead_count, world_teardown),
    };
    return cmocka_run_group_tests_name("upstream_kill_open", tests, NULL, NULL);
}
