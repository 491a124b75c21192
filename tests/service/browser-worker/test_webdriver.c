#include "bw_driver.h"

#include "webdriver_rig.h"

/*
 * The webdriver driver against real chromedriver and Chromium, with a shop on loopback: sessions, actions, and what becomes
 * of steps that may not be repeated.  (What it reads: test_webdriver_read.  Where it may go: test_webdriver_guard.  Processes
 * that die or stop: test_webdriver_loss.)  Most tests share one browser; each goes to the page it wants.
 */

static int orders_of(const char *key)
{
    AUTO(mem_free) char *all = rig_curl(&rig, "/orders");
    char begin[96];
    int count = 0;

    str_format(begin, sizeof begin, "{\"key\":\"%s\"", key);
    const char *at = strstr(all, begin);
    if (at)
        sscanf(strstr(at, "\"count\":"), "\"count\":%d", &count);
    return count;
}

/* ---- sessions ----------------------------------------------------------------------------------- */

static bool is_listed(const char *session)
{
    struct asked t = rig_ask(&rig, (struct want){.verb = BW_LIST}, NULL);

    assert_int_equal(t.fate, CALL_DONE);
    bool found = json_get(t.value, session) != NULL;
    asked_free(&t);
    return found;
}

static void opens_a_session_at_its_first_page_and_closes_it(void **state)
{
    (void)state;
    struct asked t =
        rig_ask(&rig, OPEN(0),
                "{\"url\":\"SHOP/cart?only=TS-002\",\"size\":{\"width\":800,\"height\":600}}");

    assert_int_equal(t.fate, CALL_DONE);
    assert_true(*t.remote_id);
    assert_string_equal(t.endpoint, rig.upstream.url);
    assert_true(str_ends(t.url, "/cart?only=TS-002"));
    assert_true(is_listed(t.remote_id));
    assert_int_equal(rig_profiles(&rig), 1 + (*rig.session != 0));

    rig_close(&rig, t.remote_id);
    assert_false(is_listed(t.remote_id));
    rig_close(&rig, t.remote_id); /* that it is not there is how it should be */
    asked_free(&t);
}

/* Of another client of the same chromedriver: it has no stamp, and ours has nothing but a stamp. */
static void a_list_tells_whose_a_session_is(void **state)
{
    char command[512];
    const struct json *stamp = NULL;
    const char *id           = NULL;
    unsigned ours = 0, others = 0;

    (void)state;
    str_format(command, sizeof command,
               "curl -s --noproxy '*' %s/session -d '{\"capabilities\":{\"alwaysMatch\":{"
               "\"goog:chromeOptions\":{\"args\":[\"--headless=new\",\"--no-sandbox\"]}}}}' "
               ">/dev/null",
               rig.upstream.url);
    assert_int_equal(system(command), 0);
    (void)rig_shared(&rig);
    struct asked t = rig_ask(&rig, (struct want){.verb = BW_LIST}, NULL);
    for (size_t it = 0; json_each(t.value, &it, &id, &stamp);) {
        bool shared = str_equal(id, rig.session);
        ours += shared;
        others += !shared;
        assert_string_equal(json_str(stamp), shared ? RIG_STAMP : "");
        if (!shared)
            rig_close(&rig, id);
    }
    assert_int_equal(ours, 1);
    assert_int_equal(others, 1);
    asked_free(&t);
    assert_int_equal(rig_signal(&rig, "proxy", 0), 0); /* no browser was told of one */
}

static void a_session_whose_first_page_fails_is_answered_all_the_same(void **state)
{
    (void)state;
    struct asked t = rig_ask(&rig, OPEN(0), "{\"url\":\"http://127.0.0.1:4/\"}");

    assert_failed(&t, CALL_FAILED, "upstream_failed", "net::ERR_CONNECTION_REFUSED");
    assert_true(*t.remote_id);
    assert_false(t.gone);
    rig_close(&rig, t.remote_id);
    asked_free(&t);
}

