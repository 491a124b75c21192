/* upstream_429 - one worker is told to come again later, and all of them wait. */
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

enum { RUNS = 150, IN_FLIGHT = 12, RETRY_AFTER_S = 4, MS = 1000000 };

static const char *const TENANTS[]         = {"acme", "globex", NULL};
static const struct upstream_limits LIMITS = {.per_s = 60, .burst = 6, .in_flight = IN_FLIGHT};

/* A permit that was given before may be used for 200 ms; the rest is a loaded machine's, to report the 429. */
static const int64_t USED_NS = 1500 * (int64_t)MS;

static const struct load_spec READS = {
    .tenants = TENANTS,
    .runs    = RUNS,
    .body    = "\"flow\":{\"upstream\":\"sim\",\"steps\":[{\"id\":\"look\",\"timeout\":\"5s\","
               "\"retrieve\":{\"cmd\":\"page @N\",\"url\":\"https://shop.example/@N\"}}]}",
};

/* A date has whole seconds: it names the second in which the call came, and so many more. */
static int64_t told_until_ns(const struct upstream_act *refused, bool date)
{
    int64_t cut_ms = date ? refused->from_wall_ms % 1000 : 0;

    return (date ? refused->from_ns : refused->to_ns) + (RETRY_AFTER_S * 1000 - cut_ms) * MS;
}

static void judge_wait(struct upstream *sim, bool date)
{
    struct upstream_record *r          = upstream_read(sim);
    const struct upstream_act *refused = upstream_faulted(r, "429", 0);

    WORLD_MUST(sim->world, refused && !upstream_faulted(r, "429", 1));
    int64_t until = told_until_ns(refused, date);
    size_t used   = upstream_calls_within(r, NULL, refused->to_ns, refused->to_ns + USED_NS);
    size_t late   = upstream_calls_within(r, NULL, refused->to_ns + USED_NS, until);
    print_message("429: %zu calls that were on their way, %zu while it was closed, %zu after\n",
                  used, late, upstream_calls_within(r, NULL, until, INT64_MAX));
    WORLD_MUST(sim->world, used <= IN_FLIGHT);
    WORLD_MUST(sim->world, late == 0);
    WORLD_MUST(sim->world,
               upstream_calls_within(r, NULL, until, INT64_MAX) > 3 * IN_FLIGHT); /* it bit */
    upstream_record_free(&r);
}

/* In the middle of a load the upstream begins to refuse. */
static struct upstream *refuses(void **state, const char *name, const char *fault,
                                struct load **ret_load)
{
    struct world *w = upstream_world(state, name, 3);
    struct upstream *sim =
        upstream_start(w, "sim", "{\"latency\":{\"default\":{\"min\":100,\"max\":300}}}");

    upstream_put(sim,
                 "\"rate\":{\"per_s\":60,\"burst\":6},\"in_flight\":12,\"timeout\":\"5s\"");
    *ret_load = load_start(w, &READS);
    WORLD_WAIT(w, 15000, upstream_now(sim, "calls") >= 30);
    upstream_fault(sim, fault);
    return sim;
}

static void all_wait(void **state, const char *name, const char *fault, bool date)
{
    struct load *load    = NULL;
    struct upstream *sim = refuses(state, name, fault, &load);
    struct world *w      = sim->world;

    judge_all(w, load, 60000);
    WORLD_MUST(w, upstream_results(w, "done") == RUNS);
    WORLD_MUST(w, upstream_workers(w) >= 2);
    upstream_judge_tries(w, 1);
    upstream_judge(sim, &LIMITS, 1000);
    judge_wait(sim, date);
    upstream_free(&sim);
}

static bool mode_is(struct world *w, const char *wanted)
{
    struct answer a = client_ask_text(w->client, "sluice.admin.upstream.sim", "");
    bool yes        = strcmp(answer_text(&a, "mode"), wanted) == 0;

    answer_deinit(&a);
    return yes;
}

/* Told to come again in ten minutes, and then an operator knows better: nobody sleeps on. */
static void resumed_by_an_operator_all_go_on(void **state)
{
    struct load *load    = NULL;
    struct upstream *sim = refuses(state, "upstream_429_resumed",
                                   "{\"fault\":\"429\",\"retry_after\":600}", &load);
    struct world *w      = sim->world;

    WORLD_WAIT(w, 15000, load_done(load) && mode_is(w, "closed"));
    WORLD_WAIT(w, 30000,
               upstream_now(sim, "in_flight") == 0 &&
                   client_count(w->client, "SLUICE_JOBS") == 0);
    WORLD_MUST(w, client_count(w->client, "SLUICE_PENDING") > RUNS / 3); /* they are parked */
    struct answer a =
        client_ask_text(w->client, "sluice.admin.upstream.sim", "{\"resume\":true}");
    WORLD_MUST(w, a.json && !*answer_header(&a, "Nats-Service-Error"));
    answer_deinit(&a);

    judge_all(w, load, 60000);
    WORLD_MUST(w, upstream_results(w, "done") == RUNS);
    upstream_judge_tries(w, 1);
    upstream_judge(sim, &LIMITS, 1000);
    upstream_free(&sim);
}

static void all_wait_for_seconds(void **state)
{
    all_wait(state, "upstream_429_seconds", "{\"fault\":\"429\",\"retry_after\":4}", false);
}

static void all_wait_for_a_date(void **state)
{
    all_wait(state, "upstream_429_date",
             "{\"fault\":\"429\",\"retry_after\":4,\"retry_after_form\":\"date\"}", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(all_wait_for_seconds, world_teardown),
        cmocka_unit_test_teardown(all_wait_for_a_date, world_teardown),
        cmocka_unit_test_teardown(resumed_by_an_operator_all_go_on, world_teardown),
    };
    return cmocka_run_group_tests_name("upstream_429", tests, NULL, NULL);
}
