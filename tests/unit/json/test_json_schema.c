#include "json/json_schema.h"

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

static char *printed(const struct json *v)
{
    struct buf b;

    buf_init(&b, 4000);
    json_print(v, &b);
    return buf_take(&b);
}

/* "pointer: why", or "" */
static void assert_checks(const char *schema, const char *wanted)
{
    AUTO(json_free) struct json *s = parsed(schema);
    char pointer[96], why[JSON_WHY_SIZE] = "", got[300] = "";

    struct err e = json_schema_check(s, pointer, sizeof pointer, why, sizeof why);
    if (failed(e)) {
        assert_int_equal(e.kind, ERR_REJECT);
        snprintf(got, sizeof got, "%s: %s", pointer, why);
    }
    if (strcmp(got, wanted) != 0)
        fail_msg("%s\n  wanted \"%s\"\n  but    \"%s\"", schema, wanted, got);
}

static void assert_applies(const char *schema, const char *value, const char *wanted)
{
    AUTO(json_free) struct json *s      = parsed(schema);
    AUTO(json_free) struct json *v      = value ? parsed(value) : NULL;
    AUTO(json_free) struct json *before = json_copy(v);
    AUTO(json_free) struct json *ret    = NULL;
    char pointer[96], why[JSON_WHY_SIZE] = "";
    struct buf got;

    buf_init(&got, 2000);
    struct err e = json_schema_apply(s, v, &ret, pointer, sizeof pointer, why, sizeof why);
    if (failed(e))
        buf_printf(&got, "! %s: %s", pointer, why);
    else
        json_print(ret, &got);
    if (strcmp(got.at, wanted) != 0)
        fail_msg("%s to %s\n  wanted \"%s\"\n  but    \"%s\"", schema,
                 value ? value : "nothing", wanted, got.at);
    assert_true(json_equal(v, before));
    buf_deinit(&got);
}

