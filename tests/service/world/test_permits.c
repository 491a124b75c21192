/*
 * permits - an upstream sees no more calls at once than it may, also of those whose answer nobody waits for any more.
 */
#include "moment.h"

enum { CALL_MS = 8000, SOON_MS = 3000 };

/* Its timeout is longer than anybody here waits. */
#define LOOK \
    "{\"id\":\"l\",\"timeout\":\"60s\",\"retrieve\":{\"url\":\"https://shop.example\"," \
    "\"cmd\":\"look\"}}"
#define LOOK_INSIDE \
    "{\"id\":\"l\",\"timeout\":\"60s\",\"effect\":\"read\",\"browse\":{\"cmd\":\"look\"}}"
#define BRIEF_LOOK \
    "{\"id\":\"l\",\"timeout\":\"1s\",\"retry\":{\"tries\":1}," \
    "\"retrieve\":{\"url\":\"https://shop.example\",\"cmd\":\"look\"}}"
#define SECOND(steps) "{\"key\":\"k2\"," ON_SIM "\"flow\":{\"steps\":[" steps "]}}"

static void one_at_a_time(void)
{
    put(BUCKET_UPSTREAMS, "sim",
        "{\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"https://sim.example/v1\","
        "\"rate\":{\"per_s\":100,\"burst\":100},\"in_flight\":1,\"sessions\":5,"
        "\"session_idle\":\"10m\"}");
    fake_advance(KNOWN_MS);
    world.call_ms = CALL_MS;
}

static const char *judge_one_at_a_time(void)
{
    return world.calls_most > 1 ? "it saw more calls at once than it may" : NULL;
}

/* ---- a session that must not fall silent ------------------------------------------------------------------ */

/* Calls take longer than a third of session_idle, and are made one at a time. */
static void soon_silent(void)
{
    put(BUCKET_UPSTREAMS, "sim",
        "{\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"https://sim.example/v1\","
        "\"rate\":{\"per_s\":100,\"burst\":100},\"in_flight\":1,\"sessions\":5,"
        "\"session_idle\":\"12s\"}");
    fake_advance(KNOWN_MS);
    world.call_ms = 4500;
}

static bool drive_beside(void)
{
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.opened == 1) {
        (void)ask("submit", playing->submit2);
        next_stage();
    }
    return world.stage == 1 && run_over(world.run) && run_over(second());
}

static const char *judge_waited(void)
{
    struct arena *arena = arena_new();
    char subject[SUBJECT_SIZE];
    struct fake_stored m;
    bool waited = false;

    (void)subject_journal(subject, TENANT, world.run);
    for (size_t i = 0; fake_stored(STREAM_JOURNAL, subject, i, &m); i++) {
        struct entry e;
        waited = waited || (!failed(wire_read_entry(&e, m.body, arena)) &&
                            e.kind == ENTRY_WAITING && e.waiting.on == ON_UPSTREAM);
    }
    arena_free(&arena);
    return waited ? NULL : "it waited for its turn where nobody keeps its session warm";
}

static void who_has_a_session_waits_where_it_is_kept_warm(void **state)
{
    static const struct scenario s = {
        .name = "soon silent",
        .submit =
            FLOW(ON_SIM, "{\"id\":\"o\",\"open\":{\"url\":\"https://shop.example\"}},"
                         "{\"id\":\"l\",\"effect\":\"read\",\"browse\":{\"cmd\":\"look\"}}"),
        .submit2 = SECOND("{\"id\":\"l\",\"retrieve\":{\"url\":\"https://shop.example\","
                          "\"cmd\":\"look\"}}"),
        .key     = "k",
        .prepare = soon_silent,
        .drive   = drive_beside,
        .judge   = judge_waited,
        .orders  = 1,
        .status  = "done"};

    (void)state;
    follow(&s, WELL);
}

/* ---- a call that nobody waits for --------------------------------------------------------------------- */

/* The first is cancelled in its call, and the second wants to call. */
static bool drive_cancel(void)
{
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.calls_ever == 1) {
        (void)ask("cancel", "{\"key\":\"k\"}");
        (void)ask("submit", playing->submit2);
        next_stage();
    }
    if (world.stage == 1 && !run_over(world.run) && fake_now() > world.at + SOON_MS)
        complain("a cancel waits for a call whose answer nobody wants");
    if (world.stage == 1 && fake_now() > world.at + 2 * CALL_MS + SOON_MS)
        complain("a call that was answered keeps its place");
    return failures || (world.stage == 1 && run_over(world.run) && run_over(second()));
}

