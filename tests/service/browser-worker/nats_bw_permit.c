#include "bw_permit.h"

#include "nats_rig.h"

static struct nats_rig rig;
static struct bw_permits *permits;

struct asked {
    unsigned answers;
    bool granted;
    uint64_t retry_after_ms;
    char why[64];
    struct bw_permit permit;
    struct bw_permit_ask *ask;
};

static void on_answer(void *self, const struct bw_permit_answer *a)
{
    struct asked *t = self;

    t->ask            = NULL;
    t->granted        = a->granted;
    t->retry_after_ms = a->retry_after_ms;
    str_copy(t->why, sizeof t->why, a->why);
    t->answers++;
}

static const struct bw_permit_want WANT = {.upstream    = "sim",
                                           .tenant      = "acme",
                                           .run         = "01KAJ4T0Q8ZP9F4T4W6V2N8M1C",
                                           .step        = "buy",
                                           .session     = "s01KAJ4T0Q8ZP9F4T4W6V2N8M1C",
                                           .lane        = LANE_BULK,
                                           .site        = "shop.example",
                                           .session_use = true,
                                           .wait_ms     = 5000,
                                           .lifetime_ms = 60000};

static void start(struct asked *t, struct bw_permit_want want)
{
    *t     = (struct asked){0};
    t->ask = bw_permit_ask(permits, &want, &t->permit, on_answer, t);
    assert_int_equal(t->answers, 0);
}

static int anew(void **state)
{
    (void)state;
    nats_rig_start(&rig);
    permits = bw_permit_new(rig.bus);
    return 0;
}

static int over(void **state)
{
    (void)state;
    bw_permit_free(&permits);
    nats_rig_end(&rig);
    return 0;
}

static struct bw_permit granted(void)
{
    struct asked t;

    start(&t, WANT);
    NATS_RIG_WAIT(&rig, t.answers == 1);
    assert_true(t.granted);
    return t.permit;
}

/* ---- asking ------------------------------------------------------------------------------ */

static void all_keys_are_asked_for_together(void **state)
{
    (void)state;
    nats_rig_limiter(&rig);
    struct bw_permit p         = granted();
    const struct permit_ask *a = &rig.ask[0];

    assert_true(p.granted && bw_permit_fresh(&p));
    assert_string_equal(p.id, a->id);
    assert_string_equal(a->tenant, "acme");
    assert_string_equal(a->run, WANT.run);
    assert_string_equal(a->session, WANT.session);
    assert_int_equal(a->lane, LANE_BULK);
    assert_int_equal(a->lifetime_ms, 60000);
    assert_in_range(a->wait_ms, 1000, 5000);
    assert_int_equal(a->key_count, 2);
    assert_string_equal(a->keys[0].name, "sim");
    assert_true(a->keys[0].rate && a->keys[0].in_flight && a->keys[0].session_use &&
                !a->keys[0].session_open);
    assert_string_equal(a->keys[1].name, "site:shop.example");
    assert_true(a->keys[1].rate && a->keys[1].in_flight && !a->keys[1].session_use);
}

static void a_refusal_says_when_to_come_again(void **state)
{
    struct asked t;

    (void)state;
    rig.way = LIMITER_REFUSES;
    nats_rig_limiter(&rig);
    start(&t, WANT);
    NATS_RIG_WAIT(&rig, t.answers == 1);
    assert_false(t.granted);
    assert_int_equal(t.retry_after_ms, 1234);
    assert_string_equal(t.why, "upstream_limited");
    assert_int_equal(rig.asks, 1);
}

static void the_same_is_asked_again_until_a_limiter_answers(void **state)
{
    struct asked t;

    (void)state;
    rig.deaf = 2;
    nats_rig_limiter(&rig);
    start(&t, WANT);
    NATS_RIG_WAIT(&rig, t.answers == 1);
    assert_true(t.granted && bw_permit_fresh(&t.permit));
    assert_int_equal(rig.asks, 3);
    assert_string_equal(rig.ask[0].id, rig.ask[2].id);
    assert_true(rig.ask[2].wait_ms < rig.ask[0].wait_ms);
    assert_int_equal(rig.reports, 0);
}

static void a_limiter_that_comes_late_is_asked_too(void **state)
{
    struct asked t;

    (void)state;
    start(&t, WANT);
    NATS_RIG_UNTIL(&rig, false, 700);
    assert_int_equal(t.answers, 0);
    nats_rig_limiter(&rig);
    NATS_RIG_WAIT(&rig, t.answers == 1);
    assert_true(t.granted && bw_permit_fresh(&t.permit));
}

static void without_a_limiter_it_is_unavailable(void **state)
{
    struct bw_permit_want want = WANT;
    struct asked t;

    (void)state;
    want.wait_ms   = 500;
    uint64_t began = clk_mono_ms();
    start(&t, want);
    NATS_RIG_WAIT(&rig, t.answers == 1);
    assert_false(t.granted);
    assert_string_equal(t.why, "unavailable");
    assert_int_equal(t.retry_after_ms, 1000);
    assert_in_range(clk_mono_ms() - began, 500, 3500);
    assert_int_equal(bw_permit_pending(permits), 0); /* nobody heard: nothing to give back */
}

