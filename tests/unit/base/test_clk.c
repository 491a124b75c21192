#include "base/clk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static void monotonic_clocks_never_go_back(void **state)
{
    (void)state;
    uint64_t ms = clk_mono_ms(), us = clk_mono_us(), boot = clk_boot_ms();

    for (int i = 0; i < 10000; i++) {
        uint64_t ms_now = clk_mono_ms(), us_now = clk_mono_us(), boot_now = clk_boot_ms();

        assert_true(ms_now >= ms);
        assert_true(us_now >= us);
        assert_true(boot_now >= boot);
        ms   = ms_now;
        us   = us_now;
        boot = boot_now;
    }
}

static void microseconds_and_milliseconds_are_one_clock(void **state)
{
    (void)state;
    uint64_t before = clk_mono_ms();
    uint64_t us     = clk_mono_us();
    uint64_t after  = clk_mono_ms();

    assert_in_range(us / 1000, before, after);
}

static void boot_clock_counts_sleep_too(void **state)
{
    (void)state;
    uint64_t mono = clk_mono_ms();

    assert_true(clk_boot_ms() >= mono);
}

static void wall_clock_is_the_calendar(void **state)
{
    (void)state;
    int64_t before = (int64_t)time(NULL) - 1; /* time() may lag behind by a tick */
    int64_t wall   = clk_wall_ms() / 1000;

    assert_in_range(wall, before, (int64_t)time(NULL) + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monotonic_clocks_never_go_back),
        cmocka_unit_test(microseconds_and_milliseconds_are_one_clock),
        cmocka_unit_test(boot_clock_counts_sleep_too),
        cmocka_unit_test(wall_clock_is_the_calendar),
    };
    return cmocka_run_group_tests_name("clk", tests, NULL, NULL);
}
