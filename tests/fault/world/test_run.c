/* Submit, admission, lease, steps, end: every answer on the way of a run, hurt in every way. */
#include "world.h"

#define OPEN "{\"id\":\"o\",\"open\":{\"url\":\"https://shop.example\"}},"

static void a_run_ends_once(void **state)
{
    static const struct scenario s = {.name   = "a run",
                                      .submit = FLOW("", SET),
                                      .key    = "k",
                                      .drive  = drive_to_end,
                                      .status = "done"};

    (void)state;
    torture(&s);
}

static void a_run_that_sleeps_wakes(void **state)
{
    static const struct scenario s = {
        .name   = "a sleep",
        .submit = FLOW("", "{\"id\":\"s\",\"sleep\":{\"for\":\"3s\"}}," SET),
        .key    = "k",
        .drive  = drive_to_end,
        .status = "done"};

    (void)state;
    torture(&s);
}

static void a_lock_is_given_back(void **state)
{
    static const struct scenario s = {.name   = "a lock",
                                      .submit = FLOW("\"lock\":\"till\",", SET),
                                      .key    = "k",
                                      .drive  = drive_to_end,
                                      .status = "done"};

    (void)state;
    torture(&s);
}

/* Two runs want one lock; whoever works with it is who the record names. */
static bool drive_two_locks(void)
{
    char second[ID_SIZE];
    struct fake_stored m;

    run_id_for(TENANT, "k2", clk_wall_ms(), second);
    if (world.stage == 0 && drive_submit()) {
        (void)ask("submit", playing->submit2);
        next_stage();
    }
    const char *at_work = phase_of(second) == RUN_LEASED && world.opened == 2 ? second : NULL;
    if (at_work &&
        fake_stored("KV_" BUCKET_LOCKS, "$KV." BUCKET_LOCKS "." TENANT ".till", 0, &m) &&
        !memmem(m.body.at, m.body.len, at_work, ID_LEN))
        complain("the lock was taken from who holds it");
    if (world.stage != 1 || !ask_over(world.ask_count - 1))
        return false;
    if (!answered_ok(world.ask_count - 1) && world.ask_count < ASKS_MAX) {
        (void)ask("submit", playing->submit2);
        return false;
    }
    if (!run_over(world.run) || !run_over(second))
        return false;
    world.call_ms = 40; /* who still looks is done when it is judged */
    return true;
}

static void slow_calls(void)
{
    world.call_ms = 8000;
}

static void a_late_clear_frees_nobody_elses_lock(void **state)
{
    static const struct scenario s = {
        .name   = "two locks",
        .submit = FLOW("\"upstream\":\"sim\",\"lock\":\"till\",", OPEN SET),
        .submit2 =
            "{\"key\":\"k2\",\"upstream\":\"sim\",\"lock\":\"till\",\"flow\":{\"steps\":[" OPEN
                SET "]}}",
        .key     = "k",
        .prepare = slow_calls,
        .drive   = drive_two_locks,
        .from    = 1,
        .status  = "done"};

    (void)state;
    torture(&s);
}

THESE_CHAINS_WERE_HURT("run", "beat", "admit", "lease")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_ends_once),
        cmocka_unit_test(a_run_that_sleeps_wakes),
        cmocka_unit_test(a_lock_is_given_back),
        cmocka_unit_test(a_late_clear_frees_nobody_elses_lock),
        cmocka_unit_test(these_chains_were_hurt),
    };

    return cmocka_run_group_tests_name("run", tests, world_setup, world_teardown);
}