static void a_silent_limiter_is_told_that_nobody_waits_any_more(void **state)
{
    struct bw_permit_want want = WANT;
    struct asked t;

    (void)state;
    rig.way = LIMITER_IS_SILENT;
    nats_rig_limiter(&rig);
    want.wait_ms = 100;
    start(&t, want);
    NATS_RIG_WAIT(&rig, t.answers == 1);
    assert_string_equal(t.why, "unavailable");
    NATS_RIG_WAIT(&rig, bw_permit_pending(permits) == 0);
    assert_int_equal(rig.reports, 1);
    assert_string_equal(rig.report[0].id, rig.ask[0].id);
    assert_int_equal(rig.report[0].call_class, CALL_UNSENT);
}

/* ---- too old ----------------------------------------------------------------------------- */

static void a_wait_in_the_limiter_makes_nothing_old(void **state)
{
    struct asked t;

    (void)state;
    rig.after_ms  = 600;
    rig.waited_ms = 590;
    nats_rig_limiter(&rig);
    start(&t, WANT);
    NATS_RIG_WAIT(&rig, t.answers == 1);
    assert_true(t.granted && bw_permit_fresh(&t.permit));
    assert_int_equal(rig.asks, 1);
}

static void an_old_grant_is_given_back_and_asked_for_again(void **state)
{
    struct asked t;

    (void)state;
    rig.after_ms = 400; /* and it says that it did not wait: so it was granted long ago */
    nats_rig_limiter(&rig);
    start(&t, WANT);
    NATS_RIG_WAIT(&rig, rig.asks == 2);
    rig.after_ms = 0;
    assert_int_equal(t.answers, 0);
    NATS_RIG_WAIT(&rig, t.answers == 1 && bw_permit_pending(permits) == 0);
    assert_true(t.granted && bw_permit_fresh(&t.permit));
    assert_int_equal(rig.reports, 2);
    assert_string_equal(rig.report[0].id, rig.ask[0].id);
    assert_int_equal(rig.report[0].call_class, CALL_UNSENT);
    assert_false(rig.report[0].session_closed);
    assert_string_not_equal(rig.ask[0].id, rig.ask[1].id);
}

static void a_permit_grows_old_in_the_hand(void **state)
{
    (void)state;
    nats_rig_limiter(&rig);
    struct bw_permit p = granted();

    assert_true(bw_permit_fresh(&p));
    usleep(250000);
    assert_false(bw_permit_fresh(&p));
    bw_permit_return(permits, &p);
    assert_false(p.granted);
    NATS_RIG_WAIT(&rig, bw_permit_pending(permits) == 0);
    assert_int_equal(rig.report[0].call_class, CALL_UNSENT);
    bw_permit_return(permits, &p); /* there is nothing left to return */
    NATS_RIG_UNTIL(&rig, false, 50);
    assert_int_equal(rig.reports, 1);
}

/* ---- cancelling -------------------------------------------------------------------------- */

static void a_cancelled_ask_gives_its_grant_back(void **state)
{
    struct asked t;

    (void)state;
    rig.after_ms = 300;
    nats_rig_limiter(&rig);
    start(&t, WANT);
    NATS_RIG_UNTIL(&rig, false, 100);
    bw_permit_cancel(&t.ask);
    assert_null(t.ask);
    assert_int_equal(bw_permit_pending(permits), 1); /* a drain waits for it */
    NATS_RIG_WAIT(&rig, rig.reports == 1 && bw_permit_pending(permits) == 0);
    assert_int_equal(t.answers, 0);
    assert_string_equal(rig.report[0].id, rig.ask[0].id);
    assert_int_equal(rig.report[0].call_class, CALL_UNSENT);
}

static void a_cancelled_ask_that_is_refused_is_over(void **state)
{
    struct asked t;

    (void)state;
    rig.way      = LIMITER_REFUSES;
    rig.after_ms = 200;
    nats_rig_limiter(&rig);
    start(&t, WANT);
    NATS_RIG_UNTIL(&rig, false, 50);
    bw_permit_cancel(&t.ask);
    NATS_RIG_WAIT(&rig, bw_permit_pending(permits) == 0);
    assert_int_equal(t.answers + rig.reports, 0);
}

static void an_ask_that_nobody_heard_is_cancelled_at_once(void **state)
{
    struct asked t;

    (void)state;
    start(&t, WANT);
    NATS_RIG_UNTIL(&rig, false, 100); /* no limiter: it pauses */
    bw_permit_cancel(&t.ask);
    NATS_RIG_UNTIL(&rig, false, 20);
    assert_int_equal(bw_permit_pending(permits), 0);
}

/* ---- reports ----------------------------------------------------------------------------- */

