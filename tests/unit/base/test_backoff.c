#include "base/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The wait is the remainder of the random number: handed the largest wait it is that one,
   handed one more it is none. */
static void wait_doubles_up_to_the_cap(void **state)
{
    (void)state;
    static const struct {
        unsigned n;
        uint64_t most;
    } CASES[] = {{0, 100},   {1, 200},   {4, 1600},      {6, 5000},
                 {63, 5000}, {64, 5000}, {4000000, 5000}};

    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        assert_int_equal(backoff_full_ms(CASES[i].n, 100, 5000, CASES[i].most), CASES[i].most);
        assert_int_equal(backoff_full_ms(CASES[i].n, 100, 5000, CASES[i].most + 1), 0);
        assert_int_equal(backoff_full_ms(CASES[i].n, 100, 5000, 0), 0);
    }
}

static void half_of_the_wait_is_sure(void **state)
{
    (void)state;

    for (unsigned n = 0; n < 70; n++)
        for (uint64_t random = 0; random < 1000; random++) {
            uint64_t whole = n < 6 ? UINT64_C(101) << n : 5001;
            uint64_t wait  = backoff_half_ms(n, 101, 5001, random * 7919);

            assert_in_range(wait, (whole + 1) / 2, whole);
        }
}

static void nothing_overflows_at_the_ends_of_the_range(void **state)
{
    (void)state;

    assert_int_equal(backoff_full_ms(0, UINT64_MAX, UINT64_MAX, UINT64_MAX), UINT64_MAX);
    assert_int_equal(backoff_full_ms(63, 3, UINT64_MAX, UINT64_MAX), UINT64_MAX);
    assert_int_equal(backoff_half_ms(9, UINT64_MAX, UINT64_MAX, 0), UINT64_C(1) << 63);
    assert_in_range(backoff_half_ms(9, UINT64_MAX, UINT64_MAX, UINT64_MAX), UINT64_C(1) << 63,
                    UINT64_MAX);
}

static void base_or_cap_of_zero_is_no_wait(void **state)
{
    (void)state;

    for (unsigned n = 0; n < 100; n++) {
        assert_int_equal(backoff_full_ms(n, 0, 5000, UINT64_MAX), 0);
        assert_int_equal(backoff_full_ms(n, 100, 0, UINT64_MAX), 0);
        assert_int_equal(backoff_half_ms(n, 0, 0, UINT64_MAX), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait_doubles_up_to_the_cap),
        cmocka_unit_test(half_of_the_wait_is_sure),
        cmocka_unit_test(nothing_overflows_at_the_ends_of_the_range),
        cmocka_unit_test(base_or_cap_of_zero_is_no_wait),
    };
    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
