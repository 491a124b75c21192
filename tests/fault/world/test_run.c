/* Submit, admission, lease, steps, end: every answer on the way of a run, hurt in every way. */
#include "world.h"

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
    static const struct scenario s = {
        .name   = "a lock",
        .submit = FLOW("\"lock\":\"till\",", SET),
        .key    = "k",
        .drive  = drive_to_end,
        .status = "done"};

    (void)state;
    torture(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_ends_once),
        cmocka_unit_test(a_run_that_sleeps_wakes),
        cmocka_unit_test(a_lock_is_given_back),
    };

    return cmocka_run_group_tests_name("run", tests, world_setup, world_teardown);
}
