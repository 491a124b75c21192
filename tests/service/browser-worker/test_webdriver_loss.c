#include "bw_driver.h"

#include "webdriver_rig.h"

/*
 * What dies or stops under a call: chromedriver, its browsers, a tab, an answer.  The fate that the driver tells decides
 * whether something is done twice, so it is compared with what the shop and chromedriver themselves know.
 */

#define SLOW_PAGE "{\"actions\":[{\"go\":{\"url\":\"SHOP/cart?delay=60000\"}}]}"

static struct asked ask_now(struct want want, const char *body, enum call_fate fate,
                            const char *code, const char *detail)
{
    struct asked t = rig_ask(&rig, want, body);

    assert_failed(&t, fate, code, detail);
    return t;
}

static void ask_and_free(struct want want, const char *body, enum call_fate fate,
                         const char *code, const char *detail)
{
    struct asked t = ask_now(want, body, fate, code, detail);

    asked_free(&t);
}

static void open_at(const char *page, char session[256])
{
    AUTO(mem_free) char *body = mem_printf("{\"url\":\"SHOP%s\"}", page);
    struct asked t            = rig_ask(&rig, (struct want){.verb = BW_OPEN}, body);

    assert_int_equal(t.fate, CALL_DONE);
    str_copy(session, 256, t.remote_id);
    asked_free(&t);
}

static size_t count_sessions(void)
{
    struct asked t = rig_ask(&rig, (struct want){.verb = BW_LIST}, NULL);
    size_t count   = json_count(t.value);

    assert_int_equal(t.fate, CALL_DONE);
    asked_free(&t);
    return count;
}

static bool ordered(const char *key)
{
    AUTO(mem_free) char *all = rig_curl(&rig, "/orders");
    AUTO(mem_free)
    char *once = mem_printf("{\"key\":\"%s\",\"sku\":\"TS-001\",\"count\":1", key);
    AUTO(mem_free) char *any = mem_printf("{\"key\":\"%s\"", key);

    assert_true(!strstr(all, any) || strstr(all, once)); /* never twice */
    return strstr(all, once) != NULL;
}

/* Begins a step, and comes back when its browser waits for the shop. */
static void start_slow(struct asked *t, struct want want, const char *body, const char *path)
{
    unsigned before = rig_visits(&rig, path);

    rig_start(&rig, t, want, body);
    rig_until_visited(&rig, path, before);
    assert_int_equal(t->answers, 0);
}

static void start_slow_page(struct asked *t, const char *session)
{
    start_slow(t, BROWSE(.session = session), SLOW_PAGE, "/cart");
}

/* The session stands at a page where an order that is placed takes its time. */
static void start_slow_order(struct asked *t, const char *session)
{
    start_slow(t, BROWSE(.session = session, .effect = EFFECT_UNSAFE),
               "{\"actions\":[{\"click\":{\"css\":\"#place-order\"}},{\"wait\":{\"css\":\"#"
               "thanks\"}}]}",
               "/order");
}

/* ---- chromedriver dies ------------------------------------------------------------------------- */

static void
a_read_under_which_chromedriver_dies_is_unanswered_then_unsent_then_lost(void **state)
{
    (void)state;
    char session[256];
    struct asked t = {0};

    open_at("/cart", session);
    start_slow_page(&t, session);
    rig_driver_kill(&rig);
    rig_wait(&rig, &t);
    assert_failed(&t, CALL_UNANSWERED, "upstream_failed", "go: no answer");
    assert_int_equal(t.call_class, CALL_SERVER);
    assert_false(t.gone);
    asked_free(&t);

    t = ask_now(BROWSE(.session = session), SLOW_PAGE, CALL_NOT_SENT, "upstream_failed", "");
    assert_int_equal(t.call_class, CALL_SERVER);
    asked_free(&t);
    ask_and_free((struct want){.verb = BW_CLOSE, .session = session}, NULL, CALL_NOT_SENT,
                 "upstream_failed", "close");
    ask_and_free((struct want){.verb = BW_OPEN}, "{}", CALL_NOT_SENT, "upstream_failed",
                 "new session");

    rig_driver_start(&rig);
    t = ask_now(BROWSE(.session = session), SLOW_PAGE, CALL_SESSION_LOST, "session_lost",
                "invalid session id");
    assert_true(t.gone);
    asked_free(&t);
    rig_close(&rig, session);
}

