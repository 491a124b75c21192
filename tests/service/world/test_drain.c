/*
 * drain - a worker that is told to go lets what it has begun come to its end, as long as there is time for it, and gives back the rest.
 */
#include "moment.h"

enum { DRAIN_MS = 25000, SOON_MS = 3000 };

#define LOOK \
    "{\"id\":\"l\",\"timeout\":\"100s\",\"retrieve\":{\"url\":\"https://shop.example\"," \
    "\"cmd\":\"look\"}}"

static unsigned holder_of(const char *run)
{
    unsigned n = 0;

    while (n < WORKERS && !(world.bw[n] && map_find(world.bw[n]->runs, run)))
        n++;
    return n;
}

/* SIGTERM.  When its drain is over, so is the process. */
static unsigned leaving;

static void drain(unsigned n)
{
    leaving = n;
    svc_die(world.bw_svc[n], "the test drains it");
    next_stage();
}

static void reap_leaving(void)
{
    if (world.bw[leaving] && world.bw_svc[leaving]->over)
        worker_down(leaving);
}

static bool gave_back(const char *run)
{
    return entries(run, ENTRY_RELEASED) > 0;
}

static const char *judge_never_lost(void)
{
    struct run_fold f = fold_of(world.run);
    bool lost         = f.lost > 0;

    run_fold_deinit(&f);
    return lost ? "a run that could be given back counts as lost" : NULL;
}

/* ---- a call that ends in time ------------------------------------------------------------------------- */

static void brief_calls(void)
{
    world.call_ms = 8000;
}

static bool drive_brief(void)
{
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.calls == 1)
        drain(holder_of(world.run));
    if (world.stage == 1)
        reap_leaving();
    return world.stage == 1 && run_over(world.run);
}

static const char *judge_once(void)
{
    return world.calls_ever != 1 ? "a call that had time to end was made again"
                                 : judge_never_lost();
}

static void a_call_that_ends_in_time_is_waited_for(void **state)
{
    static const struct scenario s = {.name    = "brief call",
                                      .submit  = FLOW(ON_SIM, LOOK),
                                      .key     = "k",
                                      .prepare = brief_calls,
                                      .drive   = drive_brief,
                                      .judge   = judge_once,
                                      .status  = "done"};

    (void)state;
    follow(&s, WELL);
}

/* ---- a call that does not ------------------------------------------------------------------------------ */

static void long_calls(void)
{
    world.call_ms = 60000;
}

static bool drive_long(void)
{
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.calls == 1) {
        world.call_ms = 40; /* the next */
        drain(holder_of(world.run));
    }
    if (world.stage == 1 && gave_back(world.run)) {
        if (fake_now() < world.at + DRAIN_MS - SOON_MS)
            complain("there was time to wait for it");
        next_stage();
    }
    if (world.stage > 0)
        reap_leaving();
    return world.stage == 2 && run_over(world.run);
}

static void a_call_that_does_not_end_is_given_back_in_time(void **state)
{
    static const struct scenario s = {.name    = "long call",
                                      .submit  = FLOW(ON_SIM, LOOK),
                                      .key     = "k",
                                      .prepare = long_calls,
                                      .drive   = drive_long,
                                      .judge   = judge_never_lost,
                                      .status  = "done"};

    (void)state;
    follow(&s, WELL);
}

/* ---- who only waits for its turn ------------------------------------------------------------------------ */

static void limit(unsigned in_flight, unsigned sessions)
{
    char value[240];

    str_format(
        value, sizeof value,
        "{\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"https://sim.example/v1\","
        "\"rate\":{\"per_s\":100,\"burst\":100},\"in_flight\":%u,\"sessions\":%u,"
        "\"session_idle\":\"10m\"}",
        in_flight, sessions);
    put(BUCKET_UPSTREAMS, "sim", value);
    fake_advance(KNOWN_MS);
    brief_calls();
}

static void one_at_a_time(void)
{
    limit(1, 5);
}

static void one_session(void)
{
    limit(10, 1);
}

static bool drive_waiting(void)
{
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.calls == 1) {
        (void)ask("submit", playing->submit2);
        next_stage();
    }
    if (world.stage == 1 && holder_of(second()) < WORKERS && phase_of(second()) == RUN_LEASED &&
        fake_now() >= world.at + 1000)
        drain(holder_of(second()));
    if (world.stage == 2 && !gave_back(second()) && fake_now() > world.at + SOON_MS)
        complain("it waits for its turn while it could be given back");
    if (world.stage == 2)
        reap_leaving();
    return failures || (world.stage == 2 && run_over(world.run) && run_over(second()));
}

static void who_only_waits_for_a_permit_is_given_back_at_once(void **state)
{
    static const struct scenario s = {.name    = "waits for its turn",
                                      .submit  = FLOW(ON_SIM, LOOK),
                                      .submit2 = "{\"key\":\"k2\"," ON_SIM
                                                 "\"flow\":{\"steps\":[" LOOK "]}}",
                                      .key     = "k",
                                      .prepare = one_at_a_time,
                                      .drive   = drive_waiting,
                                      .judge   = judge_never_lost,
                                      .status  = "done"};

    (void)state;
    follow(&s, WELL);
}

/* The same of a place for a session, which the first has for as long as its call takes. */
#define LOOK_INSIDE \
    "{\"id\":\"l\",\"timeout\":\"100s\",\"effect\":\"read\",\"browse\":{\"cmd\":\"look\"}}"

static void who_only_waits_for_a_session_is_given_back_at_once(void **state)
{
    static const struct scenario s = {.name    = "waits for a session",
                                      .submit  = FLOW(ON_SIM, OPEN LOOK_INSIDE),
                                      .submit2 = "{\"key\":\"k2\"," ON_SIM
                                                 "\"flow\":{\"steps\":[" OPEN LOOK_INSIDE "]}}",
                                      .key     = "k",
                                      .prepare = one_session,
                                      .drive   = drive_waiting,
                                      .judge   = judge_never_lost,
                                      .orders  = 2,
                                      .status  = "done"};

    (void)state;
    follow(&s, WELL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_ends_in_time_is_waited_for),
        cmocka_unit_test(a_call_that_does_not_end_is_given_back_in_time),
        cmocka_unit_test(who_only_waits_for_a_permit_is_given_back_at_once),
        cmocka_unit_test(who_only_waits_for_a_session_is_given_back_at_once),
    };

    (void)torture;
    return cmocka_run_group_tests_name("drain", tests, world_setup, world_teardown);
}
