/* nats_away - nats-server frozen, killed, restarted: answered at once or not accepted, nothing lost. */
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
#include "support/system/world.h"

static const char *const TENANTS[] = {"acme", "globex", NULL};

static const struct load_spec MANY = {
    .tenants = TENANTS,
    .runs    = 1000,
    .per_s   = 250,
    .body = "\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"n\":@N}},{\"id\":\"nap\",\"sleep\":{"
            "\"for\":\"20ms\"}},"
            "{\"id\":\"b\",\"set\":{\"m\":1}}]}",
};

static struct world *busy_world(void **state, const char *name)
{
    struct world *w = world_new(state, name);

    world_start_all(w);
    client_put(w->client, "sluice_tenants", "acme", "{\"tier\":\"scale\",\"cap\":20}");
    client_put(w->client, "sluice_tenants", "globex", "{\"tier\":\"scale\",\"cap\":10}");
    return w;
}

static void judge_caps(struct world *w)
{
    struct record *journal = record_read(w, "SLUICE_JOURNAL");

    (void)judge_cap(w, journal, "acme", 20, 0);
    (void)judge_cap(w, journal, "globex", 10, 0);
    record_free(&journal);
}

static void killed_servers_lose_nothing(void **state)
{
    struct world *w   = busy_world(state, "nats_killed");
    struct load *load = load_start(w, &MANY);

    for (unsigned dose = 1; dose <= 3; dose++) {
        WORLD_WAIT(w, 30000, load_answered(load) >= dose * 200);
        world_nats_restart(w);
    }

    judge_all(w, load, 45000);
    judge_caps(w);
}

/* The services' writes have 250 ms; who waits for an answer is told, or not accepted. */
static void frozen_servers_lose_nothing(void **state)
{
    struct world *w   = busy_world(state, "nats_frozen");
    struct load *load = load_start(w, &MANY);

    for (unsigned dose = 1; dose <= 3; dose++) {
        WORLD_WAIT(w, 30000, load_answered(load) >= dose * 200);
        proc_stop(&w->nats);
        int64_t until = clock_ms() + 1500;
        WORLD_WAIT(w, 5000, clock_ms() >= until);
        proc_continue(&w->nats);
    }

    judge_all(w, load, 45000);
    judge_caps(w);
}

/* JetStream gone and NATS there is what a gateway must answer at once: a stream that is not. */
static void a_submit_without_a_journal_is_answered_at_once(void **state)
{
    struct world *w = world_new(state, "nats_no_journal");
    char run[27];

    struct proc *maker = world_start(w, "scheduler");
    world_env(w, "SLUICE_STREAMS", "none"); /* the gateway makes nothing */
    (void)world_start(w, "gateway");
    proc_kill(maker);
    client_delete_stream(w->client, "SLUICE_JOURNAL");

    struct answer a =
        client_ask_text(w->client, "sluice.api.submit.acme",
                        "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{}}]},\"key\":\"k\"}");
    assert_int_equal(a.status, NATS_OK);
    assert_string_equal(answer_text(&a, "code"), "unavailable");
    assert_string_equal(answer_header(&a, "Nats-Service-Error-Code"), "503");
    WORLD_MUST(w, answer_number(&a, "retry_after_ms") > 0);
    WORLD_MUST(w, a.ms < 2000);
    answer_deinit(&a);

    world_expects_log(w, "journal was made anew");
    world_restart(w, maker);
    WORLD_WAIT(w, 10000, client_count(w->client, "SLUICE_JOURNAL") == 0);
    world_env(w, "SLUICE_STREAMS", "self");
    (void)world_start(w, "browser-worker");
    client_submit(w->client, "acme",
                  "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{}}]},\"key\":\"k\"}", run);
    WORLD_WAIT(w, 10000, client_status_is(w->client, "acme", run, "done"));
    judge_all(w, NULL, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(killed_servers_lose_nothing, world_teardown),
        cmocka_unit_test_teardown(frozen_servers_lose_nothing, world_teardown),
        cmocka_unit_test_teardown(a_submit_without_a_journal_is_answered_at_once,
                                  world_teardown),
    };
    return cmocka_run_group_tests_name("nats_away", tests, NULL, NULL);
}
