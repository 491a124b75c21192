#include "json/json_expand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

static struct json *parsed(const char *text)
{
    struct json *doc        = NULL;
    char why[JSON_WHY_SIZE] = "";
    struct err e            = json_parse(&doc, bytes_str(text), why, sizeof why);

    if (failed(e))
        fail_msg("%s: %s", text, why);
    return doc;
}

static struct json *scope;

static int begin(void **state)
{
    (void)state;
    scope = parsed("{\"input\":{\"n\":5,\"s\":\"x y\",\"list\":[1,2],\"evil\":\"${.input.n} "
                   "${secret.a} $$\",\"none\":null},"
                   "\"steps\":{},\"vars\":{\"yes\":true}}");
    return 0;
}

static int end(void **state)
{
    (void)state;
    json_free(&scope);
    return 0;
}

/* Knows "two"; "later" it will know; all else it does not. */
static enum json_expr_is two(void *self, const char *at, size_t len, const struct json *in,
                             struct json **ret, char *why, size_t why_size)
{
    (void)self;
    assert_ptr_equal(in, scope);
    if (len == 5 && memcmp(at, "later", 5) == 0)
        return EXPR_LATER;
    if (len == 3 && memcmp(at, "two", 3) == 0) {
        *ret = json_new_int(2);
        return EXPR_VALUE;
    }
    str_format(why, why_size, "%.*s/0 is not defined", (int)len, at);
    return EXPR_FAILED;
}

static enum json_expr_is secrets(void *self, const char *at, size_t len, const struct json *in,
                                 struct json **ret, char *why, size_t why_size)
{
    if (len != 8 || memcmp(at, "secret.a", 8) != 0)
        return two(self, at, len, in, ret, why, why_size);
    *ret = json_new_str("hidden");
    return EXPR_VALUE;
}

static void assert_expands(const struct json_expand *how, const char *from, const char *wanted)
{
    AUTO(json_free) struct json *doc = parsed(from);
    AUTO(json_free) struct json *got = NULL;
    char why[JSON_WHY_SIZE]          = "";
    struct buf b;

    buf_init(&b, 2 << 20);
    switch (json_expand(how, doc, &got, why, sizeof why)) {
    case EXPR_VALUE:
        json_print(got, &b);
        break;
    case EXPR_LATER:
        buf_str(&b, "later");
        break;
    case EXPR_FAILED:
        buf_printf(&b, "! %s", why);
        break;
    }
    assert_string_equal(b.at, wanted);
    buf_deinit(&b);
}

