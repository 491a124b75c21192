#include "story.h"

#include <cmocka.h>

static const char FLOW[] =
    "{\"upstream\":\"sim\",\"steps\":["
    "{\"id\":\"open\",\"open\":{\"url\":\"https://shop.example/\"}},"
    "{\"id\":\"login\",\"setup\":true,\"effect\":\"idempotent\",\"browse\":{\"cmd\":\"log "
    "in\"}},"
    "{\"id\":\"order\",\"browse\":{\"cmd\":\"order\"},\"on\":{\"indeterminate\":\"look\"}},"
    "{\"id\":\"look\",\"effect\":\"read\",\"browse\":{\"cmd\":\"look\"}},"
    "{\"id\":\"close\",\"close\":{}}]}";

static struct story s;

static int begin(void **state)
{
    (void)state;
    story_begin(&s, FLOW);
    story_plan(&s);
    story_lease(&s, 7);
    return 0;
}

static int end(void **state)
{
    (void)state;
    story_end(&s);
    return 0;
}

static void assert_step(struct run_move move, enum run_move_kind kind, const char *step)
{
    assert_int_equal(move.kind, kind);
    assert_non_null(move.step);
    assert_string_equal(move.step->id, step);
}

static void opened_and_logged_in(void)
{
    story_open(&s, "open");
    story_outcome(&s, "open", RESULT_OK, true);
    story_outcome(&s, "login", RESULT_OK, true);
}

static void a_fresh_run_opens_its_session(void **state)
{
    (void)state;
    assert_step(story_next(&s), MOVE_OPEN, "open");
}

static void steps_follow_each_other(void **state)
{
    (void)state;
    story_open(&s, "open");
    story_outcome(&s, "open", RESULT_OK, true);
    assert_step(story_next(&s), MOVE_STEP, "login");
    story_outcome(&s, "login", RESULT_OK, true);
    assert_step(story_next(&s), MOVE_STEP, "order");
}

static void the_end_of_the_flow_is_done(void **state)
{
    (void)state;
    opened_and_logged_in();
    story_outcome(&s, "order", RESULT_OK, true);
    story_outcome(&s, "look", RESULT_OK, true);
    story_close(&s, RESULT_OK, "");
    story_outcome(&s, "close", RESULT_OK, true);
    struct run_move move = story_next(&s);
    assert_int_equal(move.kind, MOVE_END);
    assert_int_equal(move.status, STATUS_DONE);
}

static void a_foreign_intent_is_fenced_by_its_session(void **state)
{
    (void)state;
    opened_and_logged_in();
    story_intent(&s, "order");
    story_lease(&s, 8);
    struct run_move move = story_next(&s);
    assert_int_equal(move.kind, MOVE_CLOSE);
    assert_string_equal(move.why, "fence");

    story_close(&s, RESULT_OK, "");
    move = story_next(&s);
    assert_int_equal(move.kind, MOVE_SETTLE);
    assert_string_equal(move.go_to, "look");
}

static void without_a_confirmed_close_no_branch_is_taken(void **state)
{
    (void)state;
    opened_and_logged_in();
    story_intent(&s, "order");
    story_lease(&s, 8);
    story_close(&s, RESULT_FAILED, "");
    struct run_move move = story_next(&s);
    assert_int_equal(move.kind, MOVE_SETTLE);
    assert_null(move.go_to);
}

static void the_fence_comes_before_a_cancel(void **state)
{
    (void)state;
    opened_and_logged_in();
    story_intent(&s, "order");
    story_add(&s, story_entry(&s, ENTRY_CANCEL));
    story_lease(&s, 8);
    assert_int_equal(story_next(&s).kind, MOVE_CLOSE);
}

/* Closing a session ends no call to a service: what became of it stays unknown. */
static void a_call_has_no_fence(void **state)
{
    (void)state;
    story_end(&s);
    story_begin(&s, "{\"upstream\":\"sim\",\"steps\":["
                    "{\"id\":\"open\",\"open\":{\"url\":\"https://shop.example/\"}},"
                    "{\"id\":\"pay\",\"call\":{\"subject\":\"till\",\"body\":{}},"
                    "\"on\":{\"indeterminate\":\"look\"}},"
                    "{\"id\":\"look\",\"effect\":\"read\",\"browse\":{\"cmd\":\"look\"}}]}");
    story_plan(&s);
    story_lease(&s, 7);
    story_open(&s, "open");
    story_outcome(&s, "open", RESULT_OK, true);
    story_intent(&s, "pay");
    story_lease(&s, 8);
    struct run_move move = story_next(&s);
    assert_step(move, MOVE_SETTLE, "pay");
    assert_null(move.go_to);
}

