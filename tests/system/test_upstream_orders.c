/* upstream_orders - hundreds of orders at two upstreams while every process is killed and stopped in counted doses. */
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

enum {
    RUNS       = 155,
    ROUNDS     = 5,
    STOPS      = 2,
    MANY       = 20,
    DOSES      = 5,
    DOSES_MANY = 3,
    FOREIGN    = 20,
    STOPPED_MS = 2500,
    WORKERS    = 3
};

static const char *const TENANTS[] = {"acme", "globex", NULL};

/* The second asks somebody to look; the first has no such branch. */
#define ORDER(sim, on, more) \
    "\"flow\":{\"name\":\"order\",\"upstream\":\"" sim "\",\"steps\":[" \
    "{\"id\":\"open\",\"timeout\":\"4s\",\"open\":{\"url\":\"https://shop.example/\"}}," \
    "{\"id\":\"place\",\"timeout\":\"4s\"," on "\"browse\":{\"cmd\":\"buy sim:order=" sim \
    "-@N\"}}," \
    "{\"id\":\"close\",\"close\":{}}," \
    "{\"id\":\"placed\",\"end\":{\"status\":\"done\"}}" more "]}"

static const struct load_spec PLAIN   = {.tenants = TENANTS,
                                         .runs    = RUNS,
                                         .per_s   = 30,
                                         .prefix  = "plain",
                                         .body    = ORDER("plain", "", "")};
static const struct load_spec LOOKING = {
    .tenants = TENANTS,
    .runs    = RUNS,
    .per_s   = 30,
    .prefix  = "looking",
    .body    = ORDER("looking", "\"on\":{\"indeterminate\":\"look\"},",
                     ",{\"id\":\"look\",\"timeout\":\"4s\",\"retrieve\":{\"cmd\":\"my "
                        "orders\",\"url\":\"https://shop.example/orders\"}},"
                        "{\"id\":\"looked\",\"end\":{\"status\":\"done\",\"reason\":\"looked\"}}"),
};

static const struct upstream_limits PLAIN_LIMITS = {
    .per_s = 40, .burst = 8, .in_flight = 30, .sessions = 40};
static const struct upstream_limits LOOKING_LIMITS = {
    .per_s = 25, .burst = 5, .in_flight = 20, .sessions = 30};

enum role { WORKER, LIMITER, SCHEDULER, GATEWAY, ROLES };

static const char *const SERVICES[ROLES] = {"browser-worker", "limiter", "scheduler",
                                            "gateway"};

struct doses {
    struct world *world;
    struct upstream *plain, *looking;
    unsigned kills[ROLES], stops[ROLES], many[ROLES];
};

static int64_t in_flight(struct doses *d)
{
    return upstream_now(d->plain, "in_flight") + upstream_now(d->looking, "in_flight");
}

/* In the middle of much, if it comes to that within its time. */
static void dose(struct doses *d, enum role role, bool stop)
{
    int64_t until = clock_ms() + 6000, calls = 0;

    while ((calls = in_flight(d)) < MANY && clock_ms() < until)
        world_turn(d->world);
    d->many[role] += calls >= MANY;
    d->kills[role] += !stop;
    d->stops[role] += stop;
}

static void kill_one(struct doses *d, enum role role, unsigned n)
{
    struct proc *p = upstream_proc(d->world, SERVICES[role], n);

    dose(d, role, false);
    proc_kill(p);
    proc_start(p);
}

static void stop_one(struct doses *d, enum role role, unsigned n, unsigned ms)
{
    struct proc *p = upstream_proc(d->world, SERVICES[role], n);

    dose(d, role, true);
    proc_stop(p);
    int64_t until = clock_ms() + ms;
    while (clock_ms() < until)
        world_turn(d->world);
    proc_continue(p);
}

static void disturb(struct doses *d)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        kill_one(d, WORKER, 1 + round % WORKERS);
        kill_one(d, GATEWAY, 1);
        if (round < STOPS) {
            stop_one(d, LIMITER, 1, STOPPED_MS); /* longer than its leadership */
            stop_one(d, SCHEDULER, 1, STOPPED_MS);
            stop_one(d, WORKER, 1 + round, STOPPED_MS);
            stop_one(d, GATEWAY, 1, STOPPED_MS / 4);
        } else {
            kill_one(d, SCHEDULER, 1);
            kill_one(d, LIMITER, 1);
        }
    }
}

