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
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

/* Thousands at once. */

enum { CALLS = 2000, SESSIONS = 5000 };

static struct sim_client *sim;
static int port;

static int with_sim(void **state)
{
    struct rlimit limit;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    sim =
        sim_client_start(&(struct sim_client_start){.config = "{\"latency\":{\"default\":0}}"});
    if (!sim)
        return -1;
    port = sim_client_port(sim);
    return 0;
}

static int fresh(void **state)
{
    (void)state;
    return sim_client_reset(sim) ? 0 : -1;
}

static int without(void **state)
{
    (void)state;
    return sim_client_stop(&sim) ? 0 : -1;
}

static void two_thousand_open_calls_are_held_and_answered(void **state)
{
    static int fds[CALLS];
    (void)state;
    char body[128];

    /* Held by a latency that is only a bound: a reset of the latency is not needed, all are in
       flight long before the first one ends. */
    for (int i = 0; i < CALLS; i++) {
        fds[i] = sim_probe_connect(port);
        snprintf(body, sizeof body,
                 "{\"cmd\":\"sim:order=K%d sim:latency=8000 sim:tenant=t%d\"}", i, i % 10);
        sim_probe_send(fds[i], "POST", "/v1/web/browse", body);
    }
    assert_true(sim_client_wait_at_least(sim, "in_flight", CALLS, 20000));
    for (int i = 0; i < CALLS; i++) {
        struct sim_probe_reply reply = sim_probe_read(fds[i], 20000, 0);

        assert_int_equal(reply.status, 200);
        sim_probe_deinit(&reply);
        close(fds[i]);
    }

    json_t *record = sim_client_record(sim);

    assert_int_equal(sim_client_number(record, "in_flight.max"), CALLS);
    assert_int_equal(sim_client_number(record, "in_flight.tenants.t3.max"), CALLS / 10);
    assert_int_equal(sim_client_number(record, "orders_total"), CALLS);
    assert_int_equal(json_array_size(json_object_get(record, "orders_doubled")), 0);
    assert_int_equal(json_array_size(json_object_get(record, "acted_unanswered")), 0);
    assert_int_equal(sim_client_number(record, "sessions.max_open"), CALLS);
    json_decref(record);
}

static void five_thousand_sessions_are_open_at_once(void **state)
{
    (void)state;
    char body[64];
    int fd = sim_probe_connect(port);

    for (int i = 0; i < SESSIONS; i++) {
        snprintf(body, sizeof body, "{\"url\":\"https://a.example/%d\"}", i);
        sim_probe_send(fd, "POST", "/v1/web/session", body);

        struct sim_probe_reply reply = sim_probe_read(fd, 10000, 0);

        assert_int_equal(reply.status, 200);
        sim_probe_deinit(&reply);
    }

    struct sim_probe_reply reply = sim_probe_ask(port, "GET", "/v1/web/sessions", NULL);
    json_t *list                 = sim_probe_json(&reply);
    json_t *ids                  = json_object_get(list, "session_ids");

    assert_int_equal(json_array_size(ids), SESSIONS);
    for (size_t i = 0; i < SESSIONS / 2; i++) {
        char path[160];

        sim_probe_path(path, "session", json_string_value(json_array_get(ids, i)));
        sim_probe_send(fd, "DELETE", path, NULL);

        struct sim_probe_reply closed = sim_probe_read(fd, 10000, 0);

        assert_int_equal(closed.status, 200);
        sim_probe_deinit(&closed);
    }
    sim_client_configure(sim, "{\"session_idle_ms\":1}");
    assert_true(sim_client_wait_at_most(sim, "sessions", 0, 10000));

    json_t *record = sim_client_record(sim);

    assert_int_equal(sim_client_number(record, "sessions.max_open"), SESSIONS);
    assert_int_equal(sim_client_number(record, "sessions.closed"), SESSIONS / 2);
    assert_int_equal(sim_client_number(record, "sessions.expired"), SESSIONS / 2);
    json_decref(record);
    json_decref(list);
    sim_probe_deinit(&reply);
    close(fd);
}

#define FRESH(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(two_thousand_open_calls_are_held_and_answered),
        FRESH(five_thousand_sessions_are_open_at_once),
    };
    return cmocka_run_group_tests_name("sim", tests, with_sim, without);
}