static void two_sessions_at_once_know_nothing_of_each_other(void **state)
{
    (void)state;
    struct asked a = {0}, b = {0}, one = {0}, two = {0};

    rig_start(&rig, &a, OPEN(0), "{\"url\":\"SHOP/login\"}");
    rig_start(&rig, &b, OPEN(0), "{\"url\":\"SHOP/login\"}");
    rig_wait(&rig, &a);
    rig_wait(&rig, &b);
    rig_start(&rig, &one, BROWSE(.session = a.remote_id),
              "{\"actions\":[{\"type\":{\"css\":\"#user\",\"text\":\"ada\",\"clear\":true}},"
              "{\"type\":{\"css\":\"#pass\",\"text\":\"secret\",\"enter\":true}},{\"wait\":{"
              "\"css\":\"#account\"}}]}");
    rig_start(&rig, &two, BROWSE(.session = b.remote_id),
              "{\"actions\":[{\"go\":{\"url\":\"SHOP/account\"}}]}");
    rig_wait(&rig, &one);
    rig_wait(&rig, &two);

    assert_int_equal(one.fate, CALL_DONE);
    assert_true(str_ends(one.url, "/account"));
    assert_int_equal(two.fate, CALL_DONE);
    assert_true(str_ends(two.url, "/login"));
    rig_close(&rig, a.remote_id);
    rig_close(&rig, b.remote_id);
    asked_free(&a);
    asked_free(&b);
    asked_free(&one);
    asked_free(&two);
}

static void a_touch_says_whether_the_session_is_known(void **state)
{
    (void)state;
    struct asked t = rig_ask(&rig, (struct want){.verb = BW_TOUCH}, NULL);

    assert_int_equal(t.fate, CALL_DONE);
    asked_free(&t);
    t = rig_ask(&rig, (struct want){.verb = BW_TOUCH, .session = "nobody"}, NULL);
    assert_failed(&t, CALL_SESSION_LOST, "session_lost", "invalid session id");
    assert_true(t.gone);
    asked_free(&t);
}

static void a_screenshot_is_a_picture(void **state)
{
    (void)state;
    rig_browse(&rig, "{\"actions\":[{\"go\":{\"url\":\"SHOP/category\"}}]}");
    struct asked t = rig_ask(&rig, (struct want){.verb = BW_SCREENSHOT}, NULL);

    assert_int_equal(t.fate, CALL_DONE);
    assert_int_equal(t.shot_count, 1);
    assert_true(t.all_png);
    assert_string_equal(t.shot_names[0], "");
    asked_free(&t);
}

/* ---- actions --------------------------------------------------------------------------------------- */

static void goes_and_says_where_it_stands(void **state)
{
    (void)state;
    struct asked t =
        rig_ask(&rig, BROWSE(0),
                "{\"url\":\"SHOP/late\",\"actions\":[{\"go\":{\"url\":\"SHOP/cart\"}}]}");

    assert_int_equal(t.fate, CALL_DONE);
    assert_true(str_ends(t.url, "/cart"));
    assert_int_equal(t.status, 200);
    asked_free(&t);
}

static void clicks_what_css_xpath_or_a_text_names(void **state)
{
    (void)state;
    rig_browse(
        &rig,
        "{\"url\":\"SHOP/category\",\"actions\":[{\"click\":{\"css\":\"[data-sku=TS-003] a\"}},"
        "{\"wait\":{\"url\":\"sku=TS-003\"}}]}");
    assert_says("#material", "Wool");
    rig_browse(
        &rig,
        "{\"url\":\"SHOP/category\",\"actions\":[{\"click\":{\"xpath\":\"//article[5]/a\"}},"
        "{\"wait\":{\"url\":\"sku=TS-005\"}}]}");
    rig_browse(
        &rig,
        "{\"url\":\"SHOP/category\",\"actions\":[{\"click\":{\"text\":\"Denim  jacket\"}},"
        "{\"wait\":{\"url\":\"sku=TS-004\"}}]}");
}

/* Its title says "Buy", and so does a button that is not to be seen. */
static void a_text_is_that_of_something_to_be_seen(void **state)
{
    (void)state;
    rig_browse(&rig, "{\"url\":\"SHOP/strange\",\"actions\":[{\"click\":{\"text\":\"Buy\"}}]}");
    assert_says("#said", "bought");
    rig_browse(&rig, "{\"actions\":[{\"wait\":{\"text\":\"He said \\\"it's fine\\\"\"}}]}");
}

