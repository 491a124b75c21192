/* lim_gate_report - what a report gives back, and what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gate.h"

enum { START = 1000000 };

static struct gate *open_gate(const struct run_upstream *u)
{
    const struct run_upstream all[2] = {*u};

    return gate_new(all, NULL, 0, START);
}

/* Who asked did not wait for its answer any longer; over there it goes on. */
static void a_call_that_timed_out_is_out_until_its_own_time_is_over(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.in_flight         = 4;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = gate_want("up", 1);

    a.lifetime_ms = 1000;
    assert_true(gate_ask(g, &a)->ok);
    (void)gate_tick(g, 1000);
    gate_return(g, 1, CALL_TIMEOUT, 0);
    assert_int_equal(gate_state(g, "up").in_flight_used, 1);
    assert_int_equal(gate_state(g, "up").mode, PERMIT_MODE_SLOWED); /* it was heard */
    (void)gate_tick(g, PERMIT_SLACK_MS - 1);
    assert_int_equal(gate_state(g, "up").in_flight_used, 1);
    (void)gate_tick(g, 1);
    assert_int_equal(gate_state(g, "up").in_flight_used, 0);
    gate_free(&g);
}

/* … and what it said of its upstream counts once, however often it was said. */
static void a_call_that_timed_out_is_heard_once(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = gate_want("up", 1);

    assert_true(gate_ask(g, &a)->ok);
    for (unsigned n = 0; n < LIM_MODE_FAILURES; n++)
        gate_return(g, 1, CALL_TIMEOUT, 0);
    assert_int_not_equal(gate_state(g, "up").mode, PERMIT_MODE_CLOSED);
    gate_free(&g);
}

/* An answer that says so is one: it does not go on. */
static void a_408_gives_its_place_back(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = gate_want("up", 1);

    assert_true(gate_ask(g, &a)->ok);
    gate_return(g, 1, CALL_TIMEOUT, 408);
    assert_int_equal(gate_state(g, "up").in_flight_used, 0);
    gate_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_timed_out_is_out_until_its_own_time_is_over),
        cmocka_unit_test(a_call_that_timed_out_is_heard_once),
        cmocka_unit_test(a_408_gives_its_place_back),
    };

    return cmocka_run_group_tests_name("lim_gate_report", tests, NULL, NULL);
}
