#include "bw_driver.h"

#include "webdriver_rig.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>

/*
 * The webdriver driver against real chromedriver and Chromium, with a shop on loopback.  (Processes that die or stop:
 * test_webdriver_loss.)  Most tests share one browser; each goes to the page it wants.
 */

/* ---- names ------------------------------------------------------------------------------------ */

/* In place of libc's, for libuv too: names that lead where the tests want.  ".example" is in no DNS. */
static const struct {
    const char *name, *address;
} NAMES[] = {
    {"public.example", "93.184.216.34"}, /* the browser reaches it through the shop */
    {"inside.example", "10.1.2.3"},
    {"rebound.example", "127.0.0.1"},
    {"meta.example", "169.254.169.254"},
};

/* The answer for "slow.example" comes when the test says so. */
static atomic_bool slow_is_over;

static void wait_until_slow_is_over(void)
{
    for (int i = 0; i < 3000 && !atomic_load(&slow_is_over); i++)
        usleep(10 * 1000);
}

int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");

    memcpy(&real, &symbol, sizeof real);
    for (size_t i = 0; node && i < sizeof NAMES / sizeof *NAMES; i++)
        if (str_equal(NAMES[i].name, node))
            return real(NAMES[i].address, service, hints, ret);
    if (node && str_equal(node, "slow.example"))
        wait_until_slow_is_over();
    return node && str_ends(node, ".example") ? EAI_NONAME : real(node, service, hints, ret);
}

/* ---- what is promised ------------------------------------------------------------------------- */

#define BROWSE(...) ((struct want){.verb = BW_BROWSE, __VA_ARGS__})
#define RETRIEVE(...) ((struct want){.verb = BW_RETRIEVE, __VA_ARGS__})
#define OPEN(...) ((struct want){.verb = BW_OPEN, __VA_ARGS__})

static void assert_failed(const struct asked *t, enum call_fate fate, const char *code,
                          const char *detail)
{
    if (t->fate != fate || !str_equal(t->code, code) || !strstr(t->detail, detail))
        fail_msg("fate %d (not %d), %s (not %s): %s (not: %s)", t->fate, fate, t->code, code,
                 t->detail, detail);
}

static void assert_rows(const char *body, const char *rows)
{
    AUTO(mem_free) char *got = rig_rows(&rig, body);

    assert_string_equal(got, rows);
}

/* The text of an element of the page where the shared browser stands. */
static void assert_says(const char *css, const char *words)
{
    char body[256], rows[256];

    str_format(body, sizeof body, "{\"select\":{\"said\":\"%s\"}}", css);
    str_format(rows, sizeof rows, "[{\"said\":\"%s\"}]", words);
    assert_rows(body, rows);
}

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
    atomic_store(&slow_is_over, false);
    rig_start(&rig, &t, BROWSE(.is_public = true),
              "{\"url\":\"http://slow.example/\",\"actions\":[{\"wait\":{\"css\":\"p\"}}]}");
    rig_turn(&rig, NULL, 50); /* in a lookup */
    bw_webdriver.cancel(&t.call);
    atomic_store(&slow_is_over, true);
    rig_turn(&rig, NULL, 200);
    assert_int_equal(t.answers, 0);
}

/* ---- retrieve --------------------------------------------------------------------------------------------- */

