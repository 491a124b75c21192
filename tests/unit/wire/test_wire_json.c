#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "sample.h"
#include "wire/wire_json.h"

#define RUN "01KAJ4T0Q8ZP9F4T4W6V2N8M1C"

enum { WHY_SIZE = 200 };

static void every_message_goes_there_and_back(void **state)
{
    const ProtobufCMessageDescriptor *d;
    char why[WHY_SIZE];
    size_t n = 0;

    (void)state;
    for (; (d = wire_message_nth(n)); n++) {
        struct buf json, protobuf, back;

        buf_init(&json, 1 << 20);
        buf_init(&protobuf, 1 << 20);
        buf_init(&back, 1 << 20);
        sample_message(d, &json);
        assert_false(failed(
            wire_protobuf_of(d->short_name, buf_bytes(&json), &protobuf, why, WHY_SIZE)));
        assert_false(
            failed(wire_json_of(d->short_name, buf_bytes(&protobuf), &back, why, WHY_SIZE)));
        assert_string_equal(back.at, json.at);
        buf_deinit(&json);
        buf_deinit(&protobuf);
        buf_deinit(&back);
    }
    assert_int_equal(n, 28); /* all of proto/ */
}

/* Through protobuf and back: what a JSON user's message is to a JSON reader. */
static void assert_becomes(const char *message, const char *json, const char *expected)
{
    char why[WHY_SIZE] = "";
    struct buf protobuf, back;

    buf_init(&protobuf, 1 << 20);
    buf_init(&back, 1 << 20);
    struct err e = wire_protobuf_of(message, bytes_str(json), &protobuf, why, WHY_SIZE);
    assert_string_equal(why, "");
    assert_false(failed(e));
    assert_false(failed(wire_json_of(message, buf_bytes(&protobuf), &back, why, WHY_SIZE)));
    assert_string_equal(back.at, expected);
    buf_deinit(&protobuf);
    buf_deinit(&back);
}

static void the_users_json_is_taken_over_as_it_stands(void **state)
{
    (void)state;
    assert_becomes("Submit",
                   " { \"flow\" : \"amazon\" , \"input\":{ \"a b\" : [ 1.50, 1e3 , -0 ] } } ",
                   "{\"flow\":\"amazon\",\"input\":{\"a b\":[1.50,1e3,-0]}}");
    assert_becomes("Submit", "{\"input\":12345678901234567.25}",
                   "{\"input\":12345678901234567.25}");
    assert_becomes("Submit", "{\"input\":\"a  b\\\" } , {\",\"key\":\"k\"}",
                   "{\"input\":\"a  b\\\" } , {\",\"key\":\"k\"}");
    assert_becomes("Submit", "{\"input\":[],\"flow\":{},\"labels\":\"\"}",
                   "{\"flow\":{},\"input\":[],\"labels\":\"\"}");
    assert_becomes("Submit", "{\"input\":false,\"flow\":0}", "{\"flow\":0,\"input\":false}");
    assert_becomes("Entry", "{\"plan\":{\"run\":\"r\",\"flow\":{\"n\": 1.0}}}",
                   "{\"plan\":{\"run\":\"r\",\"flow\":{\"n\":1.0}}}");
    /* A name with escapes in it has no text that is easily found: printed anew. */
    assert_becomes("Submit", "{\"inp\\u0075t\":{\"a\": 1.5}}", "{\"input\":{\"a\":1.5}}");
}

static void what_is_absent_stays_absent(void **state)
{
    (void)state;
    assert_becomes("Submit", "{}", "{}");
    assert_becomes("Submit",
                   "{\"flow\":null,\"key\":null,\"dry_run\":null,\"session_id\":null}", "{}");
    assert_becomes("Submit", "{\"key\":\"\",\"dry_run\":false}", "{}");
    assert_becomes("PermitAsk", "{\"keys\":[]}", "{}");
    assert_becomes("Entry", "{\"plan\":{}}", "{\"plan\":{}}"); /* there, and empty */
    assert_becomes("Entry", "{\"kind\":\"unspecified\",\"wake\":0}", "{}");
}