static void types_behind_what_is_there_or_clears_it(void **state)
{
    (void)state;
    rig_browse(
        &rig,
        "{\"url\":\"SHOP/login\",\"actions\":[{\"type\":{\"css\":\"#user\",\"text\":\"ada\"}},"
        "{\"type\":{\"css\":\"#pass\",\"text\":\"secret\"}},{\"click\":{\"css\":\"button[type="
        "submit]\"}},"
        "{\"wait\":{\"css\":\"#wrong\"}}]}"); /* "guestada" */
    rig_browse(
        &rig,
        "{\"url\":\"SHOP/"
        "login\",\"actions\":[{\"type\":{\"css\":\"#user\",\"text\":\"ada\",\"clear\":true}},"
        "{\"type\":{\"css\":\"#pass\",\"text\":\"secret\",\"enter\":true}},{\"wait\":{\"css\":"
        "\"#account\"}}]}");
    assert_says("#account", "Hello Ada");
}

static void types_what_is_no_letter_too(void **state)
{
    (void)state;
    rig_browse(&rig, "{\"url\":\"SHOP/strange\",\"actions\":["
                     "{\"type\":{\"css\":\"#note\",\"text\":"
                     "\"A\\nb\\u00e4\\u20ac\\ud83d\\ude00 \\\"q\\\"\"}},"
                     "{\"type\":{\"css\":\"#edit\",\"text\":\" two\"}},"
                     "{\"type\":{\"css\":\"#number\",\"text\":\"42\",\"clear\":true}}]}");
    AUTO(mem_free) char *rows = rig_rows(&rig, "{\"select\":{\"w\":\"#written\"}}");
    assert_string_equal(
        rows, "[{\"w\":\"[\\\"firstA\\\\nb\u00e4\u20ac\U0001F600 "
              "\\\\\\\"q\\\\\\\"\\\",\\\"first two\\\",\\\"42\\\",\\\"fixed\\\",0]\"}]");
}

/* The file would be one of the browser's machine. */
static void types_no_file_into_a_page(void **state)
{
    (void)state;
    rig_browse(
        &rig, "{\"url\":\"SHOP/strange\",\"actions\":[{\"type\":{\"css\":\"#file\",\"text\":\"/"
              "etc/hostname\"}},"
              "{\"type\":{\"css\":\"#edit\",\"text\":\"!\"}}]}");
    AUTO(mem_free) char *rows = rig_rows(&rig, "{\"select\":{\"w\":\"#written\"}}");
    assert_non_null(strstr(rows, "fixed\\\",0]"));

    struct asked t = rig_ask(
        &rig, BROWSE(0),
        "{\"actions\":[{\"type\":{\"css\":\"#fixed\",\"text\":\"x\",\"timeout\":\"300ms\"}}]}");
    assert_failed(&t, CALL_FAILED, "element_missing", "\"#fixed\" is there and takes no keys");
    asked_free(&t);
}

static void presses_keys(void **state)
{
    (void)state;
    rig_browse(
        &rig,
        "{\"url\":\"SHOP/"
        "login\",\"actions\":[{\"type\":{\"css\":\"#user\",\"text\":\"ad\",\"clear\":true}},"
        "{\"press\":{\"key\":\"a\"}},{\"press\":{\"key\":\"Tab\"}},{\"press\":{\"key\":"
        "\"Enter\"}},"
        "{\"wait\":{\"css\":\"#wrong\"}}]}");
}

static void selects_by_value_or_by_label(void **state)
{
    (void)state;
    rig_browse(
        &rig,
        "{\"url\":\"SHOP/"
        "product?sku=TS-001\",\"actions\":[{\"select\":{\"css\":\"#size\",\"value\":\"M\"}}]}");
    assert_says("#chosen", "chosen: M");
    rig_browse(&rig, "{\"actions\":[{\"select\":{\"css\":\"#size\",\"label\":\"Size  L\"}}]}");
    assert_says("#chosen", "chosen: L");

    struct asked t = rig_ask(&rig, BROWSE(0),
                             "{\"actions\":[{\"select\":{\"css\":\"#size\",\"label\":\"XXL\","
                             "\"timeout\":\"300ms\"}}]}");
    assert_failed(&t, CALL_FAILED, "element_missing",
                  "actions[0].select: \"#size\" has no such option");
    asked_free(&t);
    t = rig_ask(&rig, BROWSE(0),
                "{\"actions\":[{\"select\":{\"css\":\"h1\",\"label\":\"XXL\",\"timeout\":"
                "\"300ms\"}}]}");
    assert_failed(&t, CALL_FAILED, "element_missing", "\"h1\" is no list to select from");
    asked_free(&t);
}

