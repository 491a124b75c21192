#include "agent_sim/sim_fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t MS = 1000000u;

static const struct sim_fault_call BROWSE = {
    .endpoint = SIM_ENDPOINT_BROWSE, .cmd = "buy milk", .tenant = "acme", .session = "S1"};
static const struct sim_fault_call OPEN = {.endpoint = SIM_ENDPOINT_OPEN};

static int with_faults(void **state)
{
    static struct sim_faults faults;

    *state = &faults;
    return 0;
}

static int without(void **state)
{
    sim_fault_deinit(*state);
    return 0;
}

/* The name of the wrong field, "" if all is well. */
static const char *add(struct sim_faults *faults, const char *text, uint64_t now_ns)
{
    static char wrong[64];
    uint64_t id       = 0;
    json_t *json      = json_loads(text, 0, NULL);
    const char *field = sim_fault_add(faults, json, now_ns, &id);

    assert_non_null(json);
    snprintf(wrong, sizeof wrong, "%s", field ? field : "");
    json_decref(json);
    return wrong;
}

/* How many of `calls` calls get a fault. */
static int played(struct sim_faults *faults, const struct sim_fault_call *call, int calls,
                  uint64_t now_ns)
{
    struct sim_plan plan;
    int n = 0;

    for (int i = 0; i < calls; i++)
        n += sim_fault_pick(faults, call, now_ns, &plan);
    return n;
}

static void plain_fault_is_for_the_next_call(void **state)
{
    assert_string_equal(add(*state, "{\"fault\":\"reset_after\"}", 0), "");

    assert_int_equal(played(*state, &BROWSE, 5, 0), 1);
}

static void count_and_skip_choose_the_calls(void **state)
{
    add(*state, "{\"fault\":\"500\",\"skip\":2,\"count\":3}", 0);

    assert_int_equal(played(*state, &BROWSE, 2, 0), 0);
    assert_int_equal(played(*state, &BROWSE, 9, 0), 3);
}

static void fault_waits_for_its_endpoint_text_tenant_and_session(void **state)
{
    struct sim_faults *faults = *state;

    add(faults, "{\"fault\":\"500\",\"endpoint\":[\"step\",\"open\"]}", 0);
    assert_int_equal(played(faults, &BROWSE, 3, 0), 0);
    assert_int_equal(played(faults, &OPEN, 3, 0), 1);

    add(faults, "{\"fault\":\"500\",\"cmd\":\"milk\",\"tenant\":\"acme\",\"session\":\"S1\"}",
        0);
    assert_int_equal(played(faults, &OPEN, 3, 0), 0);
    assert_int_equal(played(faults, &BROWSE, 3, 0), 1);

    add(faults, "{\"fault\":\"500\",\"tenant\":\"beta\"}", 0);
    assert_int_equal(played(faults, &BROWSE, 3, 0), 0);
}

static void window_counts_from_now_and_has_no_other_limit(void **state)
{
    add(*state, "{\"fault\":\"402\",\"from_ms\":100,\"for_ms\":50}", 1000 * MS);

    assert_int_equal(played(*state, &BROWSE, 3, 1099 * MS), 0);
    assert_int_equal(played(*state, &BROWSE, 30, 1100 * MS), 30);
    assert_int_equal(played(*state, &BROWSE, 30, 1149 * MS), 30);
    assert_int_equal(played(*state, &BROWSE, 3, 1150 * MS), 0);
}

static void chance_is_seeded(void **state)
{
    struct sim_faults *faults = *state;

    add(faults, "{\"fault\":\"503\",\"probability\":0.25,\"seed\":42}", 0);

    int first = played(faults, &BROWSE, 1000, 0);

    sim_fault_deinit(faults);
    add(faults, "{\"fault\":\"503\",\"probability\":0.25,\"seed\":42}", 0);
    assert_in_range(first, 200, 300);
    assert_int_equal(played(faults, &BROWSE, 1000, 0), first);
}

static void first_that_fits_is_played(void **state)
{
    struct sim_plan plan;

    add(*state, "{\"fault\":\"500\"}", 0);
    add(*state, "{\"fault\":\"429\",\"retry_after\":\"soon\",\"count\":9}", 0);

    assert_true(sim_fault_pick(*state, &BROWSE, 0, &plan));
    assert_int_equal(plan.status, 500);
    assert_true(sim_fault_pick(*state, &BROWSE, 0, &plan));
    assert_int_equal(plan.status, 429);
    assert_int_equal(plan.retry, SIM_PLAN_RETRY_RAW);
    assert_string_equal(plan.retry_raw, "soon");
}

static void name_with_a_suffix_says_whether_the_call_acts(void **state)
{
    static const struct {
        const char *name;
        bool acts;
    } CASES[] = {
        {"500", false},        {"500_after", true},       {"503_before", false},
        {"reset", false},      {"reset_after", true},     {"hang_after", true},
        {"garbage", true},     {"garbage_before", false}, {"html_502_after", true},
        {"402_credit", false}, {"402_feature", false},    {"429_concurrency", false},
        {"drip", true},        {"session_lost", true},    {"close_after", true},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct sim_plan plan;

        assert_true(sim_plan_read(&plan, CASES[i].name));
        assert_int_equal(plan.acts, CASES[i].acts);
    }
}

static void wrong_field_is_named_and_adds_nothing(void **state)
{
    static const char *const CASES[][2] = {
        {"{}", "fault"},
        {"{\"fault\":\"expl\"}", "fault"},
        {"{\"fault\":\"500\",\"cuont\":1}", "cuont"},
        {"{\"fault\":\"500\",\"count\":-1}", "count"},
        {"{\"fault\":\"500\",\"endpoint\":\"brows\"}", "endpoint"},
        {"{\"fault\":\"500\",\"cmd\":7}", "cmd"},
        {"{\"fault\":\"500\",\"cmd\":\"x\",\"probability\":2}", "probability"},
        {"{\"fault\":\"429\",\"retry_after_form\":\"weeks\"}", "retry_after_form"},
        {"{\"fault\":\"429\",\"headers\":{\"A\":\"b\\r\\nC: d\"}}", "headers"},
        {"{\"fault\":\"429\",\"latency_ms\":-5}", "latency_ms"},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_string_equal(add(*state, CASES[i][0], 0), CASES[i][1]);
    assert_int_equal(played(*state, &BROWSE, 9, 0), 0);
}

#define FAULTS(test) cmocka_unit_test_setup_teardown(test, with_faults, without)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULTS(plain_fault_is_for_the_next_call),
        FAULTS(count_and_skip_choose_the_calls),
        FAULTS(fault_waits_for_its_endpoint_text_tenant_and_session),
        FAULTS(window_counts_from_now_and_has_no_other_limit),
        FAULTS(chance_is_seeded),
        FAULTS(first_that_fits_is_played),
        FAULTS(name_with_a_suffix_says_whether_the_call_acts),
        FAULTS(wrong_field_is_named_and_adds_nothing),
    };
    return cmocka_run_group_tests_name("sim_fault", tests, NULL, NULL);
}