static void retrieves_typed_rows(void **state)
{
    (void)state;
    struct asked t =
        rig_ask(&rig, RETRIEVE(0),
                "{\"url\":\"SHOP/"
                "category\",\"schema\":{\"name\":\"string\",\"price\":\"number\",\"color\":"
                "\"string\",\"url\":\"url\","
                "\"image\":\"url\",\"since\":\"date\",\"isNew\":\"bool\",\"old\":\"number?\"},"
                "\"select\":{\"\":\"article.product\",\"name\":\"h3\",\"price\":\".price|"
                "number\",\"color\":\".colour\",\"url\":\"a@href\","
                "\"image\":\"img@src\",\"since\":\"time|date\",\"isNew\":\".new|bool\",\"old\":"
                "\".old|number\",\"sku\":\"@data-sku\","
                "\"link\":\"a h3|html\"}}");
    const struct json *rows = json_get(t.value, "rows");

    assert_int_equal(t.fate, CALL_DONE);
    assert_int_equal(json_count(rows), 24);
    assert_string_equal(json_str(json_get(json_at(rows, 0), "name")), "Linen shirt");
    assert_true(json_number(json_get(json_at(rows, 0), "price")) == 12.99);
    assert_true(json_number(json_get(json_at(rows, 1), "price")) == 1299);
    assert_true(str_starts(json_str(json_get(json_at(rows, 1), "url")), rig.shop));
    assert_true(str_ends(json_str(json_get(json_at(rows, 1), "url")), "/product?sku=TS-002"));
    assert_true(str_ends(json_str(json_get(json_at(rows, 0), "image")), ".svg"));
    assert_string_equal(json_str(json_get(json_at(rows, 1), "since")), "2026-02-04");
    assert_true(json_bool(json_get(json_at(rows, 0), "isNew")));
    assert_false(json_bool(json_get(json_at(rows, 1), "isNew")));
    assert_int_equal(json_type(json_get(json_at(rows, 0), "old")), JSON_NULL);
    assert_string_equal(json_str(json_get(json_at(rows, 23), "sku")), "TS-024");
    assert_string_equal(json_str(json_get(json_at(rows, 0), "link")), "Linen shirt");
    assert_true(str_ends(t.url, "/category"));
    asked_free(&t);
}

static size_t count_rows(const char *body)
{
    struct asked t = rig_ask(&rig, RETRIEVE(0), body);
    size_t count   = json_count(json_get(t.value, "rows"));

    assert_int_equal(t.fate, CALL_DONE);
    asked_free(&t);
    return count;
}

static void scrolls_until_all_rows_are_there_or_enough(void **state)
{
    (void)state;
    assert_int_equal(count_rows("{\"url\":\"SHOP/"
                                "category\",\"scroll_to_bottom\":true,\"select\":{\"\":\"."
                                "product\",\"name\":\"h3\"}}"),
                     44);
    assert_int_equal(count_rows("{\"url\":\"SHOP/"
                                "category\",\"scrollToBottom\":true,\"maxItems\":30,\"select\":"
                                "{\"\":\".product\",\"name\":\"h3\"}}"),
                     30);
    assert_int_equal(
        count_rows("{\"max_items\":0,\"select\":{\"\":\".product\",\"name\":\"h3\"}}"), 0);
}

static void a_page_is_one_row_and_an_array_is_all_of_a_kind(void **state)
{
    (void)state;
    assert_rows(
        "{\"url\":\"SHOP/"
        "product?sku=TS-002\",\"schema\":{\"name\":\"string\",\"sizes\":[\"string\"],\"price\":"
        "\"number\",\"none\":[\"string\"]},"
        "\"select\":{\"name\":\"#name\",\"sizes\":\"#sizes "
        "li\",\"price\":\".price\",\"none\":\".nothing\"}}",
        "[{\"name\":\"Cotton "
        "tee\",\"sizes\":[\"XS\",\"S\",\"M\",\"L\",\"XL\"],\"price\":1299,\"none\":[]}]");
}

static void numbers_are_read_as_the_world_writes_them(void **state)
{
    (void)state;
    assert_rows(
        "{\"url\":\"SHOP/strange\",\"select\":{\"\":\"#numbers li\",\"n\":\"|number\"}}",
        "[{\"n\":1299},{\"n\":12.99},{\"n\":1299},{\"n\":1299.5},{\"n\":12990.5},{\"n\":-5},{"
        "\"n\":-7.25},{\"n\":2},{\"n\":0.99},"
        "{\"n\":1299000},{\"n\":1299},{\"n\":12.5},{\"n\":null},{\"n\":4.5},{\"n\":7}]");
}

