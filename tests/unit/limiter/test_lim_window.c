#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lim_window.h"

static const struct lim_window_limits LIMITS = {.floor = 2, .in_flight = 100};

static void one_bad_answer_among_few_cuts(void **state)
{
    struct lim_window w = {.size = 0};

    (void)state;
    assert_int_equal(lim_window_room(&w), UINT32_MAX);
    assert_true(lim_window_bad(&w, &LIMITS, 8, 10, 20));
    assert_int_equal(lim_window_room(&w), 5);
}

static void one_bad_answer_among_hundreds_does_not(void **state)
{
    struct lim_window w = {.size = 0};

    (void)state;
    for (int n = 0; n < 9; n++)
        assert_false(lim_window_bad(&w, &LIMITS, 100, 10, 20));
    assert_true(lim_window_bad(&w, &LIMITS, 100, 10, 20));
    assert_int_equal(lim_window_room(&w), 70);
}

static void it_is_cut_once_for_each_window(void **state)
{
    struct lim_window w = {.size = 0};

    (void)state;
    assert_true(lim_window_bad(&w, &LIMITS, 10, 10, 20));
    for (uint64_t granted = 0; granted <= 20; granted++)
        assert_false(lim_window_bad(&w, &LIMITS, 7, granted, 30));
    assert_int_equal(lim_window_room(&w), 7);
    assert_true(lim_window_bad(&w, &LIMITS, 7, 21, 30));
    assert_int_equal(lim_window_room(&w), 4);
}

static void it_never_falls_below_its_floor(void **state)
{
    struct lim_window w = {.size = 0};

    (void)state;
    for (uint64_t n = 1; n < 50; n++) {
        (void)lim_window_bad(&w, &LIMITS, 3, 10 * n, 10 * n + 5);
        assert_true(lim_window_room(&w) >= 2);
    }
    assert_int_equal(lim_window_room(&w), 2);
}

static void it_grows_by_one_a_window_and_goes_away_at_its_ceiling(void **state)
{
    const struct lim_window_limits limits = {.floor = 1, .in_flight = 12};
    struct lim_window w                   = {.size = 0};
    int answers                           = 0;

    (void)state;
    lim_window_set(&w, &limits, 10, 0, 5);
    for (int n = 0; n < 11; n++)
        assert_false(lim_window_good(&w));
    assert_int_equal(lim_window_room(&w), 11);
    while (!lim_window_good(&w))
        answers++;
    assert_true(answers < 20);
    assert_int_equal(lim_window_room(&w), UINT32_MAX);
}

static void without_a_limit_its_ceiling_is_what_was_out(void **state)
{
    const struct lim_window_limits limits = {.floor = 1};
    struct lim_window w                   = {.size = 0};

    (void)state;
    assert_true(lim_window_bad(&w, &limits, 8, 10, 20));
    assert_int_equal(w.ceiling, 8);
}

static void what_was_long_ago_is_not_counted(void **state)
{
    struct lim_window w = {.size = 0};

    (void)state;
    for (int round = 0; round < 20; round++) {
        assert_false(lim_window_bad(&w, &LIMITS, 100, 10, 20));
        for (int n = 0; n < 200; n++)
            (void)lim_window_good(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_bad_answer_among_few_cuts),
        cmocka_unit_test(one_bad_answer_among_hundreds_does_not),
        cmocka_unit_test(it_is_cut_once_for_each_window),
        cmocka_unit_test(it_never_falls_below_its_floor),
        cmocka_unit_test(it_grows_by_one_a_window_and_goes_away_at_its_ceiling),
        cmocka_unit_test(without_a_limit_its_ceiling_is_what_was_out),
        cmocka_unit_test(what_was_long_ago_is_not_counted),
    };

    return cmocka_run_group_tests_name("lim_window", tests, NULL, NULL);
}
