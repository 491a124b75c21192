#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "base/str.h"
#include "problem/problem.h"

#define RUN "01KAJ4T0Q8ZP9F4T4W6V2N8M1C"

void must_fail(const char *what, const char *file, int line)
{
    mock_assert(0, what, file, line);
}

static void assert_json(const struct problem *p, const char *trace, const char *expected)
{
    struct buf to;

    buf_init(&to, 4096);
    problem_json(p, trace, &to);
    assert_string_equal(to.at, expected);
    buf_deinit(&to);
}

static void a_refusal_reads_as_the_surface_says(void **state)
{
    struct problem p;

    (void)state;
    problem_set(&p, PROBLEM_INVALID_FLOW, "/flow/steps/3/timeout",
                "\"%s\" is not a duration; write \"%s\"", "5 min", "5m");
    strcpy(p.attempt, "5m");
    assert_json(
        &p, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "{\"type\":\"https://sluice.dev/docs/errors#invalid_flow\",\"title\":\"Flow is not "
        "valid\","
        "\"status\":422,\"code\":\"invalid_flow\","
        "\"detail\":\"steps[3].timeout: \\\"5 min\\\" is not a duration; write \\\"5m\\\"\","
        "\"errors\":[{\"pointer\":\"/flow/steps/3/timeout\","
        "\"detail\":\"\\\"5 min\\\" is not a duration; write \\\"5m\\\"\",\"try\":\"5m\"}],"
        "\"run_id\":null,\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}");
}

static void of_the_whole_there_is_no_list_of_errors(void **state)
{
    struct problem p;

    (void)state;
    problem_set(&p, PROBLEM_QUEUE_FULL, "", "acme has 1000 of 1000 runs waiting");
    p.retry_after_ms = 5000;
    strcpy(p.run, RUN);
    assert_json(
        &p, NULL,
        "{\"type\":\"https://sluice.dev/docs/errors#queue_full\",\"title\":\"Queue is full\","
        "\"status\":429,\"code\":\"queue_full\",\"detail\":\"acme has 1000 of 1000 runs "
        "waiting\","
        "\"run_id\":\"" RUN "\",\"trace_id\":null,\"retry_after_ms\":5000}");
}

static void a_detail_that_names_its_place_names_it_once(void **state)
{
    struct problem p;

    (void)state;
    problem_set(&p, PROBLEM_INVALID_REQUEST, "/timeout", "timeout is not a duration");
    assert_json(
        &p, "abc",
        "{\"type\":\"https://sluice.dev/docs/errors#invalid_request\","
        "\"title\":\"Request is not valid\",\"status\":400,\"code\":\"invalid_request\","
        "\"detail\":\"timeout is not a duration\",\"errors\":[{\"pointer\":\"/timeout\","
        "\"detail\":\"timeout is not a duration\"}],\"run_id\":null,\"trace_id\":\"abc\"}");
    problem_set(&p, PROBLEM_INVALID_FLOW, "/flow", "is no object");
    struct buf to;

    buf_init(&to, 4096);
    problem_json(&p, NULL, &to);
    assert_non_null(strstr(to.at, "\"detail\":\"flow: is no object\""));
    buf_deinit(&to);
}

static void whatever_stands_in_it_the_json_holds(void **state)
{
    static const char *const CASES[][2] = {
        {"quote \" backslash \\ slash /", "quote \\\" backslash \\\\ slash /"},
        {"\n\t\r\a\x1b\x7f", "\\n\\t\\r\\u0007\\u001b\\u007f"},
        {"Größe 5 € 🛒", "Größe 5 € 🛒"},
        {"never UTF-8: \xff\xc3(", "never UTF-8: \xef\xbf\xbd\xef\xbf\xbd("},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
        struct problem p;
        char expected[256];
        struct buf to;

        problem_set(&p, PROBLEM_INVALID_REQUEST, "/a", "%s", CASES[i][0]);
        str_copy(p.attempt, sizeof(p.attempt), CASES[i][0]);
        buf_init(&to, 8192);
        problem_json(&p, CASES[i][0], &to);
        assert_null(strchr(to.at, '\n'));
        assert_true(str_is_utf8(buf_bytes(&to)));
        str_format(expected, sizeof(expected), "\"pointer\":\"/a\",\"detail\":\"%s\"",
                   CASES[i][1]);
        assert_non_null(strstr(to.at, expected));
        if (CASES[i][0][0] != '\0') {
            str_format(expected, sizeof(expected), "\"try\":\"%s\"}]", CASES[i][1]);
            assert_non_null(strstr(to.at, expected));
        }
        buf_deinit(&to);
    }
}

