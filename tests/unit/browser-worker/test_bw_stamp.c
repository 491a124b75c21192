#include "bw_stamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define RUN "01KAJ4T0Q8ZP9F4T4W6V2N8M1C"
#define SESSION "s01KAJ4T3A8ZP9F4T4W6V2N8M1D"

static void what_was_written_is_read(void **state)
{
    const struct bw_stamp stamp = {"chrome", "acme", RUN, SESSION};
    char text[BW_STAMP_SIZE];
    struct bw_stamp back;

    (void)state;
    bw_stamp_write(&stamp, text);
    assert_string_equal(text, "chrome.acme." RUN "." SESSION ".sluice.invalid");
    assert_true(bw_stamp_read(text, &back));
    assert_string_equal(back.upstream, "chrome");
    assert_string_equal(back.tenant, "acme");
    assert_string_equal(back.run, RUN);
    assert_string_equal(back.session, SESSION);
}

static void the_longest_names_fit(void **state)
{
    struct bw_stamp stamp = {.run = RUN, .session = SESSION}, back;
    char text[BW_STAMP_SIZE];

    (void)state;
    memset(stamp.upstream, 'u', STR_NAME_MAX);
    memset(stamp.tenant, '_', STR_NAME_MAX);
    bw_stamp_write(&stamp, text);
    assert_true(bw_stamp_read(text, &back));
    assert_memory_equal(&back, &stamp, sizeof back);
}

/* Whoever else asks the same browsers may say what he likes there. */
static void anything_else_is_no_stamp(void **state)
{
    static const char *const CASES[] = {
        "",
        "localhost",
        ".sluice.invalid",
        "....sluice.invalid",
        "chrome.acme." RUN "." SESSION,
        "chrome.acme." RUN "." SESSION ".sluice.invalid.",
        "chrome.acme." RUN "." SESSION ".other.sluice.invalid",
        "chrome.acme." RUN "." SESSION ".sluice.other.sluice.invalid",
        "acme." RUN "." SESSION ".sluice.invalid",
        "x.chrome.acme." RUN "." SESSION ".sluice.invalid",
        "chrome.ac me." RUN "." SESSION ".sluice.invalid",
        "chrome.>." RUN "." SESSION ".sluice.invalid",
        "chrome.acme.01KAJ4T0." SESSION ".sluice.invalid",
        "chrome.acme." RUN ".x01KAJ4T3A8ZP9F4T4W6V2N8M1D.sluice.invalid",
        "chrome.acme." RUN ".s.sluice.invalid",
    };
    const struct bw_stamp untouched = {"u", "t", "r", "s"};

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct bw_stamp got = untouched;
        if (bw_stamp_read(CASES[i], &got))
            fail_msg("a stamp: %s", CASES[i]);
        assert_memory_equal(&got, &untouched, sizeof got);
    }
    assert_false(bw_stamp_read(NULL, &(struct bw_stamp){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(the_longest_names_fit),
        cmocka_unit_test(anything_else_is_no_stamp),
    };
    return cmocka_run_group_tests_name("bw_stamp", tests, NULL, NULL);
}
