#include "json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static struct json *parsed(const char *text)
{
    struct json *doc        = NULL;
    char why[JSON_WHY_SIZE] = "";
    struct err e            = json_parse(&doc, bytes_str(text), why, sizeof why);

    if (failed(e))
        fail_msg("%s: %s", text, why);
    return doc;
}

static void assert_refused(struct bytes text, const char *wanted)
{
    struct json *doc        = NULL;
    char why[JSON_WHY_SIZE] = "";
    struct err e            = json_parse(&doc, text, why, sizeof why);

    assert_int_equal(e.kind, ERR_REJECT);
    assert_null(doc);
    if (!strstr(why, wanted))
        fail_msg("wanted \"%s\", but it says \"%s\"", wanted, why);
}

static void assert_prints(const struct json *v, const char *wanted)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    json_print(v, &b);
    assert_string_equal(b.at, wanted);
    buf_deinit(&b);
}

static void assert_comes_back_as(const char *text, const char *wanted)
{
    AUTO(json_free) struct json *doc = parsed(text);

    assert_prints(doc, wanted);
}

static struct bytes repeated(char *to, char c, size_t n)
{
    memset(to, c, n);
    return bytes_of(to, n);
}

static void ten_thousand_brackets_are_an_error_with_a_place(void **state)
{
    (void)state;
    static char many[10000];

    assert_refused(repeated(many, '[', sizeof many), "line 1 column 65: nested deeper than 64");
    for (size_t i = 0; i + 5 <= sizeof many; i += 5)
        memcpy(many + i, "{\"a\":", 5);
    assert_refused(bytes_of(many, sizeof many), "nested deeper than 64");
}

static void sixty_four_levels_are_taken(void **state)
{
    (void)state;
    char text[129] = {0};

    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    assert_comes_back_as(text, text);
}

static void brackets_in_strings_are_not_depth(void **state)
{
    (void)state;
    char text[304];

    snprintf(text, sizeof text, "[\"\\\"%0*d\"]", 200, 0);
    for (char *p = text; *p; p++)
        *p = *p == '0' ? '[' : *p;
    assert_comes_back_as(text, text);
}

/* [{},{},…] of so many values, the list itself counted. */
static struct bytes many_values(struct buf *to, size_t count, const char *value)
{
    buf_init(to, 16 << 20);
    for (size_t i = 1; i < count; i++) {
        buf_add(to, i == 1 ? "[" : ",", 1);
        buf_add(to, value, strlen(value));
    }
    buf_add(to, "]", 1);
    return buf_bytes(to);
}

static void a_million_values_are_taken_and_not_one_more(void **state)
{
    (void)state;
    struct buf text;
    struct json *doc        = NULL;
    char why[JSON_WHY_SIZE] = "";

    assert_false(
        failed(json_parse(&doc, many_values(&text, JSON_VALUES_MAX, "1"), why, sizeof why)));
    assert_int_equal(json_count(doc), JSON_VALUES_MAX - 1);
    json_free(&doc);
    buf_deinit(&text);

    struct err e =
        json_parse(&doc, many_values(&text, JSON_VALUES_MAX + 1, "1"), why, sizeof why);
    assert_int_equal(e.kind, ERR_FULL);
    assert_null(doc);
    assert_string_equal(why, "line 1 column 1999999: more values than 1000000");
    buf_deinit(&text);

    /* An object in a list is written with three characters; those that a string holds are none. */
    e = json_parse(&doc, many_values(&text, JSON_VALUES_MAX / 2 + 2, "{}"), why, sizeof why);
    assert_int_equal(e.kind, ERR_FULL);
    buf_deinit(&text);
    assert_false(failed(json_parse(&doc, many_values(&text, JSON_VALUES_MAX / 2, "\"[,{,\""),
                                   why, sizeof why)));
    json_free(&doc);
    buf_deinit(&text);
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"", "the text is empty"},
        {"  ", "line 1 column 2: the text ends too early"},
        {"{\"a\":1,}", "line 1 column 8"},
        {"{\n\n  \"a\": }", "line 3 column 8: unexpected '}'"},
        {"[1, 2", "the text ends too early"},
        {"1 2", "text after the end: '2'"},
        {"{\"a\":1,\"a\":2}", "line 1 column 10: duplicate field \"a\""},
        {"{\"a\":{\"b\":1,\"b\":1}}", "duplicate field \"b\""},
        {"\"\\u0000\"", "the character \\u0000"},
        {"{\"a\\u0000b\":1}", "the character \\u0000"},
        {"9223372036854775808", "too big for 64 bits"},
        {"-9223372036854775809", "too big for 64 bits"},
        {"1e999", "too big for 64 bits"},
        {"nul", "line 1 column 3"},
        {"'a'", "line 1 column 1"},
        {"NaN", "line 1 column"},
        {"01", "line 1 column"},
        {"\"\\ud800\"", "line 1 column"},
        {"\"a\nb\"", "line 1 column"},
        {"\"\x80\"", "line 1 column"},
        {"\"\xed\xa0\x80\"", "line 1 column"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(bytes_str(cases[i].text), cases[i].wanted);
    assert_refused(bytes_of("[1]\0", 4), "line 1 column");
    assert_refused(bytes_of("\"a\0b\"", 5), "line 1 column");
}

