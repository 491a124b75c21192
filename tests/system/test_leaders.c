/* leaders - frozen, replaced, doubled: the server's own compare-and-set holds what leadership cannot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/callee.h"
#include "support/system/client.h"
#include "support/system/ear.h"
#include "support/system/judge.h"
#include "support/system/load.h"
#include "support/system/world.h"

enum { WAITING = 1000, TTL_MS = 2000, DOSES = 4, FEW = 5, SLOTS = 600 };

static const char *const TENANTS[] = {"acme", "globex", NULL};

/* Each holds its slot for as long as the service holds its call. */
static const struct load_spec MANY = {
    .tenants = TENANTS,
    .runs    = 4000,
    .body =
        "\"flow\":{\"steps\":[{\"id\":\"ask\",\"effect\":\"read\",\"call\":{\"subject\":"
        "\"desk\",\"body\":{\"n\":@N}},\"timeout\":\"60s\"},{\"id\":\"b\",\"set\":{\"m\":1}}]}",
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

static void cap_acme(struct world *w, unsigned cap)
{
    char value[80];

    snprintf(value, sizeof(value), "{\"tier\":\"scale\",\"cap\":%u,\"queue_max\":100000}", cap);
    client_put(w->client, "sluice_tenants", "acme", value);
}

static bool jobs_of_acme(struct world *w, int64_t at_least, int64_t at_most)
{
    int64_t n = client_count_of(w->client, "SLUICE_JOBS", "sluice.jobs.acme.>");

    return n >= at_least && n <= at_most;
}

/*
 * Frozen while it fills hundreds of slots at once, replaced by one who fills those that are left, and continued: it
 * goes on where it was, in the middle of its burst, and finds each slot taken.  Returns its publishes that were refused.
 */
static size_t freeze(struct world *w, struct ear *ear, struct proc *old, struct proc *next)
{
    unsigned decided = proc_said_times(next, "msg=deciding"),
             lost    = proc_said_times(old, "msg=\"leadership lost\"");
    size_t heard     = ear_count(ear);
    char who[64];

    ear_trap(ear, old);
    cap_acme(w, SLOTS);
    WORLD_WAIT(w, 10000, ear_sprung(ear));
    int64_t until = clock_ms() + 2 * TTL_MS;
    ear_who(ear, heard, who);
    WORLD_WAIT(w, 30000,
               clock_ms() >= until && proc_said_times(next, "msg=deciding") > decided &&
                   jobs_of_acme(w, SLOTS, SLOTS));
    size_t from = ear_count(ear);
    print_message("leader_frozen: %zu jobs by the old leader and the new; %lld tickets wait\n",
                  from - heard, (long long)client_count(w->client, "SLUICE_PENDING"));
    WORLD_MUST(w, client_count(w->client, "SLUICE_PENDING") >= WAITING);
    proc_continue(old);
    WORLD_WAIT(w, 10000, proc_said_times(old, "msg=\"leadership lost\"") > lost);
    for (until = clock_ms() + TTL_MS; ear_refused(ear, from, who) == 0 && clock_ms() < until;)
        world_turn(
            w); /* the server's answers to its last words are on their way, if there were any */
    return ear_refused(ear, from, who);
}

/* A job published by one who is not the leader any more is refused by the slot. */
static void a_frozen_leader_that_wakes_is_refused(void **state)
{
    struct world *w = world_new(state, "leader_frozen");
    struct proc *two[2], *old = NULL;
    size_t refused = 0, dose = 0;

    (void)world_start(w, "gateway");
    two[0] = world_start(w, "scheduler");
    WORLD_WAIT(w, 10000, proc_said(two[0], "msg=deciding"));
    two[1]                 = world_start(w, "scheduler");
    struct callee *service = callee_new(w);
    struct ear *ear        = ear_new(w, "sluice.jobs.>");
    client_put(w->client, "sluice_tenants", "globex",
               "{\"tier\":\"scale\",\"cap\":20,\"queue_max\":100000}");
    cap_acme(w, FEW);
    callee_hold(service);
    struct load *load = load_start(w, &MANY);
    WORLD_WAIT(w, 60000, load_done(load));
    world_env(w, "SLUICE_SLOTS", "1000");
    (void)world_start(w, "browser-worker");

    for (; dose < DOSES && refused == 0; dose++) {
        if (dose > 0) { /* the slots are given back before they are filled once more */
            cap_acme(w, FEW);
            callee_release(service);
            WORLD_WAIT(w, 30000, jobs_of_acme(w, 0, 2 * FEW));
            callee_hold(service);
        }
        WORLD_WAIT(w, 30000, (old = leader_of(two)) != NULL && jobs_of_acme(w, FEW, 2 * FEW));
        refused = freeze(w, ear, old, old == two[0] ? two[1] : two[0]);
    }
    print_message("leader_frozen: %zu publishes of the old leader refused after %zu doses\n",
                  refused, dose);
    ear_free(&ear);
    callee_release(service);

    judge_all(w, load, 60000);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    (void)judge_cap(w, journal, "acme", SLOTS, 0);
    (void)judge_cap(w, journal, "globex", 20, 0);
    record_free(&journal);
    WORLD_MUST(w, refused >= 1); /* else nothing was proved */
    callee_free(&service);
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
