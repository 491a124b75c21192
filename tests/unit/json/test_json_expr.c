#include "json/json_expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "json/json_internal.h"

static struct json *parsed(const char *text)
{
    struct json *doc        = NULL;
    char why[JSON_WHY_SIZE] = "";
    struct err e            = json_parse(&doc, bytes_str(text), why, sizeof why);

    if (failed(e))
        fail_msg("%s: %s", text, why);
    return doc;
}

/* "literal|<expression>|literal" */
static void assert_splits(const char *text, const char *wanted)
{
    struct json_part parts[16];
    size_t count            = 0;
    char why[JSON_WHY_SIZE] = "";
    char got[512]           = "";

    struct err e = json_expr_split(text, parts, 16, &count, why, sizeof why);
    if (failed(e))
        snprintf(got, sizeof got, "! %s", why);
    for (size_t i = 0; i < count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s%.*s%s", i > 0 ? "|" : "",
                 parts[i].is_expr ? "<" : "", (int)parts[i].len, parts[i].at,
                 parts[i].is_expr ? ">" : "");
    assert_string_equal(got, wanted);
}

static void a_text_falls_into_literals_and_expressions(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"${.a}", "<.a>"},
        {"x ${.a} y ${ .b }", "x |<.a>| y |< .b >"},
        {"${.a}${.b}", "<.a>|<.b>"},
        {"$", "$"},
        {"a$b", "a$b"},
        {"$ {x}", "$ {x}"},
        {"$$", "$"},
        {"$$$", "$|$"},
        {"$${", "$|{"},
        {"$${.a}", "$|{.a}"},
        {"$$${.a}", "$|<.a>"},
        {"cost $$5", "cost $|5"},
        {"}{", "}{"},
        {"${{a: 1}}", "<{a: 1}>"},
        {"${{a: {b: 2}}} }", "<{a: {b: 2}}>| }"},
        {"${\"}\"}", "<\"}\">"},
        {"${\"\\\"}\"}", "<\"\\\"}\">"},
        {"${\"\\\\\"}", "<\"\\\\\">"},
        {"${\"a\\({b: \"}\"} | .b)c}\"}", "<\"a\\({b: \"}\"} | .b)c}\">"},
        {"${\"\\(\"\\(\"}\")\")\"}", "<\"\\(\"\\(\"}\")\")\">"},
        {"${.a # it's } here\n}", "<.a # it's } here\n>"},
        {"${\"#\"}", "<\"#\">"},
        {"${.a[(1)]}", "<.a[(1)]>"},
        {"${$$}", "<$$>"},
        {"${", "! \"${\" without its \"}\" at character 1"},
        {"ab${.a", "! \"${\" without its \"}\" at character 3"},
        {"${\"}", "! \"${\" without its \"}\" at character 1"},
        {"${(.a}", "! \"${\" without its \"}\" at character 1"},
        {"${.a # }", "! \"${\" without its \"}\" at character 1"},
        {"${}", "! nothing in \"${}\" at character 1"},
        {"a ${ \n }", "! nothing in \"${}\" at character 3"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_splits(cases[i][0], cases[i][1]);
}

static void too_many_parts_are_refused(void **state)
{
    (void)state;
    struct json_part parts[2];
    size_t count = 7;
    char why[JSON_WHY_SIZE];

    struct err e = json_expr_split("${.a}${.b}${.c}", parts, 2, &count, why, sizeof why);
    assert_int_equal(e.kind, ERR_REJECT);
    assert_int_equal(count, 7);
}

static void ten_thousand_braces_are_refused(void **state)
{
    (void)state;
    static char text[10003] = "${";
    struct json_part parts[4];
    size_t count;
    char why[JSON_WHY_SIZE];

    for (const char *c = "{(\"[\\"; *c; c++) {
        memset(text + 2, *c, 10000);
        struct err e = json_expr_split(text, parts, 4, &count, why, sizeof why);
        assert_int_equal(e.kind, ERR_REJECT);
    }
}

static void whole_and_any_are_told(void **state)
{
    (void)state;
    const char *at = NULL;
    size_t len     = 0;

    assert_true(json_expr_whole("${.a | {b: .}}", &at, &len));
    assert_int_equal(len, 11);
    assert_memory_equal(at, ".a | {b: .}", len);
    assert_false(json_expr_whole(" ${.a}", &at, &len));
    assert_false(json_expr_whole("${.a}${.b}", &at, &len));
    assert_false(json_expr_whole("$${.a}", &at, &len));
    assert_false(json_expr_whole("${.a", &at, &len));
    assert_false(json_expr_whole("", &at, &len));

    assert_true(json_expr_any("x ${.a}"));
    assert_true(json_expr_any("x ${"));
    assert_true(json_expr_any("$$${.a}"));
    assert_false(json_expr_any("$${.a}"));
    assert_false(json_expr_any("5 $"));
    assert_false(json_expr_any(""));
}

static const char SCOPE[] = "{\"input\":{\"a\":[10,{\"b\":\"x\"}],\"a-b\":1,\"_\":2,\"n\":null,"
                            "\"big\":9007199254740993},\"steps\":{\"s\":{\"ok\":"
                            "true}},\"vars\":{},\"run\":{\"id\":\"R\"},\"item\":[1,2,3]}";

static void assert_path(const struct json *scope, const char *path, const char *wanted)
{
    const struct json *got = NULL;
    char why[JSON_WHY_SIZE];
    struct buf b;

    if (!json_expr_is_path(path, strlen(path)))
        fail_msg("%s is no path", path);
    buf_init(&b, 1000);
    if (failed(json_expr_follow(scope, path, strlen(path), &got, why, sizeof why)))
        buf_printf(&b, "! %s", why);
    else
        json_print(got, &b);
    assert_string_equal(b.at, wanted);
    buf_deinit(&b);
}

