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

enum { RUNS = 20, SESSIONS = 8, KILLS = 3, WORKERS = 2 };

static const char *const TENANTS[]         = {"acme", "globex", NULL};
static const struct upstream_limits LIMITS = {
    .per_s = 40, .burst = 4, .in_flight = 20, .sessions = SESSIONS};

static const struct load_spec OPENS = {
    .tenants = TENANTS,
    .runs    = RUNS,
    .body    = "\"flow\":{\"upstream\":\"sim\",\"steps\":["
               "{\"id\":\"open\",\"timeout\":\"3s\",\"retry\":{\"tries\":9},\"open\":{\"url\":"
               "\"https://shop.example/@N\"}},"
               "{\"id\":\"look\",\"timeout\":\"3s\",\"effect\":\"read\",\"browse\":{\"cmd\":"
               "\"look @N\"}},"
               "{\"id\":\"close\",\"close\":{}}]}",
};

static void sessions_of_the_dead_count(void **state)
{
    struct world *w = upstream_world(state, "upstream_kill_open", WORKERS);
    struct upstream *sim =
        upstream_start(w, "sim",
                       "{\"latency\":{\"default\":{\"min\":20,\"max\":60},\"open\":900},"
                       "\"session_idle_ms\":4000,\"limits\":{\"sessions\":8}}");
    unsigned killed = 0;

    upstream_put(sim, "\"rate\":{\"per_s\":40,\"burst\":4},\"in_flight\":20,\"sessions\":8,"
                      "\"timeout\":\"3s\",\"session_idle\":\"4s\"");
    struct load *load = load_start(w, &OPENS);
    for (unsigned n = 0; n < KILLS; n++) {
        struct proc *p = upstream_proc(w, "browser-worker", 1 + n % WORKERS);
        int64_t before = upstream_now(sim, "calls");
        WORLD_WAIT(w, 30000,
                   upstream_now(sim, "in_flight") >= 2 && upstream_now(sim, "calls") > before);
        proc_kill(p);
        world_restart(w, p);
    }

    judge_all(w, load, 90000);
    upstream_judge(sim, &LIMITS, 20000);
    struct upstream_record *r = upstream_read(sim);
    for (size_t i = 0; i < r->sessions.count; i++)
        killed += r->sessions.items[i].expired;
    for (size_t i = 0; i < r->violations.count; i++)
        if (strcmp(r->violations.items[i].what, "sessions") == 0)
            world_fail(w, "the simulator saw one session too many");
    print_message("%u of %zu sessions were left behind and expired; %zu runs done\n", killed,
                  r->sessions.count, upstream_results(w, "done"));
    WORLD_MUST(w,
               upstream_results(w, "done") == RUNS); /* `open` is a read: it is tried again */
    WORLD_MUST(w, r->sessions.count > RUNS);         /* else nobody was killed inside */
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
