#include "run/run_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static const uint64_t RANDOM[3] = {0x1111111111111111, 0x2222222222222222, 0x3333333333333333};

static void a_run_goes_on_with_the_trace_of_its_submit(void **state)
{
    char trace[RUN_TRACE_SIZE];

    (void)state;
    run_trace_of("00-" TRACE "-" SPAN "-00", RANDOM, trace);
    assert_string_equal(trace, "00-" TRACE "-3333333333333333-00");
}

static void what_is_no_trace_begins_a_new_one(void **state)
{
    static const char *const BAD[] = {
        NULL,
        "",
        "00-" TRACE "-" SPAN,
        "00-" TRACE "-" SPAN "-01-more",
        "01-" TRACE "-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
        "00-" TRACE "-" SPAN "-0\"",
        "00_" TRACE "-" SPAN "-01",
    };
    char trace[RUN_TRACE_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_false(run_trace_valid(BAD[i]));
        run_trace_of(BAD[i], RANDOM, trace);
        assert_string_equal(trace, "00-11111111111111112222222222222223-3333333333333333-01");
        assert_true(run_trace_valid(trace));
    }
}

static void no_id_is_zero_whatever_the_dice_say(void **state)
{
    const uint64_t zeros[3] = {0, 0, 0};
    char trace[RUN_TRACE_SIZE];

    (void)state;
    run_trace_of(NULL, zeros, trace);
    assert_true(run_trace_valid(trace));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_goes_on_with_the_trace_of_its_submit),
        cmocka_unit_test(what_is_no_trace_begins_a_new_one),
        cmocka_unit_test(no_id_is_zero_whatever_the_dice_say),
    };
    return cmocka_run_group_tests_name("run_trace", tests, NULL, NULL);
}