static void plain_paths_are_looked_up(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {".input.a[0]", "10"},
        {" .input.a[1].b ", "\"x\""},
        {".input[\"a-b\"]", "1"},
        {".input.\"a-b\"", "1"},
        {".[\"input\"].a[0]", "10"},
        {".\"input\".a[0]", "10"},
        {".input._", "2"},
        {"$input.a[1].b", "\"x\""},
        {"$input[\"a-b\"]", "1"},
        {"$item[2]", "3"},
        {".item[-1]", "3"},
        {".item[-3]", "1"},
        {"$run.id", "\"R\""},
        {"$steps.s.ok", "true"},
        {"$vars", "{}"},
        {".input.big", "9007199254740993"},
        {".item[3]", "null"},
        {".item[-4]", "null"},
        {".absent.a.b[3].c", "null"},
        {".input.n.x", "null"},
        {".input.a.x", "! Cannot index array with string \"x\""},
        {".run.id.x", "! Cannot index string with string \"x\""},
        {".input[0]", "! Cannot index object with number"},
    };
    AUTO(json_free) struct json *scope    = parsed(SCOPE);
    AUTO(json_free) struct json *with_dot = parsed("{\".\":7,\"input\":{}}");

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_path(scope, cases[i][0], cases[i][1]);
    assert_path(with_dot, ".", "7");
    assert_path(with_dot, "$input", "{}");
    assert_path(NULL, ".a", "null");
}

static void what_is_no_plain_path_is_left_to_jq(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        " ",
        "a",
        "..",
        ".a.",
        ".a[",
        ".a[]",
        ".a[0",
        ".a[\"x]",
        ".a[x]",
        ".a | b",
        ".a+1",
        ".a?",
        ".a.[0]",
        ".a b",
        ".a[1.5]",
        ".a[0:1]",
        ".a[-]",
        "$foo",
        "$",
        "$inputs",
        "$input.",
        "$ input",
        ".a[\"\\n\"]",
        ".\"a\\u0041\"",
        ".1",
        ".a-b",
        "secret.a",
        "$ENV",
        "$ENV.PATH",
        "$__loc__",
        ".[",
        ".a[12345678901]",
        "[0]",
        "null",
        "\"a\"",
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (json_expr_is_path(cases[i], strlen(cases[i])))
            fail_msg("%s was taken for a path", cases[i]);
}

static void a_dot_in_the_scope_is_what_dot_means(void **state)
{
    (void)state;
    AUTO(json_free)
    struct json *scope = parsed("{\".\":{\"rows\":[1],\"input\":2},\"input\":{\"a\":3}}");

    assert_path(scope, ".rows[0]", "1");
    assert_path(scope, ".input", "2");
    assert_path(scope, "$input.a", "3");
    assert_path(scope, ".", "{\"rows\":[1],\"input\":2}");
}

static void secrets_are_told_apart(void **state)
{
    (void)state;
    static const char *const yes[] = {"secret.a", " secret.shop.user ", "secret.a-b.c_1"};
    static const char *const no[]  = {"secret",      "secret.",   "secret.a.",    "secret..a",
                                      "secrets.a",   ".secret.a", "secret.a | .", "secret.a b",
                                      "secret.a[0]", ""};

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(json_expr_is_secret(yes[i], strlen(yes[i])));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(json_expr_is_secret(no[i], strlen(no[i])));
}

static void note(void *self, const char *name, size_t len)
{
    char *to = self;

    snprintf(to + strlen(to), 200 - strlen(to), "%.*s,", (int)len, name);
}

static void mentioned_steps_are_found(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {".steps.a.rows", "a,"},
        {"$steps.a", "a,"},
        {".steps[\"a-b\"].x", "a-b,"},
        {".steps.\"a-b\".x", "a-b,"},
        {"$steps[\"a-b\"]", "a-b,"},
        {"[.steps.list.rows[] | select(.price <= $input.max)] + $steps.b", "list,b,"},
        {"(.steps.a)|{x:.steps.b}", "a,b,"},
        {"\".steps.no\" + .steps.yes", "yes,"},
        {"\"x\\(.steps.yes)\"", "yes,"},
        {"# .steps.no\n.steps.yes", "yes,"},
        {".vars.steps.no", ""},
        {"$input.steps.no", ""},
        {".[0].steps.no", ""},
        {"$stepsize.a", ""},
        {".stepsize.a", ""},
        {".steps", ""},
        {".steps[0]", ""},
        {".steps | keys", ""},
        {"", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char got[200] = "";
        json_expr_steps(cases[i][0], strlen(cases[i][0]), note, got);
        assert_string_equal(got, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_falls_into_literals_and_expressions),
        cmocka_unit_test(too_many_parts_are_refused),
        cmocka_unit_test(ten_thousand_braces_are_refused),
        cmocka_unit_test(whole_and_any_are_told),
        cmocka_unit_test(plain_paths_are_looked_up),
        cmocka_unit_test(what_is_no_plain_path_is_left_to_jq),
        cmocka_unit_test(a_dot_in_the_scope_is_what_dot_means),
        cmocka_unit_test(secrets_are_told_apart),
        cmocka_unit_test(mentioned_steps_are_found),
    };
    return cmocka_run_group_tests_name("json_expr", tests, NULL, NULL);
}
