#include "bw_webdriver_action.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "bw_webdriver_error.h"
#include "json/json.h"

/* Actions as they are read, and errors as they are understood: no browser is needed for either. */

static struct json *doc;

static struct wd_action read_well(const char *text)
{
    struct wd_action action;
    char why[160] = "";

    json_free(&doc);
    assert_false(failed(json_parse(&doc, bytes_str(text), why, sizeof why)));
    if (failed(bw_webdriver_action_read(doc, &action, why, sizeof why)))
        fail_msg("%s: %s", text, why);
    return action;
}

static int tear_down(void **state)
{
    (void)state;
    json_free(&doc);
    return 0;
}

static void a_selector_is_css_xpath_or_text(void **state)
{
    (void)state;
    struct wd_action a = read_well("{\"click\":{\"css\":\"#buy\"}}");

    assert_int_equal(a.act, WD_ACT_CLICK);
    assert_string_equal(a.using, "css selector");
    assert_string_equal(a.selector, "#buy");
    assert_int_equal(a.timeout_ms, 10000);
    bw_webdriver_action_deinit(&a);

    a = read_well("{\"wait\":{\"xpath\":\"//b[1]\",\"gone\":true,\"timeout\":\"3s\"}}");
    assert_int_equal(a.act, WD_ACT_WAIT);
    assert_string_equal(a.using, "xpath");
    assert_string_equal(a.selector, "//b[1]");
    assert_true(a.gone);
    assert_int_equal(a.timeout_ms, 3000);
    bw_webdriver_action_deinit(&a);

    a = read_well("{\"click\":{\"text\":\"  Buy \\n now\"}}");
    assert_string_equal(a.using, "xpath");
    assert_non_null(strstr(a.selector, "normalize-space(.)=\"Buy now\""));
    bw_webdriver_action_deinit(&a);
}

static void a_text_with_both_quotes_is_put_together(void **state)
{
    (void)state;
    struct wd_action a = read_well("{\"click\":{\"text\":\"say \\\"it's\\\"\"}}");

    assert_non_null(strstr(a.selector, "concat(\"say \",'\"it',\"'s\",'\"',\"\")"));
    bw_webdriver_action_deinit(&a);
    a = read_well("{\"click\":{\"text\":\"say \\\"no\\\"\"}}");
    assert_non_null(strstr(a.selector, "normalize-space(.)='say \"no\"'"));
    bw_webdriver_action_deinit(&a);
}

static void what_is_typed_is_no_selector(void **state)
{
    (void)state;
    struct wd_action a =
        read_well("{\"type\":{\"css\":\"#a\",\"text\":\"b\",\"clear\":true,\"enter\":true}}");

    assert_string_equal(a.selector, "#a");
    assert_string_equal(a.text, "b");
    assert_true(a.clear && a.enter);
    bw_webdriver_action_deinit(&a);
}

static void a_wait_for_a_url_and_a_scroll_to_the_bottom_have_no_element(void **state)
{
    (void)state;
    struct wd_action a = read_well("{\"wait\":{\"url\":\"/thanks\"}}");

    assert_int_equal(a.act, WD_ACT_WAIT_URL);
    assert_null(a.selector);
    a = read_well("{\"scroll\":{\"to\":\"bottom\"}}");
    assert_int_equal(a.act, WD_ACT_BOTTOM);
    assert_null(a.selector);
}

static void a_key_has_a_name_or_is_one_character(void **state)
{
    (void)state;
    struct wd_action a = read_well("{\"press\":{\"key\":\"Enter\"}}");

    assert_string_equal(a.text, "\xee\x80\x87");
    a = read_well("{\"press\":{\"key\":\"ArrowLeft\"}}");
    assert_string_equal(a.text, "\xee\x80\x92");
    a = read_well("{\"press\":{\"key\":\"\xc3\xa4\"}}");
    assert_string_equal(a.text, "\xc3\xa4");
}

