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

/* Orders and sessions: what is done, when, and what the record says of it. */

static struct sim_client *sim;
static int port;

static int with_sim(void **state)
{
    (void)state;
    sim = sim_client_start(
        &(struct sim_client_start){.config = "{\"latency\":{\"default\":10}}"});
    if (!sim)
        return -1;
    port = sim_client_port(sim);
    return 0;
}

static int fresh(void **state)
{
    (void)state;
    return sim_client_reset(sim) && sim_client_configure(sim, "{\"session_idle_ms\":600000}")
               ? 0
               : -1;
}

static int without(void **state)
{
    (void)state;
    return sim_client_stop(&sim) ? 0 : -1;
}

static int64_t recorded(const char *path)
{
    json_t *record = sim_client_record(sim);
    int64_t number = sim_client_number(record, path);

    json_decref(record);
    return number;
}

static struct sim_probe_reply step(const char *session, const char *cmd)
{
    char path[160], body[512];

    sim_probe_path(path, "session", session);
    snprintf(body, sizeof body, "{\"cmd\":\"%s\"}", cmd);
    return sim_probe_ask(port, "POST", path, body);
}

static int step_status(const char *session, const char *cmd)
{
    struct sim_probe_reply reply = step(session, cmd);
    int status                   = reply.status;

    sim_probe_deinit(&reply);
    return status;
}

/* What the agent says: the "status" of the body. */
static void assert_says(const char *session, const char *cmd, const char *says)
{
    struct sim_probe_reply reply = step(session, cmd);
    json_t *json                 = sim_probe_json(&reply);

    assert_string_equal(json_string_value(json_object_get(json, "status")), says);
    json_decref(json);
    sim_probe_deinit(&reply);
}

static int door(const char *method, const char *name, const char *session)
{
    char path[160];

    sim_probe_path(path, name, session);
    return sim_probe_status(port, method, path, NULL);
}

static void order_is_placed_after_half_of_the_latency(void **state)
{
    (void)state;
    free(sim_probe_open(port, "https://a.example"));
    assert_int_equal(
        sim_probe_status(port, "POST", "/v1/web/browse",
                         "{\"cmd\":\"sim:order=K1 sim:tenant=acme sim:latency=400\"}"),
        200);

    struct sim_judge *judge           = sim_client_judge(sim);
    const struct sim_judge_order *k1  = sim_judge_order_find(judge, "K1");
    const struct sim_judge_call *call = sim_judge_call(judge, 1);
    uint64_t acted_ms                 = (k1->at_ns[0] - call->span.begin_ns) / 1000000;

    assert_int_equal(k1->count, 1);
    assert_string_equal(k1->tenant, "acme");
    assert_non_null(k1->session);
    assert_true(acted_ms >= 199);
    assert_true((call->span.end_ns - k1->at_ns[0]) / 1000000 >= 199);
    sim_judge_free(&judge);
}

static void order_placed_twice_is_listed(void **state)
{
    (void)state;
    char *session = sim_probe_open(port, "https://a.example");

    step_status(session, "sim:order=K1 sim:fault=reset_after");
    step_status(session, "sim:order=K1");
    step_status(session, "sim:order=K2");

    json_t *record = sim_client_record(sim);

    assert_int_equal(json_array_size(json_object_get(record, "orders_doubled")), 1);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(record, "orders_doubled"), 0)), "K1");
    assert_int_equal(sim_client_number(record, "orders_total"), 2);
    json_decref(record);
    free(session);
}

static void agent_that_goes_on_or_asks_has_not_ordered_yet(void **state)
{
    static const char CMD[] = "sim:order=K sim:status=CONTINUE*2,ASK_USER,NOT_SURE";
    (void)state;
    char *session = sim_probe_open(port, "https://a.example");

    assert_says(session, CMD, "CONTINUE");
    assert_says(session, CMD, "CONTINUE");
    assert_says(session, CMD, "ASK_USER");
    assert_int_equal(recorded("orders_total"), 0);
    assert_says(session, CMD, "NOT SURE");
    assert_int_equal(recorded("orders.K.count"), 1);
    assert_says(session, "another sim:status=CONTINUE,DONE", "CONTINUE");
    free(session);
}