static void dates_are_days_or_instants_and_nothing_else(void **state)
{
    (void)state;
    assert_rows("{\"url\":\"SHOP/strange\",\"select\":{\"\":\"#dates li\",\"d\":\"|date\"}}",
                "[{\"d\":\"2026-11-21\"},{\"d\":\"2026-11-21\"},{\"d\":\"2026-11-21\"},{\"d\":"
                "\"2026-11-21T10:30:00.000Z\"},"
                "{\"d\":\"2026-11-21T08:30:00.000Z\"},{\"d\":null},{\"d\":null}]");
}

static void links_are_absolute(void **state)
{
    (void)state;
    AUTO(mem_free)
    char *rows = rig_rows(&rig, "{\"url\":\"SHOP/strange\",\"select\":{\"\":\"#links "
                                "li\",\"u\":\"a, img, span|url\"}}");

    assert_non_null(strstr(
        rows,
        "/deep/below/x?y=1\"},{\"u\":\"http://other.example/z\"},{\"u\":\"http://127.0.0.1:"));
    assert_non_null(
        strstr(rows, "/img/red.svg\"},{\"u\":\"https://said.example/\"},{\"u\":null}]"));
}

static void texts_are_folded_and_always_readable(void **state)
{
    (void)state;
    assert_rows("{\"url\":\"SHOP/"
                "strange\",\"select\":{\"f\":\"#folded\",\"h\":\"#half\",\"i\":\"#inside|"
                "html\",\"c\":\"#box@checked|bool\",\"x\":\"#box@hidden|bool\"}}",
                "[{\"f\":\"two lines and blanks\",\"h\":\"half a pair \xef\xbf\xbd and a zero "
                "\xef\xbf\xbd here\",\"i\":\"a <b>bold</b> word\",\"c\":true,\"x\":false}]");
}

static void a_row_that_does_not_fit_is_named(void **state)
{
    (void)state;
    struct asked t = rig_ask(
        &rig, RETRIEVE(.shot = true),
        "{\"url\":\"SHOP/strange\",\"schema\":{\"n\":\"number\"},\"select\":{\"\":\"#numbers "
        "li\",\"n\":\"|number\"}}");

    assert_failed(&t, CALL_FAILED, "schema_mismatch",
                  "row 13: \"n\" must be a number, not null");
    assert_null(t.value);
    assert_int_equal(t.shot_count, 1);
    assert_true(str_ends(t.url, "/strange"));
    asked_free(&t);
}

static void css_that_is_none_is_refused_by_its_field(void **state)
{
    (void)state;
    struct asked t = rig_ask(&rig, RETRIEVE(0),
                             "{\"url\":\"SHOP/cart\",\"select\":{\"a\":\"h1\",\"b\":\"p[\"}}");

    assert_failed(&t, CALL_REFUSED, "upstream_refused", "select.b: ");
    asked_free(&t);
    t = rig_ask(&rig, RETRIEVE(0),
                "{\"select\":{\"\":\"tr[\",\"b\":\"p\"},\"scroll_to_bottom\":true}");
    assert_failed(&t, CALL_REFUSED, "upstream_refused", "select.\"\": ");
    asked_free(&t);
}

/* ---- too much of it ------------------------------------------------------------------------------------------ */

static void a_page_that_grows_for_ever_is_cut(void **state)
{
    (void)state;
    struct asked t = rig_ask(
        &rig, RETRIEVE(.timeout_ms = 4000),
        "{\"url\":\"SHOP/"
        "forever\",\"scroll_to_bottom\":true,\"select\":{\"\":\".row\",\"n\":\"|number\"}}");

    assert_int_equal(t.fate,
                     CALL_DONE); /* in time: it grows faster than a second stands still */
    assert_true(json_count(json_get(t.value, "rows")) > 10);
    asked_free(&t);
}

static void a_page_larger_than_allowed_is_refused(void **state)
{
    (void)state;
    struct asked t = rig_ask(&rig, RETRIEVE(.page_max = 1 << 20),
                             "{\"url\":\"SHOP/big?mb=2\",\"select\":{\"all\":\"#text\"}}");

    assert_failed(&t, CALL_REFUSED, "response_too_large", "larger than 1048576 bytes");
    asked_free(&t);
    assert_says("title", "Big"); /* the session is none the worse */
}

