#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lim_rate.h"

#define MS UINT64_C(1000000)

static void a_full_bucket_grants_its_burst_at_once(void **state)
{
    struct lim_rate rate = lim_rate_of(10, 3, 1);
    struct lim_bucket b  = {0};

    (void)state;
    for (int n = 0; n < 3; n++) {
        assert_int_equal(lim_rate_wait_ns(&b, rate, 5000 * MS), 0);
        lim_rate_take(&b, rate, 5000 * MS);
    }
    assert_int_equal(lim_rate_wait_ns(&b, rate, 5000 * MS), 100 * MS);
}

static void waiting_the_told_time_is_enough(void **state)
{
    struct lim_rate rate = lim_rate_of(3, 1, 1);
    struct lim_bucket b  = {0};
    uint64_t now         = 7000 * MS;

    (void)state;
    for (int n = 0; n < 100; n++) {
        uint64_t wait = lim_rate_wait_ns(&b, rate, now);

        if (wait > 0)
            assert_true(lim_rate_wait_ns(&b, rate, now + wait - 1) > 0);
        now += wait;
        assert_int_equal(lim_rate_wait_ns(&b, rate, now), 0);
        lim_rate_take(&b, rate, now);
    }
}

static void no_rate_is_no_limit(void **state)
{
    struct lim_rate rate = lim_rate_of(0, 0, 1);
    struct lim_bucket b  = {0};

    (void)state;
    for (int n = 0; n < 1000; n++) {
        assert_int_equal(lim_rate_wait_ns(&b, rate, 1), 0);
        lim_rate_take(&b, rate, 1);
    }
}

static void a_factor_scales_rate_and_burst_and_leaves_one(void **state)
{
    struct lim_rate half = lim_rate_of(100, 20, 0.5), none = lim_rate_of(100, 20, 0);

    (void)state;
    assert_int_equal(half.interval_ns, 20 * MS);
    assert_int_equal(half.burst, 10);
    assert_int_equal(none.burst, 1);
    assert_true(none.interval_ns >= UINT64_C(1000000000000));
}

static void a_raised_rate_counts_at_once(void **state)
{
    struct lim_bucket b = {0};

    (void)state;
    for (int n = 0; n < 5; n++)
        lim_rate_take(&b, lim_rate_of(0.1, 5, 1), 1000 * MS);
    assert_true(lim_rate_wait_ns(&b, lim_rate_of(1000, 5, 1), 1000 * MS) <= 1 * MS);
}

static void what_is_told_of_a_bucket_never_empties_it(void **state)
{
    struct lim_bucket b = {0};

    (void)state;
    lim_rate_fill(&b, 1000, 500);
    lim_rate_fill(&b, 1200, 100);
    assert_int_equal(lim_rate_ahead_ns(&b, 1000), 500);
    assert_int_equal(lim_rate_ahead_ns(&b, 1600), 0);
}

/* Random rates, random arrivals, and factors that come and go: counted in every window of a second. */
static void never_more_than_rate_and_burst_in_any_second(void **state)
{
    enum { TAKES = 4000 };
    static uint64_t at[TAKES];
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 60; round++) {
        seed                = seed * 1103515245 + 12345;
        double per_s        = 0.5 + (seed >> 16) % 900;
        uint64_t burst      = 1 + (seed >> 8) % 60;
        struct lim_bucket b = {0};
        uint64_t now        = 1000000;
        size_t takes = 0, from = 0;

        for (int step = 0; step < 20000 && takes < TAKES; step++) {
            seed = seed * 1103515245 + 12345;
            now += (seed >> 16) % 100 < 70 ? 0 : (seed >> 20) % 40;
            double factor        = (seed >> 12) % 10 < 8 ? 1 : 0.3;
            struct lim_rate rate = lim_rate_of(per_s, burst, factor);

            if (lim_rate_wait_ns(&b, rate, now * MS) > 0)
                continue;
            lim_rate_take(&b, rate, now * MS);
            at[takes++] = now;
            while (at[takes - 1] - at[from] >= 1000)
                from++;
            assert_true((double)(takes - from) <= per_s + (double)burst);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_bucket_grants_its_burst_at_once),
        cmocka_unit_test(waiting_the_told_time_is_enough),
        cmocka_unit_test(no_rate_is_no_limit),
        cmocka_unit_test(a_factor_scales_rate_and_burst_and_leaves_one),
        cmocka_unit_test(a_raised_rate_counts_at_once),
        cmocka_unit_test(what_is_told_of_a_bucket_never_empties_it),
        cmocka_unit_test(never_more_than_rate_and_burst_in_any_second),
    };

    return cmocka_run_group_tests_name("lim_rate", tests, NULL, NULL);
}