static void fault_with_a_star_hits_the_first_calls_only(void **state)
{
    (void)state;
    char *session = sim_probe_open(port, "https://a.example");

    assert_int_equal(step_status(session, "sim:order=K sim:fault=503*2"), 503);
    assert_int_equal(step_status(session, "sim:order=K sim:fault=503*2"), 503);
    assert_int_equal(step_status(session, "sim:order=K sim:fault=503*2"), 200);
    assert_int_equal(recorded("orders.K.count"), 1);
    free(session);
}

static void session_lives_until_it_is_closed(void **state)
{
    (void)state;
    char *session = sim_probe_open(port, "https://a.example/?sim:tenant=acme");

    assert_int_equal(recorded("sessions.open"), 1);
    assert_int_equal(door("GET", "screenshot", session), 200);
    assert_int_equal(door("DELETE", "session", session), 200);
    assert_int_equal(recorded("sessions.open"), 0);
    assert_int_equal(recorded("sessions.closed"), 1);
    assert_int_equal(recorded("sessions.max_open_tenants.acme"), 1);

    assert_int_equal(door("DELETE", "session", session), 404);
    assert_int_equal(recorded("double_closes"), 1);
    assert_int_equal(step_status(session, "more"), 404);
    assert_int_equal(recorded("violations.closed_session"), 1);
    assert_int_equal(step_status("never-was", "more"), 404);
    assert_int_equal(recorded("unknown_sessions"), 1);
    free(session);
}

static void call_without_a_label_takes_that_of_its_session(void **state)
{
    (void)state;
    char *session = sim_probe_open(port, "https://a.example/?sim:tenant=acme");

    step_status(session, "look");
    step_status(session, "look sim:tenant=beta");

    struct sim_judge *judge = sim_client_judge(sim);

    assert_string_equal(sim_judge_call(judge, 1)->tenant, "acme");
    assert_string_equal(sim_judge_call(judge, 2)->tenant, "beta");
    sim_judge_free(&judge);
    free(session);
}

static void close_counts_though_its_answer_was_lost(void **state)
{
    (void)state;
    char *session = sim_probe_open(port, "https://a.example");

    sim_client_fault(sim, "{\"fault\":\"reset_after\",\"endpoint\":\"close\"}");
    assert_int_equal(door("DELETE", "session", session), 0);
    assert_int_equal(recorded("sessions.open"), 0);
    free(session);
}

static void open_whose_answer_was_lost_leaks_a_session(void **state)
{
    (void)state;
    sim_client_fault(sim, "{\"fault\":\"reset_before\",\"endpoint\":\"open\"}");
    sim_client_fault(sim, "{\"fault\":\"reset_after\",\"endpoint\":\"open\"}");

    assert_null(sim_probe_open(port, "https://a.example"));
    assert_int_equal(recorded("sessions.opened"), 0);
    assert_null(sim_probe_open(port, "https://a.example"));
    assert_int_equal(recorded("sessions.open"), 1);

    struct sim_probe_reply reply = sim_probe_ask(port, "GET", "/v1/web/sessions", NULL);
    json_t *list                 = sim_probe_json(&reply);

    assert_int_equal(json_array_size(json_object_get(list, "session_ids")), 1);
    json_decref(list);
    sim_probe_deinit(&reply);
}

static void idle_session_expires_and_says_it_is_lost(void **state)
{
    (void)state;
    char *session = sim_probe_open(port, "https://a.example");

    assert_true(sim_client_configure(
        sim, "{\"session_idle_ms\":100,\"lost\":{\"status\":422,\"text\":\"session gone\"}}"));
    assert_true(sim_client_wait_at_most(sim, "sessions", 0, 5000));

    struct sim_probe_reply reply = step(session, "more sim:order=K");

    assert_int_equal(reply.status, 422);
    assert_non_null(strstr(reply.body, "session gone"));
    assert_int_equal(recorded("sessions.expired"), 1);
    assert_int_equal(recorded("orders_total"), 0);
    assert_int_equal(recorded("violations.expired_session"), 1);
    sim_client_configure(sim, "{\"lost\":{\"status\":404}}");
    sim_probe_deinit(&reply);
    free(session);
}

