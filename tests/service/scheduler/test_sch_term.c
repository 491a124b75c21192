/* Terms end in the middle of things, and the next one begins with all that there is. */
#include "sch_rig.h"

/* A publish that nobody answers goes on for five seconds; meanwhile its term is over and another has begun. */
static void job_on_its_way_since_an_earlier_term_is_not_counted_in_this_one(void **state)
{
    struct rig *r = *state;

    fake_count((struct fake_hurt){.nth = 2, .how = FAKE_LOST_BEFORE}); /* behind the delivery */
    rig_ticket(1, (struct ticket){.lane = LANE_STANDARD});
    RIG_WAIT(r, 1000, r->sch->admits == 1 && fake_hurt_done());
    assert_non_null(strstr(fake_hurt_what(), "publish sluice.jobs."));
    uint64_t term = r->sch->term;

    svc_leader_deposed(r->sch->leader, "a test says so");
    assert_int_equal(r->sch->role, ROLE_STANDBY);
    RIG_WAIT(r, 4000, r->sch->role == ROLE_DECIDING);
    assert_true(r->sch->term > term);
    rig_pass(r, 6000);
    assert_int_equal(r->sch->admits, 0);

    rig_ticket(2, (struct ticket){.lane = LANE_STANDARD});
    RIG_WAIT(r, 5000, rig_jobs() == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(job_on_its_way_since_an_earlier_term_is_not_counted_in_this_one),
    };
    return cmocka_run_group_tests_name("sch_term", tests, NULL, NULL);
}