static void what_is_not_in_the_subset_is_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}", ""},
        {"{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":["
         "\"string\",\"null\"],\"pattern\":\"^x\"},"
         "\"b\":{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":"
         "3,\"default\":2}}}}",
         ""},
        {"{\"title\":\"t\",\"description\":\"d\",\"enum\":[1,null]}", ""},
        {"[]", ": a schema is an object, not an array"},
        {"{\"minlength\":3}", "/minlength: \"minlength\" is not in our part of JSON Schema"},
        {"{\"propertis\":{}}", "/propertis: \"propertis\" is not in our part of JSON Schema; "
                               "did you mean \"properties\"?"},
        {"{\"type\":\"strin\"}", "/type: no such type \"strin\"; did you mean \"string\"?"},
        {"{\"type\":\"decimal\"}",
         "/type: no such type \"decimal\"; there are object, array, string, number, integer, "
         "boolean and null"},
        {"{\"type\":7}", "/type: a type is a word, not a number"},
        {"{\"type\":[\"string\",7]}", "/type: a type is a word, not a number"},
        {"{\"type\":[]}", "/type: no type at all"},
        {"{\"required\":\"a\"}", "/required: must be an array of field names, not a string"},
        {"{\"required\":[1]}",
         "/required: must be an array of field names, and one is a number"},
        {"{\"properties\":[]}", "/properties: must be an object of schemas, not an array"},
        {"{\"properties\":{\"a/b~c\":{\"type\":\"x\"}}}",
         "/properties/a~1b~0c/type: no such type \"x\"; there are object, array, string, "
         "number, integer, boolean and "
         "null"},
        {"{\"properties\":{\"a\":true}}",
         "/properties/a: a schema is an object, not a boolean"},
        {"{\"items\":[{}]}", "/items: a schema is an object, not an array"},
        {"{\"items\":{\"items\":{\"enum\":[]}}}",
         "/items/items/enum: must be an array of values"},
        {"{\"minimum\":\"1\"}", "/minimum: must be a number, not a string"},
        {"{\"minimum\":3,\"maximum\":2}", "/minimum: the minimum is above the maximum"},
        {"{\"pattern\":7}", "/pattern: must be a regular expression in a string, not a number"},
        {"{\"type\":\"number\",\"default\":\"x\"}",
         "/default: the default does not fit its own schema: must be a number, not a string"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"number\"},\"default\":[1,\"x\"]}",
         "/default/1: must be a number, not a string"},
        {"{\"default\":5,\"maximum\":4}",
         "/default: the default does not fit its own schema: must be at most 4"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_checks(cases[i][0], cases[i][1]);
}

static void a_pattern_we_do_not_know_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *wanted; /* NULL: taken */
    } cases[] = {
        {"", NULL},
        {"^[A-Z0-9-]+$", NULL},
        {"^.{1,255}$", NULL},
        {"^[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}$", NULL},
        {"^(?:a|b)??\\.[[:alnum:]_]*?\\w\\s\\D$", NULL},
        {"[]x][^]x][\\]x-]", NULL},
        {"\\x41\\u00e4\\/\\{", NULL},
        {"(){1000}{2", "there is nothing to repeat before a \"*\", \"+\", \"?\" or \"{\""},
        {"a{256}|(b{256}){3}", "too large with its repetitions written out"},
        {"(((a{9}){9}){9}){9}", "too large with its repetitions written out"},
        {"((((((((((|){9}){9}){9}){9}){9}){9}){9}){9}){9}){9}",
         "too large with its repetitions written out"},
        {"a{600,}{2}", "there is nothing to repeat before a \"*\", \"+\", \"?\" or \"{\""},
        {"a{99999999999999999999}", "too large with its repetitions written out"},
        {"[abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ]{500}",
         "too large with its repetitions written out"},
        {"z**", "there is nothing to repeat before a \"*\", \"+\", \"?\" or \"{\""},
        {"+a", "there is nothing to repeat before a \"*\", \"+\", \"?\" or \"{\""},
        {"a{", "a \"{\" that is no {2}, {2,} or {2,5}: write \\{"},
        {"a{,5}", "a \"{\" that is no {2}, {2,} or {2,5}: write \\{"},
        {"a{5,2}", "a {} whose second number is less than its first"},
        {"a{2x}", "a \"{\" that is no {2}, {2,} or {2,5}: write \\{"},
        {"(a)\\1", "\\1 and the like, which look back, are not known here"},
        {"\\p{L}", "a \"\\\" before a letter means \\d \\w \\s \\D \\W \\S \\t \\n \\r \\f \\v "
                   "\\xHH or \\uHHHH here"},
        {"\\x4", "\\x is followed by two hex digits, \\u by four"},
        {"(?=a)", "\"(?\" is known here only as \"(?:\""},
        {"a)", "\")\" without its \"(\""},
        {"(a", "\"(\" without its \")\""},
        {"[a", "\"[\" without its \"]\""},
        {"[]", "\"[\" without its \"]\""},
        {"[a-", "\"[\" without its \"]\""},
        {"[z-a]", "a range in [...] that is none"},
        {"[a-\\d]", "a range in [...] that is none"},
        {"[[:alfa:]]", "no such class: there are [:alpha:] [:digit:] [:alnum:] [:upper:] "
                       "[:lower:] [:space:] [:punct:]"},
        {"[[:alpha:", "no such class: there are [:alpha:] [:digit:] [:alnum:] [:upper:] "
                      "[:lower:] [:space:] [:punct:]"},
        {"a\\", "\"\\\" at the end"},
        {"((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))",
         "too many groups in groups"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wanted[300]                    = "";
        AUTO(json_free) struct json *schema = json_new_object();
        json_set(schema, "pattern", json_new_str(cases[i].pattern));
        AUTO(mem_free) char *text = printed(schema);
        if (cases[i].wanted)
            snprintf(wanted, sizeof wanted, "/pattern: not a pattern: %s", cases[i].wanted);
        assert_checks(text, wanted);
    }

    char lengthy[400];
    snprintf(lengthy, sizeof lengthy, "{\"pattern\":\"%0*d\"}", JSON_PATTERN_MAX + 1, 0);
    assert_checks(lengthy, "/pattern: not a pattern: longer than 256 bytes");
}

