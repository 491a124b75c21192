/* upstream_kill_unsafe - each of many workers dies between an INTENT and its OUTCOME: nobody orders again, and nobody lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/intents.h"
#include "support/system/judge.h"
#include "support/system/load.h"
#include "support/system/orders.h"
#include "support/system/record.h"
#include "support/system/upstream.h"
#include "support/system/world.h"

enum { WORKERS = 4, KILLS = 22, DOSES = 20 };

static const char *const TENANTS[]         = {"acme", "globex", NULL};
static const struct upstream_limits LIMITS = {
    .per_s = 40, .burst = 4, .in_flight = 150, .sessions = 60};

static const struct load_spec ORDERS = {
    .tenants = TENANTS,
    .runs    = 130,
    .body =
        "\"flow\":{\"name\":\"order\",\"upstream\":\"sim\",\"steps\":["
        "{\"id\":\"open\",\"timeout\":\"3s\",\"open\":{\"url\":\"https://shop.example/\"}},"
        "{\"id\":\"place\",\"timeout\":\"4s\",\"browse\":{\"cmd\":\"buy sim:order=sim-@N\"}},"
        "{\"id\":\"close\",\"close\":{}}]}",
};

/* Each life of a process is a worker of its own. */
static void name_of(const struct proc *p, char *ret, size_t size)
{
    static const char ready[] = "msg=ready worker=";
    char *text                = proc_log(p);
    const char *name          = NULL;

    for (const char *at = text; (at = strstr(at, ready)); name = at)
        at += strlen(ready);
    snprintf(ret, size, "%.*s", name ? (int)strcspn(name, " \n") : 0, name ? name : "");
    free(text);
}

static void kill_in_a_step(struct world *w, struct intents *intents, struct proc *p)
{
    char name[80];

    WORLD_WAIT(w, 20000, proc_said_times(p, "msg=ready") == p->starts);
    name_of(p, name, sizeof(name));
    WORLD_WAIT(w, 20000, intents_of(intents, name) > 0);
    proc_kill(p);
    proc_start(p);
}

static void a_lost_order_is_never_placed_again(void **state)
{
    struct world *w = upstream_world_new(state, "upstream_kill_unsafe");
    size_t workers;

    world_env(w, "SLUICE_SLOTS", "4");
    upstream_world_start(w, WORKERS);
    struct upstream *sim = upstream_start(w, "sim",
                                          "{\"latency\":{\"default\":{\"min\":20,\"max\":60},"
                                          "\"browse\":{\"min\":1000,\"max\":1600}},"
                                          "\"session_idle_ms\":6000}");
    upstream_put(sim, "\"rate\":{\"per_s\":40,\"burst\":4},\"in_flight\":150,\"sessions\":60,"
                      "\"timeout\":\"4s\",\"session_idle\":\"6s\"");
    struct intents *intents = intents_new(w);
    struct load *load       = load_start(w, &ORDERS);
    for (unsigned n = 0; n < KILLS; n++)
        kill_in_a_step(w, intents, upstream_proc(w, "browser-worker", 1 + n % WORKERS));
    intents_free(&intents);

    judge_all(w, load, 90000);
    upstream_judge(sim, &LIMITS, 20000);
    struct record *journal    = record_read(w, "SLUICE_JOURNAL");
    struct upstream_record *r = upstream_read(sim);
    size_t lost               = orders_judge_lost(w, journal, &workers);
    orders_judge(w, r, load, journal, false);
    print_message("%zu of %d kills came between an INTENT and its OUTCOME; %zu orders lost\n",
                  workers, KILLS, lost);
    WORLD_MUST(w, workers >= DOSES);
    upstream_record_free(&r);
    record_free(&journal);
    upstream_free(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_lost_order_is_never_placed_again, world_teardown),
    };
    return cmocka_run_group_tests_name("upstream_kill_unsafe", tests, NULL, NULL);
}
