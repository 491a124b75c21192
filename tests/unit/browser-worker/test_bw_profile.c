#include "bw_profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

static const struct bw_profile *multion(void)
{
    return bw_profile_find("multion");
}

static struct json *parse(const char *text)
{
    struct json *doc = NULL;
    char why[JSON_WHY_SIZE];

    if (failed(json_parse(&doc, bytes_str(text), why, sizeof why)))
        fail_msg("%s: %s", text, why);
    return doc;
}

/* What is sent for a step, with its fields sorted. */
static void assert_sent(enum bw_verb verb, const char *remote_id, const char *step,
                        const char *sent)
{
    struct json *body = parse(step), *to = bw_profile_body(multion(), verb, remote_id, body);
    struct buf text;

    buf_init(&text, 4096);
    json_print_sorted(to, &text);
    assert_string_equal(text.at, sent);
    buf_deinit(&text);
    json_free(&to);
    json_free(&body);
}

static void each_verb_has_its_request(void **state)
{
    (void)state;
    assert_sent(BW_OPEN, "", "{\"url\":\"https://a.example\"}",
                "{\"url\":\"https://a.example\"}");
    assert_sent(BW_BROWSE, "r1", "{\"cmd\":\"buy\",\"url\":\"https://a.example\"}",
                "{\"cmd\":\"buy\",\"session_id\":\"r1\",\"url\":\"https://a.example\"}");
    assert_sent(BW_RETRIEVE, "r1",
                "{\"cmd\":\"all\",\"schema\":{\"b\":\"string\",\"a\":\"number\"}}",
                "{\"cmd\":\"all\",\"fields\":[\"b\",\"a\"],\"session_id\":\"r1\"}");
    assert_null(bw_profile_body(multion(), BW_CLOSE, "r1", NULL));
    assert_null(bw_profile_body(multion(), BW_LIST, "", NULL));
}

static void both_spellings_reach_the_wire_as_one(void **state)
{
    (void)state;
    assert_sent(BW_RETRIEVE, "",
                "{\"cmd\":\"x\",\"renderJs\":true,\"scrollToBottom\":true,\"maxItems\":7,"
                "\"fullPage\":false}",
                "{\"cmd\":\"x\",\"full_page\":false,\"max_items\":7,\"render_js\":true,"
                "\"scroll_to_bottom\":true}");
    assert_sent(BW_BROWSE, "", "{\"cmd\":\"x\",\"maxSteps\":3}",
                "{\"cmd\":\"x\",\"max_steps\":3}");
}

static void what_is_not_for_an_agent_is_not_sent(void **state)
{
    (void)state;
    assert_sent(BW_BROWSE, "",
                "{\"cmd\":\"x\",\"actions\":[],\"local\":true,\"stream\":true,\"url\":null}",
                "{\"cmd\":\"x\"}");
    assert_sent(BW_RETRIEVE, "",
                "{\"cmd\":\"x\",\"select\":{\"\":\"tr\",\"a\":\"td\"},\"local\":true}",
                "{\"cmd\":\"x\",\"fields\":[\"a\"]}");
}

static void a_retrieve_without_words_says_its_fields(void **state)
{
    (void)state;
    assert_sent(BW_RETRIEVE, "", "{\"schema\":{\"name\":\"string\",\"price\":\"number\"}}",
                "{\"cmd\":\"Retrieve name, price\",\"fields\":[\"name\",\"price\"]}");
}

static void an_open_has_a_place_to_begin_and_a_size(void **state)
{
    (void)state;
    assert_sent(BW_OPEN, "", "{}", "{\"url\":\"https://www.google.com/\"}");
    assert_sent(
        BW_OPEN, "", "{\"url\":\"https://a.example\",\"size\":\"1280x800\"}",
        "{\"browser_params\":{\"height\":800,\"width\":1280},\"url\":\"https://a.example\"}");
    assert_sent(
        BW_OPEN, "", "{\"url\":\"https://a.example\",\"size\":{\"width\":5,\"height\":6}}",
        "{\"browser_params\":{\"height\":6,\"width\":5},\"url\":\"https://a.example\"}");
}

static void an_id_stays_one_piece_of_the_path(void **state)
{
    struct buf url;

    (void)state;
    buf_init(&url, 1024);
    bw_profile_url(multion(), BW_CLOSE, "http://h/v1", "a/../b?c", &url);
    assert_string_equal(url.at, "http://h/v1/session/a%2F..%2Fb%3Fc");
    buf_clear(&url);
    bw_profile_url(multion(), BW_BROWSE, "http://h/v1", "a", &url);
    assert_string_equal(url.at, "http://h/v1/browse");
    buf_deinit(&url);
}

