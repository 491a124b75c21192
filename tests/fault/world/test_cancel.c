/* get, wait, cancel in every phase; and a run that never starts. */
#include "world.h"

/* And the scheduler knows it: else the job is given to those who left. */
static void no_workers(void)
{
    for (unsigned n = 0; n < WORKERS; n++)
        worker_down(n);
    fake_advance(5000);
}

/* ---- get and wait ----------------------------------------------------------------------------------------- */

static bool drive_reads(void)
{
    if (world.stage == 0 && drive_submit()) {
        (void)ask("wait", "{\"key\":\"k\",\"timeout\":\"20s\"}");
        (void)ask("get", "{\"key\":\"k\"}");
        next_stage();
    }
    if (world.stage == 1 && ask_over(world.ask_count - 1) && run_over(world.run) &&
        fake_now() > world.at + 30000) {
        (void)ask("get", "{\"key\":\"k\"}");
        (void)ask("wait", "{\"key\":\"k\"}");
        next_stage();
    }
    return world.stage == 2 && ask_over(world.ask_count - 1) && ask_over(world.ask_count - 2);
}

static const char *judge_reads(void)
{
    for (unsigned n = 0; n < world.ask_count; n++)
        if (world.asks[n].answers && says(n, "not_found"))
            return "a run that is there was not found";
    return NULL;
}

static void reads_are_answered(void **state)
{
    static const struct scenario s = {.name = "reads",
                                      .submit =
                                          FLOW("", "{\"id\":\"s\",\"sleep\":{\"for\":\"2s\"}}"),
                                      .key    = "k",
                                      .drive  = drive_reads,
                                      .from   = 1,
                                      .status = "done",
                                      .judge  = judge_reads};

    (void)state;
    torture(&s);
}

/* ---- cancel ------------------------------------------------------------------------------------------------- */

static bool drive_cancel(enum run_phase when)
{
    if (world.stage == 0 && drive_submit() &&
        (phase_of(world.run) == when || phase_of(world.run) == RUN_ENDED)) {
        (void)ask("cancel", "{\"key\":\"k\",\"reason\":\"no more\"}");
        next_stage();
    }
    if (world.stage != 1 || !ask_over(world.ask_count - 1))
        return false;
    if (!says(world.ask_count - 1, "accepted") && !says(world.ask_count - 1, "run_finished") &&
        world.ask_count < 10) {
        (void)ask("cancel", "{\"key\":\"k\",\"reason\":\"no more\"}");
        return false;
    }
    return run_over(world.run);
}

static bool drive_cancel_queued(void)
{
    return drive_cancel(RUN_QUEUED);
}
static bool drive_cancel_waiting(void)
{
    return drive_cancel(RUN_WAITING);
}
static bool drive_cancel_leased(void)
{
    return drive_cancel(RUN_LEASED);
}

static void long_calls(void)
{
    world.call_ms = 3000;
}

static void a_queued_run_is_cancelled(void **state)
{
    static const struct scenario s = {.name    = "cancel queued",
                                      .submit  = FLOW("", SET),
                                      .key     = "k",
                                      .prepare = no_workers,
                                      .drive   = drive_cancel_queued,
                                      .from    = 1,
                                      .status  = "cancelled"};

    (void)state;
    torture(&s);
}

static void a_waiting_run_is_cancelled(void **state)
{
    static const struct scenario s = {.name = "cancel waiting",
                                      .submit =
                                          FLOW("", "{\"id\":\"s\",\"sleep\":{\"for\":\"1h\"}}"),
                                      .key    = "k",
                                      .drive  = drive_cancel_waiting,
                                      .from   = 1,
                                      .status = "cancelled"};

    (void)state;
    torture(&s);
}

static void a_leased_run_is_cancelled(void **state)
{
    static const struct scenario s = {
        .name    = "cancel leased",
        .submit  = FLOW("\"upstream\":\"sim\",",
                        "{\"id\":\"o\",\"open\":{\"url\":\"https://shop.example\"}}," SET),
        .key     = "k",
        .prepare = long_calls,
        .drive   = drive_cancel_leased,
        .from    = 1};

    (void)state;
    torture(&s);
}

static void a_run_that_nobody_takes_expires(void **state)
{
    static const struct scenario s = {.name    = "expires",
                                      .submit  = FLOW("\"start_within\":\"3s\",", SET),
                                      .key     = "k",
                                      .prepare = no_workers,
                                      .drive   = drive_to_end,
                                      .status  = "expired"};

    (void)state;
    torture(&s);
}

THESE_CHAINS_WERE_HURT("get", "wait", "cancel", "mend", "permit-ask", "permit-report")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_are_answered),
        cmocka_unit_test(a_queued_run_is_cancelled),
        cmocka_unit_test(a_waiting_run_is_cancelled),
        cmocka_unit_test(a_leased_run_is_cancelled),
        cmocka_unit_test(a_run_that_nobody_takes_expires),
        cmocka_unit_test(these_chains_were_hurt),
    };

    return cmocka_run_group_tests_name("cancel", tests, world_setup, world_teardown);
}