static void waits_for_what_comes_late(void **state)
{
    (void)state;
    rig_browse(&rig, "{\"url\":\"SHOP/late\",\"actions\":[{\"click\":{\"css\":\"#late\"}}]}");
    assert_says("#said", "late was clicked");
    rig_browse(&rig, "{\"url\":\"SHOP/late\",\"actions\":[{\"wait\":{\"url\":\"?done\"}},"
                     "{\"wait\":{\"text\":\"Come at last\"}}]}");
}

static void waits_until_something_is_gone_or_hidden(void **state)
{
    (void)state;
    rig_browse(&rig, "{\"url\":\"SHOP/late\",\"actions\":[{\"wait\":{\"css\":\"#early\","
                     "\"gone\":true}},{\"wait\":{\"css\":\"#veiled\",\"gone\":true}},"
                     "{\"wait\":{\"url\":\"/cart\",\"gone\":true}}]}");
    assert_rows("{\"select\":{\"early\":\"#early|bool\",\"veiled\":\"#veiled|bool\"}}",
                "[{\"early\":false,\"veiled\":true}]");

    struct asked t = rig_ask(
        &rig, BROWSE(0),
        "{\"actions\":[{\"wait\":{\"css\":\"#late\",\"gone\":true,\"timeout\":\"300ms\"}}]}");
    assert_failed(&t, CALL_FAILED, "element_missing",
                  "actions[0].wait: \"#late\" is still there");
    asked_free(&t);
}

static void waits_until_the_overlay_is_gone_and_clicks_once(void **state)
{
    (void)state;
    rig_browse(&rig, "{\"url\":\"SHOP/covered\",\"actions\":[{\"click\":{\"css\":\"#pay\"}}]}");
    assert_says("#count", "1");
}

static void scrolls_to_an_element_and_to_the_bottom(void **state)
{
    (void)state;
    rig_browse(
        &rig,
        "{\"url\":\"SHOP/category\",\"actions\":[{\"scroll\":{\"css\":\"#more\"}},"
        "{\"wait\":{\"css\":\".product:nth-child(25)\"}},{\"scroll\":{\"to\":\"bottom\"}},"
        "{\"wait\":{\"css\":\".product:nth-child(44)\"}}]}");
}

static void screenshots_of_a_browse_have_their_names(void **state)
{
    (void)state;
    struct asked t = rig_ask(
        &rig, BROWSE(0),
        "{\"url\":\"SHOP/category\",\"actions\":[{\"screenshot\":{\"name\":\"before\"}},"
        "{\"go\":{\"url\":\"SHOP/cart\"}},{\"screenshot\":{}}]}");

    assert_int_equal(t.fate, CALL_DONE);
    assert_int_equal(t.shot_count, 2);
    assert_true(t.all_png);
    assert_string_equal(t.shot_names[0], "before");
    assert_string_equal(t.shot_names[1], "");
    assert_int_not_equal(t.shot_lens[0], t.shot_lens[1]);
    asked_free(&t);
}

static void a_missing_element_is_named_and_pictured(void **state)
{
    (void)state;
    struct asked t = rig_ask(&rig, BROWSE(0),
                             "{\"url\":\"SHOP/cart\",\"actions\":[{\"wait\":{\"css\":\"h1\"}},"
                             "{\"click\":{\"css\":\"#nowhere\",\"timeout\":\"400ms\"}}]}");

    assert_failed(&t, CALL_FAILED, "element_missing",
                  "actions[1].click: \"#nowhere\" was not there in time, at http://127.0.0.1:");
    assert_true(str_ends(t.detail, "/cart"));
    assert_true(str_ends(t.url, "/cart"));
    assert_int_equal(t.shot_count, 1);
    assert_string_equal(t.shot_names[0], "failure");
    assert_true(t.all_png);
    asked_free(&t);
    t = rig_ask(
        &rig, BROWSE(0),
        "{\"url\":\"SHOP/"
        "late\",\"actions\":[{\"click\":{\"css\":\"#hidden\",\"timeout\":\"400ms\"}}]}");
    assert_failed(&t, CALL_FAILED, "element_missing", "\"#hidden\" is there and not visible");
    asked_free(&t);
    t = rig_ask(&rig, BROWSE(0),
                "{\"url\":\"SHOP/"
                "covered?for=60000\",\"actions\":[{\"click\":{\"css\":\"#pay\",\"timeout\":"
                "\"400ms\"}}]}");
    assert_failed(&t, CALL_FAILED, "element_missing", "\"#pay\" is there and cannot be used");
    asked_free(&t);
}

