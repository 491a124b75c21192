#include "agent_sim/sim_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t SECOND = 1000000000u;

static int with_judge(void **state)
{
    *state = sim_judge_new();
    return 0;
}

static int without(void **state)
{
    struct sim_judge *j = *state;

    sim_judge_free(&j);
    return 0;
}

static void arrive(struct sim_judge *j, uint64_t call, uint64_t ns, const char *tenant)
{
    sim_judge_put(j, &(struct sim_event){.kind     = SIM_EVENT_ARRIVE,
                                         .endpoint = SIM_ENDPOINT_BROWSE,
                                         .call     = call,
                                         .ns       = ns,
                                         .tenant   = tenant});
}

static void finish(struct sim_judge *j, uint64_t call, uint64_t ns, enum sim_event_kind how)
{
    sim_judge_put(j, &(struct sim_event){.kind = how, .call = call, .ns = ns, .status = 200});
}

static void order(struct sim_judge *j, uint64_t call, uint64_t ns, const char *key)
{
    sim_judge_put(
        j, &(struct sim_event){.kind = SIM_EVENT_ACT, .call = call, .ns = ns, .order = key});
}

static void session(struct sim_judge *j, enum sim_event_kind kind, uint64_t ns, const char *id)
{
    sim_judge_put(j, &(struct sim_event){.kind = kind, .ns = ns, .session = id});
}

static void maxima_are_kept_for_each_tenant_too(void **state)
{
    struct sim_judge *j = *state;

    arrive(j, 1, 100, "acme");
    arrive(j, 2, 110, "acme");
    arrive(j, 3, 120, "beta");
    finish(j, 1, 130, SIM_EVENT_ANSWER);
    arrive(j, 4, 140, "beta");
    finish(j, 2, 150, SIM_EVENT_DROP);
    arrive(j, 5, 100 + SECOND, NULL);

    assert_int_equal(sim_judge_in_flight(j, NULL).count, 3);
    assert_int_equal(sim_judge_in_flight(j, "acme").count, 2);
    assert_int_equal(sim_judge_in_flight(j, "beta").count, 2);
    assert_int_equal(sim_judge_in_flight(j, "gamma").count, 0);
    assert_int_equal(sim_judge_rate(j, NULL, SECOND).count, 4);
    assert_int_equal(sim_judge_rate(j, NULL, 2 * SECOND).count, 5);
    assert_int_equal(sim_judge_rate(j, "acme", SECOND).count, 2);
    assert_int_equal(sim_judge_tenants(j), 2);
}

static void late_lines_change_nothing(void **state)
{
    struct sim_judge *j = *state;

    /* The arrival of 2 was stamped by the kernel after 1 had been answered, and the line of
       its arrival is written first: by time they do not overlap. */
    arrive(j, 1, 100, NULL);
    arrive(j, 2, 300, NULL);
    finish(j, 1, 200, SIM_EVENT_ANSWER);
    finish(j, 2, 400, SIM_EVENT_ANSWER);

    assert_int_equal(sim_judge_in_flight(j, NULL).count, 1);
}

static void order_twice_is_doubled(void **state)
{
    struct sim_judge *j = *state;

    arrive(j, 1, 1, NULL);
    arrive(j, 2, 2, NULL);
    order(j, 1, 10, "K1");
    order(j, 1, 11, "K2");
    order(j, 2, 12, "K1");
    order(j, 2, 13, NULL);

    assert_int_equal(sim_judge_orders(j), 2);
    assert_int_equal(sim_judge_orders_doubled(j), 1);
    assert_int_equal(sim_judge_order_find(j, "K1")->count, 2);
    assert_int_equal(sim_judge_order_find(j, "K1")->at_ns[1], 12);
    assert_int_equal(sim_judge_order_find(j, "K1")->calls[1], 2);
    assert_int_equal(sim_judge_order_find(j, "K2")->count, 1);
    assert_null(sim_judge_order_find(j, "K3"));
    assert_int_equal(sim_judge_call(j, 1)->acts, 2);
}

static void many_orders_are_all_found_again(void **state)
{
    struct sim_judge *j = *state;
    char key[32];

    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "K%d", i % 2000);
        order(j, 1, (uint64_t)i, key);
    }

    assert_int_equal(sim_judge_orders(j), 2000);
    assert_int_equal(sim_judge_orders_doubled(j), 1000);
    assert_int_equal(sim_judge_order_find(j, "K1999")->at_ns[0], 1999);
}

