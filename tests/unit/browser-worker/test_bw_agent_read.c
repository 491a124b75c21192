#include "bw_agent_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

static struct bw_reading read_it(enum bw_verb verb, enum entry_effect effect,
                                 const char *answer, const char *step)
{
    struct bw_reading r;
    struct json *doc = NULL;
    char why[JSON_WHY_SIZE];

    if (step)
        assert_false(failed(json_parse(&doc, bytes_str(step), why, sizeof why)));
    bw_agent_read(&r, bw_profile_find("multion"), verb, effect, bytes_str(answer), doc);
    json_free(&doc);
    return r;
}

static void assert_value(const struct bw_reading *r, const char *wanted)
{
    struct buf text;

    buf_init(&text, 4096);
    json_print_sorted(r->value, &text);
    assert_string_equal(text.at, wanted);
    buf_deinit(&text);
}

static void a_session_is_named_or_it_was_not_opened(void **state)
{
    static const char *const USELESS[] = {"{}",
                                          "{\"session_id\":\"\"}",
                                          "{\"session_id\":7}",
                                          "{\"session_id\":null}",
                                          "{\"session_id\":\"a b\"}",
                                          "[]",
                                          "",
                                          "{\"session_id\":\"a",
                                          "null"};
    struct bw_reading r =
        read_it(BW_OPEN, EFFECT_READ, "{\"status\":\"CONTINUE\",\"session_id\":\"r-1\"}", NULL);

    (void)state;
    assert_int_equal(r.verdict.fate, CALL_DONE);
    assert_string_equal(r.remote_id, "r-1");
    bw_agent_read_deinit(&r);
    for (size_t i = 0; i < sizeof USELESS / sizeof *USELESS; i++) {
        r = read_it(BW_OPEN, EFFECT_READ, USELESS[i], NULL);
        assert_int_equal(r.verdict.fate, CALL_UNANSWERED);
        assert_int_equal(r.verdict.call_class, CALL_SERVER);
        bw_agent_read_deinit(&r);
    }
}