static void a_step_that_is_shorter_than_its_action_has_its_picture_too(void **state)
{
    (void)state;
    struct asked t = {0};

    rig_browse(&rig, "{\"actions\":[{\"go\":{\"url\":\"SHOP/cart\"}}]}");
    /* A fifth of the step is kept for the picture: on a busy machine only that of a longer one will do. */
    for (uint64_t ms = 1500; t.shot_count == 0 && ms <= 6000; ms *= 2) {
        asked_free(&t);
        t = rig_ask(&rig, BROWSE(.timeout_ms = ms),
                    "{\"actions\":[{\"click\":{\"css\":\"#nowhere\"}}]}");
    }
    assert_failed(&t, CALL_FAILED, "element_missing", "#nowhere");
    assert_int_equal(t.shot_count, 1);
    asked_free(&t);
}

static void a_selector_that_is_none_is_refused(void **state)
{
    (void)state;
    struct asked t = rig_ask(
        &rig, BROWSE(0), "{\"url\":\"SHOP/cart\",\"actions\":[{\"click\":{\"css\":\"a[\"}}]}");

    assert_failed(&t, CALL_REFUSED, "upstream_refused", "find: ");
    asked_free(&t);
    t = rig_ask(&rig, BROWSE(0), "{\"actions\":[{\"wait\":{\"css\":\"a[\",\"gone\":true}}]}");
    assert_failed(&t, CALL_REFUSED, "upstream_refused", "find: ");
    asked_free(&t);
    t = rig_ask(&rig, BROWSE(0), "{\"actions\":[{\"click\":{\"xpath\":\"//[\"}}]}");
    assert_failed(&t, CALL_REFUSED, "upstream_refused", "find: ");
    asked_free(&t);
}

static void a_dialog_that_asks_is_told_no_and_one_that_tells_is_heard(void **state)
{
    (void)state;
    struct asked t =
        rig_ask(&rig, BROWSE(.effect = EFFECT_IDEMPOTENT),
                "{\"url\":\"SHOP/dialog\",\"actions\":[{\"click\":{\"css\":\"#ask\"}}]}");

    assert_failed(&t, CALL_FAILED, "upstream_failed",
                  "the page opened a dialog, and was told no");
    assert_non_null(strstr(t.detail, "Really delete everything?"));
    asked_free(&t);
    assert_says("#said", "kept");
    rig_browse(&rig, "{\"actions\":[{\"click\":{\"css\":\"#tell\"}}]}");
    assert_says("#said", "told");
}

/* ---- fates of steps that may not be repeated ----------------------------------------------------------- */

static void an_unsafe_step_that_fails_later_is_unanswered(void **state)
{
    (void)state;
    struct asked t = rig_ask(
        &rig, BROWSE(.effect = EFFECT_UNSAFE),
        "{\"url\":\"SHOP/"
        "order?sku=TS-001&key=later\",\"actions\":[{\"click\":{\"css\":\"#place-order\"}},"
        "{\"wait\":{\"css\":\"#nowhere\",\"timeout\":\"300ms\"}}]}");

    assert_failed(&t, CALL_UNANSWERED, "element_missing", "#nowhere");
    assert_int_equal(t.shot_count, 1);
    asked_free(&t);
    assert_int_equal(orders_of("later"), 1);
}

