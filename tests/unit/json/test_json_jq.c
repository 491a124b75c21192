#include "json/json_jq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json/json.h"

/* What is hostile, and what does not end, is tried in a child: tests/service/browser-worker/test_bw_eval.c. */

static const char SCOPE[] = "{\"input\":{\"a\":[1,2,3],\"x\":0.1,\"big\":9007199254740993},"
                            "\"steps\":{},\"vars\":{},\"item\":"
                            "7,\"run\":{\"id\":\"R\"}}";

static void assert_gives(const char *program, const char *scope, const char *wanted)
{
    struct buf to;
    char why[JSON_WHY_SIZE] = "";

    buf_init(&to, 1000);
    struct err e = json_jq(program, bytes_str(scope), &to, why, sizeof why);
    if (failed(e)) {
        assert_int_equal(e.kind, ERR_REJECT);
        buf_clear(&to);
        buf_printf(&to, "! %s", why);
    }
    if (strcmp(to.at, wanted) != 0)
        fail_msg("%s\n  wanted \"%s\"\n  but    \"%s\"", program, wanted, to.at);
    buf_deinit(&to);
}

static void the_first_value_is_given(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {".input.a | length", "3"},
        {"[.input.a[] | select(. >= 2)]", "[2,3]"},
        {"$item + 1", "8"},
        {"[$input.x, $steps, $vars, $run.id]", "[0.1,{},{},\"R\"]"},
        {"1, 2", "1"},
        {"empty", "null"},
        {"null", "null"},
        {"def f: 2; f", "2"},
        {". as $d | 3 # a comment", "3"},
        {"\"\xC3\xA4\" | length", "1"},
        {".input.big", "9007199254740992"},
        {"$ENV", "{}"},
        {"keys", "[\"input\",\"item\",\"run\",\"steps\",\"vars\"]"},
    };

    for (int twice = 0; twice < 2; twice++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            assert_gives(cases[i][0], SCOPE, cases[i][1]);
}

static void a_dot_in_the_scope_is_what_the_program_sees(void **state)
{
    (void)state;
    assert_gives("[., $input]", "{\".\":5,\"input\":6}", "[5,6]");
    assert_gives(". == null", "{\".\":null,\"input\":6}", "true");
    assert_gives("[$item]", "{}", "[null]");
}

static void what_goes_wrong_is_told_in_jqs_words(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {".a b", "! syntax error, unexpected IDENT, expecting $end"},
        {"foo", "! foo/0 is not defined"},
        {"$foo", "! $foo is not defined"},
        {"error(\"mine\")", "! mine"},
        {"error({a: 1})", "! error {\"a\":1}"},
        {".input.a.x", "! Cannot index array with string \"x\""},
        {"env", "! env is not to be had here"},
        {"input", "! input is not to be had here"},
        {"import \"a\" as a; a::f", "! syntax error, unexpected import"},
        {"\"x\" * 5000", "! gave more than 0 KiB"},
        {"", "! the program is empty"},
        {" \n", "! the program is empty"},
        {"\"\xff\"", "! the program is not UTF-8"},
    };

    for (int twice = 0; twice < 2; twice++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            assert_gives(cases[i][0], SCOPE, cases[i][1]);
}

static void a_scope_that_is_no_object_is_refused(void **state)
{
    (void)state;
    static const char *const scopes[] = {"", "1", "[]", "{", "{} {}"};

    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++)
        assert_gives("1", scopes[i], "! the scope is not a JSON object");
}

static void more_programs_than_are_kept_still_work(void **state)
{
    (void)state;
    char program[32], wanted[32];

    for (int round = 0; round < 2; round++)
        for (int i = 0; i < JSON_JQ_KEPT + 3; i++) {
            snprintf(program, sizeof program, "$item + %d", i);
            snprintf(wanted, sizeof wanted, "%d", 7 + i);
            assert_gives(program, SCOPE, wanted);
        }
}

static int forget(void **state)
{
    (void)state;
    json_jq_forget();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_first_value_is_given, forget),
        cmocka_unit_test_teardown(a_dot_in_the_scope_is_what_the_program_sees, forget),
        cmocka_unit_test_teardown(what_goes_wrong_is_told_in_jqs_words, forget),
        cmocka_unit_test_teardown(a_scope_that_is_no_object_is_refused, forget),
        cmocka_unit_test_teardown(more_programs_than_are_kept_still_work, forget),
    };
    return cmocka_run_group_tests_name("json_jq", tests, NULL, NULL);
}
