#include "story.h"

#include <cmocka.h>

static const char FLOW[] =
    "{\"upstream\":\"sim\",\"steps\":["
    "{\"id\":\"open\",\"open\":{\"url\":\"https://shop.example/\"}},"
    "{\"id\":\"look\",\"effect\":\"read\",\"browse\":{\"cmd\":\"look\"}},"
    "{\"id\":\"order\",\"browse\":{\"cmd\":\"order\"}}]}";

static struct story s;

static int begin(void **state)
{
    (void)state;
    story_begin(&s, FLOW);
    return 0;
}

static int end(void **state)
{
    (void)state;
    story_end(&s);
    return 0;
}

static void a_journal_begins_with_a_plan(void **state)
{
    (void)state;
    story_add(&s, story_entry(&s, ENTRY_CANCEL));
    assert_int_equal(s.fold.phase, RUN_ABSENT);
    story_plan(&s);
    assert_int_equal(s.fold.phase, RUN_QUEUED);
    assert_false(s.fold.cancelled); /* mail before the plan is nobody's */
    assert_string_equal(run_status_text(&s.fold), "queued");
}

static void rejected_ends_it_until_another_plan(void **state)
{
    (void)state;
    story_plan(&s);
    story_add(&s, story_entry(&s, ENTRY_REJECTED));
    assert_int_equal(s.fold.phase, RUN_REJECTED);
    story_add(&s, story_entry(&s, ENTRY_CANCEL));
    story_plan(&s);
    assert_int_equal(s.fold.phase, RUN_QUEUED);
    assert_false(s.fold.cancelled);
    assert_int_equal(s.fold.plan_seq, 4);
}

static void the_first_end_wins(void **state)
{
    struct entry first, second;

    (void)state;
    story_plan(&s);
    story_lease(&s, 7);
    first             = story_entry(&s, ENTRY_END);
    first.end.status  = STATUS_DONE;
    second            = story_entry(&s, ENTRY_END);
    second.end.status = STATUS_FAILED;
    story_add(&s, first);
    story_add(&s, second);
    assert_int_equal(s.fold.end.status, STATUS_DONE);
    story_add(&s, story_entry(&s, ENTRY_LEASED));
    assert_int_equal(s.fold.phase, RUN_ENDED);
}

static void an_entry_of_a_stale_lease_counts_for_nothing(void **state)
{
    struct entry stale;

    (void)state;
    story_plan(&s);
    story_lease(&s, 7);
    story_lease(&s, 8);
    stale            = story_entry(&s, ENTRY_END);
    stale.token      = 7;
    stale.end.status = STATUS_FAILED;
    story_add(&s, stale);
    assert_int_equal(s.fold.phase, RUN_LEASED);
    assert_int_equal(s.fold.last_seq, stale.seq); /* but it is there, and CAS must expect it */
}

static void closed_does_not_settle_an_intent(void **state)
{
    (void)state;
    story_plan(&s);
    story_lease(&s, 7);
    story_open(&s, "open");
    story_intent(&s, "order");
    story_lease(&s, 8);
    story_close(&s, RESULT_OK, "");
    assert_true(s.fold.intent.dangling);
    story_outcome(&s, "order", RESULT_INDETERMINATE, true);
    assert_false(s.fold.intent.dangling);
}

static void a_lease_after_a_lease_is_a_lost_worker(void **state)
{
    (void)state;
    story_plan(&s);
    story_lease(&s, 7);
    assert_int_equal(s.fold.tries, 1);
    story_lease(&s, 8);
    assert_int_equal(s.fold.lost, 1);
    assert_int_equal(s.fold.tries, 2);
    story_add(&s, story_entry(&s, ENTRY_RELEASED));
    story_lease(&s, 9);
    assert_int_equal(s.fold.lost, 1); /* given back, not lost */
}

static void waiting_and_deferral_spend_no_try(void **state)
{
    (void)state;
    story_plan(&s);
    story_lease(&s, 7);
    story_outcome(&s, "look", RESULT_UNSENT, false);
    story_wait(&s, ON_UPSTREAM, 60000, "look");
    assert_int_equal(s.fold.tries, 1);
    assert_int_equal(s.fold.wake, 2);
    assert_string_equal(run_status_text(&s.fold), "waiting");
    story_lease(&s, 8);
    assert_int_equal(s.fold.tries, 1);
}

static void a_failed_attempt_that_is_repeated_is_a_try(void **state)
{
    (void)state;
    story_plan(&s);
    story_lease(&s, 7);
    story_outcome(&s, "look", RESULT_FAILED, false);
    assert_int_equal(s.fold.tries, 2);
    assert_null(s.fold.last);
}

static void a_repeat_of_an_entry_is_ignored(void **state)
{
    struct entry e;

    (void)state;
    story_plan(&s);
    story_lease(&s, 7);
    e             = story_entry(&s, ENTRY_OUTCOME);
    e.step.step   = "look";
    e.step.result = RESULT_FAILED;
    story_add(&s, e);
    story_add(&s, e);
    assert_int_equal(s.fold.tries, 2);
}

static void any_sequence_gives_a_state(void **state)
{
    uint64_t random = 42;

    (void)state;
    for (int run = 0; run < 300; run++) {
        struct story t;
        story_begin(&t, FLOW);
        for (int i = 0; i < 60; i++) {
            static const char *const steps[] = {"open", "look", "order", "none"};
            random         = random * 6364136223846793005u + 1442695040888963407u;
            t.token        = 1 + (random >> 40) % 3;
            struct entry e = story_entry(&t, (enum entry_kind)((random >> 33) % ENTRY_KINDS));
            e.plan         = (struct entry_plan){.tenant    = "a",
                                                 .run       = "r",
                                                 .flow_name = "f",
                                                 .key       = "",
                                                 .lane      = "",
                                                 .pool      = "",
                                                 .lock      = "",
                                                 .upstream  = "",
                                                 .session   = "",
                                                 .begin     = "",
                                                 .parent    = "",
                                                 .root      = "",
                                                 .replay_of = "",
                                                 .body_sha  = "",
                                                 .trace     = ""};
            e.step.step    = steps[(random >> 20) % 4];
            e.step.result  = (enum entry_result)((random >> 10) % RESULTS);
            e.step.final   = (random >> 5) & 1;
            story_add(&t, e);
            (void)story_next(&t);
        }
        story_end(&t);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_journal_begins_with_a_plan),
        CASE(rejected_ends_it_until_another_plan),
        CASE(the_first_end_wins),
        CASE(an_entry_of_a_stale_lease_counts_for_nothing),
        CASE(closed_does_not_settle_an_intent),
        CASE(a_lease_after_a_lease_is_a_lost_worker),
        CASE(waiting_and_deferral_spend_no_try),
        CASE(a_failed_attempt_that_is_repeated_is_a_try),
        CASE(a_repeat_of_an_entry_is_ignored),
        CASE(any_sequence_gives_a_state),
    };
    return cmocka_run_group_tests_name("run_fold", tests, NULL, NULL);
}
