/* The door: submit, repeat, queue_full and back, get, wait, cancel in every phase; and runs that never start. */
#include "world.h"

static void no_workers(void)
{
    for (unsigned n = 0; n < WORKERS; n++)
        worker_down(n);
}

static void queue_is_full(void)
{
    fake_limit(STREAM_PENDING, 0);
}

/* ---- submits ------------------------------------------------------------------------------------------ */

/* Without a key it is asked once: what it says must be so. */
static bool drive_once(void)
{
    if (world.ask_count == 0)
        (void)ask("submit", playing->submit);
    if (!ask_over(0))
        return false;
    if (!world.run[0] && answered_ok(0))
        str_copy_n(world.run, sizeof world.run, strstr(world.asks[0].body, "\"run_id\":\"") + strlen("\"run_id\":\""), ID_LEN);
    return !world.run[0] || run_over(world.run);
}

static const char *judge_once(void)
{
    if (world.run[0])
        judge_run(world.run);
    return NULL;
}

static void a_submit_without_a_key(void **state)
{
    static const struct scenario s = {.name   = "no key",
                                      .submit = "{\"flow\":{\"steps\":[" SET "]}}",
                                      .drive  = drive_once,
                                      .status = "done",
                                      .judge  = judge_once};

    (void)state;
    torture(&s);
}

/* Twice at once, and once more when it is over. */
static bool drive_repeat(void)
{
    if (world.stage == 0) {
        (void)ask("submit", playing->submit);
        (void)ask("submit", playing->submit);
        next_stage();
    }
    if (world.stage == 1 && ask_over(0) && ask_over(1) && drive_to_end()) {
        (void)ask("submit", playing->submit);
        next_stage();
    }
    return world.stage == 2 && ask_over(world.ask_count - 1);
}

static void a_repeat_meets_the_run(void **state)
{
    static const struct scenario s = {
        .name = "repeat", .submit = FLOW("", SET), .key = "k", .drive = drive_repeat, .status = "done"};

    (void)state;
    torture(&s);
}

/* Refused as long as the queue is full; then the same key runs. */
static bool drive_full(void)
{
    if (world.stage == 0) {
        (void)ask("submit", playing->submit);
        next_stage();
    }
    if (world.stage == 1 && ask_over(0)) {
        if (says(0, "queue_full") && phase_of(world.run) != RUN_REJECTED)
            complain("queue_full was said before REJECTED was stored");
        fake_limit(STREAM_PENDING, UINT64_MAX);
        next_stage();
        (void)ask("submit", playing->submit);
    }
    return world.stage == 2 && ask_over(1) && drive_to_end();
}

static void a_full_queue_refuses_and_takes_later(void **state)
{
    static const struct scenario s = {.name    = "full",
                                      .submit  = FLOW("", SET),
                                      .key     = "k",
                                      .prepare = queue_is_full,
                                      .drive   = drive_full,
                                      .status  = "done"};

    (void)state;
    torture(&s);
}

/* ---- get and wait ----------------------------------------------------------------------------------------- */

static bool drive_reads(void)
{
    if (world.stage == 0 && drive_submit()) {
        (void)ask("wait", "{\"key\":\"k\",\"timeout\":\"20s\"}");
        (void)ask("get", "{\"key\":\"k\"}");
        next_stage();
    }
    if (world.stage == 1 && ask_over(world.ask_count - 1) && run_over(world.run) && fake_now() > world.at + 30000) {
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
    static const struct scenario s = {.name   = "reads",
                                      .submit = FLOW("", "{\"id\":\"s\",\"sleep\":{\"for\":\"2s\"}}"),
                                      .key    = "k",
                                      .drive  = drive_reads,
                                      .status = "done",
                                      .judge  = judge_reads};

    (void)state;
    torture(&s);
}

/* ---- cancel ------------------------------------------------------------------------------------------------- */

static bool drive_cancel(enum run_phase when)
{
    if (world.stage == 0 && drive_submit() && phase_of(world.run) == when && fake_now() > world.at + 500) {
        (void)ask("cancel", "{\"key\":\"k\",\"reason\":\"no more\"}");
        next_stage();
    }
    if (world.stage != 1 || !ask_over(world.ask_count - 1))
        return false;
    if (!says(world.ask_count - 1, "accepted") && !says(world.ask_count - 1, "run_finished") && world.ask_count < 10) {
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
                                      .status  = "cancelled"};

    (void)state;
    torture(&s);
}

static void a_waiting_run_is_cancelled(void **state)
{
    static const struct scenario s = {.name   = "cancel waiting",
                                      .submit = FLOW("", "{\"id\":\"s\",\"sleep\":{\"for\":\"1h\"}}"),
                                      .key    = "k",
                                      .drive  = drive_cancel_waiting,
                                      .status = "cancelled"};

    (void)state;
    torture(&s);
}

static void a_leased_run_is_cancelled(void **state)
{
    static const struct scenario s = {
        .name    = "cancel leased",
        .submit  = FLOW("\"upstream\":\"sim\",", "{\"id\":\"o\",\"open\":{\"url\":\"https://shop.example\"}}," SET),
        .key     = "k",
        .prepare = long_calls,
        .drive   = drive_cancel_leased,
        .status  = "cancelled"};

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_submit_without_a_key),
        cmocka_unit_test(a_repeat_meets_the_run),
        cmocka_unit_test(a_full_queue_refuses_and_takes_later),
        cmocka_unit_test(reads_are_answered),
        cmocka_unit_test(a_queued_run_is_cancelled),
        cmocka_unit_test(a_waiting_run_is_cancelled),
        cmocka_unit_test(a_leased_run_is_cancelled),
        cmocka_unit_test(a_run_that_nobody_takes_expires),
    };

    return cmocka_run_group_tests_name("submit", tests, world_setup, world_teardown);
}