/* Whether the driver gives up first or we do, the run reads the same. */
static void assert_ended_with_the_step(const struct asked *t, uint64_t timeout_ms)
{
    if (t->fate != CALL_FAILED && t->fate != CALL_UNANSWERED)
        fail_msg("fate %d: %s", t->fate, t->detail);
    assert_string_equal(t->code, "step_timeout");
    assert_true(t->ms < timeout_ms + RIG_SLACK_MS);
}

static void an_endless_page_takes_the_step_s_time_and_no_more(void **state)
{
    (void)state;
    static const char *const PAGES[] = {"{\"actions\":[{\"go\":{\"url\":\"SHOP/endless\"}}]}",
                                        "{\"actions\":[{\"go\":{\"url\":\"SHOP/huge\"}}]}"};

    char session[256];

    rig_open(&rig, session);
    for (size_t i = 0; i < 2; i++) {
        struct asked t =
            rig_ask(&rig, BROWSE(.session = session, .timeout_ms = 1500), PAGES[i]);
        assert_ended_with_the_step(&t, 1500);
        asked_free(&t);
    }
    rig_close(&rig, session);
}

static void a_download_is_not_kept(void **state)
{
    (void)state;
    char home[96], session[256];

    rig_open(&rig, session);
    struct asked t = rig_ask(&rig, BROWSE(.session = session),
                             "{\"url\":\"SHOP/cart\",\"actions\":[{\"go\":{\"url\":\"SHOP/"
                             "huge.bin\"}},{\"go\":{\"url\":\"SHOP/endless.bin\"}}]}");
    assert_int_equal(t.fate, CALL_DONE);
    assert_true(str_ends(t.url, "/cart"));
    asked_free(&t);
    rig_turn(&rig, NULL, 300);
    str_format(home, sizeof home, "%s/home/Downloads", rig.folder);
    DIR *folder = opendir(home);
    for (struct dirent *d; folder && (d = readdir(folder));)
        assert_true(d->d_name[0] == '.');
    if (folder)
        closedir(folder);
    rig_close(&rig, session);
}

static void a_script_that_never_ends_takes_the_step_s_time_and_no_more(void **state)
{
    (void)state;
    char session[256];

    rig_open(&rig, session);
    struct asked t =
        rig_ask(&rig, BROWSE(.session = session, .timeout_ms = 2000),
                "{\"url\":\"SHOP/loop\",\"actions\":[{\"wait\":{\"css\":\"#nowhere\"}}]}");
    assert_ended_with_the_step(&t, 2000);
    asked_free(&t);
    rig_close(&rig, session);
}

/* ---- where it may go ------------------------------------------------------------------------------------------- */

