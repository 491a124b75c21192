#include "bw_select.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

static struct json *parse(const char *text)
{
    struct json *doc = NULL;
    char why[JSON_WHY_SIZE];

    if (text && failed(json_parse(&doc, bytes_str(text), why, sizeof why)))
        fail_msg("%s: %s", text, why);
    return doc;
}

static void assert_spec(const char *select, const char *schema, const char *spec)
{
    AUTO(json_free)
    struct json *s = parse(select), *types = parse(schema), *wanted = parse(spec), *got = NULL;
    char why[160] = "";
    struct buf text;

    if (failed(bw_select_read(s, types, &got, why, sizeof why)))
        fail_msg("%s: %s", select, why);
    buf_init(&text, 4096);
    json_print(got, &text);
    if (!json_equal(got, wanted))
        fail_msg("%s: %s", select, text.at);
    buf_deinit(&text);
}

static void assert_refused(const char *select, const char *schema, const char *why_wanted)
{
    AUTO(json_free) struct json *s = parse(select), *types = parse(schema), *got = NULL;
    char why[160] = "";

    assert_true(failed(bw_select_read(s, types, &got, why, sizeof why)));
    assert_string_equal(why, why_wanted);
    assert_null(got);
}

#define FIELD(css, attribute, type, many) \
    "{\"row\":null,\"fields\":[{\"name\":\"a\",\"css\":\"" css "\",\"attribute\":\"" attribute \
    "\",\"type\":\"" type "\",\"many\":" many "}]}"

static void css_alone_is_text(void **state)
{
    (void)state;
    assert_spec("{\"a\":\"h3 > b\"}", NULL, FIELD("h3 > b", "", "text", "false"));
}

static void an_attribute_stands_behind_the_last_at(void **state)
{
    (void)state;
    assert_spec("{\"a\":\"img@src\"}", NULL, FIELD("img", "src", "text", "false"));
    assert_spec("{\"a\":\"@data-id\"}", NULL, FIELD("", "data-id", "text", "false"));
    assert_spec("{\"a\":\"[title='x@y']\"}", NULL, FIELD("[title='x@y']", "", "text", "false"));
    assert_spec("{\"a\":\"[title='x@y']@alt\"}", NULL,
                FIELD("[title='x@y']", "alt", "text", "false"));
}

static void a_type_stands_behind_the_last_bar(void **state)
{
    (void)state;
    assert_spec("{\"a\":\".p|number\"}", NULL, FIELD(".p", "", "number", "false"));
    assert_spec("{\"a\":\"time@datetime|date\"}", NULL,
                FIELD("time", "datetime", "date", "false"));
    assert_spec("{\"a\":\"p[lang|=en]\"}", NULL, FIELD("p[lang|=en]", "", "text", "false"));
    assert_spec("{\"a\":\"p[lang|=en]|html\"}", NULL,
                FIELD("p[lang|=en]", "", "html", "false"));
}

static void the_empty_field_is_the_row(void **state)
{
    (void)state;
    assert_spec(
        "{\"\":\"article\",\"a\":\"b\"}", NULL,
        "{\"row\":\"article\",\"fields\":[{\"name\":\"a\",\"css\":\"b\",\"attribute\":\"\","
        "\"type\":\"text\",\"many\":false}]}");
}

static void the_schema_gives_the_type_that_is_not_said(void **state)
{
    (void)state;
    assert_spec("{\"a\":\".p\"}", "{\"a\":\"number?\"}", FIELD(".p", "", "number", "false"));
    assert_spec("{\"a\":\".p\"}", "{\"a\":\"string\"}", FIELD(".p", "", "text", "false"));
    assert_spec("{\"a\":\".p|text\"}", "{\"a\":\"number\"}", FIELD(".p", "", "text", "false"));
    assert_spec("{\"a\":\".p\"}", "{\"b\":\"number\"}", FIELD(".p", "", "text", "false"));
}

static void an_array_of_the_schema_is_all_that_css_finds(void **state)
{
    (void)state;
    assert_spec("{\"a\":\"li\"}", "{\"a\":[\"string\"]}", FIELD("li", "", "text", "true"));
    assert_spec("{\"a\":\"a@href\"}", "{\"a\":[\"url\"]}", FIELD("a", "href", "url", "true"));
}

static void what_css_cannot_give_is_refused(void **state)
{
    (void)state;
    assert_refused("{\"a\":7}", NULL, "select.a: css is needed, in a string");
    assert_refused("{\"a\":{\"b\":\"c\"}}", NULL, "select.a: css is needed, in a string");
    assert_refused("{\"\":\"\",\"a\":\"b\"}", NULL, "select.: the row needs css");
    assert_refused("{\"\":\"article\"}", NULL, "select.: names no field");
    assert_refused("{}", NULL, "select.: names no field");
    assert_refused("{\"a\":\"b\"}", "{\"a\":{\"c\":\"string\"}}",
                   "select.a: css gives no objects and no arrays of arrays");
    assert_refused("{\"a\":\"b\"}", "{\"a\":[{\"c\":\"string\"}]}",
                   "select.a: css gives no objects and no arrays of arrays");
    assert_refused("{\"a\":\"@id\"}", "{\"a\":[\"string\"]}",
                   "select.a: an array needs css, for its elements");
}

static void rows_are_objects_in_the_order_of_the_select(void **state)
{
    (void)state;
    AUTO(json_free)
    struct json *select = parse("{\"z\":\"a\",\"b\":\"c\"}"),
                *values = parse("[[\"1\",2],[null],7]"), *spec = NULL;
    char why[160];
    struct buf text;

    assert_false(failed(bw_select_read(select, NULL, &spec, why, sizeof why)));
    AUTO(json_free) struct json *rows = bw_select_rows(spec, values);
    buf_init(&text, 4096);
    json_print(rows, &text);
    assert_string_equal(
        text.at, "[{\"z\":\"1\",\"b\":2},{\"z\":null,\"b\":null},{\"z\":null,\"b\":null}]");
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(css_alone_is_text),
        cmocka_unit_test(an_attribute_stands_behind_the_last_at),
        cmocka_unit_test(a_type_stands_behind_the_last_bar),
        cmocka_unit_test(the_empty_field_is_the_row),
        cmocka_unit_test(the_schema_gives_the_type_that_is_not_said),
        cmocka_unit_test(an_array_of_the_schema_is_all_that_css_finds),
        cmocka_unit_test(what_css_cannot_give_is_refused),
        cmocka_unit_test(rows_are_objects_in_the_order_of_the_select),
    };
    return cmocka_run_group_tests_name("bw_select", tests, NULL, NULL);
}