static void statuses_are_read_as_people_write_them(void **state)
{
    static const struct {
        const char *word;
        enum bw_said said;
    } CASES[] = {
        {"DONE", BW_SAID_DONE},         {" done\n", BW_SAID_DONE},
        {"CONTINUE", BW_SAID_CONTINUE}, {"ASK_USER", BW_SAID_ASK},
        {"ask-user", BW_SAID_ASK},      {"ask user", BW_SAID_ASK},
        {"NOT SURE", BW_SAID_UNSURE},   {"NOT_SURE", BW_SAID_UNSURE},
        {"", BW_SAID_UNSURE},           {"finished!", BW_SAID_UNSURE},
        {"DONE DONE", BW_SAID_UNSURE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        if (bw_profile_said(multion(), CASES[i].word) != CASES[i].said)
            fail_msg("\"%s\"", CASES[i].word);
}

static void the_words_of_errors_are_told_apart(void **state)
{
    static const struct {
        enum bw_text text;
        bool yes;
        const char *error;
    } CASES[] = {
        {BW_TEXT_LOST, true, "Session not found or expired"},
        {BW_TEXT_LOST, true, "{\"message\":\"session 12 has EXPIRED\"}"},
        {BW_TEXT_LOST, true, "no such session"},
        {BW_TEXT_LOST, false,
         "{\"loc\":[\"body\",\"session_id\"],\"msg\":\"field "
         "required\",\"type\":\"value_error.missing\"}"},
        {BW_TEXT_LOST, false, "element not found"},
        {BW_TEXT_BUSY, true, "session already has an active run"},
        {BW_TEXT_BUSY, true, "This session's message queue is full"},
        {BW_TEXT_BUSY, false, "Too many concurrent sessions for this account."},
        {BW_TEXT_CONCURRENCY, true, "Too many concurrent sessions for this account."},
        {BW_TEXT_CONCURRENCY, true, "too_many_concurrent_requests"},
        {BW_TEXT_CONCURRENCY, false, "Rate limit exceeded."},
        {BW_TEXT_CREDIT, true, "You are out of credits"},
        {BW_TEXT_CREDIT, false, "Rate limit exceeded."},
        {BW_TEXT_RATE, true, "You have exceeded a secondary rate limit"},
        {BW_TEXT_RATE, false, "forbidden"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        if (bw_profile_text(multion(), CASES[i].text, CASES[i].error) != CASES[i].yes)
            fail_msg("%zu: \"%s\"", i, CASES[i].error);
}

static void what_an_agent_cannot_do_is_said_before(void **state)
{
    static const struct {
        enum bw_verb verb;
        const char *step, *why;
    } CASES[] = {
        {BW_BROWSE, "{\"actions\":[{\"go\":{}}]}", "\"cmd\""},
        {BW_BROWSE, "{\"cmd\":\"\"}", "\"cmd\""},
        {BW_RETRIEVE, "{\"url\":\"https://a.example\"}", "\"schema\""},
        {BW_RETRIEVE, "{\"select\":{\"\":\"tr\"}}", "\"schema\""},
        {BW_RETRIEVE, "{\"cmd\":\"x\",\"maxItems\":1,\"max_items\":2}", "both its spellings"},
        {BW_OPEN, "{\"headers\":{\"A\":\"b\"}}", "\"headers\""},
        {BW_OPEN, "{\"profile\":\"ann\"}", "\"profile\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct json *step = parse(CASES[i].step);
        char why[160]     = "";
        assert_true(failed(bw_profile_check(multion(), CASES[i].verb, step, why, sizeof why)));
        if (!strstr(why, CASES[i].why))
            fail_msg("%s: %s", CASES[i].step, why);
        json_free(&step);
    }
}

static void what_it_can_do_passes(void **state)
{
    static const struct {
        enum bw_verb verb;
        const char *step;
    } CASES[] = {
        {BW_OPEN, "{}"},
        {BW_OPEN, "{\"url\":\"https://a.example\",\"headers\":{},\"profile\":null}"},
        {BW_BROWSE, "{\"cmd\":\"x\",\"actions\":[]}"},
        {BW_RETRIEVE, "{\"cmd\":\"x\",\"maxItems\":2,\"max_items\":2}"},
        {BW_RETRIEVE, "{\"select\":{\"a\":\"td\"}}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct json *step = parse(CASES[i].step);
        char why[160]     = "";
        if (failed(bw_profile_check(multion(), CASES[i].verb, step, why, sizeof why)))
            fail_msg("%s: %s", CASES[i].step, why);
        json_free(&step);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_verb_has_its_request),
        cmocka_unit_test(both_spellings_reach_the_wire_as_one),
        cmocka_unit_test(what_is_not_for_an_agent_is_not_sent),
        cmocka_unit_test(a_retrieve_without_words_says_its_fields),
        cmocka_unit_test(an_open_has_a_place_to_begin_and_a_size),
        cmocka_unit_test(an_id_stays_one_piece_of_the_path),
        cmocka_unit_test(statuses_are_read_as_people_write_them),
        cmocka_unit_test(the_words_of_errors_are_told_apart),
        cmocka_unit_test(what_an_agent_cannot_do_is_said_before),
        cmocka_unit_test(what_it_can_do_passes),
    };
    return cmocka_run_group_tests_name("bw_profile", tests, NULL, NULL);
}
