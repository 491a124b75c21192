/* chaos - random kills and stops of everything, for SLUICE_CHAOS_MINUTES; the seed is printed and is SLUICE_SEED. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/load.h"
#include "support/system/world.h"

enum { ROUND_RUNS = 3000, SERVICES = 6 };

static const char *const TENANTS[] = {"acme", "globex", "initech", NULL};

static const struct load_spec FREE = {
    .tenants = TENANTS,
    .runs    = ROUND_RUNS,
    .per_s   = 100,
    .prefix  = "free",
    .body = "\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"n\":@N}},{\"id\":\"nap\",\"sleep\":{"
            "\"for\":\"50ms\"}},{\"id\":\"b\",\"set\":{\"m\":1}}]}"};
static const struct load_spec LOCKED = {
    .tenants = TENANTS,
    .runs    = ROUND_RUNS / 20,
    .per_s   = 5,
    .prefix  = "locked",
    .body    = "\"lock\":\"user-42\",\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"n\":@N}},{"
               "\"id\":\"nap\",\"sleep\":{\"for\":\"10ms\"}},{\"id\":\"b\",\"set\":{\"m\":1}}]}"};

static uint64_t seed;

static unsigned draw(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed % below);
}

static void pass_ms(struct world *w, int64_t ms)
{
    int64_t until = clock_ms() + ms;

    WORLD_WAIT(w, ms + 60000, clock_ms() >= until);
}

/* One blow: kill, or freeze for up to twice the lease, a service or nats-server. */
static void strike(struct world *w, unsigned kills[2])
{
    unsigned who   = draw(SERVICES + 1);
    bool freezes   = draw(2) == 1;
    struct proc *p = who == SERVICES ? &w->nats : w->procs[who];

    kills[freezes]++;
    if (freezes) {
        proc_stop(p);
        pass_ms(w, draw(10000));
        proc_continue(p);
    } else if (p == &w->nats) {
        world_nats_restart(w);
    } else {
        proc_kill(p);
        pass_ms(w, draw(2000));
        world_restart(w, p);
    }
}

static void round_of(void **state, int number, int64_t until)
{
    static const char *const services[SERVICES] = {
        "gateway", "gateway", "scheduler", "scheduler", "browser-worker", "browser-worker"};
    struct world *w   = world_new(state, "chaos");
    unsigned blows[2] = {0, 0};

    for (int i = 0; i < SERVICES; i++)
        (void)world_start(w, services[i]);
    client_put(w->client, "sluice_tenants", "acme", "{\"tier\":\"scale\",\"cap\":20}");
    client_put(w->client, "sluice_tenants", "globex", "{\"tier\":\"scale\",\"cap\":3}");
    client_put(w->client, "sluice_tenants", "initech", "{\"tier\":\"scale\",\"cap\":50}");
    struct load *free_runs = load_start(w, &FREE), *locked = load_start(w, &LOCKED);
    while ((!load_done(free_runs) || !load_done(locked)) && clock_ms() < until + 30000) {
        pass_ms(w, draw(3000));
        strike(w, blows);
    }

    WORLD_WAIT(w, 120000, load_done(free_runs) && load_done(locked));
    judge_settles(w, 120000);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    judge_runs(w, journal);
    judge_load(w, journal, free_runs);
    judge_load(w, journal, locked);
    size_t most[3] = {judge_cap(w, journal, "acme", 20, 0),
                      judge_cap(w, journal, "globex", 3, 0),
                      judge_cap(w, journal, "initech", 50, 0)};
    print_message(
        "chaos: round %d: %u kills, %u freezes, %zu leases lost, most at once %zu %zu %zu\n",
        number, blows[0], blows[1], judge_lost(journal), most[0], most[1], most[2]);
    record_free(&journal);
}

/* The three tenants' locks are three locks: a lock is the tenant's. */
static void everything_survives(void **state)
{
    const char *minutes = getenv("SLUICE_CHAOS_MINUTES"), *given = getenv("SLUICE_SEED");
    int64_t until = clock_ms() + (int64_t)((minutes ? atof(minutes) : 5) * 60000);

    seed = given ? strtoull(given, NULL, 10)
                 : (uint64_t)clock_wall_ms() * 2654435761U + (uint64_t)getpid();
    seed += seed == 0;
    print_message("chaos: SLUICE_SEED=%llu\n", (unsigned long long)seed);
    for (int number = 1; clock_ms() < until; number++) {
        round_of(state, number, until);
        if (world_teardown(state) != 0)
            fail_msg("chaos: round %d ended badly", number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(everything_survives, world_teardown),
    };
    return cmocka_run_group_tests_name("chaos", tests, NULL, NULL);
}
