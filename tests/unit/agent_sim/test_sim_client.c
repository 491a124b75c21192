#include "agent_sim/sim_client.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent_sim/sim_probe.h"

static void client_says_null_if_the_program_does_not_start(void **state)
{
    (void)state;

    assert_null(sim_client_start(&(struct sim_client_start){.program = "/nonexistent"}));
    assert_null(sim_client_start(&(struct sim_client_start){.config = "{\"sed\":1}"}));
    assert_null(sim_client_start(&(struct sim_client_start){.config = "not json"}));
}

static void stopped_simulator_is_gone(void **state)
{
    (void)state;
    struct sim_client *sim = sim_client_start(&(struct sim_client_start){0});
    pid_t pid              = sim_client_pid(sim);

    assert_int_equal(kill(pid, 0), 0);
    assert_true(sim_client_stop(&sim));
    assert_null(sim);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void two_simulators_do_not_meet(void **state)
{
    (void)state;
    struct sim_client *a = sim_client_start(&(struct sim_client_start){0});
    struct sim_client *b = sim_client_start(&(struct sim_client_start){0});

    sim_probe_status(sim_client_port(a), "GET", "/v1/web/sessions", NULL);
    assert_true(sim_client_wait_at_least(a, "calls", 1, 0));
    assert_true(sim_client_wait_at_most(b, "calls", 0, 0));
    sim_client_stop(&a);
    sim_client_stop(&b);
}

static void attached_client_sees_and_does_not_end(void **state)
{
    (void)state;
    struct sim_client *own      = sim_client_start(&(struct sim_client_start){0});
    struct sim_client *attached = sim_client_attach(sim_client_port(own));

    assert_int_equal(sim_client_pid(attached), 0);
    assert_true(sim_client_reset(attached));
    sim_client_stop(&attached);
    assert_true(sim_client_reset(own));
    sim_client_stop(&own);
}

static void number_follows_a_path(void **state)
{
    (void)state;
    json_t *json = json_loads("{\"a\":{\"b\":{\"c\":7}},\"d\":\"x\"}", 0, NULL);

    assert_int_equal(sim_client_number(json, "a.b.c"), 7);
    assert_int_equal(sim_client_number(json, "a.b"), -1);
    assert_int_equal(sim_client_number(json, "a.x.c"), -1);
    assert_int_equal(sim_client_number(json, "d"), -1);
    assert_int_equal(sim_client_number(NULL, "a"), -1);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_says_null_if_the_program_does_not_start),
        cmocka_unit_test(stopped_simulator_is_gone),
        cmocka_unit_test(two_simulators_do_not_meet),
        cmocka_unit_test(attached_client_sees_and_does_not_end),
        cmocka_unit_test(number_follows_a_path),
    };
    return cmocka_run_group_tests_name("sim_client", tests, NULL, NULL);
}