static void a_cancelled_call_keeps_its_place_until_it_is_answered(void **state)
{
    static const struct scenario s = {.name    = "cancelled call",
                                      .submit  = FLOW(ON_SIM, LOOK),
                                      .submit2 = SECOND(LOOK),
                                      .key     = "k",
                                      .prepare = one_at_a_time,
                                      .drive   = drive_cancel,
                                      .judge   = judge_one_at_a_time,
                                      .status  = "cancelled"};

    (void)state;
    follow(&s, WELL);
}

/* Its session is closed when it is its turn. */
static bool drive_cancel_inside(void)
{
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.orders == 1) {
        (void)ask("cancel", "{\"key\":\"k\"}");
        next_stage();
    }
    if (world.stage == 1 && phase_of(world.run) != RUN_ENDED && fake_now() > world.at + SOON_MS)
        complain("a cancel waits for a call whose answer nobody wants");
    if (world.stage == 1 && fake_now() > world.at + 2 * CALL_MS + SOON_MS)
        complain("its session is not closed");
    return failures || (world.stage == 1 && run_over(world.run));
}

static void a_session_is_closed_behind_its_cancelled_call(void **state)
{
    static const struct scenario s = {.name    = "cancelled call in a session",
                                      .submit  = FLOW(ON_SIM, OPEN LOOK_INSIDE),
                                      .key     = "k",
                                      .prepare = one_at_a_time,
                                      .drive   = drive_cancel_inside,
                                      .judge   = judge_one_at_a_time,
                                      .orders  = 1,
                                      .status  = "cancelled"};

    (void)state;
    follow(&s, WELL);
}

/* The first has the only place for a session; the second waits for it, and is cancelled. */
static void one_session(void)
{
    put(BUCKET_UPSTREAMS, "sim",
        "{\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"https://sim.example/v1\","
        "\"rate\":{\"per_s\":100,\"burst\":100},\"in_flight\":5,\"sessions\":1,"
        "\"session_idle\":\"10m\"}");
    fake_advance(KNOWN_MS);
    world.call_ms = CALL_MS;
}

static bool drive_cancel_asking(void)
{
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.calls == 1) {
        (void)ask("submit", playing->submit2);
        next_stage();
    }
    if (world.stage == 1 && entries(second(), ENTRY_OPENING) == 1) {
        (void)ask("cancel", "{\"key\":\"k2\"}");
        next_stage();
    }
    if (world.stage == 2 && !run_over(second()) && fake_now() > world.at + 1000)
        complain("a cancel waits for a permit that nobody wants");
    return failures || (world.stage == 2 && run_over(world.run) && run_over(second()));
}

static const char *judge_never_opened(void)
{
    return world.opened > 1 ? "a session was opened for a cancelled run" : NULL;
}

static void a_cancel_does_not_wait_for_a_place_for_a_session(void **state)
{
    static const struct scenario s = {.name    = "cancelled ask",
                                      .submit  = FLOW(ON_SIM, OPEN LOOK_INSIDE),
                                      .submit2 = SECOND(OPEN LOOK_INSIDE),
                                      .key     = "k",
                                      .prepare = one_session,
                                      .drive   = drive_cancel_asking,
                                      .judge   = judge_never_opened,
                                      .orders  = 1,
                                      .status  = "done"};

    (void)state;
    follow(&s, WELL);
}

/* It has no answer in its step's time; over there it goes on. */
static void hangs_up(void)
{
    one_at_a_time();
    world.hangs_up = true;
}

static bool drive_two(void)
{
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.calls_ever == 1) {
        (void)ask("submit", playing->submit2);
        next_stage();
    }
    return world.stage == 1 && run_over(world.run) && run_over(second());
}

static void a_call_that_took_too_long_keeps_its_place(void **state)
{
    static const struct scenario s = {.name    = "late call",
                                      .submit  = FLOW(ON_SIM, BRIEF_LOOK),
                                      .submit2 = SECOND(BRIEF_LOOK),
                                      .key     = "k",
                                      .prepare = hangs_up,
                                      .drive   = drive_two,
                                      .judge   = judge_one_at_a_time,
                                      .status  = "failed"};

    (void)state;
    follow(&s, WELL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_a_session_waits_where_it_is_kept_warm),
        cmocka_unit_test(a_cancelled_call_keeps_its_place_until_it_is_answered),
        cmocka_unit_test(a_session_is_closed_behind_its_cancelled_call),
        cmocka_unit_test(a_cancel_does_not_wait_for_a_place_for_a_session),
        cmocka_unit_test(a_call_that_took_too_long_keeps_its_place),
    };

    (void)torture;
    return cmocka_run_group_tests_name("permits", tests, world_setup, world_teardown);
}