static void an_order_under_which_chromedriver_dies_is_unanswered(void **state)
{
    (void)state;
    char session[256];
    struct asked t = {0};

    open_at("/order?sku=TS-001&key=killed&slow=1500", session);
    start_slow_order(&t, session);
    rig_driver_kill(&rig);
    rig_wait(&rig, &t);
    assert_failed(&t, CALL_UNANSWERED, "upstream_failed", "");
    asked_free(&t);
    RIG_UNTIL(ordered("killed")); /* it had acted: what UNANSWERED is for */
}

static void an_order_without_chromedriver_is_certainly_not_placed(void **state)
{
    (void)state;
    static const char ORDER[] = "{\"actions\":[{\"click\":{\"css\":\"#place-order\"}}]}";
    char session[256];

    open_at("/order?sku=TS-001&key=unsent", session);
    rig_driver_kill(&rig);
    ask_and_free(BROWSE(.session = session, .effect = EFFECT_UNSAFE), ORDER, CALL_NOT_SENT,
                 "upstream_failed", "");
    rig_driver_start(&rig);
    struct asked t = ask_now(BROWSE(.session = session, .effect = EFFECT_UNSAFE), ORDER,
                             CALL_REFUSED, "session_lost", "invalid session id");
    assert_true(t.gone);
    asked_free(&t);
    assert_false(ordered("unsent"));
}

/* ---- chromedriver stops ---------------------------------------------------------------------------- */

static void a_new_session_whose_answer_is_lost_is_unanswered_and_listed(void **state)
{
    (void)state;
    kill(rig.driver_pid, SIGSTOP);
    struct asked t =
        ask_now((struct want){.verb = BW_OPEN, .timeout_ms = 700}, "{\"url\":\"SHOP/cart\"}",
                CALL_UNANSWERED, "step_timeout", "new session: no answer in the step's time");
    assert_int_equal(t.call_class, CALL_TIMEOUT);
    assert_string_equal(t.remote_id, "");
    assert_true(t.ms < 700 + RIG_SLACK_MS);
    asked_free(&t);

    kill(rig.driver_pid, SIGCONT);
    RIG_UNTIL(count_sessions() == 1);
    t                        = rig_ask(&rig, (struct want){.verb = BW_LIST}, NULL);
    const struct json *stamp = NULL;
    const char *id           = NULL;
    size_t first             = 0;
    assert_true(json_each(t.value, &first, &id, &stamp));
    assert_string_equal(json_str(stamp), RIG_STAMP); /* how it is known whose it is */
    rig_close(&rig, id);
    asked_free(&t);
    assert_int_equal(count_sessions(), 0);
}

static void a_command_that_nobody_answers_ends_with_the_step(void **state)
{
    (void)state;
    char session[256];

    open_at("/order?sku=TS-001&key=frozen", session);
    kill(rig.driver_pid, SIGSTOP);
    struct asked t = ask_now(BROWSE(.session = session, .timeout_ms = 700),
                             "{\"actions\":[{\"wait\":{\"css\":\"#nowhere\"}}]}",
                             CALL_UNANSWERED, "step_timeout", "");
    assert_true(t.ms < 700 + RIG_SLACK_MS);
    asked_free(&t);
    kill(rig.driver_pid, SIGCONT);
    rig_close(&rig, session);
    assert_false(ordered("frozen"));
}

static void a_session_that_was_not_created_is_not_sent(void **state)
{
    (void)state;
    rig_driver_start_as(&rig, true); /* it finds no room for a profile */
    struct asked t = ask_now((struct want){.verb = BW_OPEN}, "{}", CALL_NOT_SENT,
                             "upstream_failed", "no session was created: ");
    assert_int_equal(t.call_class, CALL_SERVER);
    assert_int_equal(t.status, 500);
    asked_free(&t);
    assert_int_equal(rig_browsers(&rig), 0);
    rig_driver_start(&rig);
}

/* ---- a browser dies ------------------------------------------------------------------------------------ */

static void a_browser_that_was_killed_is_a_lost_session(void **state)
{
    (void)state;
    char session[256];

    open_at("/cart", session);
    assert_true(rig_signal(&rig, "/chrom", SIGKILL) > 0);
    RIG_UNTIL(rig_browsers(&rig) == 0);
    struct asked t =
        ask_now(BROWSE(.session = session), SLOW_PAGE, CALL_SESSION_LOST, "session_lost", "");
    assert_true(t.gone);
    asked_free(&t);
    assert_int_equal(count_sessions(), 0);
    rig_close(&rig, session);
}

