#include "agent_sim/sim_peak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint64_t SECOND = 1000000000u;

static void nothing_has_no_peak(void **state)
{
    (void)state;

    assert_int_equal(sim_peak_at_once(NULL, 0).count, 0);
    assert_int_equal(sim_peak_within(NULL, 0, SECOND).count, 0);
}

static void peak_is_the_most_that_overlap(void **state)
{
    (void)state;
    const struct sim_span spans[] = {{30, 40}, {0, 10}, {5, 35}, {32, SIM_PEAK_OPEN}, {8, 9}};

    struct sim_peak peak = sim_peak_at_once(spans, 5);

    assert_int_equal(peak.count, 3);
    assert_int_equal(peak.from_ns, 8);
}

static void one_that_begins_when_another_ends_does_not_overlap_it(void **state)
{
    (void)state;
    const struct sim_span spans[] = {{0, 10}, {10, 20}, {20, 30}};

    assert_int_equal(sim_peak_at_once(spans, 3).count, 1);
}

static void what_never_ends_counts_for_ever(void **state)
{
    (void)state;
    const struct sim_span spans[] = {{0, SIM_PEAK_OPEN}, {1, SIM_PEAK_OPEN}, {99, 100}};

    assert_int_equal(sim_peak_at_once(spans, 3).count, 3);
}

static void window_slides_and_is_not_a_clock_second(void **state)
{
    (void)state;
    /* Two full clock seconds have three each; the worst second lies across their border. */
    uint64_t at[] = {1 * SECOND - 3, 1 * SECOND - 2, 1 * SECOND - 1,
                     1 * SECOND,     1 * SECOND + 1, 2 * SECOND - 4};

    struct sim_peak peak = sim_peak_within(at, 6, SECOND);

    assert_int_equal(peak.count, 6);
    assert_int_equal(peak.from_ns, SECOND - 3);
    assert_int_equal(peak.to_ns, 2 * SECOND - 4);
}

static void window_is_half_open(void **state)
{
    (void)state;
    uint64_t apart[]  = {7 * SECOND, 8 * SECOND};
    uint64_t within[] = {7 * SECOND, 8 * SECOND - 1};

    assert_int_equal(sim_peak_within(apart, 2, SECOND).count, 1);
    assert_int_equal(sim_peak_within(within, 2, SECOND).count, 2);
}

static void order_of_the_input_does_not_matter(void **state)
{
    (void)state;
    uint64_t at[] = {5 * SECOND, 1, 5 * SECOND + 1, 2, 5 * SECOND + 2};

    assert_int_equal(sim_peak_within(at, 5, SECOND).count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_has_no_peak),
        cmocka_unit_test(peak_is_the_most_that_overlap),
        cmocka_unit_test(one_that_begins_when_another_ends_does_not_overlap_it),
        cmocka_unit_test(what_never_ends_counts_for_ever),
        cmocka_unit_test(window_slides_and_is_not_a_clock_second),
        cmocka_unit_test(window_is_half_open),
        cmocka_unit_test(order_of_the_input_does_not_matter),
    };
    return cmocka_run_group_tests_name("sim_peak", tests, NULL, NULL);
}