static void unknown_fields_are_skipped(void **state)
{
    (void)state;
    assert_becomes("Which", "{\"x\":{\"run_id\":\"no\"},\"run_id\":\"r\",\"y\":[[]]}",
                   "{\"run_id\":\"r\"}");
}

static void assert_refused(const char *message, const char *json, const char *expected_why)
{
    char why[WHY_SIZE] = "";
    struct buf to;

    buf_init(&to, 1 << 20);
    assert_int_equal(wire_protobuf_of(message, bytes_str(json), &to, why, WHY_SIZE).kind,
                     ERR_REJECT);
    assert_int_equal(to.len, 0);
    if (expected_why)
        assert_string_equal(why, expected_why);
    else
        assert_string_not_equal(why, "");
    buf_deinit(&to);
}

static void a_wrong_type_is_refused_by_its_place(void **state)
{
    (void)state;
    assert_refused("Submit", "{\"key\":5}", "key must be a string, is a number");
    assert_refused("Submit", "{\"dry_run\":\"yes\"}",
                   "dry_run must be true or false, is a string");
    assert_refused("Run", "{\"tries\":\"5\"}", "tries must be a whole number, is a string");
    assert_refused("Run", "{\"tries\":1.5}", "tries must be a whole number, is a number");
    assert_refused("Run", "{\"tries\":-1}", "tries is out of range");
    assert_refused("Run", "{\"tries\":4294967296}", "tries is out of range");
    assert_refused("Run", "{\"submitted_at\":5}",
                   "submitted_at must be an instant as 2026-11-21T03:10:00Z, is a number");
    assert_refused("Run", "{\"submitted_at\":\"yesterday\"}", NULL);
    assert_refused("Ticket", "{\"plan_seq\":-1}", "plan_seq is out of range");
    assert_refused("HoldsAsk", "{\"token\":5}", "token must be 16 hex digits, is a number");
    assert_refused("HoldsAsk", "{\"token\":\"xyz\"}", NULL);
    assert_refused("Ticket", "{\"cause\":\"timr\"}",
                   "cause is no word of its list; did you mean \"timer\"?");
    assert_refused("Ticket", "{\"cause\":\"purple\"}", "cause is no word of its list");
    assert_refused("Ticket", "{\"cause\":true}", "cause must be a word, is a boolean");
    assert_refused("PermitAsk", "{\"keys\":{}}", "keys must be an array, is an object");
    assert_refused("PermitAsk", "{\"keys\":[{},{\"name\":[]}]}",
                   "keys[1].name must be a string, is an array");
    assert_refused("PermitAsk", "{\"keys\":[5]}", "keys[0] must be an object, is a number");
    assert_refused("Entry", "{\"plan\":5}", "plan must be an object, is a number");
    assert_refused("Entry", "{\"step\":{\"artifacts\":[\"a\",null]}}", NULL);
    assert_refused("Entry", "{\"plan\":{\"tenant\":5}}",
                   "plan.tenant must be a string, is a number");
    assert_refused("Submit", "[]", "it must be an object, is an array");
    assert_refused("Submit", "5", NULL);
    assert_refused("Submit", "", NULL);
    assert_refused("Submit", "{\"key\":\"a\"", NULL);
    assert_refused("Submit", "{\"key\":\"a\\u0000b\"}", NULL);
    assert_refused("Nothing", "{}", "there is no message Nothing");
}

static void deep_json_is_an_error_and_no_crash(void **state)
{
    struct buf json;

    (void)state;
    buf_init(&json, 1 << 20);
    buf_str(&json, "{\"input\":");
    for (int i = 0; i < 100000; i++)
        buf_char(&json, '[');
    assert_refused("Submit", json.at, NULL);
    buf_deinit(&json);
}