static void why_is_one_short_line_of_whole_characters(void **state)
{
    (void)state;
    struct json *doc = NULL;
    char why[24];

    struct err e =
        json_parse(&doc, bytes_str("{\"\xC3\xA4\xC3\xA4\xC3\xA4\n\":1}"), why, sizeof why);
    assert_true(failed(e));
    assert_true(strlen(why) < sizeof why);
    assert_null(strchr(why, '\n'));
    e = json_parse(&doc, bytes_str("[\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4]"), why, sizeof why);
    assert_true(failed(e));
}

static void integers_are_exact_in_all_64_bits(void **state)
{
    (void)state;
    AUTO(json_free)
    struct json *doc = parsed("[9223372036854775807,-9223372036854775808,9007199254740993]");

    assert_true(json_int(json_at(doc, 0)) == INT64_MAX);
    assert_true(json_int(json_at(doc, 1)) == INT64_MIN);
    assert_prints(doc, "[9223372036854775807,-9223372036854775808,9007199254740993]");
}

static void a_number_is_its_shortest_text(void **state)
{
    (void)state;
    assert_comes_back_as("[12.99,0.1,5.0,-0.0,1e3,1e20,0.30000000000000004,1.5e-7]",
                         "[12.99,0.1,5,0,1000,1e+20,0.30000000000000004,1.5e-07]");
}

static void a_document_comes_back_in_its_own_order(void **state)
{
    (void)state;
    const char *text = "{\"z\":1,\"a\":[true,false,null,\"x\",1.5,{}],\"m\":{\"\":[]}}";

    assert_comes_back_as(text, text);
}

static void sorted_is_the_same_whatever_the_order_was(void **state)
{
    (void)state;
    AUTO(json_free)
    struct json *doc = parsed("{\"b\":{\"z\":5.0,\"y\":2},\"a\":1,\"B\":3,\"\xC3\xA4\":4}");
    struct buf b;

    buf_init(&b, 1000);
    json_print_sorted(doc, &b);
    assert_string_equal(b.at, "{\"B\":3,\"a\":1,\"b\":{\"y\":2,\"z\":5},\"\xC3\xA4\":4}");
    buf_deinit(&b);
}

static void printing_stops_when_the_buffer_is_full(void **state)
{
    (void)state;
    AUTO(json_free) struct json *doc = parsed("[1,2,3,4,5,6,7,8,9,10]");
    struct buf b;

    for (size_t max = 0; max < 22; max++) {
        buf_init(&b, max);
        json_print(doc, &b);
        assert_true(b.full);
        assert_true(b.len <= max);
        buf_deinit(&b);
    }
}

static void a_string_is_escaped_and_made_whole(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 1000);
    static const char wild[] = "a\"\\\b\t\n\v\f\r\x01\x7f\xff\xC3\xA4\0z\xE2\x82";
    json_quote_n(&b, wild, sizeof wild - 1);
    assert_string_equal(
        b.at, "\"a\\\"\\\\\\b\\t\\n\\u000b\\f\\r\\u0001\x7f\xEF\xBF\xBD\xC3\xA4\xEF\xBF\xBDz"
              "\xEF\xBF\xBD\xEF\xBF\xBD\"");
    buf_clear(&b);
    json_quote(&b, "");
    assert_string_equal(b.at, "\"\"");
    buf_deinit(&b);
}

static void whatever_is_built_can_be_parsed_again(void **state)
{
    (void)state;
    AUTO(json_free) struct json *doc = json_new_object();
    struct buf b;

    json_set(doc, "bad \xff key", json_new_str_n("\xff\0x", 3));
    json_set(doc, "none", NULL);
    json_set(doc, "s", json_new_str(NULL));
    buf_init(&b, 1000);
    json_print(doc, &b);
    assert_string_equal(
        b.at,
        "{\"bad \xEF\xBF\xBD key\":\"\xEF\xBF\xBD\xEF\xBF\xBDx\",\"none\":null,\"s\":null}");
    AUTO(json_free) struct json *again = parsed(b.at);
    assert_true(json_equal(doc, again));
    buf_deinit(&b);
}

