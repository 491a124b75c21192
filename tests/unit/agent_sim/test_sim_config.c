#include "agent_sim/sim_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct sim_config config;

static int with_defaults(void **state)
{
    (void)state;
    sim_config_init(&config);
    return 0;
}

static int without(void **state)
{
    (void)state;
    sim_config_deinit(&config);
    return 0;
}

/* The field that was refused, "" if none. */
static const char *change(const char *text)
{
    static char wrong[64];
    json_t *json = json_loads(text, 0, NULL);

    assert_non_null(json);
    if (sim_config_merge(&config, json, wrong))
        wrong[0] = '\0';
    json_decref(json);
    return wrong;
}

static void change_leaves_the_rest_as_it_was(void **state)
{
    (void)state;

    assert_string_equal(change("{\"limits\":{\"rate\":10},\"session_idle_ms\":50}"), "");
    assert_string_equal(change("{\"limits\":{\"enforce\":true}}"), "");

    assert_int_equal(config.rate_max, 10);
    assert_true(config.enforce);
    assert_int_equal(config.sessions_max, SIM_CONFIG_UNLIMITED);
    assert_true(config.session_idle_ms == 50);
    assert_int_equal(config.lost_status, 404);
}

static void null_lifts_a_limit(void **state)
{
    (void)state;

    change("{\"limits\":{\"rate\":10}}");
    change("{\"limits\":{\"rate\":null}}");
    assert_int_equal(config.rate_max, SIM_CONFIG_UNLIMITED);
}

static void latency_is_replaced_whole(void **state)
{
    (void)state;

    change("{\"latency\":{\"default\":{\"mean\":100},\"browse\":800}}");
    assert_int_equal(config.latency[SIM_ENDPOINT_STEP].shape, SIM_LATENCY_EXPONENTIAL);
    assert_true(config.latency[SIM_ENDPOINT_BROWSE].max_ms == 800);

    change("{\"latency\":{\"default\":{\"min\":1,\"max\":2}}}");
    assert_int_equal(config.latency[SIM_ENDPOINT_STEP].shape, SIM_LATENCY_UNIFORM);
    assert_true(config.latency[SIM_ENDPOINT_STEP].max_ms == 2);
    assert_true(config.latency[SIM_ENDPOINT_BROWSE].max_ms == 800);
}

static void wrong_field_is_named_and_nothing_changes(void **state)
{
    static const char *const CASES[][2] = {
        {"{\"sed\":1}", "sed"},
        {"{\"seed\":2,\"limits\":{\"rat\":1}}", "rat"},
        {"{\"seed\":2,\"limits\":3}", "limits"},
        {"{\"seed\":2,\"limits\":{\"rate\":-1}}", "limits.rate"},
        {"{\"seed\":2,\"latency\":{\"brows\":1}}", "brows"},
        {"{\"seed\":2,\"latency\":{\"browse\":{\"min\":5,\"max\":1}}}", "browse"},
        {"{\"seed\":2,\"lost\":{\"status\":200}}", "lost.status"},
        {"{\"seed\":2,\"keys\":[1]}", "keys"},
        {"{\"seed\":2,\"act_at\":1.5}", "act_at"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_string_equal(change(CASES[i][0]), CASES[i][1]);
    assert_int_equal(config.seed, 1);
}

static void draws_stay_in_their_bounds_and_follow_the_seed(void **state)
{
    (void)state;
    struct sim_latency_random one = sim_latency_seed(5), two = sim_latency_seed(5);
    const struct sim_latency uniform = {SIM_LATENCY_UNIFORM, 20, 60, 0};
    const struct sim_latency tail    = {SIM_LATENCY_EXPONENTIAL, 10, 500, 100};
    double sum                       = 0;

    for (int i = 0; i < 10000; i++) {
        double a = sim_latency_draw(&uniform, &one), b = sim_latency_draw(&tail, &one);

        assert_true(a >= 20 && a <= 60 && b >= 10 && b <= 500);
        assert_true(a == sim_latency_draw(&uniform, &two));
        assert_true(b == sim_latency_draw(&tail, &two));
        sum += b;
    }
    assert_true(sum / 10000 > 80 && sum / 10000 < 120);
}

#define CONFIG(test) cmocka_unit_test_setup_teardown(test, with_defaults, without)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIG(change_leaves_the_rest_as_it_was),
        CONFIG(null_lifts_a_limit),
        CONFIG(latency_is_replaced_whole),
        CONFIG(wrong_field_is_named_and_nothing_changes),
        CONFIG(draws_stay_in_their_bounds_and_follow_the_seed),
    };
    return cmocka_run_group_tests_name("sim_config", tests, NULL, NULL);
}
