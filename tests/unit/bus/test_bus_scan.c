#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus/bus_scan.h"

static struct bytes find(const char *json, const char *path)
{
    struct bytes value = {0};

    (void)bus_scan_find(bytes_str(json), path, &value);
    return value;
}

#define FOUND(json, path, text) assert_true(bytes_equal(find(json, path), bytes_str(text)))

static void a_member_is_found_whatever_stands_around_it(void **state)
{
    (void)state;
    FOUND("{\"a\":1}", "a", "1");
    FOUND(" { \"x\" : [1,{\"a\":2}] , \"a\" : 3 } ", "a", "3");
    FOUND("{\"x\":\"}\\\",\\\"a\\\":9\",\"a\":true}", "a", "true");
    FOUND("{\"a\":{\"b\":{\"c\":\"d\"}}}", "a.b.c", "\"d\"");
    FOUND("{\"a\":[[],{}],\"b\":-1.5e3}", "b", "-1.5e3");
}

static void what_is_not_there_is_not_found(void **state)
{
    static const char *const texts[] = {"",
                                        "[]",
                                        "{}",
                                        "{",
                                        "nonsense",
                                        "{\"b\":1}",
                                        "{\"b\":",
                                        "{\"b\"",
                                        "{\"b",
                                        "{\"b\":[",
                                        "{\"b\":\"",
                                        "{\"b\":1,",
                                        "{\"b\":\"\\",
                                        "{\"b\":{\"a\":1}}"};
    (void)state;

    for (size_t n = 0; n < sizeof(texts) / sizeof(*texts); n++)
        assert_null(find(texts[n], "a").at);
    assert_null(find("{\"a\":1}", "a.b").at);
}

static void a_text_that_breaks_off_is_known_to(void **state)
{
    struct bus_scan s;
    struct bytes name, value;
    (void)state;

    assert_true(bus_scan_open(&s, bytes_str("{\"a\":1,\"b\":")));
    assert_true(bus_scan_next(&s, &name, &value));
    assert_false(bus_scan_next(&s, &name, &value));
    assert_true(bus_scan_broken(&s));

    assert_true(bus_scan_open(&s, bytes_str("{\"a\":1}")));
    assert_true(bus_scan_next(&s, &name, &value));
    assert_false(bus_scan_next(&s, &name, &value));
    assert_false(bus_scan_broken(&s));
}

static void numbers_beyond_64_bits_are_none(void **state)
{
    uint64_t u = 7;
    int64_t i  = 7;
    (void)state;

    assert_true(bus_scan_u64(bytes_str("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    assert_false(bus_scan_u64(bytes_str("18446744073709551616"), &u));
    assert_false(bus_scan_u64(bytes_str("-1"), &u));
    assert_false(bus_scan_u64(bytes_str(""), &u));
    assert_true(bus_scan_i64(bytes_str("-9223372036854775808"), &i));
    assert_true(i == INT64_MIN);
    assert_false(bus_scan_i64(bytes_str("9223372036854775808"), &i));
    assert_false(bus_scan_i64(bytes_str("-9223372036854775809"), &i));
}

static void a_string_is_unescaped_and_cut_to_fit(void **state)
{
    char text[32], small[4];
    (void)state;

    assert_true(
        bus_scan_text(bytes_str("\"a\\\"b\\\\\\/\\n\\u00e4\\u20ac\""), text, sizeof(text)));
    assert_string_equal(text, "a\"b\\/\n\xc3\xa4\xe2\x82\xac");
    assert_false(bus_scan_text(bytes_str("\"abcdef\""), small, sizeof(small)));
    assert_string_equal(small, "abc");
    assert_true(bus_scan_text(bytes_str("\"\\ud83d\\ude00\""), text, sizeof(text)));
    assert_string_equal(text, "??");
    assert_false(bus_scan_text(bytes_str("12"), text, sizeof(text)));
    assert_string_equal(text, "");
    assert_true(bus_scan_text(bytes_str("\"\\u12\""), text, sizeof(text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_is_found_whatever_stands_around_it),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(a_text_that_breaks_off_is_known_to),
        cmocka_unit_test(numbers_beyond_64_bits_are_none),
        cmocka_unit_test(a_string_is_unescaped_and_cut_to_fit),
    };
    return cmocka_run_group_tests_name("bus_scan", tests, NULL, NULL);
}