static void a_wrong_type_reads_as_zero(void **state)
{
    (void)state;
    AUTO(json_free) struct json *doc = parsed("{\"a\":\"7\",\"b\":[],\"c\":1.5}");

    assert_int_equal(json_int(json_get(doc, "a")), 0);
    assert_int_equal(json_int(json_get(doc, "c")), 0);
    assert_null(json_str(json_get(doc, "b")));
    assert_null(json_get(json_get(doc, "b"), "x"));
    assert_null(json_at(doc, 0));
    assert_null(json_at(json_get(doc, "b"), 0));
    assert_null(json_get(NULL, "x"));
    assert_false(json_bool(json_get(doc, "a")));
    assert_int_equal(json_count(json_get(doc, "a")), 0);
    assert_int_equal(json_count(NULL), 0);
    assert_int_equal(json_type(NULL), JSON_NULL);
    assert_int_equal(json_str_len(NULL), 0);
    assert_string_equal(json_type_word(json_get(doc, "b")), "an array");
}

static void one_equals_one_point_zero(void **state)
{
    (void)state;
    AUTO(json_free) struct json *a = parsed("{\"x\":[1,2.0,null],\"y\":\"s\"}");
    AUTO(json_free) struct json *b = parsed("{\"y\":\"s\",\"x\":[1.0,2,null]}");
    AUTO(json_free) struct json *c = parsed("{\"y\":\"s\",\"x\":[1.0,2]}");
    AUTO(json_free) struct json *d = parsed("{\"y\":\"s\",\"z\":[1.0,2,null]}");

    assert_true(json_equal(a, b));
    assert_false(json_equal(a, c));
    assert_false(json_equal(a, d));
    assert_false(json_equal(json_get(a, "y"), json_get(a, "x")));
    assert_true(json_equal(NULL, json_at(json_get(a, "x"), 2)));
}

static void a_merge_patch_does_what_the_rfc_says(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        /* RFC 7396, appendix A, those with an object on both sides */
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(json_free) struct json *target = parsed(cases[i][0]);
        AUTO(json_free) struct json *patch  = parsed(cases[i][1]);
        json_merge_patch(target, patch);
        assert_prints(target, cases[i][2]);
    }
}

static void a_copy_is_nobody_elses(void **state)
{
    (void)state;
    AUTO(json_free) struct json *doc  = parsed("{\"a\":{\"b\":[1]}}");
    AUTO(json_free) struct json *copy = json_copy(doc);
    struct json *again                = json_ref(doc);

    json_set((struct json *)json_get(copy, "a"), "b", json_new_int(2));
    assert_prints(doc, "{\"a\":{\"b\":[1]}}");
    assert_prints(copy, "{\"a\":{\"b\":2}}");
    json_free(&again);
    assert_null(again);
    json_free(&again);
    assert_prints(doc, "{\"a\":{\"b\":[1]}}");
}

static void an_unknown_field_is_named_with_its_neighbour(void **state)
{
    (void)state;
    static const char *const allowed[] = {"timeout", "steps", NULL};
    AUTO(json_free) struct json *good  = parsed("{\"steps\":1}");
    AUTO(json_free) struct json *near  = parsed("{\"steps\":1,\"tiemout\":2}");
    AUTO(json_free) struct json *far   = parsed("{\"colour\":1}");
    const char *unknown = NULL, *nearest = NULL;

    assert_true(json_known(good, allowed, &unknown, &nearest));
    assert_false(json_known(near, allowed, &unknown, &nearest));
    assert_string_equal(unknown, "tiemout");
    assert_string_equal(nearest, "timeout");
    assert_false(json_known(far, allowed, &unknown, &nearest));
    assert_string_equal(unknown, "colour");
    assert_null(nearest);
}

static void truth_is_that_of_jq(void **state)
{
    (void)state;
    AUTO(json_free) struct json *doc = parsed("[0,\"\",[],{},true,false,null]");

    for (size_t i = 0; i < 5; i++)
        assert_true(json_truth(json_at(doc, i)));
    assert_false(json_truth(json_at(doc, 5)));
    assert_false(json_truth(json_at(doc, 6)));
    assert_false(json_truth(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_brackets_are_an_error_with_a_place),
        cmocka_unit_test(sixty_four_levels_are_taken),
        cmocka_unit_test(brackets_in_strings_are_not_depth),
        cmocka_unit_test(a_million_values_are_taken_and_not_one_more),
        cmocka_unit_test(what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(why_is_one_short_line_of_whole_characters),
        cmocka_unit_test(integers_are_exact_in_all_64_bits),
        cmocka_unit_test(a_number_is_its_shortest_text),
        cmocka_unit_test(a_document_comes_back_in_its_own_order),
        cmocka_unit_test(sorted_is_the_same_whatever_the_order_was),
        cmocka_unit_test(printing_stops_when_the_buffer_is_full),
        cmocka_unit_test(a_string_is_escaped_and_made_whole),
        cmocka_unit_test(whatever_is_built_can_be_parsed_again),
        cmocka_unit_test(a_wrong_type_reads_as_zero),
        cmocka_unit_test(one_equals_one_point_zero),
        cmocka_unit_test(a_merge_patch_does_what_the_rfc_says),
        cmocka_unit_test(a_copy_is_nobody_elses),
        cmocka_unit_test(an_unknown_field_is_named_with_its_neighbour),
        cmocka_unit_test(truth_is_that_of_jq),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