static void judge_doses(struct doses *d, size_t foreign)
{
    for (enum role r = 0; r < ROLES; r++)
        print_message("%s: %u kills, %u stops, %u of them with %d calls in flight\n",
                      SERVICES[r], d->kills[r], d->stops[r], d->many[r], MANY);
    print_message("%zu workers' kills between INTENT and OUTCOME\n", foreign);
    for (enum role r = 0; r < ROLES; r++) {
        WORLD_MUST(d->world, d->kills[r] + d->stops[r] >= DOSES);
        WORLD_MUST(d->world, d->many[r] >= DOSES_MANY);
    }
    WORLD_MUST(d->world, foreign >= FOREIGN);
}

/* A run that says it ordered has, once; one that failed before has not. */
static void judge_words(struct world *w, struct upstream *sim, struct load *load,
                        const struct record *journal, bool looks)
{
    struct upstream_record *r = upstream_read(sim);

    for (size_t n = 0; n < load_count(load); n++) {
        struct load_item i = load_item(load, n);
        char key[64];
        if (!i.accepted)
            world_fail(w, "%s was never accepted (%s)", i.key, i.code);
        snprintf(key, sizeof(key), "%s-%zu", sim->name, n);
        const struct upstream_act *order = upstream_order(r, key);
        const struct record_item *end    = record_entry(journal, i.run, "END", 0);
        const char *status               = record_header(end, "Sluice-Result");
        bool lost = false, placed = false;
        for (size_t k = 0; k < record_entries(journal, i.run, "OUTCOME"); k++) {
            const struct record_item *o = record_entry(journal, i.run, "OUTCOME", k);
            if (strcmp(record_header(o, "Sluice-Step"), "place") == 0) {
                lost |= strcmp(record_header(o, "Sluice-Result"), "indeterminate") == 0;
                placed |= strcmp(record_header(o, "Sluice-Result"), "ok") == 0;
            }
        }
        bool well = lost ? strcmp(status, looks ? "done" : "indeterminate") == 0 ||
                               strcmp(status, "indeterminate") == 0
                         : strcmp(status, "done") == 0 && placed && order;
        if (!well) {
            record_print(journal, i.run);
            world_fail(w, "run %s (%s) ended %s; its order %s", i.run, key, status,
                       order ? "was placed" : "was not placed");
        }
    }
    upstream_record_free(&r);
}

static void no_order_is_placed_twice(void **state)
{
    static const char LATENCY[] =
        "{\"latency\":{\"default\":{\"min\":300,\"max\":700},\"browse\":{\"min\":900,\"max\":"
        "1500},"
        "\"close\":{\"min\":50,\"max\":150}},\"session_idle_ms\":20000}";
    struct world *w = upstream_world(state, "upstream_orders", WORKERS);
    struct doses d  = {.world = w};

    d.plain   = upstream_start(w, "plain", LATENCY);
    d.looking = upstream_start(w, "looking", LATENCY);
    upstream_put(d.plain, "\"rate\":{\"per_s\":40,\"burst\":8},\"in_flight\":30,\"sessions\":"
                          "40,\"timeout\":\"4s\",\"session_idle\":\"20s\"");
    upstream_put(d.looking, "\"rate\":{\"per_s\":25,\"burst\":5},\"in_flight\":20,\"sessions\":"
                            "30,\"timeout\":\"4s\",\"session_idle\":\"20s\"");
    client_put(w->client, "sluice_tenants", "acme", "{\"tier\":\"scale\",\"cap\":60}");
    struct load *plain = load_start(w, &PLAIN), *looking = load_start(w, &LOOKING);

    disturb(&d);
    WORLD_WAIT(w, 60000, load_done(plain) && load_done(looking));
    judge_all(w, plain, 120000);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    judge_load(w, journal, looking);
    (void)judge_cap(w, journal, "acme", 60, 0);
    size_t foreign = upstream_judge_foreign(w, journal);
    upstream_judge(d.plain, &PLAIN_LIMITS, 40000);
    upstream_judge(d.looking, &LOOKING_LIMITS, 40000);
    judge_words(w, d.plain, plain, journal, false);
    judge_words(w, d.looking, looking, journal, true);
    judge_doses(&d, foreign);
    record_free(&journal);
    upstream_free(&d.plain);
    upstream_free(&d.looking);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(no_order_is_placed_twice, world_teardown),
    };
    return cmocka_run_group_tests_name("upstream_orders", tests, NULL, NULL);
}
