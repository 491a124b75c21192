/* The record of a lock, when its run is over. */
#include "../../fault/world/world.h"

#define LOCK_STREAM "KV_" BUCKET_LOCKS
#define LOCK_KEY "$KV." BUCKET_LOCKS "." TENANT ".till"
#define LOCKED "\"lock\":\"till\","
#define NAMED(key) "{\"key\":\"" key "\"," LOCKED "\"flow\":{\"steps\":[" SET "]}}"

enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS, PASS_STEP_MS = 60000 };

static void follow(const struct scenario *s)
{
    failures = 0;
    (void)play(s, (struct fake_hurt){.how = FAKE_WELL});
    assert_int_equal(failures, 0);
}

static bool is(const char *text)
{
    struct fake_stored m;

    return fake_stored(LOCK_STREAM, LOCK_KEY, 0, &m) &&
           memmem(m.body.at, m.body.len, text, strlen(text)) != NULL;
}

static bool is_free(void)
{
    return is("\"run\":\"\"");
}

/* Nobody else's time: they would look at their streams all day long. */
static void pass(uint64_t ms)
{
    struct svc *all[] = {world.gw_svc, world.sch_svc, world.lim_svc, world.bw_svc[0],
                         world.bw_svc[1]};

    for (size_t n = 0; n < sizeof all / sizeof *all; n++)
        fake_connect(svc_bus(all[n]), false);
    fake_step(PASS_STEP_MS);
    fake_advance(ms);
    fake_step(COARSE_MS);
    for (size_t n = 0; n < sizeof all / sizeof *all; n++)
        fake_connect(svc_bus(all[n]), true);
    fake_advance(UP_MS);
}

static void next_run(const char *key, const char *submit)
{
    (void)ask("submit", submit);
    run_id_for(TENANT, key, clk_wall_ms(), world.run);
    next_stage();
}

/* ---- one that is free leaves nothing behind -------------------------------------------------------- */

/* The second run meets the record of the first, the third meets none. */
static bool drive_days(void)
{
    if (world.stage == 0 && drive_to_end()) {
        pass(23 * HOUR_MS);
        if (!is_free())
            complain("who starts now does not hear that it is free");
        next_run("k2", NAMED("k2"));
    }
    if (world.stage == 1 && ask_over(1) && run_over(world.run)) {
        pass(DAY_MS + HOUR_MS);
        if (fake_stored_count(LOCK_STREAM, ">") > 0)
            complain("a lock that nobody names any more left something behind");
        next_run("k3", NAMED("k3"));
    }
    return world.stage == 2 && ask_over(2) && run_over(world.run);
}

static void a_lock_that_is_free_leaves_nothing_behind(void **state)
{
    static const struct scenario s = {.name   = "days",
                                      .submit = NAMED("k"),
                                      .key    = "k",
                                      .drive  = drive_days,
                                      .status = "done"};

    (void)state;
    follow(&s);
}

/* ---- one that is held stays held ------------------------------------------------------------------- */

static bool drive_held(void)
{
    if (world.stage == 0 && drive_submit() && is(world.run)) {
        pass(2 * DAY_MS);
        if (!is(world.run))
            complain("a lock that was held is free");
        pass(DAY_MS);
        next_stage();
    }
    return drive_to_end();
}

static void a_lock_that_is_held_does_not_expire(void **state)
{
    static const struct scenario s = {.name = "held",
                                      .submit =
                                          FLOW(LOCKED "\"timeout\":\"96h\",", SET
                                               ",{\"id\":\"s\",\"sleep\":{\"for\":\"50h\"}}"),
                                      .key    = "k",
                                      .drive  = drive_held,
                                      .status = "done"};

    (void)state;
    follow(&s);
}

/* ---- a bucket that somebody else made -------------------------------------------------------------- */

static void takes_no_ttl(void)
{
    fake_configure(LOCK_STREAM,
                   bytes_str("{\"name\":\"" LOCK_STREAM "\",\"subjects\":[\"$KV." BUCKET_LOCKS
                             ".>\"],\"max_msgs_per_subject\":1}"));
}

static const char *judge_cleared(void)
{
    return is_free() ? NULL : "the lock is not free";
}

static void a_bucket_that_takes_no_ttl_keeps_the_record(void **state)
{
    static const struct scenario s = {.name    = "no ttl",
                                      .submit  = NAMED("k"),
                                      .key     = "k",
                                      .prepare = takes_no_ttl,
                                      .drive   = drive_to_end,
                                      .judge   = judge_cleared,
                                      .status  = "done"};

    (void)state;
    torture(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lock_that_is_free_leaves_nothing_behind),
        cmocka_unit_test(a_lock_that_is_held_does_not_expire),
        cmocka_unit_test(a_bucket_that_takes_no_ttl_keeps_the_record),
    };

    return cmocka_run_group_tests_name("locks", tests, world_setup, world_teardown);
}
