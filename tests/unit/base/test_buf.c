#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void empty_buf_is_an_empty_string(void **state)
{
    (void)state;
    AUTO(buf_deinit) struct buf b;

    buf_init(&b, 100);
    assert_string_equal(b.at, "");
    assert_int_equal(buf_bytes(&b).len, 0);
}

static void everything_added_is_there_in_order(void **state)
{
    (void)state;
    AUTO(buf_deinit) struct buf b;

    buf_init(&b, 100);
    buf_str(&b, "run ");
    buf_char(&b, 'x');
    buf_add(&b, "\0y", 2);
    buf_printf(&b, " %03d", 7);
    buf_str(&b, "");
    assert_int_equal(b.len, 11);
    assert_memory_equal(b.at, "run x\0y 007", 12);
    assert_false(b.full);
}

static void exactly_the_limit_fits(void **state)
{
    (void)state;
    AUTO(buf_deinit) struct buf b;

    buf_init(&b, 5);
    buf_str(&b, "12345");
    assert_false(b.full);
    assert_string_equal(b.at, "12345");
}

static void one_byte_past_the_limit_adds_nothing(void **state)
{
    (void)state;
    AUTO(buf_deinit) struct buf b;

    buf_init(&b, 5);
    buf_str(&b, "123");
    buf_str(&b, "456");
    assert_true(b.full);
    assert_string_equal(b.at, "123");
}

static void full_buf_never_holds_a_text_with_a_hole(void **state)
{
    (void)state;
    AUTO(buf_deinit) struct buf b;

    buf_init(&b, 5);
    buf_str(&b, "123");
    buf_printf(&b, "%d", 456);
    buf_char(&b, '7');
    assert_string_equal(b.at, "123");
}

static void clear_makes_it_usable_again(void **state)
{
    (void)state;
    AUTO(buf_deinit) struct buf b;

    buf_init(&b, 5);
    buf_str(&b, "123456");
    buf_clear(&b);
    assert_string_equal(b.at, "");
    buf_str(&b, "again");
    assert_false(b.full);
    assert_string_equal(b.at, "again");
}

static void limit_of_zero_holds_nothing(void **state)
{
    (void)state;
    AUTO(buf_deinit) struct buf b;

    buf_init(&b, 0);
    buf_str(&b, "");
    assert_false(b.full);
    buf_char(&b, 'x');
    assert_true(b.full);
    assert_string_equal(b.at, "");
}

static void no_limit_is_no_overflow(void **state)
{
    (void)state;
    AUTO(buf_deinit) struct buf b;

    buf_init(&b, SIZE_MAX);
    buf_str(&b, "abc");
    buf_add(&b, "x", SIZE_MAX); /* never read: it cannot fit */
    assert_true(b.full);
    assert_string_equal(b.at, "abc");
}

static void growing_byte_by_byte_keeps_all(void **state)
{
    (void)state;
    AUTO(buf_deinit) struct buf b;

    buf_init(&b, 100000);
    for (int i = 0; i < 100000; i++)
        buf_char(&b, (char)('a' + i % 26));
    assert_false(b.full);
    assert_int_equal(strlen(b.at), 100000);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(b.at[i], 'a' + i % 26);
}

static void taken_memory_outlives_the_buf(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 100);
    buf_str(&b, "kept");
    AUTO(mem_free) char *kept  = buf_take(&b);
    AUTO(mem_free) char *empty = buf_take(&b);
    buf_deinit(&b);
    assert_string_equal(kept, "kept");
    assert_string_equal(empty, "");
}

static void buf_can_be_used_after_it_was_taken_from(void **state)
{
    (void)state;
    AUTO(buf_deinit) struct buf b;

    buf_init(&b, 4);
    buf_str(&b, "kept");
    AUTO(mem_free) char *kept = buf_take(&b);
    buf_str(&b, "more");
    assert_false(b.full);
    assert_string_equal(b.at, "more");
    assert_string_equal(kept, "kept");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_buf_is_an_empty_string),
        cmocka_unit_test(everything_added_is_there_in_order),
        cmocka_unit_test(exactly_the_limit_fits),
        cmocka_unit_test(one_byte_past_the_limit_adds_nothing),
        cmocka_unit_test(full_buf_never_holds_a_text_with_a_hole),
        cmocka_unit_test(clear_makes_it_usable_again),
        cmocka_unit_test(limit_of_zero_holds_nothing),
        cmocka_unit_test(no_limit_is_no_overflow),
        cmocka_unit_test(growing_byte_by_byte_keeps_all),
        cmocka_unit_test(taken_memory_outlives_the_buf),
        cmocka_unit_test(buf_can_be_used_after_it_was_taken_from),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