static void a_pattern_matches_what_it_should(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool fits;
    } cases[] = {
        {"", "", true},
        {"", "x", true},
        {"b", "abc", true},
        {"^b", "abc", false},
        {"^abc$", "abc", true},
        {"^ab$", "abc", false},
        {"^$", "", true},
        {"^$", "a", false},
        {"^a*$", "aaa", true},
        {"^a+$", "", false},
        {"^a?b$", "b", true},
        {"^a?b$", "aab", false},
        {"^(ab|cd|)x$", "cdx", true},
        {"^(ab|cd|)x$", "x", true},
        {"^(ab|cd|)x$", "abcdx", false},
        {"^(ab|cd)+x$", "abcdabx", true},
        {"^a{3}$", "aaa", true},
        {"^a{3}$", "aa", false},
        {"^a{3}$", "aaaa", false},
        {"^a{2,}$", "aaaaa", true},
        {"^a{2,}$", "a", false},
        {"^(ab){2,3}$", "ab", false},
        {"^(ab){2,3}$", "ababab", true},
        {"^(ab){2,3}$", "abababab", false},
        {"^ab{0}c$", "ac", true},
        {"^ab{0,1}c$", "abc", true},
        {"^ab{0,}c$", "abbbc", true},
        {"^a.c$",
         "a\xC3\xA4"
         "c",
         true},
        {"^.{2}$", "\xC3\xA4\xF0\x9F\x98\x80", true},
        {"^a.c$", "a\nc", false},
        {"^[\xC3\xA4-\xC3\xBC]+$", "\xC3\xA4\xC3\xB6\xC3\xBC", true},
        {"^[^a]$", "\xC3\xA4", true},
        {"^[^a-c]$", "b", false},
        {"^[]a]+$", "a]", true},
        {"^[^]a]$", "]", false},
        {"^[a-]+$", "a-", true},
        {"^[\\d.-]+$", "1.5-2", true},
        {"^[^\\s\\d]+$", "ab", true},
        {"^[^\\s\\d]+$", "a1", false},
        {"^[\\D]$", "1", false},
        {"^[[:upper:]_]+$", "A_B", true},
        {"^[[:upper:]_]+$", "A_b", false},
        {"^\\w+\\s\\W\\S$", "a_1 -x", true},
        {"^\\x41\\u00e4$", "A\xC3\xA4", true},
        {"^\\.\\*\\\\$", ".*\\", true},
        {"(^|,)b(,|$)", "a,b,c", true},
        {"(^|,)b(,|$)", "a,bb,c", false},
        {"^(a*)*$", "aaaa", true},
        {"^(a*)*$", "aaab", false},
        {"^((a|b)*c|d)+$", "abcdabc", true},
        {"a|b|c", "xxc", true},
        {"^a|c$", "xc", true},
        {"x*", "", true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(json_free) struct json *schema = json_new_object();
        AUTO(json_free) struct json *value  = json_new_str(cases[i].text);
        AUTO(json_free) struct json *ret    = NULL;
        char pointer[96], why[JSON_WHY_SIZE] = "";
        json_set(schema, "pattern", json_new_str(cases[i].pattern));
        assert_false(
            failed(json_schema_check(schema, pointer, sizeof pointer, why, sizeof why)));
        if (failed(json_schema_apply(schema, value, &ret, pointer, sizeof pointer, why,
                                     sizeof why)) == cases[i].fits)
            fail_msg("%s on %s: %s", cases[i].pattern, cases[i].text, why);
    }
}

static void a_value_that_does_not_fit_is_named_with_its_place(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"{}", "[1,{}]", "[1,{}]"},
        {"{\"type\":\"string\"}", "7", "! : must be a string, not a number"},
        {"{\"type\":[\"string\",\"null\"]}", "null", "null"},
        {"{\"type\":[\"string\",\"null\"]}", "true",
         "! : must be a string or null, not a boolean"},
        {"{\"type\":\"integer\"}", "5", "5"},
        {"{\"type\":\"integer\"}", "5.0", "5"},
        {"{\"type\":\"integer\"}", "5.5", "! : must be a whole number, not a fraction"},
        {"{\"type\":\"number\"}", "5.5", "5.5"},
        {"{\"type\":\"object\",\"required\":[\"url\"]}", "{}", "! /url: \"url\" is required"},
        {"{\"type\":\"object\",\"required\":[\"url\"]}", "{\"url\":null}", "{\"url\":null}"},
        {"{\"properties\":{\"a\":{\"properties\":{\"b\":{\"type\":\"number\"}}}}}",
         "{\"a\":{\"b\":\"x\"}}", "! /a/b: must be a number, not a string"},
        {"{\"items\":{\"minimum\":2}}", "[3,2,1]", "! /2: must be at least 2"},
        {"{\"maximum\":2.5}", "3", "! : must be at most 2.5"},
        {"{\"minimum\":2}", "\"1\"", "\"1\""},
        {"{\"enum\":[\"a\",1,null]}", "1.0", "1"},
        {"{\"enum\":[\"a\",1,null]}", "\"b\"", "! : must be one of \"a\", 1, null"},
        {"{\"pattern\":\"^[A-Z]+$\"}", "\"ABC\"", "\"ABC\""},
        {"{\"pattern\":\"^[A-Z]+$\"}", "\"AbC\"", "! : does not match ^[A-Z]+$"},
        {"{\"pattern\":\"b\"}", "\"abc\"", "\"abc\""},
        {"{\"pattern\":\"b\"}", "7", "7"},
        {"{\"properties\":{\"a\":{}}}", "{\"b\":1}", "{\"b\":1}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_applies(cases[i][0], cases[i][1], cases[i][2]);
}

