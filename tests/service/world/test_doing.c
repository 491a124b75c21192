/*
 * doing - what a run has in its hands: a session that it keeps for another, a permit for one request more, an artifact.
 */
#include "moment.h"

/* ---- a session is handed on ----------------------------------------------------------------------------- */

static bool record_names(const char *session, const char *run)
{
    struct fake_stored m;
    char subject[SUBJECT_SIZE];

    str_format(subject, sizeof subject, "$KV." BUCKET_SESSIONS "." TENANT ".%s", session);
    return fake_stored("KV_" BUCKET_SESSIONS, subject, 0, &m) &&
           memmem(m.body.at, m.body.len, run, strlen(run));
}

static void ask_in_session(const char *key, const char *session)
{
    char body[400];

    str_format(body, sizeof body,
               "{\"key\":\"%s\"," ON_SIM "\"session\":\"%s\",\"flow\":{\"steps\":[" ORDER "]}}",
               key, session);
    (void)ask("submit", body);
}

static void calls_that_are_seen(void)
{
    world.call_ms = 500;
}

/* An answer is hurt in its end duties: they are done again, and by then another run works in the session. */
static bool drive_kept_again(void)
{
    static char session[ID_SIZE + 1];

    if (world.stage == 0 && drive_submit() && world.opened == 1) {
        hurt_now();
        next_stage();
    }
    if (world.stage == 1 && phase_of(world.run) == RUN_ENDED) {
        struct run_fold f = fold_of(world.run);
        str_copy(session, sizeof session, f.end.session);
        run_fold_deinit(&f);
        ask_in_session("k2", session);
        world.call_ms = STOPPED_MS + 10000;
        next_stage();
    }
    if (world.stage < 2)
        return false;
    bool works = world.orders == 1 && phase_of(second()) == RUN_LEASED;
    if (works && !record_names(session, second()))
        complain("a session was handed out that a run works in");
    return over(failures || (run_over(second()) && fake_now() > world.at + 2 * STOPPED_MS));
}

#define KEPT(what) \
    { \
        .name = what, .submit = FLOW(ON_SIM "\"keep_session\":\"10m\",", OPEN SET), \
        .key = "k", .prepare = calls_that_are_seen, .drive = drive_kept_again, .orders = 1, \
        .status = "done" \
    }

static void a_session_is_handed_on_once(void **state)
{
    static const struct scenario s = KEPT("kept again");

    (void)state;
    /* the first says that it is open */
    follow_hurt_at(&s, FAKE_LOST_AFTER, "publish", BUCKET_SESSIONS, 2);
    follow_hurt_at(&s, FAKE_FROZEN, "publish", BUCKET_SESSIONS, 2);
}

/* Stopped when it has read that the session is its run's; when it goes on another has kept it, and a third works there. */
static void a_late_keep_hands_out_nobody_elses_session(void **state)
{
    static const struct scenario s = KEPT("kept late");

    (void)state;
    follow_hurt_at(&s, FAKE_FROZEN, "kv get", BUCKET_SESSIONS, 1);
}

/* ---- a session that cannot be opened ------------------------------------------------------------------- */

static void opens_nothing(void)
{
    world.broken = true;
}

static bool drive_broken(void)
{
    if (entries(world.run, ENTRY_OPENING) > 3)
        complain("it is tried for ever");
    return failures || drive_to_end();
}

static const char *judge_broken(void)
{
    bool said =
        entries(world.run, ENTRY_OUTCOME) == 3 && entries(world.run, ENTRY_OPENING) == 3;

    return said ? NULL : "a try was not told of";
}

/* Nothing of the order was begun: as many tries as of what was not sent, each with its OUTCOME. */
static void an_order_whose_session_cannot_be_opened_fails(void **state)
{
    static const struct scenario s = {.name    = "broken",
                                      .submit  = FLOW(ON_SIM, ORDER),
                                      .key     = "k",
                                      .prepare = opens_nothing,
                                      .drive   = drive_broken,
                                      .judge   = judge_broken,
                                      .status  = "failed"};

    (void)state;
    follow(&s, WELL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_handed_on_once),
        cmocka_unit_test(a_late_keep_hands_out_nobody_elses_session),
        cmocka_unit_test(an_order_whose_session_cannot_be_opened_fails),
    };

    (void)torture;
    return cmocka_run_group_tests_name("doing", tests, world_setup, world_teardown);
}
