/* What is said of a submit that is refused: "nothing was stored" only where that is known, and whose setting it is. */
#include "gw_rig.h"

#define SUBMIT "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{}}]}}"
#define KEYED "{\"key\":\"k\",\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{}}]}}"
#define NOTHING "nothing was stored"
#define MAYBE "the run may still run"

static const struct fake_hurt UNANSWERED = {1, FAKE_LOST_AFTER, 0, NULL};
static const enum err_kind REFUSALS[]    = {ERR_FULL, ERR_RETRY, ERR_REJECT};
enum { REFUSALS_COUNT = sizeof REFUSALS / sizeof *REFUSALS };

static void plan_is(struct fake_hurt hurt)
{
    fake_count(hurt);
    while (!fake_hurt_done())
        fake_advance(20);
    assert_non_null(strstr(fake_hurt_what(), "submit: publish sluice.journal." TENANT));
}

static void plan_is_refused(enum err_kind kind)
{
    plan_is((struct fake_hurt){1, FAKE_REFUSED, kind, NULL});
}

static void what_is_refused_at_once_is_not_stored(void **state)
{
    for (size_t n = 0; n < REFUSALS_COUNT; n++) {
        (void)rig_up(state);
        rig_submit(*state, SUBMIT);
        plan_is_refused(REFUSALS[n]);

        assert_true(rig_says(*state, NOTHING));
        assert_int_equal(fake_stored_count(STREAM_JOURNAL, ">"), 0);
        (void)rig_down(state);
    }
}

static void what_went_unanswered_may_be_stored_however_its_repeat_is_refused(void **state)
{
    for (size_t n = 0; n < REFUSALS_COUNT; n++) {
        (void)rig_up(state);
        rig_submit(*state, SUBMIT);
        plan_is(UNANSWERED);
        plan_is_refused(REFUSALS[n]);

        assert_true(rig_says(*state, MAYBE));
        assert_false(rig_says(*state, NOTHING));
        assert_int_equal(fake_stored_count(STREAM_JOURNAL, ">"), 1);
        (void)rig_down(state);
    }
}

/* A repeat of what was rejected meets that and plans anew: all of it was answered. */
static void what_was_answered_is_known_whatever_was_tried(void **state)
{
    struct rig *r = *state;

    fake_limit(STREAM_PENDING, 0);
    rig_submit(r, KEYED);
    assert_true(rig_says(r, "queue_full"));
    rig_submit(r, KEYED);
    fake_limit(STREAM_JOURNAL, fake_stored_count(STREAM_JOURNAL, ">"));

    assert_true(rig_says(r, NOTHING));
}

static void two_wait(struct rig *r)
{
    assert_true(bus_send(
        r->client,
        &(struct bus_out){.subject = "sluice.state.depth.0",
                          .body = bytes_str("{\"tenants\":{\"" TENANT "\":{\"queued\":2}}}")}));
    fake_settle();
}

/* Whose value it is that is full, and what makes room. */
static void who_is_refused_for_a_full_queue_is_told_whose_setting_it_is(void **state)
{
    struct rig *r = *state;

    rig_put(BUCKET_TENANTS, "tier.free", "{\"queue_max\":2}");
    two_wait(r);
    rig_submit(r, SUBMIT);
    assert_true(rig_says(r,
                         "2 runs wait; at most 2 may (queue_max of tier free): sluice tenant "
                         "set " TENANT " --queue-max N"));

    rig_put(BUCKET_TENANTS, TENANT, "{\"queue_max\":1}");
    rig_submit(r, SUBMIT);
    assert_true(rig_says(r, "2 runs wait; at most 1 may (queue_max of tenant " TENANT
                            "): sluice tenant set " TENANT " --queue-max N"));

    rig_put(BUCKET_TENANTS, TENANT, "{\"cap\":1}"); /* of its own, and nothing of the queue */
    rig_submit(r, SUBMIT);
    assert_true(rig_says(r, "(queue_max of tier free)"));
}

static unsigned taken, full;

static void on_one_of_many(void *self, struct bus_msg **msg)
{
    char text[4096];

    (void)self;
    str_copy_n(text, sizeof(text), (const char *)(*msg)->body.at, (*msg)->body.len);
    taken += strstr(text, "\"queued\"") != NULL;
    full += strstr(text, "queue_full") != NULL;
}

/* All come before the first of them is stored. */
static void at_once(struct rig *r, unsigned count)
{
    char subject[SUBJECT_SIZE];
    const struct bus_out out = {subject_api(subject, "submit", TENANT), bytes_str(SUBMIT), NULL,
                                0};

    taken = full = 0;
    for (unsigned n = 0; n < count; n++)
        assert_true(bus_send_from(r->client, &out, "many"));
    for (uint64_t end = fake_now() + RIG_ANSWER_MS; taken + full < count; fake_advance(20))
        assert_true(fake_now() < end);
}

static struct bus_sub *many;

static int many_up(void **state)
{
    struct rig *r = NULL;

    (void)rig_up(state);
    r = *state;
    assert_false(failed(bus_subscribe(r->client, "many", NULL, on_one_of_many, r, &many)));
    rig_put(BUCKET_TENANTS, TENANT, "{\"queue_max\":5}");
    two_wait(r);
    return 0;
}

static int many_down(void **state)
{
    bus_unsubscribe(&many);
    return rig_down(state);
}

/* … and who was refused, or is in the scheduler's count by now, is on its way no more. */
static void a_burst_fills_a_queue_and_no_more(void **state)
{
    at_once(*state, 40);
    assert_int_equal(taken, 3);
    assert_int_equal(full, 37);
    two_wait(*state);
    at_once(*state, 40);
    assert_int_equal(taken, 3);
}

static void a_word_of_the_scheduler_forgets_nobody_on_the_way(void **state)
{
    rig_submit(*state, SUBMIT);
    plan_is(UNANSWERED);
    two_wait(*state);
    at_once(*state, 40);
    assert_int_equal(taken, 2);
    assert_true(rig_says(*state, "queued"));
}

#define WITH_MANY(test) cmocka_unit_test_setup_teardown(test, many_up, many_down)

/* What is under way when its gateway ends is answered, or left unanswered; it ends with it in any case. */
static void a_submit_under_way_ends_with_its_gateway(void **state)
{
    struct rig *r = *state;

    rig_submit(r, SUBMIT);
    for (unsigned n = 0; n < 20 && fake_ops("submit") == 0; n++)
        must(fake_turn());
    assert_true(fake_ops("submit") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused_at_once_is_not_stored),
        cmocka_unit_test(what_went_unanswered_may_be_stored_however_its_repeat_is_refused),
        WITH(who_is_refused_for_a_full_queue_is_told_whose_setting_it_is),
        WITH(what_was_answered_is_known_whatever_was_tried),
        WITH(a_submit_under_way_ends_with_its_gateway),
        WITH_MANY(a_burst_fills_a_queue_and_no_more),
        WITH_MANY(a_word_of_the_scheduler_forgets_nobody_on_the_way),
    };
    return cmocka_run_group_tests_name("gw_submit", tests, NULL, NULL);
}