static void too_long_a_text_is_cut_at_a_whole_character(void **state)
{
    char text[600] = "";
    struct problem p;

    (void)state;
    for (int i = 0; i < 150; i++)
        strcat(text, "\xe2\x82\xac");
    problem_set(&p, PROBLEM_INVALID_REQUEST, text, "x%s", text);
    assert_int_equal(strlen(p.detail), 1 + 84 * 3);
    assert_int_equal(strlen(p.pointer), 31 * 3);
    assert_true(str_is_utf8(bytes_str(p.detail)) && str_is_utf8(bytes_str(p.pointer)));
}

static void a_problem_may_be_set_from_its_own_text(void **state)
{
    struct problem p;

    (void)state;
    problem_set(&p, PROBLEM_BUSY, "/a", "first");
    problem_set(&p, PROBLEM_CONFLICT, p.pointer, "%s, then", p.detail);
    assert_string_equal(p.pointer, "/a");
    assert_string_equal(p.detail, "first, then");
    assert_string_equal(p.attempt, "");
}

static void words_and_codes_are_one_list(void **state)
{
    (void)state;
    assert_string_equal(problem_word(PROBLEM_INVALID_FLOW), "invalid_flow");
    assert_string_equal(problem_word(PROBLEM_INDETERMINATE), "indeterminate");
    assert_string_equal(problem_title(PROBLEM_BUSY), "Run is busy");
    assert_int_equal(problem_status(PROBLEM_UNAVAILABLE), 503);
    assert_int_equal(problem_status(PROBLEM_STEP_TIMEOUT), 500);
    assert_int_equal(problem_of_word("nothing"), PROBLEM_NONE);
    assert_int_equal(problem_of_word(""), PROBLEM_NONE);
    assert_int_equal(problem_of_word(NULL), PROBLEM_NONE);
    assert_string_equal(problem_word(PROBLEM_NONE), "");
    for (enum problem_code code = PROBLEM_NONE + 1; code <= PROBLEM_INDETERMINATE; code++) {
        assert_int_equal(problem_of_word(problem_word(code)), code);
        assert_string_not_equal(problem_title(code), "");
        problem_replayable(code); /* each has an answer */
    }
    expect_assert_failure(problem_word((enum problem_code)(PROBLEM_INDETERMINATE + 1)));
}

static void what_may_end_better_is_replayable(void **state)
{
    (void)state;
    assert_true(problem_replayable(PROBLEM_STEP_TIMEOUT));
    assert_true(problem_replayable(PROBLEM_WORKER_LOST));
    assert_true(problem_replayable(PROBLEM_EXPIRED));
    assert_true(problem_replayable(PROBLEM_QUEUE_FULL));
    assert_false(problem_replayable(PROBLEM_INDETERMINATE));
    assert_false(problem_replayable(PROBLEM_EXPRESSION_FAILED));
    assert_false(problem_replayable(PROBLEM_INVALID_FLOW));
    assert_false(problem_replayable(PROBLEM_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_reads_as_the_surface_says),
        cmocka_unit_test(of_the_whole_there_is_no_list_of_errors),
        cmocka_unit_test(a_detail_that_names_its_place_names_it_once),
        cmocka_unit_test(whatever_stands_in_it_the_json_holds),
        cmocka_unit_test(too_long_a_text_is_cut_at_a_whole_character),
        cmocka_unit_test(a_problem_may_be_set_from_its_own_text),
        cmocka_unit_test(words_and_codes_are_one_list),
        cmocka_unit_test(what_may_end_better_is_replayable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