static void session_in_use_does_not_expire(void **state)
{
    (void)state;
    sim_client_configure(sim, "{\"session_idle_ms\":100}");

    assert_int_equal(
        sim_probe_status(port, "POST", "/v1/web/browse", "{\"cmd\":\"sim:latency=600\"}"), 200);

    struct sim_judge *judge = sim_client_judge(sim);

    if (sim_judge_session(judge, 0)->end == SIM_JUDGE_EXPIRED)
        assert_true(sim_judge_session(judge, 0)->span.end_ns >=
                    sim_judge_call(judge, 0)->span.end_ns + 100000000u);
    sim_judge_free(&judge);
}

static void session_lost_in_the_middle_does_nothing(void **state)
{
    (void)state;
    char *session = sim_probe_open(port, "https://a.example");

    assert_int_equal(step_status(session, "sim:order=K sim:fault=session_lost*1"), 404);
    assert_int_equal(step_status(session, "sim:order=K sim:fault=session_lost*1"), 404);
    assert_int_equal(recorded("orders_total"), 0);
    assert_int_equal(recorded("sessions.expired"), 1);
    free(session);
}

static void closing_a_session_stops_the_command_that_runs_in_it(void **state)
{
    (void)state;
    char *session = sim_probe_open(port, "https://a.example");
    char path[160];
    int fd = sim_probe_connect(port);

    sim_client_configure(sim, "{\"act_at\":0.95}");
    sim_probe_path(path, "session", session);
    sim_probe_send(fd, "POST", path, "{\"cmd\":\"sim:order=K sim:latency=2000\"}");
    assert_true(sim_client_wait_at_least(sim, "in_flight", 1, 5000));
    assert_int_equal(door("DELETE", "session", session), 200);

    struct sim_probe_reply reply = sim_probe_read(fd, 10000, 0);

    assert_int_equal(reply.status, 404);
    assert_int_equal(recorded("orders_total"), 0);
    assert_int_equal(recorded("overlaps"), 0);
    assert_int_equal(recorded("violations.overlap_by_close"), 1);
    sim_client_configure(sim, "{\"act_at\":0.5}");
    sim_probe_deinit(&reply);
    close(fd);
    free(session);
}

static void two_calls_in_one_session_overlap(void **state)
{
    (void)state;
    char *session = sim_probe_open(port, "https://a.example");
    char path[160];
    int fd = sim_probe_connect(port);

    sim_probe_path(path, "session", session);
    sim_probe_send(fd, "POST", path, "{\"cmd\":\"sim:fault=hang\"}");
    assert_true(sim_client_wait_at_least(sim, "in_flight", 1, 5000));
    assert_int_equal(step_status(session, "second"), 200);
    assert_int_equal(recorded("overlaps"), 1);
    close(fd);
    free(session);
}

static void misbehaviours_show_in_the_record(void **state)
{
    (void)state;
    char *session = sim_probe_open(port, "https://a.example");

    assert_int_equal(step_status(session, "sim:order=K sim:fault=double_act"), 200);
    assert_int_equal(recorded("orders.K.count"), 2);

    sim_client_fault(sim, "{\"fault\":\"keep_open\",\"endpoint\":\"close\"}");
    assert_int_equal(door("DELETE", "session", session), 200);
    assert_int_equal(recorded("sessions.open"), 1);

    assert_int_equal(step_status(session, "sim:fault=early_answer sim:latency=1500"), 200);
    assert_int_equal(step_status(session, "sim:fault=early_answer sim:latency=1500"), 200);
    assert_int_equal(recorded("in_flight.max"), 2);
    free(session);
}

#define FRESH(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(order_is_placed_after_half_of_the_latency),
        FRESH(order_placed_twice_is_listed),
        FRESH(agent_that_goes_on_or_asks_has_not_ordered_yet),
        FRESH(fault_with_a_star_hits_the_first_calls_only),
        FRESH(session_lives_until_it_is_closed),
        FRESH(call_without_a_label_takes_that_of_its_session),
        FRESH(close_counts_though_its_answer_was_lost),
        FRESH(open_whose_answer_was_lost_leaks_a_session),
        FRESH(idle_session_expires_and_says_it_is_lost),
        FRESH(session_in_use_does_not_expire),
        FRESH(session_lost_in_the_middle_does_nothing),
        FRESH(closing_a_session_stops_the_command_that_runs_in_it),
        FRESH(two_calls_in_one_session_overlap),
        FRESH(misbehaviours_show_in_the_record),
    };
    return cmocka_run_group_tests_name("sim_act", tests, with_sim, without);
}