static void what_the_agent_says_of_its_command_decides(void **state)
{
    static const struct {
        const char *status;
        enum entry_effect effect;
        enum call_fate fate;
        const char *code;
        bool again;
    } CASES[] = {
        {"DONE", EFFECT_UNSAFE, CALL_DONE, NULL, false},
        {"CONTINUE", EFFECT_UNSAFE, CALL_FAILED, "upstream_failed", true},
        {"ASK_USER", EFFECT_UNSAFE, CALL_REFUSED, "upstream_refused", false},
        {"NOT SURE", EFFECT_UNSAFE, CALL_UNANSWERED, "upstream_failed", false},
        {"NOT SURE", EFFECT_READ, CALL_FAILED, "upstream_failed", false},
        {"whatever", EFFECT_UNSAFE, CALL_UNANSWERED, "upstream_failed", false},
        {"", EFFECT_IDEMPOTENT, CALL_FAILED, "upstream_failed", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char answer[200];
        str_format(
            answer, sizeof answer,
            "{\"status\":\"%s\",\"message\":\"which size?\",\"url\":\"https://a.example\"}",
            CASES[i].status);
        struct bw_reading r = read_it(BW_BROWSE, CASES[i].effect, answer, NULL);
        assert_int_equal(r.verdict.fate, CASES[i].fate);
        assert_int_equal(r.verdict.call_class, CALL_OK);
        assert_true(str_equal(r.verdict.code, CASES[i].code));
        assert_int_equal(r.again, CASES[i].again);
        assert_string_equal(r.url, "https://a.example");
        if (CASES[i].fate == CALL_REFUSED)
            assert_string_equal(r.verdict.detail, "the agent asks: which size?");
        if (CASES[i].fate == CALL_DONE)
            assert_value(&r, "{\"message\":\"which size?\",\"status\":\"DONE\"}");
        bw_agent_read_deinit(&r);
    }
}

static void what_cannot_be_read_may_have_acted(void **state)
{
    static const char *const ANSWERS[] = {"",         "{\"status\":\"DO", "[]",
                                          "\"DONE\"", "\xff\xfe",         "{\"a\":1}}"};

    (void)state;
    for (size_t i = 0; i < sizeof ANSWERS / sizeof *ANSWERS; i++) {
        struct bw_reading r = read_it(BW_BROWSE, EFFECT_UNSAFE, ANSWERS[i], NULL);
        assert_int_equal(r.verdict.fate, CALL_UNANSWERED);
        assert_int_equal(r.verdict.call_class, CALL_SERVER);
        assert_string_equal(r.verdict.code, "upstream_failed");
        assert_null(r.value);
        bw_agent_read_deinit(&r);
    }
}

static void rows_are_judged_by_the_schema(void **state)
{
    static const struct {
        const char *answer, *step;
        enum call_fate fate;
        const char *code, *value;
    } CASES[] = {
        {"{\"status\":\"DONE\",\"data\":[{\"a\":\"x\",\"b\":1}],\"message\":\"m\"}",
         "{\"schema\":{\"a\":\"string\",\"b\":\"number\"}}", CALL_DONE, NULL,
         "{\"message\":\"m\",\"rows\":[{\"a\":\"x\",\"b\":1}]}"},
        {"{\"data\":[{\"a\":\"x\"},{\"c\":\"y\"}]}", "{\"schema\":{\"a\":\"string\"}}",
         CALL_FAILED, "schema_mismatch", NULL},
        {"{\"data\":[{\"a\":\"x\"},{\"c\":\"y\"}]}", "{\"schema\":{\"a\":\"string?\"}}",
         CALL_DONE, NULL, "{\"message\":\"\",\"rows\":[{\"a\":\"x\"},{\"c\":\"y\"}]}"},
        {"{\"data\":{}}", "{\"schema\":{\"a\":\"string\"}}", CALL_FAILED, "schema_mismatch",
         NULL},
        {"{}", "{\"cmd\":\"x\"}", CALL_UNANSWERED, "upstream_failed", NULL},
        {"{\"data\":[1,2,3]}", "{\"cmd\":\"x\"}", CALL_DONE, NULL,
         "{\"message\":\"\",\"rows\":[1,2,3]}"},
        {"{\"data\":[1,2,3]}", "{\"cmd\":\"x\",\"maxItems\":2}", CALL_DONE, NULL,
         "{\"message\":\"\",\"rows\":[1,2]}"},
        {"{\"data\":[1,2,3]}", "{\"cmd\":\"x\",\"max_items\":0}", CALL_DONE, NULL,
         "{\"message\":\"\",\"rows\":[]}"},
        {"{\"data\":[],\"status\":\"NOT SURE\"}", "{\"cmd\":\"x\"}", CALL_DONE, NULL,
         "{\"message\":\"\",\"rows\":[]}"},
        {"{\"data\":[],\"status\":\"ASK_USER\",\"message\":\"log in?\"}", "{\"cmd\":\"x\"}",
         CALL_REFUSED, "upstream_refused", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct bw_reading r = read_it(BW_RETRIEVE, EFFECT_READ, CASES[i].answer, CASES[i].step);
        if (r.verdict.fate != CASES[i].fate || !str_equal(r.verdict.code, CASES[i].code))
            fail_msg("%zu: fate %d, %s", i, r.verdict.fate, r.verdict.detail);
        if (CASES[i].value)
            assert_value(&r, CASES[i].value);
        bw_agent_read_deinit(&r);
    }
}

/* Small enough in bytes, and still a hundred times as much in memory. */
static void an_answer_of_too_many_values_is_too_large(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 16 << 20);
    for (size_t i = 0; i < JSON_VALUES_MAX; i++)
        buf_add(&text, i == 0 ? "{\"data\":[{}" : ",{}", i == 0 ? 11 : 3);
    buf_add(&text, "]}", 2);
    struct bw_reading r = read_it(BW_RETRIEVE, EFFECT_READ, text.at, "{\"cmd\":\"x\"}");

    assert_int_equal(r.verdict.fate, CALL_UNANSWERED);
    assert_int_equal(r.verdict.call_class, CALL_SERVER);
    assert_string_equal(r.verdict.code, "response_too_large");
    assert_non_null(strstr(r.verdict.detail, "more values than 1000000"));
    bw_agent_read_deinit(&r);
    buf_deinit(&text);
}

/* Half a list would make living sessions look gone. */
static void a_list_is_whole_or_none(void **state)
{
    static const char *const USELESS[] = {"{}", "{\"session_ids\":null}",
                                          "{\"session_ids\":[\"a\",7]}", "[\"a\"]", ""};
    struct bw_reading r =
        read_it(BW_LIST, EFFECT_READ, "{\"session_ids\":[\"a\",\"b\"]}", NULL);

    (void)state;
    assert_int_equal(r.verdict.fate, CALL_DONE);
    assert_value(&r, "{\"a\":\"\",\"b\":\"\"}");
    bw_agent_read_deinit(&r);
    for (size_t i = 0; i < sizeof USELESS / sizeof *USELESS; i++) {
        r = read_it(BW_LIST, EFFECT_READ, USELESS[i], NULL);
        assert_int_not_equal(r.verdict.fate, CALL_DONE);
        bw_agent_read_deinit(&r);
    }
}

static void a_close_is_said_by_its_status_alone(void **state)
{
    struct bw_reading r = read_it(BW_CLOSE, EFFECT_READ, "\xff no JSON", NULL);

    (void)state;
    assert_int_equal(r.verdict.fate, CALL_DONE);
    bw_agent_read_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_named_or_it_was_not_opened),
        cmocka_unit_test(what_the_agent_says_of_its_command_decides),
        cmocka_unit_test(what_cannot_be_read_may_have_acted),
        cmocka_unit_test(rows_are_judged_by_the_schema),
        cmocka_unit_test(an_answer_of_too_many_values_is_too_large),
        cmocka_unit_test(a_list_is_whole_or_none),
        cmocka_unit_test(a_close_is_said_by_its_status_alone),
    };
    return cmocka_run_group_tests_name("bw_agent_read", tests, NULL, NULL);
}
