#include "wire/wire_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct wire_text_fault fault;

#define GOOD(message, protobuf) \
    assert_true(wire_text_good(message, bytes_of(protobuf, sizeof(protobuf) - 1), &fault))
#define BAD(message, protobuf) \
    assert_false(wire_text_good(message, bytes_of(protobuf, sizeof(protobuf) - 1), &fault))

static void a_text_is_utf8_without_a_zero(void **state)
{
    (void)state;
    GOOD("Which", "");
    GOOD("Which", "\x12\x00");
    GOOD("Which", "\x12\x04k\xc3\xa9y");
    BAD("Which", "\x12\x02\xff\xfe");
    BAD("Which", "\x12\x01\xc3");
    BAD("Which", "\x12\x03\xed\xa0\x80"); /* half of a pair */
    BAD("Which", "\x12\x03"
                 "a\0b");
    BAD("Which", "\x12\x01k\x12\x01\xff"); /* the last one counts, and each must be good */
    BAD("Which", "\x12\x01\xff\x12\x01k");
}

/* Submit.flow is field 1, .input field 2. */
static void bytes_are_json(void **state)
{
    (void)state;
    GOOD("Submit", "\x12\x07{\"a\":1}");
    GOOD("Submit", "\x12\x00");
    BAD("Submit", "\x12\x05{\"a\":");
    assert_string_equal(fault.field, "input");
    assert_string_equal(fault.why, "is not JSON");
    BAD("Submit", "\x12\x06nojson");
    BAD("Submit", "\x12\x03[1,");
    BAD("Submit", "\x12\x03"
                  "1 2");
    BAD("Submit", "\x12\x02\xff\xfe");
    BAD("Submit", "\x12\x0d{\"a\":1,\"a\":2}");
    GOOD("Which", "\xba\x06\x02\xff\xfe"); /* a field of tomorrow */
}

static void a_flow_may_be_its_name(void **state)
{
    (void)state;
    GOOD("Submit", "\x0a\x05greet");
    GOOD("Submit", "\x0a\x07greet@3");
    GOOD("Submit", "\x0a\x07\"greet\"");
    GOOD("Submit", "\x0a\x0c{\"steps\":[]}");
    BAD("Submit", "\x0a\x0a{\"steps\":[");
    assert_string_equal(fault.field, "flow");
    BAD("Submit", "\x0a\x03\xff\x00z");
}

/* Problem.errors, and in it FieldError.pointer. */
static void parts_are_looked_into(void **state)
{
    (void)state;
    GOOD("Problem", "\x32\x03\x0a\x01x");
    BAD("Problem", "\x32\x03\x0a\x01\xff");
    BAD("Problem", "\x32\x03\x0a\x01x\x32\x03\x0a\x01\xff");
    BAD("Problem", "\x32\x03\x0a\x02x");
}

static void what_is_no_message_is_not_good(void **state)
{
    (void)state;
    BAD("Nothing", "");
    BAD("Which", "\x12\x05k");
    BAD("Which", "\x12");
    BAD("Which", "\xff");
    BAD("Which", "\x0b\x0c");
    BAD("Which", "\x09\x01\x02");
    BAD("Which", "\x0d\x01");
    BAD("Which", "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01k");
    BAD("Which", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_utf8_without_a_zero),
        cmocka_unit_test(bytes_are_json),
        cmocka_unit_test(a_flow_may_be_its_name),
        cmocka_unit_test(parts_are_looked_into),
        cmocka_unit_test(what_is_no_message_is_not_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
