#include "sch_gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void a_lock_lets_one_pass(void **state)
{
    struct sch_gate g;
    bool probe = true;

    (void)state;
    sch_gate_init(&g, GATE_LOCK, "acme.user-42");
    assert_true(sch_gate_open(&g, "A", 0, &probe));
    assert_false(probe);
    sch_gate_pass(&g, false, 0);
    assert_false(sch_gate_open(&g, "B", 0, &probe));
    sch_gate_leave(&g);
    assert_true(sch_gate_open(&g, "B", 0, &probe));
    sch_gate_deinit(&g);
}

static void a_record_lets_only_its_owner_pass(void **state)
{
    struct sch_gate g;
    bool probe = false;

    (void)state;
    sch_gate_init(&g, GATE_LOCK, "acme.user-42");
    strcpy(g.owner, "A");
    assert_false(sch_gate_open(&g, "B", 0, &probe));
    assert_true(sch_gate_open(&g, "A", 0, &probe));
    sch_gate_deinit(&g);
}

static void a_closed_upstream_opens_at_its_time(void **state)
{
    struct sch_gate g;
    bool probe = false;

    (void)state;
    sch_gate_init(&g, GATE_UPSTREAM, "multion");
    g.shut_until = 5000;
    assert_false(sch_gate_open(&g, "A", 4999, &probe));
    assert_true(sch_gate_open(&g, "A", 5000, &probe));
    assert_false(probe);
    sch_gate_deinit(&g);
}

static void a_limited_upstream_lets_one_probe_pass_an_interval(void **state)
{
    struct sch_gate g;
    bool probe = false;

    (void)state;
    sch_gate_init(&g, GATE_UPSTREAM, "multion");
    g.shut_until = INT64_MAX;
    g.probe_ms   = 60000;
    g.probe_at   = 60000;
    assert_false(sch_gate_open(&g, "A", 59999, &probe));
    assert_true(sch_gate_open(&g, "A", 60000, &probe));
    assert_true(probe);
    sch_gate_pass(&g, true, 60000);
    assert_false(sch_gate_open(&g, "B", 60001, &probe));
    sch_gate_leave(&g); /* it is over, and the interval is not */
    assert_false(sch_gate_open(&g, "B", 119999, &probe));
    assert_true(sch_gate_open(&g, "B", 120000, &probe));
    sch_gate_deinit(&g);
}

static void a_paused_gate_lets_nobody_pass(void **state)
{
    struct sch_gate g;
    bool probe = false;

    (void)state;
    sch_gate_init(&g, GATE_FLOW, "checkout");
    g.paused = true;
    assert_false(sch_gate_open(&g, "A", 0, &probe));
    g.paused = false;
    g.limit  = 2;
    sch_gate_pass(&g, false, 0);
    assert_true(sch_gate_open(&g, "B", 0, &probe));
    sch_gate_pass(&g, false, 0);
    assert_false(sch_gate_open(&g, "C", 0, &probe));
    sch_gate_deinit(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lock_lets_one_pass),
        cmocka_unit_test(a_record_lets_only_its_owner_pass),
        cmocka_unit_test(a_closed_upstream_opens_at_its_time),
        cmocka_unit_test(a_limited_upstream_lets_one_probe_pass_an_interval),
        cmocka_unit_test(a_paused_gate_lets_nobody_pass),
    };

    return cmocka_run_group_tests_name("sch_gate", tests, NULL, NULL);
}