static void values_take_the_place_of_expressions(void **state)
{
    (void)state;
    struct json_expand how              = {.scope = scope, .eval = two};
    static const char *const cases[][2] = {
        {"\"${.input.n}\"", "5"},
        {"\"${.input.list}\"", "[1,2]"},
        {"\"${.absent}\"", "null"},
        {"\"a ${.input.n} ${.input.s}\"", "\"a 5 x y\""},
        {"\"${.input.list}${.vars.yes}\"", "\"[1,2]true\""},
        {"\"a${.input.none}\"", "\"anull\""},
        {"\"$$${.input.n}\"", "\"$5\""},
        {"\"$${.input.n}\"", "\"${.input.n}\""},
        {"\"$$5 $\"", "\"$5 $\""},
        {"\"${two}\"", "2"},
        {"\"${two}${two}\"", "\"22\""},
        {"\"\"", "\"\""},
        {"7", "7"},
        {"{\"${.input.n}\":[\"${.input.n}\",{\"b\":\"${two}\"},null,true]}",
         "{\"${.input.n}\":[5,{\"b\":2},null,true]}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_expands(&how, cases[i][0], cases[i][1]);
}

static void a_value_is_not_expanded_again(void **state)
{
    (void)state;
    struct json_expand how = {.scope = scope, .eval = two, .secret = secrets};

    assert_expands(&how, "[\"${.input.evil}\",\"a${.input.evil}\"]",
                   "[\"${.input.n} ${secret.a} $$\",\"a${.input.n} ${secret.a} $$\"]");
}

static void what_goes_wrong_names_the_expression(void **state)
{
    (void)state;
    struct json_expand how     = {.scope = scope, .eval = two};
    struct json_expand without = {.scope = scope};

    assert_expands(&how, "[\"${.a\"]", "! \"${\" without its \"}\" at character 1");
    assert_expands(&how, "\"${foo}\"", "! ${foo}: foo/0 is not defined");
    assert_expands(&how, "\"x ${foo}\"", "! ${foo}: foo/0 is not defined");
    assert_expands(&how, "\"${.input.s.x}\"",
                   "! ${.input.s.x}: Cannot index string with string \"x\"");
    assert_expands(&how, "\"${.input.list.x}\"",
                   "! ${.input.list.x}: Cannot index array with string \"x\"");
    assert_expands(&how, "\"${.input[0]}\"", "! ${.input[0]}: Cannot index object with number");
    assert_expands(&without, "\"${1+1}\"", "! ${1+1}: only plain paths can be looked up here");
    assert_expands(&without, "\"${.input.n}\"", "5");
}

static void later_stops_the_walk(void **state)
{
    (void)state;
    struct json_expand how = {.scope = scope, .eval = two};

    assert_expands(&how, "[1,{\"a\":\"${later}\"},\"${foo}\"]", "later");
    assert_expands(&how, "\"x${later}\"", "later");
}

static void secrets_stand_until_somebody_gives_them(void **state)
{
    (void)state;
    struct json_expand how = {.scope = scope, .eval = two};

    assert_expands(&how, "[\"${secret.a}\",\"${secret.b}\"]",
                   "[\"${secret.a}\",\"${secret.b}\"]");
    assert_expands(&how, "\"x${secret.a}\"", "! ${secret.a}: a secret must be the whole value");
    how.secret = secrets;
    assert_expands(&how, "[\"${secret.a}\"]", "[\"hidden\"]");
    assert_expands(&how, "[\"${secret.b}\"]", "! ${secret.b}: secret.b/0 is not defined");
}

static void a_text_does_not_grow_without_end(void **state)
{
    (void)state;
    static char text[400 * 1024];
    AUTO(json_free) struct json *big = json_new_object();
    struct json_expand how           = {.scope = big};

    memset(text, 'x', sizeof text);
    json_set(big, "a", json_new_str_n(text, sizeof text));
    assert_expands(&how, "\"${.a}${.a}${.a}\"",
                   "! ${.a}: the text is longer than 1 MiB with it");
    assert_expands(&how, "[\"${.a}${.a}\",\" ${.a}\"]",
                   "! ${.a}: the text is longer than 1 MiB with it");
}

static void a_value_does_not_grow_deeper_without_end(void **state)
{
    (void)state;
    AUTO(json_free) struct json *s    = json_new_object();
    struct json_expand how            = {.scope = s};
    AUTO(json_free) struct json *nest = parsed("{\"x\":\"${.v}\"}");
    char why[JSON_WHY_SIZE]           = "";
    unsigned rounds                   = 0;

    json_set(s, "v", json_new_int(1));
    for (; rounds < 1000; rounds++) {
        struct json *next;
        if (json_expand(&how, nest, &next, why, sizeof why) != EXPR_VALUE)
            break;
        json_set(s, "v", next);
    }
    assert_int_equal(rounds, JSON_EXPAND_DEPTH_MAX);
    assert_string_equal(why, "${.v}: the value is nested too deep");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_take_the_place_of_expressions),
        cmocka_unit_test(a_value_is_not_expanded_again),
        cmocka_unit_test(what_goes_wrong_names_the_expression),
        cmocka_unit_test(later_stops_the_walk),
        cmocka_unit_test(secrets_stand_until_somebody_gives_them),
        cmocka_unit_test(a_text_does_not_grow_without_end),
        cmocka_unit_test(a_value_does_not_grow_deeper_without_end),
    };
    return cmocka_run_group_tests_name("json_expand", tests, begin, end);
}
