#include "agent_sim/sim_client.h"
#include "agent_sim/sim_judge.h"
#include "agent_sim/sim_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The record outlives the simulator. */

static char path[64];

static int with_file(void **state)
{
    (void)state;
    strcpy(path, "/tmp/test_sim_record.XXXXXX");
    close(mkstemp(path));
    return 0;
}

static int without(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static struct sim_client *start(void)
{
    struct sim_client *sim = sim_client_start(
        &(struct sim_client_start){.config = "{\"latency\":{\"default\":0}}", .record = path});

    assert_non_null(sim);
    return sim;
}

static void place(struct sim_client *sim, int from, int to)
{
    char body[128];

    for (int i = from; i < to; i++) {
        snprintf(body, sizeof body, "{\"cmd\":\"sim:order=K%d sim:tenant=acme\"}", i);
        assert_int_equal(sim_probe_status(sim_client_port(sim), "POST", "/v1/web/browse", body),
                         200);
    }
}

static void what_was_answered_survives_kill_9(void **state)
{
    (void)state;
    struct sim_client *sim = start();

    place(sim, 0, 100);
    sim_client_kill(&sim);

    struct sim_judge *judge = sim_client_judge_file(path);

    assert_int_equal(sim_judge_orders(judge), 100);
    assert_int_equal(sim_judge_calls(judge), 100);
    for (size_t i = 0; i < 100; i++)
        assert_true(sim_judge_call(judge, i)->answered);
    sim_judge_free(&judge);
}

static void record_goes_on_in_the_next_simulator(void **state)
{
    (void)state;
    struct sim_client *sim = start();
    int fd                 = sim_probe_connect(sim_client_port(sim));

    place(sim, 0, 5);
    sim_probe_send(fd, "POST", "/v1/web/browse", "{\"cmd\":\"sim:fault=hang_after\"}");
    assert_true(sim_client_wait_at_least(sim, "in_flight", 1, 5000));
    sim_client_kill(&sim);
    close(fd);

    /* It died in the middle of a line. */
    FILE *file = fopen(path, "a");

    fputs("{\"n\":99,\"event\":\"ar", file);
    fclose(file);

    sim = start();
    place(sim, 4, 8);

    struct sim_judge *own = sim_client_judge(sim);

    assert_int_equal(sim_judge_orders(own), 4);
    sim_client_stop(&sim);

    struct sim_judge *judge = sim_client_judge_file(path);

    assert_int_equal(sim_judge_orders(judge), 8);
    assert_int_equal(sim_judge_orders_doubled(judge), 1);
    assert_int_equal(sim_judge_in_flight(judge, NULL).count, 1);
    assert_int_equal(sim_judge_calls(judge), 10);
    assert_true(sim_judge_call(judge, 5)->dropped);
    assert_int_equal(sim_judge_sessions_open(judge, "acme").count, 5);
    sim_judge_free(&judge);
    sim_judge_free(&own);
}

static void summary_and_file_agree(void **state)
{
    (void)state;
    struct sim_client *sim = start();

    place(sim, 0, 20);
    place(sim, 10, 15);

    json_t *record          = sim_client_record(sim);
    struct sim_judge *judge = sim_client_judge_file(path);
    struct sim_peak rate    = sim_judge_rate(judge, NULL, 1000000000u);

    assert_int_equal(sim_client_number(record, "rate.max_1s"), rate.count);
    assert_int_equal(sim_client_number(record, "rate.window.from_ns"), rate.from_ns);
    assert_int_equal(sim_client_number(record, "sessions.max_open"),
                     sim_judge_sessions_open(judge, NULL).count);
    assert_int_equal(json_array_size(json_object_get(record, "orders_doubled")), 5);
    assert_int_equal(sim_judge_orders_doubled(judge), 5);
    sim_judge_free(&judge);
    json_decref(record);
    sim_client_stop(&sim);
}

#define RECORD(test) cmocka_unit_test_setup_teardown(test, with_file, without)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORD(what_was_answered_survives_kill_9),
        RECORD(record_goes_on_in_the_next_simulator),
        RECORD(summary_and_file_agree),
    };
    return cmocka_run_group_tests_name("sim_record", tests, NULL, NULL);
}