static void forbidden_addresses_are_not_gone_to(void **state)
{
    static const struct {
        bool is_public;
        const char *url, *why;
    } CASES[] = {
        {true, "http://127.0.0.1/", "127.0.0.1 is loopback"},
        {true, "http://2130706433/", "127.0.0.1 is loopback"},
        {true, "http://localhost/", "localhost is a local name"},
        {true, "http://10.0.0.1/", "10.0.0.1 is private"},
        {true, "http://[::1]/", "::1 is loopback"},
        {true, "http://inside.example/", "inside.example: 10.1.2.3 is private"},
        {true, "http://rebound.example/", "rebound.example: 127.0.0.1 is loopback"},
        {true, "http://meta.example/", "a metadata address"},
        {false, "http://meta.example/", "a metadata address"},
        {false, "http://169.254.169.254/latest/", "169.254.169.254 is a metadata address"},
        {false, "http://metadata.google.internal/", "a metadata name"},
        {false, "file:///etc/passwd", "is not http:// or https://"},
        {false, "javascript:alert(1)", "is not http:// or https://"},
        {false, "chrome://version", "is not http:// or https://"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        AUTO(mem_free) char *open = mem_printf("{\"url\":\"%s\"}", CASES[i].url);
        AUTO(mem_free)
        char *browse   = mem_printf("{\"actions\":[{\"go\":{\"url\":\"%s\"}}]}", CASES[i].url);
        struct asked t = rig_ask(&rig, OPEN(.is_public = CASES[i].is_public), open);
        assert_failed(&t, CALL_REFUSED, "url_forbidden", CASES[i].why);
        assert_int_equal(t.call_class, CALL_UNSENT); /* nothing was asked of the upstream */
        assert_string_equal(t.remote_id, "");
        asked_free(&t);
        rig_browse(&rig, "{\"actions\":[{\"go\":{\"url\":\"SHOP/cart\"}}]}");
        t = rig_ask(&rig, BROWSE(.is_public = CASES[i].is_public), browse);
        assert_failed(&t, CALL_REFUSED, "url_forbidden", CASES[i].why);
        asked_free(&t);
        assert_says("h1", "Cart"); /* it still stands where it stood */
    }
}

static void a_public_tenant_goes_to_public_addresses(void **state)
{
    (void)state;
    struct asked t = rig_ask(&rig, BROWSE(.is_public = true),
                             "{\"url\":\"http://public.example/"
                             "cart\",\"actions\":[{\"wait\":{\"css\":\"#checkout\"}}]}");

    assert_int_equal(t.fate, CALL_DONE);
    assert_string_equal(t.url, "http://public.example/cart");
    asked_free(&t);
}

static void a_name_that_cannot_be_resolved_is_not_gone_to(void **state)
{
    (void)state;
    struct asked t =
        rig_ask(&rig, OPEN(.is_public = true), "{\"url\":\"http://nowhere.example/\"}");

    assert_failed(&t, CALL_FAILED, "upstream_failed", "nowhere.example cannot be resolved");
    assert_int_equal(t.call_class, CALL_UNSENT);
    asked_free(&t);
    atomic_store(&slow_is_over, false);
    t = rig_ask(&rig, OPEN(.is_public = true, .timeout_ms = 300),
                "{\"url\":\"http://slow.example/\"}");
    atomic_store(&slow_is_over, true);
    assert_failed(&t, CALL_FAILED, "upstream_failed",
                  "slow.example cannot be resolved: no answer in the step's time");
    asked_free(&t);
}

/* Nothing of such a place comes out: no rows, no picture, no quotation. */
static void a_redirect_to_a_forbidden_address_is_seen(void **state)
{
    static const struct {
        bool is_public;
        const char *from, *why;
    } CASES[] = {
        {true, "http://public.example/redirect?to=SHOP/cart", "127.0.0.1 is loopback"},
        {true, "http://public.example/redirect?to=http://inside.example/cart",
         "10.1.2.3 is private"},
        {false, "SHOP/redirect?to=http://100.100.100.200/cart",
         "100.100.100.200 is a metadata address"},
        {false, "SHOP/away", "100.100.100.200 is a metadata address"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        AUTO(mem_free)
        char *retrieve = mem_printf(
            "{\"url\":\"%s\",\"schema\":{\"a\":\"number\"},\"select\":{\"a\":\"h1|text\"}}",
            CASES[i].from);
        AUTO(mem_free)
        char *browse = mem_printf("{\"url\":\"%s\",\"actions\":[{\"wait\":{\"css\":\"#"
                                  "nowhere\",\"timeout\":\"1s\"}},{\"screenshot\":{}}]}",
                                  CASES[i].from);
        struct asked t =
            rig_ask(&rig, RETRIEVE(.is_public = CASES[i].is_public, .shot = true), retrieve);
        assert_failed(&t, CALL_REFUSED, "url_forbidden", CASES[i].why);
        assert_null(t.value);
        assert_int_equal(t.shot_count, 0);
        asked_free(&t);
        t = rig_ask(&rig, BROWSE(.is_public = CASES[i].is_public, .shot = true), browse);
        assert_failed(&t, CALL_REFUSED, "url_forbidden", CASES[i].why);
        assert_int_equal(t.shot_count, 0);
        asked_free(&t);
    }
    struct asked t = rig_ask(&rig, OPEN(0), "{\"url\":\"SHOP/away\"}");
    assert_failed(&t, CALL_REFUSED, "url_forbidden", "metadata");
    assert_true(*t.remote_id);
    rig_close(&rig, t.remote_id);
    asked_free(&t);
    t = rig_ask(&rig, (struct want){.verb = BW_SCREENSHOT}, NULL);
    assert_failed(&t, CALL_REFUSED, "url_forbidden", "metadata");
    assert_int_equal(t.shot_count, 0);
    asked_free(&t);
}

/* The last action of a step, and one before others: what stands behind it is not done there. */
static void a_click_to_a_forbidden_address_is_seen(void **state)
{
    static const char *const THEN[] = {"", ",{\"screenshot\":{}}",
                                       ",{\"click\":{\"css\":\"a\"}}"};

    (void)state;
    for (size_t i = 0; i < sizeof THEN / sizeof *THEN; i++) {
        AUTO(mem_free)
        char *browse   = mem_printf("{\"url\":\"http://public.example/leave?to=SHOP/cart\","
                                      "\"actions\":[{\"click\":{\"css\":\"#leave\"}}%s]}",
                                    THEN[i]);
        struct asked t = rig_ask(&rig, BROWSE(.is_public = true, .shot = true), browse);
        assert_failed(&t, CALL_REFUSED, "url_forbidden", "127.0.0.1 is loopback");
        assert_int_equal(t.shot_count, 0);
        asked_free(&t);
    }
    struct asked t = rig_ask(&rig, RETRIEVE(.is_public = true, .shot = true),
                             "{\"select\":{\"a\":\"h1\"}}"); /* and no later step reads there */
    assert_failed(&t, CALL_REFUSED, "url_forbidden", "127.0.0.1 is loopback");
    assert_null(t.value);
    assert_int_equal(t.shot_count, 0);
    asked_free(&t);
}

/* The page moves by itself, while an element is waited for. */
static void a_failure_that_came_out_at_a_forbidden_address_is_that(void **state)
{
    (void)state;
    struct asked t = rig_ask(
        &rig, BROWSE(.effect = EFFECT_UNSAFE, .shot = true),
        "{\"url\":\"SHOP/away?to=http://100.100.100.200/"
        "cart\",\"actions\":[{\"click\":{\"css\":\"#nowhere\",\"timeout\":\"500ms\"}}]}");

    assert_failed(&t, CALL_UNANSWERED, "url_forbidden", "metadata");
    assert_int_equal(t.shot_count, 0);
    asked_free(&t);
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
        PROMISE(retrieves_typed_rows),
        PROMISE(scrolls_until_all_rows_are_there_or_enough),
        PROMISE(a_page_is_one_row_and_an_array_is_all_of_a_kind),
        PROMISE(numbers_are_read_as_the_world_writes_them),
        PROMISE(dates_are_days_or_instants_and_nothing_else),
        PROMISE(links_are_absolute),
        PROMISE(texts_are_folded_and_always_readable),
        PROMISE(a_row_that_does_not_fit_is_named),
        PROMISE(css_that_is_none_is_refused_by_its_field),
        PROMISE(a_page_that_grows_for_ever_is_cut),
        PROMISE(a_page_larger_than_allowed_is_refused),
        PROMISE(an_endless_page_takes_the_step_s_time_and_no_more),
        PROMISE(a_download_is_not_kept),
        PROMISE(a_script_that_never_ends_takes_the_step_s_time_and_no_more),
        PROMISE(forbidden_addresses_are_not_gone_to),
        PROMISE(a_public_tenant_goes_to_public_addresses),
        PROMISE(a_name_that_cannot_be_resolved_is_not_gone_to),
        PROMISE(a_redirect_to_a_forbidden_address_is_seen),
        PROMISE(a_click_to_a_forbidden_address_is_seen),
        PROMISE(a_failure_that_came_out_at_a_forbidden_address_is_that),
        PROMISE(a_step_it_cannot_do_is_refused_before_anything_is_sent),
    };
    return cmocka_run_group_tests_name("webdriver", tests, rig_set_up, rig_tear_down);
}
