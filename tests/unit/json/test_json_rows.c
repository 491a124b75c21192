#include "json/json_rows.h"

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

static void assert_checks(const char *schema, const char *wanted)
{
    AUTO(json_free) struct json *s = parsed(schema);
    char pointer[96], why[JSON_WHY_SIZE] = "", got[300] = "";

    struct err e = json_rows_schema_check(s, pointer, sizeof pointer, why, sizeof why);
    if (failed(e))
        snprintf(got, sizeof got, "%s: %s", pointer, why);
    if (strcmp(got, wanted) != 0)
        fail_msg("%s\n  wanted \"%s\"\n  but    \"%s\"", schema, wanted, got);
}

static void assert_fits(const char *schema, const char *rows, const char *wanted)
{
    AUTO(json_free) struct json *s = parsed(schema);
    AUTO(json_free) struct json *r = parsed(rows);
    char why[JSON_WHY_SIZE]        = "";

    struct err e = json_rows_fit(s, r, why, sizeof why);
    assert_int_equal(failed(e), wanted[0] != '\0');
    if (strcmp(why, wanted) != 0)
        fail_msg("%s of %s\n  wanted \"%s\"\n  but    \"%s\"", rows, schema, wanted, why);
}

static void what_is_no_type_is_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"name\":\"string\",\"price\":\"number?\",\"sizes\":[\"string\"],\"at\":\"date\","
         "\"ok\":\"bool\",\"of\":{\"u\":"
         "\"url\",\"l\":[{\"x\":\"string?\"}]}}",
         ""},
        {"[]", ": must be an object of fields and their types, not an array"},
        {"{}", ": names no field"},
        {"{\"a\":\"strin\"}", "/a: no such type \"strin\"; did you mean \"string\"?"},
        {"{\"a\":\"numbr?\"}", "/a: no such type \"numbr?\"; did you mean \"number?\"?"},
        {"{\"a\":\"integer\"}", "/a: no such type \"integer\"; there are string, number, bool, "
                                "url and date, each with a "
                                "? if it may be absent"},
        {"{\"a\":\"a very long word that is no type at all\"}",
         "/a: no such type \"a very long word that is no type at all\"; there are string, "
         "number, bool, url and date, "
         "each with a ? if it may be absent"},
        {"{\"a\":\"\"}", "/a: no such type \"\"; there are string, number, bool, url and date, "
                         "each with a ? if it may "
                         "be absent"},
        {"{\"a\":7}",
         "/a: a type is a word, an array of one type or an object of types, not a number"},
        {"{\"a\":[]}", "/a: an array has one type in it, that of each element"},
        {"{\"a\":{\"b\":[\"x\",\"y\"]}}",
         "/a/b: an array has one type in it, that of each element"},
        {"{\"a\":[{\"b\":{}}]}", "/a/0/b: names no field"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_checks(cases[i][0], cases[i][1]);
}