static void a_lost_session_begins_again_at_its_open(void **state)
{
    (void)state;
    opened_and_logged_in();
    story_lease(&s, 8); /* the first holder vanished */
    struct run_move move = story_next(&s);
    assert_step(move, MOVE_CLOSE, "open");
    story_close(&s, RESULT_OK, "open");
    assert_step(story_next(&s), MOVE_OPEN, "open");
}

static void behind_an_unsafe_step_it_does_not_begin_again(void **state)
{
    (void)state;
    opened_and_logged_in();
    story_intent(&s, "order");
    story_outcome(&s, "order", RESULT_OK, true);
    story_lease(&s, 8);
    struct run_move move = story_next(&s);
    assert_step(move, MOVE_WAIT_OUT, "look");
    assert_true(move.until_ms > s.now);
    s.now = move.until_ms + 1;
    assert_int_equal(story_next(&s).kind, MOVE_ADOPT);
}

/* Whatever its holder was doing there, closing it ends that, too. */
static void a_session_that_is_to_be_closed_is_not_waited_for(void **state)
{
    (void)state;
    opened_and_logged_in();
    story_intent(&s, "order");
    story_outcome(&s, "order", RESULT_OK, true);
    story_outcome(&s, "look", RESULT_OK, true);
    story_lease(&s, 8);
    assert_step(story_next(&s), MOVE_ADOPT, "close");
}

static void a_session_let_go_properly_is_adopted(void **state)
{
    (void)state;
    opened_and_logged_in();
    story_add(&s, story_entry(&s, ENTRY_RELEASED));
    story_lease(&s, 8);
    assert_int_equal(story_next(&s).kind, MOVE_ADOPT);
}

/* Who let it go had done nothing: the one before may be at work there still. */
static void who_did_nothing_does_not_vouch_for_a_session(void **state)
{
    (void)state;
    opened_and_logged_in();
    story_intent(&s, "order");
    story_outcome(&s, "order", RESULT_OK, true);
    story_lease(&s, 8);
    story_add(&s, story_entry(&s, ENTRY_RELEASED));
    story_lease(&s, 9);
    assert_step(story_next(&s), MOVE_WAIT_OUT, "look");
}

static void the_checking_step_gets_a_new_session_and_its_login(void **state)
{
    struct entry settled;

    (void)state;
    opened_and_logged_in();
    story_intent(&s, "order");
    story_lease(&s, 8);
    story_close(&s, RESULT_OK, "");
    settled             = story_entry(&s, ENTRY_OUTCOME);
    settled.step.step   = "order";
    settled.step.final  = true;
    settled.step.result = RESULT_INDETERMINATE;
    settled.step.go_to  = "look";
    settled.step.effect = EFFECT_UNSAFE;
    story_add(&s, settled);

    struct run_move move = story_next(&s);
    assert_step(move, MOVE_OPEN, "open");
    assert_true(move.setup);
    story_open(&s, "open");
    struct entry again = story_entry(&s, ENTRY_OUTCOME);
    again.step.step    = "open";
    again.step.result  = RESULT_OK;
    again.step.final   = true;
    again.step.setup   = true;
    story_add(&s, again);
    move = story_next(&s);
    assert_step(move, MOVE_STEP, "login");
    assert_true(move.setup);
    again             = story_entry(&s, ENTRY_OUTCOME);
    again.step.step   = "login";
    again.step.result = RESULT_OK;
    again.step.final  = true;
    again.step.setup  = true;
    story_add(&s, again);
    move = story_next(&s);
    assert_step(move, MOVE_STEP, "look");
    assert_false(move.setup);
}

static void what_fails_after_doubt_is_indeterminate(void **state)
{
    struct entry settled;

    (void)state;
    opened_and_logged_in();
    story_intent(&s, "order");
    settled             = story_entry(&s, ENTRY_OUTCOME);
    settled.step.step   = "order";
    settled.step.final  = true;
    settled.step.result = RESULT_INDETERMINATE;
    settled.step.go_to  = "look";
    story_add(&s, settled);
    story_outcome(&s, "look", RESULT_FAILED, true);
    struct run_move move = story_next(&s);
    assert_int_equal(move.kind, MOVE_END);
    assert_int_equal(move.status, STATUS_INDETERMINATE);
}

