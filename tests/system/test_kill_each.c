/* kill_each - kill -9 of every process in counted doses, in mid-load: each run one END, one result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/load.h"
#include "support/system/world.h"

enum { RUNS = 1000, DOSES = 5 };

static const char *const TENANTS[] = {"acme", "globex", "initech", NULL};

/* Two wakes a run: a job, a wait, a job. */
static const struct load_spec MANY = {
    .tenants = TENANTS,
    .runs    = RUNS,
    .per_s   = 250,
    .body = "\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"n\":@N}},{\"id\":\"nap\",\"sleep\":{"
            "\"for\":\"30ms\"}},"
            "{\"id\":\"b\",\"set\":{\"m\":1}},{\"id\":\"z\",\"end\":{\"status\":\"done\"}}]}",
};

static void each_run_ends_once(void **state, const char *name, const char *victim)
{
    struct world *w = world_new(state, name);

    world_start_all(w);
    client_put(w->client, "sluice_tenants", "acme", "{\"tier\":\"scale\",\"cap\":20}");
    client_put(w->client, "sluice_tenants", "globex", "{\"tier\":\"scale\",\"cap\":5}");
    client_put(w->client, "sluice_tenants", "initech", "{\"tier\":\"scale\",\"cap\":50}");
    struct proc *p = NULL;
    for (size_t i = 0; i < w->proc_count; i++)
        if (strncmp(w->procs[i]->name, victim, strlen(victim)) == 0)
            p = w->procs[i];
    struct load *load = load_start(w, &MANY);
    int64_t ended     = 0;

    for (unsigned dose = 1; dose <= DOSES; dose++) {
        /* In mid-load, in the middle of something, and since the last kill it has got on. */
        WORLD_WAIT(w, 60000,
                   load_answered(load) >= dose * RUNS / (DOSES + 2) &&
                       client_count(w->client, "SLUICE_RESULTS") > ended &&
                       client_count(w->client, "SLUICE_JOBS") > 0);
        ended = client_count(w->client, "SLUICE_RESULTS");
        proc_kill(p);
        world_restart(w, p);
    }

    judge_all(w, load, 60000);
    WORLD_MUST(w, p->starts == DOSES + 1);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    print_message("%s: %u kills; most at once %zu of 20, %zu of 5, %zu of 50\n", name, DOSES,
                  judge_cap(w, journal, "acme", 20, 0), judge_cap(w, journal, "globex", 5, 0),
                  judge_cap(w, journal, "initech", 50, 0));
    record_free(&journal);
}

static void killed_gateways_lose_nothing(void **state)
{
    each_run_ends_once(state, "kill_gateway", "gateway");
}

static void killed_schedulers_lose_nothing(void **state)
{
    each_run_ends_once(state, "kill_scheduler", "scheduler");
}

static void killed_workers_lose_nothing(void **state)
{
    each_run_ends_once(state, "kill_worker", "browser-worker");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(killed_gateways_lose_nothing, world_teardown),
        cmocka_unit_test_teardown(killed_schedulers_lose_nothing, world_teardown),
        cmocka_unit_test_teardown(killed_workers_lose_nothing, world_teardown),
    };
    return cmocka_run_group_tests_name("kill_each", tests, NULL, NULL);
}