static void session_counts_until_its_first_end(void **state)
{
    struct sim_judge *j = *state;

    session(j, SIM_EVENT_OPEN, 10, "A");
    session(j, SIM_EVENT_OPEN, 20, "B");
    session(j, SIM_EVENT_CLOSE, 30, "A");
    session(j, SIM_EVENT_EXPIRE, 90, "A");
    session(j, SIM_EVENT_OPEN, 40, "C");
    session(j, SIM_EVENT_EXPIRE, 50, "B");
    session(j, SIM_EVENT_CLOSE, 60, "never opened");

    assert_int_equal(sim_judge_sessions(j), 3);
    assert_int_equal(sim_judge_sessions_open(j, NULL).count, 2);
    assert_int_equal(sim_judge_session(j, 0)->end, SIM_JUDGE_CLOSED);
    assert_int_equal(sim_judge_session(j, 0)->span.end_ns, 30);
    assert_int_equal(sim_judge_session(j, 1)->end, SIM_JUDGE_EXPIRED);
    assert_int_equal(sim_judge_session(j, 2)->end, SIM_JUDGE_OPEN);
}

static void start_ends_what_a_killed_simulator_left(void **state)
{
    struct sim_judge *j = *state;

    arrive(j, 1, 100, NULL);
    session(j, SIM_EVENT_OPEN, 100, "A");
    sim_judge_put(j, &(struct sim_event){.kind = SIM_EVENT_START, .ns = 500});
    arrive(j, 1, 600, NULL); /* ids begin anew */
    session(j, SIM_EVENT_OPEN, 600, "B");
    finish(j, 1, 700, SIM_EVENT_ANSWER);

    assert_int_equal(sim_judge_in_flight(j, NULL).count, 1);
    assert_int_equal(sim_judge_sessions_open(j, NULL).count, 1);
    assert_true(sim_judge_call(j, 0)->dropped);
    assert_string_equal(sim_judge_call(j, 0)->why, "killed");
    assert_true(sim_judge_call(j, 1)->answered);
}

static void reset_forgets_everything(void **state)
{
    struct sim_judge *j = *state;

    arrive(j, 1, 100, "acme");
    order(j, 1, 100, "K1");
    sim_judge_put(j, &(struct sim_event){.kind = SIM_EVENT_RESET});
    finish(j, 1, 700, SIM_EVENT_ANSWER);

    assert_int_equal(sim_judge_calls(j), 0);
    assert_int_equal(sim_judge_orders(j), 0);
    assert_int_equal(sim_judge_tenants(j), 0);
}

static void violations_are_counted_by_name(void **state)
{
    struct sim_judge *j = *state;
    char name[16];

    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "v%d", i % 20);
        sim_judge_put(j, &(struct sim_event){.kind = SIM_EVENT_VIOLATION, .why = name});
    }

    assert_int_equal(sim_judge_violations(j, "v19"), 3);
    assert_int_equal(sim_judge_violations(j, "v20"), 0);
    assert_string_equal(sim_judge_violation_name(j, 0), "v0");
    assert_null(sim_judge_violation_name(j, 20));
}

static void events_survive_the_way_through_json(void **state)
{
    struct sim_judge *j          = *state;
    const struct sim_event event = {.kind     = SIM_EVENT_ARRIVE,
                                    .endpoint = SIM_ENDPOINT_STEP,
                                    .number   = 7,
                                    .ns       = 12345678901234567u,
                                    .call     = 3,
                                    .conn     = 9,
                                    .nth      = 2,
                                    .session  = "S",
                                    .tenant   = "acme",
                                    .order    = "K\"1\\",
                                    .cmd      = "gr\xc3\xbc\xc3\x9f dich"};

    char *line = sim_event_line(&event);

    assert_true(sim_judge_put_line(j, line, strlen(line)));
    assert_false(sim_judge_put_line(j, line, strlen(line) / 2));
    assert_false(sim_judge_put_line(j, "", 0));
    assert_false(sim_judge_put_line(j, "{\"event\":\"no such\"}", 19));
    free(line);

    const struct sim_judge_call *call = sim_judge_call(j, 0);

    assert_int_equal(sim_judge_calls(j), 1);
    assert_int_equal(call->span.begin_ns, 12345678901234567u);
    assert_int_equal(call->endpoint, SIM_ENDPOINT_STEP);
    assert_string_equal(call->order, "K\"1\\");
    assert_int_equal(call->nth, 2);
}

#define JUDGE(test) cmocka_unit_test_setup_teardown(test, with_judge, without)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JUDGE(maxima_are_kept_for_each_tenant_too),
        JUDGE(late_lines_change_nothing),
        JUDGE(order_twice_is_doubled),
        JUDGE(many_orders_are_all_found_again),
        JUDGE(session_counts_until_its_first_end),
        JUDGE(start_ends_what_a_killed_simulator_left),
        JUDGE(reset_forgets_everything),
        JUDGE(violations_are_counted_by_name),
        JUDGE(events_survive_the_way_through_json),
    };
    return cmocka_run_group_tests_name("sim_judge", tests, NULL, NULL);
}