static void defaults_are_filled_in(void **state)
{
    (void)state;
    const char *flow = "{\"type\":\"object\",\"required\":[\"url\",\"max\"],\"properties\":{"
                       "\"url\":{\"type\":\"string\"},"
                       "\"max\":{\"type\":\"number\",\"default\":50},\"more\":{\"default\":{},"
                       "\"properties\":{\"deep\":{"
                       "\"default\":[1]}}}}}";

    assert_checks(flow, "");
    assert_applies(flow, "{\"url\":\"u\"}",
                   "{\"url\":\"u\",\"max\":50,\"more\":{\"deep\":[1]}}");
    assert_applies(flow, "{\"url\":\"u\",\"max\":1,\"more\":{\"deep\":2}}",
                   "{\"url\":\"u\",\"max\":1,\"more\":{\"deep\":2}}");
    assert_applies("{\"items\":{\"properties\":{\"n\":{\"default\":0}}}}", "[{},{\"n\":1}]",
                   "[{\"n\":0},{\"n\":1}]");
}

static void nothing_given_is_the_default_or_an_empty_object(void **state)
{
    (void)state;
    assert_applies("{\"type\":\"object\",\"properties\":{\"a\":{\"default\":1}}}", NULL,
                   "{\"a\":1}");
    assert_applies("{\"type\":\"object\",\"required\":[\"a\"]}", NULL,
                   "! /a: \"a\" is required");
    assert_applies("{}", NULL, "{}");
    assert_applies("{\"default\":7}", NULL, "7");
    assert_applies("{\"type\":[\"string\",\"null\"]}", NULL, "null");
    assert_applies("{\"type\":\"string\"}", NULL, "! : must be a string, not null");
}

static void patterns_cost_a_bounded_time(void **state)
{
    (void)state;
    AUTO(json_free)
    struct json *schema = parsed("{\"items\":{\"pattern\":\"^(a|b)*a(a|b){100}$\"}}");
    AUTO(json_free) struct json *value = json_new_array();
    struct json *ret                   = NULL;
    char text[JSON_PATTERN_TEXT_MAX + 1], pointer[96], why[JSON_WHY_SIZE];

    memset(text, 'a', sizeof text);
    assert_false(failed(json_schema_check(schema, pointer, sizeof pointer, why, sizeof why)));
    json_add(value, json_new_str_n(text, sizeof text));
    assert_true(failed(
        json_schema_apply(schema, value, &ret, pointer, sizeof pointer, why, sizeof why)));
    assert_string_equal(why, "is longer than the 4096 bytes that a pattern is asked about");

    json_free(&value);
    value = json_new_array();
    for (int i = 0; i < 1000; i++)
        json_add(value, json_new_str_n(text, 1000));
    assert_true(failed(
        json_schema_apply(schema, value, &ret, pointer, sizeof pointer, why, sizeof why)));
    assert_string_equal(why, "there are more texts with patterns here than we try");
    assert_null(ret);
}

static void ten_thousand_urls_with_a_pattern_are_no_trouble(void **state)
{
    (void)state;
    AUTO(json_free)
    struct json *schema = parsed("{\"items\":{\"pattern\":\"^https?://[a-z0-9.-]+(/.*)?$\"}}");
    AUTO(json_free) struct json *value = json_new_array();
    AUTO(json_free) struct json *ret   = NULL;
    char pointer[96], why[JSON_WHY_SIZE];

    for (int i = 0; i < 10000; i++)
        json_add(value, json_new_str("https://shop.example/category/"
                                     "item-number-one-of-very-many?page=1&sort=price"));
    assert_false(failed(
        json_schema_apply(schema, value, &ret, pointer, sizeof pointer, why, sizeof why)));
}

static void a_pointer_that_does_not_fit_names_what_is_above(void **state)
{
    (void)state;
    AUTO(json_free)
    struct json *schema =
        parsed("{\"properties\":{\"alpha\":{\"properties\":{\"b\":{\"type\":\"x\"}}}}}");
    char why[JSON_WHY_SIZE];

    for (size_t size = 1; size < 40; size++) {
        char *pointer = mem_zero(size);
        assert_true(failed(json_schema_check(schema, pointer, size, why, sizeof why)));
        assert_true(strlen(pointer) < size);
        assert_memory_equal(pointer, "/properties/alpha/properties/b/type", strlen(pointer));
        char next = "/properties/alpha/properties/b/type"[strlen(pointer)];
        assert_true(next == '/' || next == '\0');
        mem_free(&pointer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_in_the_subset_is_named),
        cmocka_unit_test(a_pattern_we_do_not_know_is_refused),
        cmocka_unit_test(a_pattern_matches_what_it_should),
        cmocka_unit_test(a_value_that_does_not_fit_is_named_with_its_place),
        cmocka_unit_test(defaults_are_filled_in),
        cmocka_unit_test(nothing_given_is_the_default_or_an_empty_object),
        cmocka_unit_test(patterns_cost_a_bounded_time),
        cmocka_unit_test(ten_thousand_urls_with_a_pattern_are_no_trouble),
        cmocka_unit_test(a_pointer_that_does_not_fit_names_what_is_above),
    };
    return cmocka_run_group_tests_name("json_schema", tests, NULL, NULL);
}
