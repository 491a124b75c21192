/* What FAULT becomes is decided where it is written: this file always has faults. */
#ifndef SLUICE_FAULTS
#define SLUICE_FAULTS
#endif
#include "base/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct err fallible(void)
{
    FAULT(err_of(ERR_RETRY, "do it"));
    return OK;
}

static void disarmed_calls_never_fail(void **state)
{
    (void)state;

    fault_arm(0);
    for (int i = 0; i < 1000; i++)
        assert_false(failed(fallible()));
    assert_false(fault_fired());
}

static void exactly_the_nth_call_fails(void **state)
{
    (void)state;

    for (unsigned n = 1; n <= 20; n++) {
        fault_arm(n);
        for (unsigned call = 1; call <= 30; call++) {
            assert_int_equal(failed(fallible()), call == n);
            assert_int_equal(fault_fired(), call >= n);
        }
    }
}

static void fault_that_was_not_reached_did_not_fire(void **state)
{
    (void)state;

    fault_arm(3);
    assert_false(failed(fallible()));
    assert_false(failed(fallible()));
    assert_false(fault_fired());
    fault_arm(0);
}

static void arming_forgets_the_last_fault(void **state)
{
    (void)state;

    fault_arm(1);
    assert_true(failed(fallible()));
    fault_arm(0);
    assert_false(fault_fired());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disarmed_calls_never_fail),
        cmocka_unit_test(exactly_the_nth_call_fails),
        cmocka_unit_test(fault_that_was_not_reached_did_not_fire),
        cmocka_unit_test(arming_forgets_the_last_fault),
    };
    return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
