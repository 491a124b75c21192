/* Runs that never started are ended here, whatever the scheduler was just about to do with them. */
#include "sch_rig.h"

static const struct ticket STANDARD = {.lane = LANE_STANDARD};

static void cancels(struct rig *r, unsigned n)
{
    rig_entry(r, n, (struct entry){.kind = ENTRY_CANCEL, .mail = {.by = "test"}}, false);
}

static void run_that_waits_is_cancelled_within_a_second(void **state)
{
    struct rig *r = *state;

    rig_worker_dies(r);
    rig_plan(r, 1, (struct entry_plan){.key = ""});
    rig_ticket(1, STANDARD);
    rig_pass(r, 1000);

    cancels(r, 1);

    RIG_WAIT(r, 1000, rig_entries(1, ENTRY_END) == 1);
    RIG_WAIT(r, 1000, fake_stored_count(STREAM_PENDING, ">") == 0);
    assert_int_equal(fake_stored_count(STREAM_RESULTS, ">"), 1);
}

/* Its job was on its way when the CANCEL was read; then it turned out that somebody else had the slot. */
static void run_that_was_cancelled_on_its_way_into_a_slot_that_was_taken_is_ended(void **state)
{
    struct rig *r = *state;

    rig_plan(r, 1, (struct entry_plan){.key = ""});
    rig_pass(r, 100);
    fake_count((struct fake_hurt){.nth = 2, .how = FAKE_LOST_BEFORE}); /* behind the delivery */
    rig_ticket(1, STANDARD);
    RIG_WAIT(r, 1000, r->sch->admits == 1 && fake_hurt_done());
    assert_non_null(strstr(fake_hurt_what(), "publish sluice.jobs."));
    cancels(r, 1);
    (void)fake_store("sluice.jobs." TENANT ".1.default", bytes_str("\xff somebody's"));
    rig_worker_dies(r);

    RIG_WAIT(r, 6000, r->sch->admits == 0);
    RIG_WAIT(r, 1500, rig_entries(1, ENTRY_END) == 1);
    assert_int_equal(rig_jobs(), 1);
}

/* Its journal was read, and a worker took it before the answer was heard. */
static void run_that_was_started_while_it_was_to_be_ended_goes_on(void **state)
{
    struct rig *r              = *state;
    const struct entry_lease l = {.tries = 1};

    rig_worker_dies(r);
    rig_plan(r, 1, (struct entry_plan){.key = ""});
    rig_ticket(1, STANDARD);
    rig_pass(r, 1000);
    fake_count((struct fake_hurt){.nth = 1, .how = FAKE_FROZEN});
    cancels(r, 1);
    RIG_WAIT(r, 1000, fake_hurt_done());
    assert_non_null(strstr(fake_hurt_what(), "mend: read"));
    fake_freeze(svc_bus(r->svc), 200);
    rig_entry(
        r, 1,
        (struct entry){
            .kind = ENTRY_LEASED, .wake = 1, .token = 7, .job = 1, .worker = "w-1", .lease = l},
        false);

    rig_pass(r, 3000);

    assert_int_equal(rig_entries(1, ENTRY_END), 0);
}

/* That it was started was learned only from its journal; its deadline stands all the same. */
static void run_that_was_started_after_all_is_closed_at_its_deadline(void **state)
{
    struct rig *r              = *state;
    struct entry_plan plan     = {.start_within_ms = 6000, .timeout_ms = 20000};
    const struct entry_lease l = {.tries = 1};

    rig_worker_dies(r);
    rig_plan(r, 1, plan);
    rig_entry(
        r, 1,
        (struct entry){
            .kind = ENTRY_LEASED, .wake = 1, .token = 7, .job = 1, .worker = "w-1", .lease = l},
        true);
    rig_ticket(1, (struct ticket){.lane              = LANE_STANDARD,
                                  .start_within_ms   = 6000,
                                  .deadline_after_ms = 20000});
    rig_pass(r, 15000);
    assert_int_equal(rig_entries(1, ENTRY_END), 0);
    assert_int_equal(rig_jobs(), 0);

    RIG_WAIT(r, 8000, fake_stored_count(STREAM_JOBS, "sluice.jobs." TENANT ".c0.default") == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(run_that_waits_is_cancelled_within_a_second),
        WITH(run_that_was_cancelled_on_its_way_into_a_slot_that_was_taken_is_ended),
        WITH(run_that_was_started_while_it_was_to_be_ended_goes_on),
        WITH(run_that_was_started_after_all_is_closed_at_its_deadline),
    };
    return cmocka_run_group_tests_name("sch_unrun", tests, NULL, NULL);
}