static void a_wrong_action_is_refused_in_words(void **state)
{
    static const char *const CASES[][2] = {
        {"{\"click\":{}}", "click needs one of \"css\", \"xpath\" and \"text\""},
        {"{\"click\":{\"css\":\"#a\",\"text\":\"b\"}}",
         "click needs one of \"css\", \"xpath\" and \"text\""},
        {"{\"click\":{\"css\":\"\"}}", "click needs one of \"css\", \"xpath\" and \"text\""},
        {"{\"click\":\"#a\"}", "click needs one of \"css\", \"xpath\" and \"text\""},
        {"{\"click\":{\"cs\":\"#a\"}}", "click has no field \"cs\"; did you mean \"css\"?"},
        {"{\"type\":{\"text\":\"a\"}}", "type needs one of \"css\", \"xpath\""},
        {"{\"select\":{\"css\":\"#a\"}}", "select needs either \"value\" or \"label\""},
        {"{\"go\":{}}", "go needs \"url\""},
        {"{\"go\":{\"url\":7}}", "go needs \"url\""},
        {"{\"press\":{\"key\":\"Entr\"}}", "there is no key \"Entr\"; did you mean \"Enter\"?"},
        {"{\"press\":{\"key\":\"xyzzy\"}}", "there is no key \"xyzzy\""},
        {"{\"press\":{}}", "press needs \"key\": one character, or a name such as Enter"},
        {"{\"wait\":{\"css\":\"#a\",\"url\":\"/b\"}}",
         "wait needs one of \"css\", \"xpath\", \"text\" and \"url\""},
        {"{\"wait\":{\"css\":\"#a\",\"timeout\":\"5 s\"}}",
         "wait: \"timeout\" is no duration; write \"5s\""},
        {"{\"scroll\":{\"to\":\"top\"}}",
         "scroll needs one of \"css\", \"xpath\", \"text\" and \"to\": \"bottom\""},
        {"{\"jump\":{}}", "there is no action \"jump\""},
        {"{}", "an action is an object with one field, such as \"click\""},
        {"[]", "an action is an object with one field, such as \"click\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct wd_action a;
        char why[160] = "";

        json_free(&doc);
        assert_false(failed(json_parse(&doc, bytes_str(CASES[i][0]), why, sizeof why)));
        assert_true(failed(bw_webdriver_action_read(doc, &a, why, sizeof why)));
        assert_string_equal(why, CASES[i][1]);
        bw_webdriver_action_deinit(&a);
    }
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void an_error_means_what_its_word_says(void **state)
{
    static const struct {
        const char *word, *message;
        enum wd_error means;
    } CASES[] = {
        {"invalid session id", "invalid session id", WD_ERROR_GONE},
        {"no such window", "no such window: target window already closed", WD_ERROR_LOST},
        {"tab crashed", "tab crashed", WD_ERROR_LOST},
        {"unknown error", "unknown error: session deleted because of page crash",
         WD_ERROR_LOST},
        {"unknown error", "unknown error: net::ERR_NAME_NOT_RESOLVED", WD_ERROR_SITE},
        {"unknown error", "unknown error: something else", WD_ERROR_OTHER},
        {"element click intercepted", "…", WD_ERROR_HEALS},
        {"stale element reference", "…", WD_ERROR_HEALS},
        {"timeout", "timeout: Timed out receiving message from renderer: 3.0", WD_ERROR_LATE},
        {"script timeout", "script timeout", WD_ERROR_LATE},
        {"invalid selector", "…", WD_ERROR_REFUSED},
        {"insecure certificate", "…", WD_ERROR_REFUSED},
        {"session not created", "session not created: Chrome instance exited.",
         WD_ERROR_NOT_CREATED},
        {"session not created",
         "session not created: This version of ChromeDriver only supports Chrome version 120",
         WD_ERROR_REFUSED},
        {"something new", "…", WD_ERROR_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_int_equal(bw_webdriver_error(CASES[i].word, CASES[i].message), CASES[i].means);
}

static void a_page_cannot_say_that_its_session_is_lost(void **state)
{
    (void)state;
    assert_int_equal(bw_webdriver_error("unexpected alert open",
                                        "unexpected alert open: {Alert text : tab crashed}"),
                     WD_ERROR_DIALOG);
    assert_int_equal(
        bw_webdriver_error("javascript error", "javascript error: session deleted"),
        WD_ERROR_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_selector_is_css_xpath_or_text),
        cmocka_unit_test(a_text_with_both_quotes_is_put_together),
        cmocka_unit_test(what_is_typed_is_no_selector),
        cmocka_unit_test(a_wait_for_a_url_and_a_scroll_to_the_bottom_have_no_element),
        cmocka_unit_test(a_key_has_a_name_or_is_one_character),
        cmocka_unit_test(a_wrong_action_is_refused_in_words),
        cmocka_unit_test(an_error_means_what_its_word_says),
        cmocka_unit_test(a_page_cannot_say_that_its_session_is_lost),
    };
    return cmocka_run_group_tests_name("webdriver_action", tests, NULL, tear_down);
}