static void an_unsafe_step_that_fails_before_it_acts_did_certainly_nothing(void **state)
{
    (void)state;
    rig_browse(&rig, "{\"actions\":[{\"go\":{\"url\":\"SHOP/order?sku=TS-001&key=never\"}}]}");
    struct asked t = rig_ask(&rig, BROWSE(.effect = EFFECT_UNSAFE),
                             "{\"actions\":[{\"click\":{\"css\":\"#nowhere\",\"timeout\":"
                             "\"300ms\"}},{\"click\":{\"css\":\"#place-order\"}}]}");

    assert_failed(&t, CALL_REFUSED, "element_missing", "#nowhere");
    asked_free(&t);
    assert_int_equal(orders_of("never"), 0);
}

/* A click that was in the way of an overlay was none. */
static void an_unsafe_click_that_never_came_through_did_certainly_nothing(void **state)
{
    (void)state;
    rig_browse(&rig, "{\"actions\":[{\"go\":{\"url\":\"SHOP/covered?for=60000\"}}]}");
    struct asked t =
        rig_ask(&rig, BROWSE(.effect = EFFECT_UNSAFE),
                "{\"actions\":[{\"click\":{\"css\":\"#pay\",\"timeout\":\"300ms\"}}]}");

    assert_failed(&t, CALL_REFUSED, "element_missing", "#pay");
    asked_free(&t);
}

static void an_unsafe_step_that_goes_well_is_done_once(void **state)
{
    (void)state;
    struct asked t = rig_ask(
        &rig, BROWSE(.effect = EFFECT_UNSAFE),
        "{\"url\":\"SHOP/"
        "order?sku=TS-001&key=once\",\"actions\":[{\"click\":{\"css\":\"#place-order\"}},"
        "{\"wait\":{\"css\":\"#thanks\"}}]}");

    assert_int_equal(t.fate, CALL_DONE);
    assert_true(str_ends(t.url, "/thanks?key=once"));
    asked_free(&t);
    assert_int_equal(orders_of("once"), 1);
}

static void past_its_deadline_a_step_sends_nothing(void **state)
{
    (void)state;
    struct asked t = {.may_until = 3};

    rig_browse(&rig,
               "{\"actions\":[{\"go\":{\"url\":\"SHOP/order?sku=TS-001&key=stopped\"}}]}");
    rig_start(&rig, &t, BROWSE(.effect = EFFECT_UNSAFE),
              "{\"actions\":[{\"click\":{\"css\":\"#place-order\"}}]}");
    rig_wait(&rig, &t);
    assert_failed(&t, CALL_REFUSED, "step_timeout",
                  "the step's time was over before displayed");
    assert_int_equal(t.shot_count, 0);
    asked_free(&t);
    assert_int_equal(orders_of("stopped"), 0);

    t = (struct asked){.may_until = 1};
    rig_start(&rig, &t, OPEN(0), "{\"url\":\"SHOP/cart\"}");
    rig_wait(&rig, &t);
    assert_failed(&t, CALL_FAILED, "step_timeout", "before timeouts");
    rig_close(&rig, t.remote_id);
    asked_free(&t);
}

static void a_call_that_is_cancelled_answers_nothing(void **state)
{
    (void)state;
    struct asked t = {0};

    rig_start(&rig, &t, BROWSE(0),
              "{\"url\":\"SHOP/late\",\"actions\":[{\"wait\":{\"css\":\"#nowhere\"}}]}");
    RIG_UNTIL(t.mays > 4); /* in a command, or between two */
    bw_webdriver.cancel(&t.call);
    rig_turn(&rig, NULL, 200);
    assert_int_equal(t.answers, 0);
}

/* The command in hand is heard to its end, by another, and is the last. */
static void a_call_that_is_left_sends_nothing_more(void **state)
{
    (void)state;
    struct asked first = {0}, other = {0};

    rig_start(&rig, &first, BROWSE(0),
              "{\"url\":\"SHOP/late\",\"actions\":[{\"wait\":{\"css\":\"#nowhere\"}}]}");
    RIG_UNTIL(first.mays > 4);
    bw_webdriver.leave(first.call, rig_on_answer, &other);
    assert_int_equal(other.answers, 0);

    unsigned mays = first.mays;

    rig_wait(&rig, &other);
    assert_int_equal(first.answers, 0);
    assert_int_equal(first.mays, mays);
    assert_int_equal(other.call_class, CALL_OK);
    asked_free(&other);
}

