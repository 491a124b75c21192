/* What cannot be read is kept for a person, once, and holds nobody up. */
#include "world.h"

/* A job that nobody can read is kept in DEAD and leaves the queue. */
static bool drive_unreadable(void)
{
    if (world.stage == 0) {
        (void)fake_store("sluice.jobs." TENANT ".1.default", bytes_str("\xff no job"));
        next_stage();
    }
    return fake_stored_count(STREAM_DEAD, ">") == 1 && fake_stored_count(STREAM_JOBS, ">") == 0;
}

static void an_unreadable_job_is_put_aside(void **state)
{
    static const struct scenario s = {.name = "unreadable job", .drive = drive_unreadable};

    (void)state;
    torture(&s);
}

static bool drive_unreadable_ticket(void)
{
    if (world.stage == 0) {
        (void)fake_store("sluice.pending.0.standard." TENANT, bytes_str("\xff no ticket"));
        next_stage();
    }
    return fake_stored_count(STREAM_DEAD, ">") == 1 &&
           fake_stored_count(STREAM_PENDING, ">") == 0;
}

static void an_unreadable_ticket_is_put_aside(void **state)
{
    static const struct scenario s = {.name  = "unreadable ticket",
                                      .drive = drive_unreadable_ticket};

    (void)state;
    torture(&s);
}

THESE_CHAINS_WERE_HURT("unreadable", "dead")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unreadable_job_is_put_aside),
        cmocka_unit_test(an_unreadable_ticket_is_put_aside),
        cmocka_unit_test(these_chains_were_hurt),
    };

    return cmocka_run_group_tests_name("unreadable", tests, world_setup, world_teardown);
}
