/* A job goes into a slot that is empty for the server, whatever the scheduler believes. */
#include "sch_rig.h"

static const struct ticket STANDARD = {.lane = LANE_STANDARD};

static size_t jobs_in(unsigned slot)
{
    char at[SUBJECT_SIZE];

    return fake_stored_count(STREAM_JOBS, subject_slot(at, TENANT, slot));
}

/* As another leader would fill it, of whom this one has not heard. */
static void fills(unsigned n, unsigned slot, const char *pool)
{
    struct job job = {.slot = slot, .ticket = {.lane = LANE_STANDARD, .wake = 1}};
    char subject[SUBJECT_SIZE];
    struct buf body;

    str_copy(job.ticket.run, sizeof(job.ticket.run), rig_run(n));
    str_copy(job.ticket.tenant, sizeof(job.ticket.tenant), TENANT);
    str_copy(job.ticket.pool, sizeof(job.ticket.pool), pool);
    buf_init(&body, 4096);
    wire_write_job(&job, &body);
    (void)fake_store(subject_job(subject, TENANT, slot, pool), buf_bytes(&body));
    buf_deinit(&body);
}

static void slot_that_another_leader_filled_is_left_alone(void **state)
{
    struct rig *r = *state;

    fills(1, 1, "default");
    rig_ticket(2, STANDARD);

    RIG_WAIT(r, 1000, jobs_in(2) == 1);
    assert_int_equal(jobs_in(1), 1);
    assert_int_equal(r->sch->metrics.scheduler_slot_conflicts, 1);
}

/* The cap is a tenant's, not a pool's. */
static void slot_that_is_filled_in_another_pool_is_left_alone(void **state)
{
    struct rig *r = *state;

    fills(1, 1, "far");
    rig_ticket(2, STANDARD);

    RIG_WAIT(r, 1000, jobs_in(2) == 1);
    assert_int_equal(jobs_in(1), 1);
}

/* A worker holds the first job that it is given. */
static char first_acks[SUBJECT_SIZE];

static void on_job(void *self, struct bus_msg **msg)
{
    (void)self;
    if (!first_acks[0])
        str_copy(first_acks, sizeof(first_acks), (*msg)->reply);
}

/* It may be there: in another slot it would be there twice. */
static void job_whose_answer_is_lost_stands_once(void **state)
{
    const struct bus_consume jobs = {
        .stream = STREAM_JOBS, .consumer = "default", .on_msg = on_job};
    struct bus_consumer *consumer = NULL;
    char freed[SUBJECT_SIZE];
    struct rig *r = *state;

    first_acks[0] = '\0';
    assert_false(failed(bus_consume(r->client, &jobs, &consumer)));
    bus_consumer_room(consumer, 10);
    rig_ticket(1, STANDARD);
    RIG_WAIT(r, 1000, first_acks[0] && jobs_in(1) == 1);
    fake_count((struct fake_hurt){.nth = 2, .how = FAKE_LOST_AFTER}); /* behind the delivery */
    rig_ticket(2, STANDARD);
    RIG_WAIT(r, 1000, fake_hurt_done());
    assert_non_null(strstr(fake_hurt_what(), "publish sluice.jobs." TENANT ".2."));

    bus_lease_ack(r->client, first_acks, subject_freed(freed, TENANT, 1, 0));
    RIG_WAIT(r, 1000, jobs_in(1) == 0);
    RIG_WAIT(r, 15000, r->sch->admits == 0);
    rig_pass(r, 3000);

    assert_int_equal(jobs_in(2), 1);
    assert_int_equal(rig_jobs(), 1);
    bus_consumer_free(&consumer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(slot_that_another_leader_filled_is_left_alone),
        WITH(slot_that_is_filled_in_another_pool_is_left_alone),
        WITH(job_whose_answer_is_lost_stands_once),
    };
    return cmocka_run_group_tests_name("sch_admit", tests, NULL, NULL);
}
