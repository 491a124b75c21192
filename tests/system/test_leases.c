/* leases - a worker that lost its lease lands nothing, one that lives is left alone. */
#include <setjmp.h>
#include <signal.h>
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

enum { RUNS = 20, LEASE_MS = 5000 };

static const char *const TENANTS[] = {"acme", NULL};

#define CALL(id, effect) \
    "{\"id\":\"" id "\",\"effect\":\"" effect \
    "\",\"call\":{\"subject\":\"svc\",\"body\":{\"n\":1}},\"timeout\":\"60s\"}"

static const struct load_spec READS = {
    .tenants = TENANTS,
    .runs    = RUNS,
    .body    = "\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"n\":@N}}," CALL(
           "ask", "read") ",{\"id\":\"b\",\"set\":{\"m\":1}}]}"};
static const struct load_spec ORDERS = {
    .tenants = TENANTS,
    .runs    = RUNS,
    .body    = "\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"n\":@N}}," CALL(
           "order", "unsafe") ",{\"id\":\"b\",\"set\":{\"m\":1}}]}"};
static const struct load_spec PAIRS = {
    .tenants = TENANTS,
    .runs    = 3,
    .body    = "\"flow\":{\"steps\":[{\"id\":\"one\",\"effect\":\"read\",\"call\":{\"subject\":"
               "\"svc\",\"body\":{}},\"timeout\":\"1s\"},"
               "{\"id\":\"two\",\"effect\":\"read\",\"call\":{\"subject\":\"svc\",\"body\":{}},"
               "\"timeout\":\"1s\"}]}"};

static struct world *begin(void **state, const char *name, struct callee **ret_service,
                           struct proc **ret_worker)
{
    struct world *w = world_new(state, name);

    (void)world_start(w, "gateway");
    (void)world_start(w, "scheduler");
    *ret_worker  = world_start(w, "browser-worker");
    *ret_service = callee_new(w);
    client_put(w->client, "sluice_tenants", "acme", "{\"tier\":\"scale\",\"cap\":50}");
    callee_hold(*ret_service);
    return w;
}

static void status_of_all(struct world *w, struct load *load, const char *status, size_t wanted)
{
    size_t count = 0;
    char filter[80];

    snprintf(filter, sizeof(filter), "sluice.result.acme.*.%s.*", status);
    count = (size_t)client_count_of(w->client, "SLUICE_RESULTS", filter);
    if (count != wanted)
        world_fail(w, "%zu of %zu runs are %s, %zu should be", count, load_count(load), status,
                   wanted);
}

/* I5. The frozen one was in the middle of a call, whose answer it finds when it wakes. */
static void a_worker_stopped_past_its_lease_lands_nothing(void **state)
{
    struct callee *service;
    struct proc *frozen;
    struct world *w   = begin(state, "lease_stopped", &service, &frozen);
    struct load *load = load_start(w, &READS);

    WORLD_WAIT(w, 15000, callee_held(service) == RUNS);
    proc_stop(frozen);
    (void)world_start(w, "browser-worker");
    WORLD_WAIT(w, 20000, callee_calls(service) == 2 * RUNS);
    struct ear *ear = ear_new(w, "sluice.journal.>");
    callee_release(service);
    judge_settles(w, 10000);
    size_t before = ear_count(ear);
    proc_continue(frozen);
    WORLD_WAIT(w, 10000,
               ear_refused(ear, before, NULL) >= 1 ||
                   proc_said_times(frozen, "run dropped") >= RUNS);

    size_t refused = ear_refused(ear, before, NULL);
    ear_free(&ear);
    judge_all(w, load, 10000);
    status_of_all(w, load, "done", RUNS);
    WORLD_MUST(w, refused >= 1); /* else it did not even try, and nothing was proved */
    print_message("lease_stopped: %zu entries of the stopped worker refused\n", refused);
    WORLD_MUST(w, callee_calls(service) == 2 * RUNS);
    callee_free(&service);
}

