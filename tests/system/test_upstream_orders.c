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
#include "support/system/orders.h"
#include "support/system/record.h"
#include "support/system/upstream.h"
#include "support/system/world.h"

enum {
    ROUNDS     = 5,
    WORKERS    = 3,
    STOPPED_MS = 2000, /* longer than a leadership */
    MANY       = 50,   /* calls in flight, by the record */
    SURE       = 58,   /* some are answered between the look and the blow */
    MANY_MS    = 10000,
    KILLS      = 5, /* of each role; of these so many in the middle of MANY */
    KILLS_MANY = 3,
    BLOWS_MAX  = 64,
    MS         = 1000000
};

static const char *const TENANTS[] = {"acme", "globex", NULL};

/* The second asks somebody to look; the first has no such branch. */
#define ORDER(sim, on, more) \
    "\"flow\":{\"name\":\"order\",\"upstream\":\"" sim "\",\"steps\":[" \
    "{\"id\":\"open\",\"timeout\":\"4s\",\"open\":{\"url\":\"https://shop.example/\"}}," \
    "{\"id\":\"place\",\"timeout\":\"6s\"," on "\"browse\":{\"cmd\":\"buy sim:order=" sim \
    "-@N\"}}," \
    "{\"id\":\"close\",\"close\":{}}," \
    "{\"id\":\"placed\",\"end\":{\"status\":\"done\"}}" more "]}"

static const struct load_spec PLAIN   = {.tenants = TENANTS,
                                         .runs    = 340,
                                         .per_s   = 16,
                                         .prefix  = "plain",
                                         .body    = ORDER("plain", "", "")};
static const struct load_spec LOOKING = {
    .tenants = TENANTS,
    .runs    = 210,
    .per_s   = 10,
    .prefix  = "looking",
    .body    = ORDER("looking", "\"on\":{\"indeterminate\":\"look\"},",
                     ",{\"id\":\"look\",\"timeout\":\"4s\",\"retrieve\":{\"cmd\":\"my "
                        "orders\",\"url\":\"https://shop.example/orders\"}},"
                        "{\"id\":\"looked\",\"end\":{\"status\":\"done\",\"reason\":\"looked\"}}"),
};

static const struct upstream_limits PLAIN_LIMITS = {
    .per_s = 40, .burst = 8, .in_flight = 110, .sessions = 70};
static const struct upstream_limits LOOKING_LIMITS = {
    .per_s = 25, .burst = 5, .in_flight = 80, .sessions = 50};

enum role { WORKER, LIMITER, SCHEDULER, GATEWAY, ROLES };

static const char *const SERVICES[ROLES] = {"browser-worker", "limiter", "scheduler",
                                            "gateway"};

struct blow {
    enum role role;
    bool stop; /* SIGSTOP; else kill -9 */
    int64_t at_ns;
};

struct doses {
    struct world *world;
    struct upstream *plain, *looking;
    struct blow blows[BLOWS_MAX];
    size_t count;
};

/* In the middle of much, if it comes to that within its time. */
static void wait_many(struct doses *d)
{
    int64_t until = clock_ms() + MANY_MS;

    while (upstream_now(d->plain, "in_flight") + upstream_now(d->looking, "in_flight") < SURE &&
           clock_ms() < until)
        world_turn(d->world);
}

static struct proc *strike(struct doses *d, enum role role, unsigned n, bool stop)
{
    struct proc *p = upstream_proc(d->world, SERVICES[role], n);

    WORLD_MUST(d->world, d->count < BLOWS_MAX);
    d->blows[d->count++] = (struct blow){role, stop, clock_ms() * MS};
    if (stop)
        proc_stop(p);
    else
        proc_kill(p);
    return p;
}

static void kill_two(struct doses *d, enum role one, enum role other, unsigned n)
{
    wait_many(d);
    struct proc *p = strike(d, one, 1, false), *q = strike(d, other, n, false);
    proc_start(p);
    proc_start(q);
}