/* ---- what it can do at all ----------------------------------------------------------------------------------------- */

static void a_step_it_cannot_do_is_refused_before_anything_is_sent(void **state)
{
    static const struct {
        enum bw_verb verb;
        const char *body, *why;
    } CASES[] = {
        {BW_BROWSE, "{\"cmd\":\"buy it\"}",
         "a webdriver needs \"actions\"; \"cmd\" is for agents"},
        {BW_BROWSE, "{\"actions\":[{\"click\":{\"css\":\"a\"}},{\"clik\":{}}]}",
         "actions[1]: there is no action \"clik\""},
        {BW_BROWSE,
         "{\"actions\":[{\"screenshot\":{}},{\"screenshot\":{}},{\"screenshot\":{}},{"
         "\"screenshot\":{}},{\"screenshot\":{}},{\"screenshot\":{}}]}",
         "actions[5]: a step takes at most 5 screenshots"},
        {BW_RETRIEVE, "{\"cmd\":\"all prices\"}", "a webdriver needs \"select\": field -> css"},
        {BW_RETRIEVE, "{\"select\":{\"a\":1}}", "select.a: css is needed, in a string"},
        {BW_OPEN, "{\"headers\":{}}", "a webdriver cannot set \"headers\""},
        {BW_OPEN, "{\"profile\":\"ada\"}",
         "a webdriver has no \"profile\": each session has a fresh one"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        AUTO(json_free) struct json *body = rig_body(&rig, CASES[i].body);
        char why[160];
        assert_true(failed(bw_webdriver.check(CASES[i].verb, body, why, sizeof why)));
        assert_string_equal(why, CASES[i].why);
        struct asked t = rig_ask(&rig, (struct want){.verb = CASES[i].verb}, CASES[i].body);
        assert_failed(&t, CALL_REFUSED, "upstream_refused", CASES[i].why);
        assert_int_equal(t.mays, 0);
        asked_free(&t);
    }
}

#define PROMISE(name) cmocka_unit_test_teardown(name, rig_nothing_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE(opens_a_session_at_its_first_page_and_closes_it),
        PROMISE(a_list_tells_whose_a_session_is),
        PROMISE(a_session_whose_first_page_fails_is_answered_all_the_same),
        PROMISE(two_sessions_at_once_know_nothing_of_each_other),
        PROMISE(a_touch_says_whether_the_session_is_known),
        PROMISE(a_screenshot_is_a_picture),
        PROMISE(goes_and_says_where_it_stands),
        PROMISE(clicks_what_css_xpath_or_a_text_names),
        PROMISE(a_text_is_that_of_something_to_be_seen),
        PROMISE(types_behind_what_is_there_or_clears_it),
        PROMISE(types_what_is_no_letter_too),
        PROMISE(types_no_file_into_a_page),
        PROMISE(presses_keys),
        PROMISE(selects_by_value_or_by_label),
        PROMISE(waits_for_what_comes_late),
        PROMISE(waits_until_something_is_gone_or_hidden),
        PROMISE(waits_until_the_overlay_is_gone_and_clicks_once),
        PROMISE(scrolls_to_an_element_and_to_the_bottom),
        PROMISE(screenshots_of_a_browse_have_their_names),
        PROMISE(a_missing_element_is_named_and_pictured),
        PROMISE(a_step_that_is_shorter_than_its_action_has_its_picture_too),
        PROMISE(a_selector_that_is_none_is_refused),
        PROMISE(a_dialog_that_asks_is_told_no_and_one_that_tells_is_heard),
        PROMISE(an_unsafe_step_that_fails_later_is_unanswered),
        PROMISE(an_unsafe_step_that_fails_before_it_acts_did_certainly_nothing),
        PROMISE(an_unsafe_click_that_never_came_through_did_certainly_nothing),
        PROMISE(an_unsafe_step_that_goes_well_is_done_once),
        PROMISE(past_its_deadline_a_step_sends_nothing),
        PROMISE(a_call_that_is_cancelled_answers_nothing),
        PROMISE(a_call_that_is_left_sends_nothing_more),
        PROMISE(a_step_it_cannot_do_is_refused_before_anything_is_sent),
    };
    return cmocka_run_group_tests_name("webdriver", tests, rig_set_up, rig_tear_down);
}
