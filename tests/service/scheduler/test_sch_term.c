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

/* ---- results that have left ------------------------------------------------------------------- */

enum { PURGE_MAGIC = 0x54535450 };

static void purge_end(struct bus_op *op, struct err e)
{
    (void)op;
    assert_false(failed(e));
}

static struct err purged(struct bus_op *op, const struct bus_reply *reply)
{
    return failed(reply->err) ? reply->err : bus_op_done(op);
}

/* What it ever told has been taken out of it. */
static void results_are_purged(struct rig *r)
{
    static struct bus_op op;
    char subject[SUBJECT_SIZE];

    (void)fake_store(subject_result(subject, TENANT, "f", "done", rig_run(9)), bytes_str("{}"));
    op = (struct bus_op){0};
    bus_op_start(r->client, &op, PURGE_MAGIC, "test-purge", 0, purge_end);
    (void)bus_purge(&op, STREAM_RESULTS, ">", 0, purged);
    RIG_WAIT(r, 1000, fake_stored_count(STREAM_RESULTS, ">") == 0);
}

/* Its worker is gone, and left no result. */
static void ran_and_ended(struct rig *r, unsigned n)
{
    const struct entry_lease l = {.tries = 1};
    struct entry e = {.kind = ENTRY_LEASED, .wake = 1, .token = 7, .job = n, .worker = "w-1"};

    rig_plan(r, n, (struct entry_plan){.key = ""});
    e.lease = l;
    rig_entry(r, n, e, false);
    e.kind = ENTRY_END;
    e.end  = (struct entry_end){.status = STATUS_DONE};
    rig_entry(r, n, e, false);
    rig_pass(r, 100);
}

static bool has_result(unsigned n)
{
    char subject[SUBJECT_SIZE];

    str_format(subject, sizeof subject, "sluice.result.%s.*.*.%s", TENANT, rig_run(n));
    return fake_stored_count(STREAM_RESULTS, subject) > 0;
}

/* Who begins to read now cannot see that it was there; of who ended later it can. */
static void result_that_has_left_its_stream_is_not_stored_anew(void **state)
{
    struct rig *r = *state;

    results_are_purged(r);
    ran_and_ended(r, 1);
    svc_leader_deposed(r->sch->leader, "a test says so");
    RIG_WAIT(r, RIG_TAKE_MS, r->sch->role == ROLE_DECIDING);
    rig_pass(r, 1000);
    ran_and_ended(r, 2);

    RIG_WAIT(r, 2 * r->config.sweep_ms + 5000, has_result(2));

    rig_pass(r, 2 * r->config.sweep_ms);
    assert_false(has_result(1));
}

/* Nothing has left the stream: then what is not there was never stored. */
static void result_that_was_never_stored_is_stored_by_the_next_leader(void **state)
{
    struct rig *r = *state;

    ran_and_ended(r, 1);
    svc_leader_deposed(r->sch->leader, "a test says so");

    RIG_WAIT(r, RIG_TAKE_MS + 2 * r->config.sweep_ms, has_result(1));
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
        WITH(result_that_has_left_its_stream_is_not_stored_anew),
        WITH(result_that_was_never_stored_is_stored_by_the_next_leader),
    };
    return cmocka_run_group_tests_name("sch_term", tests, NULL, NULL);
}
