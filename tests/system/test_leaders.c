/* leaders - frozen, replaced, doubled: the server's own compare-and-set holds what leadership cannot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/ear.h"
#include "support/system/judge.h"
#include "support/system/load.h"
#include "support/system/world.h"

enum { WAITING = 1000, TTL_MS = 2000, DOSES = 6 };

static const char *const TENANTS[] = {"acme", "globex", NULL};

static const struct load_spec MANY = {
    .tenants = TENANTS,
    .runs    = 4000,
    .body = "\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"n\":@N}},{\"id\":\"nap\",\"sleep\":{"
            "\"for\":\"20ms\"}},"
            "{\"id\":\"b\",\"set\":{\"m\":1}}]}",
};

static struct proc *leader_of(struct proc *const two[2])
{
    for (int i = 0; i < 2; i++)
        if (proc_said_times(two[i], "msg=\"leadership won\"") >
            proc_said_times(two[i], "msg=\"leadership lost\"") +
                proc_said_times(two[i], "msg=\"leadership given back\""))
            return two[i];
    return NULL;
}

/* A job published without an answer, or by one who is not the leader any more, is refused by the slot. */
static void a_frozen_leader_that_wakes_is_refused(void **state)
{
    struct world *w = world_new(state, "leader_frozen");
    struct proc *two[2];
    char who[64];
    size_t refused = 0, dose = 0;

    (void)world_start(w, "gateway");
    two[0] = world_start(w, "scheduler");
    WORLD_WAIT(w, 10000, proc_said(two[0], "msg=deciding"));
    two[1] = world_start(w, "scheduler");
    client_put(w->client, "sluice_tenants", "acme",
               "{\"tier\":\"scale\",\"cap\":30,\"queue_max\":100000}");
    client_put(w->client, "sluice_tenants", "globex",
               "{\"tier\":\"scale\",\"cap\":20,\"queue_max\":100000}");
    struct ear *ear   = ear_new(w, "sluice.jobs.>");
    struct load *load = load_start(w, &MANY);
    WORLD_WAIT(w, 30000, client_count(w->client, "SLUICE_PENDING") >= 2 * WAITING);
    (void)world_start(w, "browser-worker");

    for (dose = 0;
         dose < DOSES && refused == 0 && client_count(w->client, "SLUICE_PENDING") >= WAITING;
         dose++) {
        struct proc *old = NULL;
        WORLD_WAIT(w, 10000, (old = leader_of(two)) != NULL);
        struct proc *next = old == two[0] ? two[1] : two[0];
        unsigned decided  = proc_said_times(next, "msg=deciding");
        size_t heard      = ear_count(ear);
        WORLD_WAIT(w, 10000, ear_count(ear) >= heard + 20);
        ear_who(ear, ear_count(ear) - 1, who);
        proc_stop(old);
        int64_t until = clock_ms() + 2 * TTL_MS;
        WORLD_WAIT(w, 20000,
                   clock_ms() >= until && proc_said_times(next, "msg=deciding") > decided);
        size_t from = ear_count(ear);
        proc_continue(old);
        WORLD_WAIT(w, 10000, leader_of(two) == next);
        refused = ear_refused(ear, from, who);
    }
    print_message("leader_frozen: %zu publishes of the old leader refused after %zu doses\n",
                  refused, dose);
    bool proved = refused >= 1;
    ear_free(&ear);

    judge_all(w, load, 60000);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    (void)judge_cap(w, journal, "acme", 30, 0);
    (void)judge_cap(w, journal, "globex", 20, 0);
    record_free(&journal);
    WORLD_MUST(w, proved);
}

static const char *const ACME[] = {"acme", NULL};

static const struct load_spec LOCKED = {
    .tenants = ACME,
    .runs    = 120,
    .per_s   = 40,
    .body    = "\"lock\":\"user-42\",\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"n\":@N}},{"
               "\"id\":\"nap\",\"sleep\":{\"for\":\"5ms\"}},"
               "{\"id\":\"b\",\"set\":{\"m\":1}}]}",
};

/* I4. A lock is held over a wait, too; two leaders may admit two, and one of them waits. */
static void two_leaders_and_one_lock_never_overlap(void **state)
{
    struct world *w = world_new(state, "leader_lock");
    struct proc *two[2];

    (void)world_start(w, "gateway");
    two[0] = world_start(w, "scheduler");
    two[1] = world_start(w, "scheduler");
    (void)world_start(w, "browser-worker");
    struct proc *worker = world_start(w, "browser-worker");
    client_put(w->client, "sluice_tenants", "acme", "{\"tier\":\"scale\",\"cap\":20}");
    struct load *load = load_start(w, &LOCKED);

    for (int dose = 1; dose <= 2; dose++) {
        struct proc *old = NULL;
        WORLD_WAIT(w, 20000,
                   load_answered(load) >= (size_t)dose * 40 && (old = leader_of(two)) != NULL);
        unsigned decided  = proc_said_times(old == two[0] ? two[1] : two[0], "msg=deciding");
        struct proc *next = old == two[0] ? two[1] : two[0];
        proc_stop(old);
        WORLD_WAIT(w, 20000, proc_said_times(next, "msg=deciding") > decided);
        proc_continue(old);
        WORLD_WAIT(w, 10000, leader_of(two) == next);
        if (dose == 1) {
            proc_kill(worker);
            world_restart(w, worker);
        }
    }

    judge_all(w, load, 60000);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    size_t had             = judge_lock(w, journal, "user-42");
    record_free(&journal);
    if (had != load_count(load))
        world_fail(w, "%zu of %zu runs had the lock", had, load_count(load));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_frozen_leader_that_wakes_is_refused, world_teardown),
        cmocka_unit_test_teardown(two_leaders_and_one_lock_never_overlap, world_teardown),
    };
    return cmocka_run_group_tests_name("leaders", tests, NULL, NULL);
}