static void an_ordinary_report_is_said_once(void **state)
{
    const struct bw_permit_done done = {
        .status = 429, .ms = 12, .retry_after_ms = 3000, .call_class = CALL_RATE};

    (void)state;
    rig.confirms = false;
    nats_rig_limiter(&rig);
    struct bw_permit p = granted();
    bw_permit_report(permits, &p, &done);
    bw_permit_report(permits, &p, &done); /* and for one permit only once */
    assert_int_equal(bw_permit_pending(permits), 0);
    NATS_RIG_WAIT(&rig, rig.reports == 1);
    NATS_RIG_UNTIL(&rig, false, 100);
    assert_int_equal(rig.reports, 1);
    assert_string_equal(rig.report[0].name, "sim");
    assert_string_equal(rig.report[0].session, WANT.session);
    assert_int_equal(rig.report[0].status, 429);
    assert_int_equal(rig.report[0].ms, 12);
    assert_int_equal(rig.report[0].retry_after_ms, 3000);
    assert_int_equal(rig.report[0].call_class, CALL_RATE);
}

static void an_opened_session_is_reported_until_it_is_confirmed(void **state)
{
    const struct bw_permit_done done = {
        .status = 200, .call_class = CALL_OK, .session_opened = true};

    (void)state;
    rig.confirms = false;
    nats_rig_limiter(&rig);
    struct bw_permit p = granted();
    bw_permit_report(permits, &p, &done);
    assert_int_equal(bw_permit_pending(permits), 1);
    NATS_RIG_WAIT(&rig, rig.reports == 2);
    rig.confirms = true;
    NATS_RIG_WAIT(&rig, bw_permit_pending(permits) == 0);
    assert_true(rig.report[0].session_opened && rig.report[rig.reports - 1].session_opened);
    assert_string_equal(rig.report[0].id, rig.report[rig.reports - 1].id);
}

static void a_report_outlives_the_connection(void **state)
{
    const struct bw_permit_done done = {
        .status = 200, .call_class = CALL_OK, .session_closed = true};

    (void)state;
    nats_rig_limiter(&rig);
    struct bw_permit p = granted();
    nats_rig_stop_server(&rig);
    NATS_RIG_WAIT(&rig, !bus_connected(rig.bus) && !bus_connected(rig.other));
    bw_permit_report(permits, &p, &done);
    NATS_RIG_UNTIL(&rig, false, 300);
    assert_int_equal(bw_permit_pending(permits), 1);
    nats_rig_server(&rig);
    NATS_RIG_WAIT(&rig, bw_permit_pending(permits) == 0);
    assert_true(rig.report[rig.reports - 1].session_closed);
}

static void a_session_that_is_gone_needs_no_permit(void **state)
{
    (void)state;
    nats_rig_limiter(&rig);
    bw_permit_session_gone(permits, "sim", WANT.session);
    NATS_RIG_WAIT(&rig, bw_permit_pending(permits) == 0);
    assert_int_equal(rig.reports, 1);
    assert_true(rig.report[0].session_closed);
    assert_string_equal(rig.report[0].name, "sim");
    assert_string_equal(rig.report[0].session, WANT.session);
}

/* ---- the end ----------------------------------------------------------------------------- */

static void what_is_under_way_ends_with_the_bus(void **state)
{
    const struct bw_permit_done done = {.call_class = CALL_OK, .session_closed = true};
    struct asked t, cancelled;

    (void)state;
    nats_rig_limiter(&rig);
    struct bw_permit p = granted();
    rig.way            = LIMITER_IS_SILENT;
    rig.confirms       = false;
    start(&t, WANT);
    start(&cancelled, WANT);
    bw_permit_report(permits, &p, &done);
    NATS_RIG_UNTIL(&rig, false, 50);
    bw_permit_cancel(&cancelled.ask);
    bw_permit_free(&permits);
    bus_free(&rig.bus);
    NATS_RIG_UNTIL(&rig, false, 20);
    assert_int_equal(t.answers + cancelled.answers, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, anew, over)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_keys_are_asked_for_together),
        TEST(a_refusal_says_when_to_come_again),
        TEST(the_same_is_asked_again_until_a_limiter_answers),
        TEST(a_limiter_that_comes_late_is_asked_too),
        TEST(without_a_limiter_it_is_unavailable),
        TEST(a_silent_limiter_is_told_that_nobody_waits_any_more),
        TEST(a_wait_in_the_limiter_makes_nothing_old),
        TEST(an_old_grant_is_given_back_and_asked_for_again),
        TEST(a_permit_grows_old_in_the_hand),
        TEST(a_cancelled_ask_gives_its_grant_back),
        TEST(a_cancelled_ask_that_is_refused_is_over),
        TEST(an_ask_that_nobody_heard_is_cancelled_at_once),
        TEST(an_ordinary_report_is_said_once),
        TEST(an_opened_session_is_reported_until_it_is_confirmed),
        TEST(a_report_outlives_the_connection),
        TEST(a_session_that_is_gone_needs_no_permit),
        TEST(what_is_under_way_ends_with_the_bus),
    };
    return cmocka_run_group_tests_name("bw_permit", tests, NULL, NULL);
}