static void stop_two(struct doses *d, enum role one, enum role other, unsigned n)
{
    wait_many(d);
    struct proc *p = strike(d, one, 1, true), *q = strike(d, other, n, true);
    int64_t until = clock_ms() + STOPPED_MS;
    while (clock_ms() < until)
        world_turn(d->world);
    proc_continue(p);
    proc_continue(q);
}

static void disturb(struct doses *d)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        kill_two(d, SCHEDULER, WORKER, 1 + round % WORKERS);
        kill_two(d, LIMITER, GATEWAY, 1);
        if (round == 1)
            stop_two(d, LIMITER, WORKER, 1);
        if (round == 3)
            stop_two(d, SCHEDULER, GATEWAY, 1);
    }
}

static size_t in_flight_at(const struct upstream_record *plain,
                           const struct upstream_record *looking, int64_t ns)
{
    return upstream_at_once(&plain->calls, ns) + upstream_at_once(&looking->calls, ns);
}

static void judge_doses(struct doses *d, const struct upstream_record *plain,
                        const struct upstream_record *looking)
{
    unsigned kills[ROLES] = {0}, many[ROLES] = {0}, stops[ROLES] = {0};

    for (size_t i = 0; i < d->count; i++) {
        const struct blow *b = &d->blows[i];
        kills[b->role] += !b->stop;
        stops[b->role] += b->stop;
        many[b->role] += !b->stop && in_flight_at(plain, looking, b->at_ns) >= MANY;
    }
    for (enum role r = 0; r < ROLES; r++)
        print_message("%s: %u kills, %u of them with %d calls in flight; %u stops\n",
                      SERVICES[r], kills[r], many[r], MANY, stops[r]);
    for (enum role r = 0; r < ROLES; r++)
        WORLD_MUST(d->world, kills[r] >= KILLS && many[r] >= KILLS_MANY && stops[r] >= 1);
}

static void no_order_is_placed_twice(void **state)
{
    static const char LATENCY[] =
        "{\"latency\":{\"default\":{\"min\":200,\"max\":400},\"browse\":{\"min\":2800,\"max\":"
        "3800},\"close\":{\"min\":50,\"max\":150}},\"session_idle_ms\":10000}";
    struct world *w = upstream_world_new(state, "upstream_orders");
    struct doses d  = {.world = w};

    world_env(w, "SLUICE_SLOTS", "50");
    world_env(w, "SLUICE_LEADER_TTL", "1s");
    upstream_world_start(w, WORKERS);
    d.plain   = upstream_start(w, "plain", LATENCY);
    d.looking = upstream_start(w, "looking", LATENCY);
    upstream_put(d.plain, "\"rate\":{\"per_s\":40,\"burst\":8},\"in_flight\":110,\"sessions\":"
                          "70,\"timeout\":\"6s\",\"session_idle\":\"10s\"");
    upstream_put(d.looking, "\"rate\":{\"per_s\":25,\"burst\":5},\"in_flight\":80,\"sessions\":"
                            "50,\"timeout\":\"6s\",\"session_idle\":\"10s\"");
    client_put(w->client, "sluice_tenants", "acme", "{\"tier\":\"scale\",\"cap\":60}");
    struct load *plain = load_start(w, &PLAIN), *looking = load_start(w, &LOOKING);

    disturb(&d);
    WORLD_WAIT(w, 60000, load_done(plain) && load_done(looking));
    judge_all(w, plain, 120000);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    judge_load(w, journal, looking);
    (void)judge_cap(w, journal, "acme", 60, 0);
    size_t workers, lost = orders_judge_lost(w, journal, &workers);
    print_message("%zu orders of %zu workers lost between INTENT and OUTCOME\n", lost, workers);
    upstream_judge(d.plain, &PLAIN_LIMITS, 40000);
    upstream_judge(d.looking, &LOOKING_LIMITS, 40000);
    struct upstream_record *at_plain   = upstream_read(d.plain),
                           *at_looking = upstream_read(d.looking);
    orders_judge(w, at_plain, plain, journal, false);
    orders_judge(w, at_looking, looking, journal, true);
    judge_doses(&d, at_plain, at_looking);
    upstream_record_free(&at_plain);
    upstream_record_free(&at_looking);
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