static void assert_shown(const char *message, const char *protobuf, size_t len,
                         const char *expected)
{
    char why[WHY_SIZE];
    struct buf to;

    buf_init(&to, 1 << 20);
    assert_false(failed(wire_json_of(message, bytes_of(protobuf, len), &to, why, WHY_SIZE)));
    assert_string_equal(to.at, expected);
    buf_deinit(&to);
}

#define SHOWN(message, protobuf, expected) \
    assert_shown(message, protobuf, sizeof(protobuf) - 1, expected)

static void bytes_that_are_no_json_are_shown_as_text(void **state)
{
    (void)state;
    SHOWN("Submit", "\x0a\x08hn_title", "{\"flow\":\"hn_title\"}");
    SHOWN("Submit", "\x0a\x05{\"a\":", "{\"flow\":\"{\\\"a\\\":\"}");
    SHOWN("Submit", "\x0a\x03\xff\x00z", "{\"flow\":\"\xef\xbf\xbd\xef\xbf\xbdz\"}");
    SHOWN("Submit", "\x0a\x00", "{}");
    SHOWN("Which", "\x0a\x02\xc3(", "{\"run_id\":\"\xef\xbf\xbd(\"}");
    SHOWN("Ticket", "\x40\x63", "{\"cause\":99}"); /* a word of tomorrow */
    SHOWN("Ticket", "\xba\x06\x03xyz", "{}");      /* a field of tomorrow */
    assert_becomes("Ticket", "{\"cause\":99}", "{\"cause\":99}");
}

static void bytes_that_are_no_message_are_refused(void **state)
{
    char why[WHY_SIZE] = "";
    struct buf to;

    (void)state;
    buf_init(&to, 1 << 20);
    assert_int_equal(wire_json_of("Run", bytes_str("\x0a\x7f"), &to, why, WHY_SIZE).kind,
                     ERR_REJECT);
    assert_string_equal(why, "the bytes are not a protobuf message Run");
    assert_int_equal(wire_json_of("Run", bytes_str("{}"), &to, why, WHY_SIZE).kind, ERR_REJECT);
    assert_int_equal(wire_json_of("Nothing", bytes_str(""), &to, why, WHY_SIZE).kind,
                     ERR_REJECT);
    assert_int_equal(to.len, 0);
    buf_deinit(&to);
}

static void a_small_buf_is_said(void **state)
{
    char why[WHY_SIZE] = "";
    struct buf to;

    (void)state;
    buf_init(&to, 8);
    assert_int_equal(wire_json_of("Which",
                                  bytes_str("\x0a\x04"
                                            "abcd"),
                                  &to, why, WHY_SIZE)
                         .kind,
                     ERR_FULL);
    buf_deinit(&to);
    buf_init(&to, 3);
    assert_int_equal(
        wire_protobuf_of("Which", bytes_str("{\"run_id\":\"abcd\"}"), &to, why, WHY_SIZE).kind,
        ERR_FULL);
    assert_string_equal(why, "as protobuf it is larger than 3 bytes");
    buf_deinit(&to);
}

static void a_payload_of_json_is_known_by_its_first_byte(void **state)
{
    (void)state;
    assert_true(wire_is_json(bytes_str("{}")));
    assert_true(wire_is_json(bytes_str("[")));
    assert_false(wire_is_json(bytes_str("")));
    assert_false(wire_is_json(bytes_str(" {}")));
    assert_false(wire_is_json(bytes_str("\x0a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_goes_there_and_back),
        cmocka_unit_test(the_users_json_is_taken_over_as_it_stands),
        cmocka_unit_test(what_is_absent_stays_absent),
        cmocka_unit_test(unknown_fields_are_skipped),
        cmocka_unit_test(a_wrong_type_is_refused_by_its_place),
        cmocka_unit_test(deep_json_is_an_error_and_no_crash),
        cmocka_unit_test(bytes_that_are_no_json_are_shown_as_text),
        cmocka_unit_test(bytes_that_are_no_message_are_refused),
        cmocka_unit_test(a_small_buf_is_said),
        cmocka_unit_test(a_payload_of_json_is_known_by_its_first_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