/* Nobody else is there to take the run: what keeps it from going on is its own clock. */
static void a_worker_stopped_past_its_deadline_sends_nothing(void **state)
{
    struct callee *service;
    struct proc *frozen;
    struct world *w   = begin(state, "lease_deadline", &service, &frozen);
    struct load *load = load_start(w, &PAIRS);
    char run[27];

    WORLD_WAIT(w, 15000, callee_held(service) == load_count(load));
    proc_stop(frozen);
    callee_release(service);
    int64_t until = clock_ms() + 1000 + 10000 + 1500; /* the step's timeout + 10 s */
    WORLD_WAIT(w, 20000, clock_ms() >= until);
    proc_continue(frozen);

    judge_all(w, load, 20000);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    for (size_t n = 0; n < load_count(load); n++) {
        snprintf(run, sizeof(run), "%s", load_item(load, n).run);
        if (record_entries(journal, run, "LEASED") < 2) {
            record_print(journal, run);
            world_fail(w, "run %s went on under the lease whose deadline was over", run);
        }
        WORLD_MUST(w, callee_calls_of(service, run, "two") == 1);
    }
    record_free(&journal);
    callee_free(&service);
}

/* The server gives every job again although all holders live. */
static void an_outage_longer_than_the_lease_takes_no_run_away(void **state)
{
    struct callee *service;
    struct proc *first;
    struct world *w   = begin(state, "lease_outage", &service, &first);
    struct load *load = load_start(w, &ORDERS);

    WORLD_WAIT(w, 15000, callee_held(service) == RUNS);
    (void)world_start(w, "browser-worker");
    proc_stop(&w->nats);
    int64_t until = clock_ms() + LEASE_MS + 2500;
    WORLD_WAIT(w, 15000, clock_ms() >= until);
    proc_continue(&w->nats);
    /* The second worker must have been given them and have let go of them: longer than it asks a holder. */
    until = clock_ms() + LEASE_MS + 2000;
    WORLD_WAIT(w, 15000, clock_ms() >= until);
    callee_release(service);

    judge_all(w, load, 20000);
    status_of_all(w, load, "done", RUNS);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    WORLD_MUST(w, judge_lost(journal) == 0);
    record_free(&journal);
    WORLD_MUST(w, callee_calls(service) == RUNS && callee_most(service) == 1);
    callee_free(&service);
}

/* I6 by the service's own record: a killed worker's order is never sent again. */
static void a_killed_workers_order_is_not_repeated(void **state)
{
    struct callee *service;
    struct proc *killed;
    struct world *w   = begin(state, "lease_killed", &service, &killed);
    struct load *load = load_start(w, &ORDERS);

    WORLD_WAIT(w, 15000, callee_held(service) == RUNS);
    proc_kill(killed);
    (void)world_start(w, "browser-worker");
    callee_release(service);

    judge_all(w, load, 25000);
    WORLD_MUST(w, callee_calls(service) == RUNS && callee_most(service) == 1);
    status_of_all(w, load, "indeterminate", RUNS);
    callee_free(&service);
}

/* SIGTERM: what is at a step's boundary is given back, and the next worker goes on at once. */
static void a_drained_worker_gives_its_runs_back(void **state)
{
    struct callee *service;
    struct proc *drained;
    struct world *w   = begin(state, "lease_drain", &service, &drained);
    struct load *load = load_start(w, &ORDERS);

    WORLD_WAIT(w, 15000, callee_held(service) == RUNS);
    (void)world_start(w, "browser-worker");
    drained->killed = true; /* its end is no accident */
    kill(drained->pid, SIGTERM);
    WORLD_WAIT(w, 5000, proc_said(drained, "msg=draining"));
    callee_release(service);
    WORLD_MUST(w, proc_wait(drained, 10000) == 0);
    judge_all(w, load, LEASE_MS - 500); /* nobody waited for a lease to be over */

    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    size_t released        = 0;
    for (size_t n = 0; n < load_count(load); n++)
        released += record_entries(journal, load_item(load, n).run, "RELEASED");
    WORLD_MUST(w, judge_lost(journal) == 0);
    record_free(&journal);
    WORLD_MUST(w, released == RUNS);
    status_of_all(w, load, "done", RUNS);
    WORLD_MUST(w, callee_most(service) == 1);
    callee_free(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_worker_stopped_past_its_lease_lands_nothing,
                                  world_teardown),
        cmocka_unit_test_teardown(a_worker_stopped_past_its_deadline_sends_nothing,
                                  world_teardown),
        cmocka_unit_test_teardown(an_outage_longer_than_the_lease_takes_no_run_away,
                                  world_teardown),
        cmocka_unit_test_teardown(a_killed_workers_order_is_not_repeated, world_teardown),
        cmocka_unit_test_teardown(a_drained_worker_gives_its_runs_back, world_teardown),
    };
    return cmocka_run_group_tests_name("leases", tests, NULL, NULL);
}