static void a_row_that_does_not_fit_is_named_with_its_field(void **state)
{
    (void)state;
    const char *schema =
        "{\"name\":\"string\",\"price\":\"number?\",\"ok\":\"bool?\",\"sizes\":[\"string\"]}";

    assert_fits(schema, "[]", "");
    assert_fits(schema, "[{\"name\":\"a\",\"price\":1.5,\"ok\":true,\"sizes\":[\"S\"]}]", "");
    assert_fits(schema, "[{\"name\":\"a\",\"price\":null,\"sizes\":[]}]", "");
    assert_fits(schema, "[{\"name\":\"a\",\"sizes\":[],\"more\":1}]", "");
    assert_fits(schema, "[{\"name\":\"a\",\"sizes\":[]},{\"sizes\":[]}]",
                "row 2: \"name\" is missing");
    assert_fits(schema, "[{\"name\":null,\"sizes\":[]}]",
                "row 1: \"name\" must be a string, not null");
    assert_fits(schema, "[{\"name\":\"a\",\"price\":\"12.99\",\"sizes\":[]}]",
                "row 1: \"price\" must be a number, not \"12.99\"");
    assert_fits(schema, "[{\"name\":\"a\",\"sizes\":[\"S\",3]}]",
                "row 1: \"sizes/1\" must be a string, not a number");
    assert_fits(schema, "[{\"name\":\"a\",\"sizes\":\"S\"}]",
                "row 1: \"sizes\" must be an array, not \"S\"");
    assert_fits(schema, "[{\"name\":\"a\"}]", "row 1: \"sizes\" is missing");
    assert_fits(schema, "[{\"name\":\"a\",\"sizes\":[],\"ok\":1}]",
                "row 1: \"ok\" must be a boolean, not a number");
    assert_fits(schema, "[7]", "row 1 must be an object, not a number");
    assert_fits(schema, "{}", "the rows are no array but an object");
    assert_fits("{\"a\":{\"b\":\"string\"}}", "[{\"a\":{\"b\":1}}]",
                "row 1: \"a/b\" must be a string, not a number");
    assert_fits("{\"a\":{\"b\":\"string\"}}", "[{\"a\":1}]",
                "row 1: \"a\" must be an object, not a number");
}

static void assert_each(const char *type, const char *const *texts, bool fits)
{
    for (; *texts; texts++) {
        char schema[64], rows[200], why[JSON_WHY_SIZE];
        snprintf(schema, sizeof schema, "{\"a\":\"%s\"}", type);
        snprintf(rows, sizeof rows, "[{\"a\":\"%s\"}]", *texts);
        AUTO(json_free) struct json *s = parsed(schema);
        AUTO(json_free) struct json *r = parsed(rows);
        if (failed(json_rows_fit(s, r, why, sizeof why)) == fits)
            fail_msg("\"%s\" %s %s", *texts, fits ? "is no" : "is a", type);
    }
}

static void a_url_is_absolute(void **state)
{
    (void)state;
    static const char *const yes[] = {"https://shop.example/a?b#c", "http://x",   "HTTP://x",
                                      "data:image/png;base64,AA",   "mailto:a@b", NULL};
    static const char *const no[]  = {
         "",           "/a",        "//x/y", "shop.example/a", "https:",
         "http://a b", "1http://x", ":x",    "http://a\\tb",   NULL};

    assert_each("url", yes, true);
    assert_each("url", no, false);
}

static void a_date_is_iso_8601(void **state)
{
    (void)state;
    static const char *const yes[] = {"2026-11-21",
                                      "2024-02-29",
                                      "2026-11-21T03:10",
                                      "2026-11-21T03:10Z",
                                      "2026-11-21T03:10+02:00",
                                      "2026-11-21T03:10:05",
                                      "2026-11-21T03:10:05Z",
                                      "2026-11-21T03:10:05.123",
                                      "2026-11-21T03:10:05.123Z",
                                      "2026-11-21T03:10:05.123456-05:00",
                                      NULL};
    static const char *const no[]  = {"",
                                      "2026",
                                      "2026-11",
                                      "2026-13-01",
                                      "2025-02-29",
                                      "21.11.2026",
                                      "Nov 21, 2026",
                                      "2026-11-21 03:10",
                                      "2026-11-21T",
                                      "2026-11-21T03",
                                      "2026-11-21T25:10",
                                      "2026-11-21T03:10:",
                                      "2026-11-21T03:10:0",
                                      "2026-11-21T03:10:05.",
                                      "2026-11-21T03:10.5",
                                      "2026-11-21T03:10:05X",
                                      "2026-11-21T03:10:05Zx",
                                      "2026-11-21x",
                                      NULL};

    assert_each("date", yes, true);
    assert_each("date", no, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_type_is_named),
        cmocka_unit_test(a_row_that_does_not_fit_is_named_with_its_field),
        cmocka_unit_test(a_url_is_absolute),
        cmocka_unit_test(a_date_is_iso_8601),
    };
    return cmocka_run_group_tests_name("json_rows", tests, NULL, NULL);
}