static void a_browser_that_is_killed_under_a_command_is_a_lost_session(void **state)
{
    (void)state;
    char session[256];
    struct asked t = {0};

    open_at("/cart", session);
    start_slow_page(&t, session);
    rig_signal(&rig, "/chrom", SIGKILL);
    rig_wait(&rig, &t);
    assert_failed(&t, CALL_SESSION_LOST, "session_lost", "");
    assert_int_equal(t.call_class, CALL_CLIENT);
    asked_free(&t);
    rig_close(&rig, session);
    assert_int_equal(count_sessions(), 0);
}

static void an_order_under_which_the_browser_dies_is_unanswered(void **state)
{
    (void)state;
    char session[256];
    struct asked t = {0};

    open_at("/order?sku=TS-001&key=crashed&slow=1500", session);
    start_slow_order(&t, session);
    rig_signal(&rig, "/chrom", SIGKILL);
    rig_wait(&rig, &t);
    assert_failed(&t, CALL_UNANSWERED, "session_lost", "");
    assert_true(t.gone);
    asked_free(&t);
    rig_close(&rig, session);
    RIG_UNTIL(ordered("crashed"));
}

/* Its session lives, and must be closed. */
static void a_tab_that_crashed_is_lost_and_still_to_be_closed(void **state)
{
    (void)state;
    char session[256];

    open_at("/cart", session);
    rig_signal(&rig, "--type=renderer", SIGKILL);
    struct asked t = ask_now(BROWSE(.session = session), SLOW_PAGE, CALL_SESSION_LOST,
                             "session_lost", "tab crashed");
    assert_false(t.gone);
    asked_free(&t);
    assert_int_equal(count_sessions(), 1);
    rig_close(&rig, session);
    assert_int_equal(count_sessions(), 0);
}

/* ---- closing ---------------------------------------------------------------------------------------------- */

/* It waits behind the command, which the step's own time ends. */
static void a_close_while_a_command_runs_is_confirmed(void **state)
{
    (void)state;
    char session[256];
    struct asked page = {0}, closed = {0};

    open_at("/cart", session);
    start_slow(&page, BROWSE(.session = session, .timeout_ms = 3000),
               "{\"actions\":[{\"go\":{\"url\":\"SHOP/cart?delay=60000\"}}]}", "/cart");
    rig_start(&rig, &closed, (struct want){.verb = BW_CLOSE, .session = session}, NULL);
    rig_wait(&rig, &page);
    rig_wait(&rig, &closed);
    assert_int_not_equal(page.fate, CALL_DONE);
    assert_int_equal(closed.fate, CALL_DONE);
    assert_int_equal(count_sessions(), 0);
    asked_free(&page);
    asked_free(&closed);
}

/* The worker drops a call and closes: nothing of it is left. */
static void a_close_after_a_call_that_was_cancelled_is_confirmed(void **state)
{
    (void)state;
    char session[256];
    struct asked page = {0};

    open_at("/late", session);
    rig_start(&rig, &page, BROWSE(.session = session),
              "{\"actions\":[{\"wait\":{\"css\":\"#nowhere\"}}]}");
    RIG_UNTIL(page.mays > 4); /* it looks, and looks again */
    bw_webdriver.cancel(&page.call);
    rig_close(&rig, session);
    assert_int_equal(page.answers, 0);
    assert_int_equal(count_sessions(), 0);
}

/* Of a test that failed, too: every one begins with a chromedriver of its own that has no session. */
static int begin_anew(void **state)
{
    (void)state;
    kill(rig.driver_pid, SIGCONT);
    rig_driver_start(&rig);
    assert_int_equal(rig_browsers(&rig), 0);
    return 0;
}

#define PROMISE(name) cmocka_unit_test_setup(name, begin_anew)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE(a_read_under_which_chromedriver_dies_is_unanswered_then_unsent_then_lost),
        PROMISE(an_order_under_which_chromedriver_dies_is_unanswered),
        PROMISE(an_order_without_chromedriver_is_certainly_not_placed),
        PROMISE(a_new_session_whose_answer_is_lost_is_unanswered_and_listed),
        PROMISE(a_command_that_nobody_answers_ends_with_the_step),
        PROMISE(a_session_that_was_not_created_is_not_sent),
        PROMISE(a_browser_that_was_killed_is_a_lost_session),
        PROMISE(a_browser_that_is_killed_under_a_command_is_a_lost_session),
        PROMISE(an_order_under_which_the_browser_dies_is_unanswered),
        PROMISE(a_tab_that_crashed_is_lost_and_still_to_be_closed),
        PROMISE(a_close_while_a_command_runs_is_confirmed),
        PROMISE(a_close_after_a_call_that_was_cancelled_is_confirmed),
    };
    return cmocka_run_group_tests_name("webdriver_loss", tests, rig_set_up, rig_tear_down);
}