static void the_end_names_the_step_that_failed(void **state)
{
    (void)state;
    opened_and_logged_in();
    story_outcome(&s, "order", RESULT_FAILED, true);
    struct run_move move = story_next(&s);
    assert_int_equal(move.kind, MOVE_END);
    assert_int_equal(move.status, STATUS_FAILED);
    assert_non_null(move.step);
    assert_string_equal(move.step->id, "order");
}

static void a_cancel_ends_at_the_boundary(void **state)
{
    (void)state;
    opened_and_logged_in();
    story_add(&s, story_entry(&s, ENTRY_CANCEL));
    struct run_move move = story_next(&s);
    assert_int_equal(move.kind, MOVE_END);
    assert_int_equal(move.status, STATUS_CANCELLED);
}

static void past_its_timeout_it_ends(void **state)
{
    (void)state;
    s.now += 3600001;
    struct run_move move = story_next(&s);
    assert_int_equal(move.kind, MOVE_END);
    assert_string_equal(move.code, "run_timeout");
}

static void past_its_time_to_begin_it_does_not_begin(void **state)
{
    (void)state;
    s.fold.plan.start_within_ms = 5000;
    s.now += 5000;
    assert_step(story_next(&s), MOVE_OPEN, "open");
    s.now += 1;
    struct run_move move = story_next(&s);
    assert_int_equal(move.kind, MOVE_END);
    assert_int_equal(move.status, STATUS_EXPIRED);
    opened_and_logged_in(); /* begun is begun */
    assert_step(story_next(&s), MOVE_STEP, "order");
}

/* Its first worker began it in time and vanished in its first call: it was started, whenever the next one comes. */
static void begun_in_time_by_a_lost_worker_is_begun(void **state)
{
    (void)state;
    s.fold.plan.start_within_ms = 5000;
    story_lease(&s, 8);
    assert_int_equal(s.fold.lost, 1);
    s.now += 20000;
    assert_step(story_next(&s), MOVE_OPEN, "open");
    s.fold.started_ms += 5001; /* not if that one was too late already */
    assert_int_equal(story_next(&s).status, STATUS_EXPIRED);
}

static void too_many_lost_workers_end_it(void **state)
{
    (void)state;
    for (uint64_t token = 8; token < 28; token++)
        story_lease(&s, token);
    struct run_move move = story_next(&s);
    assert_int_equal(move.kind, MOVE_END);
    assert_string_equal(move.code, "worker_lost");
}

static void another_ones_lease_is_not_ours_to_work_on(void **state)
{
    (void)state;
    story_lease(&s, 8);
    s.token = 7;
    assert_int_equal(story_next(&s).kind, MOVE_OVER);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_fresh_run_opens_its_session),
        CASE(steps_follow_each_other),
        CASE(the_end_of_the_flow_is_done),
        CASE(a_foreign_intent_is_fenced_by_its_session),
        CASE(without_a_confirmed_close_no_branch_is_taken),
        CASE(the_fence_comes_before_a_cancel),
        CASE(a_call_has_no_fence),
        CASE(a_lost_session_begins_again_at_its_open),
        CASE(behind_an_unsafe_step_it_does_not_begin_again),
        CASE(a_session_that_is_to_be_closed_is_not_waited_for),
        CASE(a_session_let_go_properly_is_adopted),
        CASE(who_did_nothing_does_not_vouch_for_a_session),
        CASE(the_checking_step_gets_a_new_session_and_its_login),
        CASE(what_fails_after_doubt_is_indeterminate),
        CASE(the_end_names_the_step_that_failed),
        CASE(a_cancel_ends_at_the_boundary),
        CASE(past_its_timeout_it_ends),
        CASE(past_its_time_to_begin_it_does_not_begin),
        CASE(begun_in_time_by_a_lost_worker_is_begun),
        CASE(too_many_lost_workers_end_it),
        CASE(another_ones_lease_is_not_ours_to_work_on),
    };
    return cmocka_run_group_tests_name("run_next", tests, NULL, NULL);
}
