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

/* The server gave it out, and it never arrived: under this consumer nobody would see it for ten minutes. */
static void delivery_that_was_skipped_begins_a_term(void **state)
{
    struct rig *r = *state;
    uint64_t term = r->sch->term;

    rig_ticket(1, (struct ticket){.lane = LANE_STANDARD});
    RIG_WAIT(r, 1000, rig_jobs() == 1);
    fake_count((struct fake_hurt){.nth = 1, .how = FAKE_LOST_BEFORE});
    rig_ticket(2, (struct ticket){.lane = LANE_STANDARD});
    RIG_WAIT(r, 1000, fake_hurt_done());
    assert_non_null(strstr(fake_hurt_what(), "sched-0-"));
    assert_int_equal(r->sch->term, term);

    rig_ticket(3, (struct ticket){.lane = LANE_STANDARD});

    RIG_WAIT(r, 5000, rig_jobs() == 3);
    assert_true(r->sch->term > term);
}

/* It is stopped, and has heard of nothing: another may lead by now. */
static void leader_that_was_frozen_knows_by_its_clock_that_it_is_none(void **state)
{
    struct rig *r = *state;

    assert_true(svc_leader_is(r->sch->leader));
    fake_freeze(svc_bus(r->svc), 30000);
    fake_advance(r->config.leader_ttl_ms + 1000);
    assert_int_equal(r->sch->role, ROLE_DECIDING);
    assert_false(svc_leader_is(r->sch->leader));
}

/* ---- the look at JOBS ------------------------------------------------------------------------- */

static void says_freed(struct rig *r, unsigned slot, uint64_t seq)
{
    char subject[SUBJECT_SIZE];

    assert_true(bus_send(
        r->client, &(struct bus_out){.subject = subject_freed(subject, TENANT, slot, seq)}));
}

/* What is due is to be seen to when the present look has ended: to be called at once does not hasten it. */
static void look_that_takes_long_is_waited_for_at_ease(void **state)
{
    struct rig *r = *state;

    rig_ticket(1, (struct ticket){.lane = LANE_STANDARD});
    RIG_WAIT(r, 1000, rig_jobs() == 1);
    fake_count((struct fake_hurt){.nth = 1, .how = FAKE_LOST_BEFORE});
    says_freed(r, 1, UINT64_MAX / 2); /* nobody knows it: look */
    RIG_WAIT(r, 1000, fake_hurt_done());
    assert_non_null(strstr(fake_hurt_what(), "STREAM.INFO." STREAM_JOBS));
    says_freed(r, 1, UINT64_MAX / 2);
    rig_pass(r, 200);
    assert_true(r->sch->looking && r->sch->look_at <= fake_now());

    unsigned hasty = 0;
    for (unsigned n = 0; n < 100; n++) {
        hasty += sch_tick(r->sch, fake_now()) <= fake_now() + 1;
        rig_pass(r, 7);
    }
    assert_in_range(hasty, 0, 5);
    RIG_WAIT(r, 6000, !r->sch->looking && r->sch->look_at > fake_now());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(job_on_its_way_since_an_earlier_term_is_not_counted_in_this_one),
        WITH(delivery_that_was_skipped_begins_a_term),
        WITH(leader_that_was_frozen_knows_by_its_clock_that_it_is_none),
        WITH(look_that_takes_long_is_waited_for_at_ease),
    };
    return cmocka_run_group_tests_name("sch_term", tests, NULL, NULL);
}
