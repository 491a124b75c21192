/* The door: submit, repeat, queue_full and back. */
#include "world.h"

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
        str_copy_n(world.run, sizeof world.run,
                   strstr(world.asks[0].body, "\"run_id\":\"") + strlen("\"run_id\":\""),
                   ID_LEN);
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
    static const struct scenario s = {.name   = "repeat",
                                      .submit = FLOW("", SET),
                                      .key    = "k",
                                      .drive  = drive_repeat,
                                      .status = "done"};

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

THESE_CHAINS_WERE_HURT("submit", "admit", "run")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_submit_without_a_key),
        cmocka_unit_test(a_repeat_meets_the_run),
        cmocka_unit_test(a_full_queue_refuses_and_takes_later),
        cmocka_unit_test(these_chains_were_hurt),
    };

    return cmocka_run_group_tests_name("submit", tests, world_setup, world_teardown);
}
