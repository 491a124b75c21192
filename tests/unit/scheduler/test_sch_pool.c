#include "sch_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/str.h"

static const struct sch_lanes EVEN = {{1, 1, 1}, {0, 0, 0}};
static struct sch_pools pools;

static int begin(void **state)
{
    (void)state;
    sch_pool_init(&pools, &EVEN, 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sch_pool_deinit(&pools);
    return 0;
}

static bool say(const char *worker, const char *pool, uint32_t slots, bool draining,
                int64_t now)
{
    struct worker_status s = {.slots = slots, .draining = draining};

    str_copy(s.worker, sizeof(s.worker), worker);
    str_copy(s.pool, sizeof(s.pool), pool);
    return sch_pool_heard(&pools, &s, now);
}

static uint32_t slots_of(const char *pool)
{
    return sch_pool_find(&pools, pool)->room.slots;
}

static void a_worker_counts_while_it_speaks(void **state)
{
    (void)state;
    assert_true(say("w1", "eu", 10, false, 0));
    assert_true(say("w2", "eu", 5, false, 1000));
    assert_int_equal(slots_of("eu"), 15);
    assert_true(say("w1", "eu", 12, false, 1000));
    assert_int_equal(slots_of("eu"), 17);
    sch_pool_turn(&pools, 4000);
    assert_int_equal(slots_of("eu"), 17);
    assert_true(say("w1", "eu", 12, false, 4001));
    assert_int_equal(sch_pool_turn(&pools, 4001), 4001 + SCH_WORD_MS + 1);
    assert_int_equal(slots_of("eu"), 12);
    assert_true(say("w2", "eu", 5, false, 5000));
    assert_int_equal(slots_of("eu"), 17);
}

static void a_draining_worker_does_not_count(void **state)
{
    (void)state;
    assert_true(say("w1", "eu", 10, false, 0));
    assert_true(say("w1", "eu", 10, true, 100));
    assert_int_equal(slots_of("eu"), 0);
}

static void a_worker_never_changes_its_pool(void **state)
{
    (void)state;
    assert_true(say("w1", "eu", 10, false, 0));
    assert_false(say("w1", "us", 10, false, 100));
    assert_int_equal(slots_of("eu"), 10);
    assert_false(say("w3", "no such name", 10, false, 100));
}

/* Places that are taken from living workers. */
static uint32_t taken_of(const struct sch_job *job)
{
    return job->pool->room.taken[job->lane];
}

static void an_orphan_takes_no_place_until_it_is_leased_again(void **state)
{
    struct sch_job job = {.pool = sch_pool_get(&pools, "eu"), .lane = LANE_BULK};

    (void)state;
    assert_true(say("w1", "eu", 10, false, 0));
    sch_pool_job(&job);
    assert_int_equal(taken_of(&job), 1); /* waits for a worker: takes a place */
    sch_pool_leased(&pools, &job, "w1");
    assert_int_equal(taken_of(&job), 1);

    sch_pool_turn(&pools, 10000);
    assert_int_equal(taken_of(&job), 0);
    assert_true(say("w2", "eu", 10, false, 10000));
    sch_pool_leased(&pools, &job, "w2");
    assert_int_equal(taken_of(&job), 1);
    sch_pool_job_gone(&job);
    assert_int_equal(taken_of(&job), 0);
}

/* It wants a slot as long as it is there, whoever died with it. */
static void an_orphan_is_in_flight(void **state)
{
    struct sch_pool *pool = sch_pool_get(&pools, "eu");
    struct sch_job job = {.pool = pool, .lane = LANE_BULK}, other = job;

    (void)state;
    assert_true(say("w1", "eu", 10, false, 0));
    sch_pool_job(&job);
    sch_pool_job(&other);
    sch_pool_leased(&pools, &job, "w1");
    sch_pool_turn(&pools, 10000);
    assert_int_equal(sch_pool_in_flight(pool), 2);
    assert_int_equal(sch_pool_lane_in_flight(pool, LANE_BULK), 2);
    assert_int_equal(sch_pool_lane_in_flight(pool, LANE_REALTIME), 0);

    sch_pool_job_gone(&other);
    assert_int_equal(sch_pool_in_flight(pool), 1);
    assert_true(say("w1", "eu", 10, false, 11000));
    assert_int_equal(sch_pool_in_flight(pool), 1);
    sch_pool_turn(&pools, 20000);
    sch_pool_job_gone(&job);
    assert_int_equal(sch_pool_in_flight(pool), 0);
}

static void a_worker_that_was_never_heard_makes_orphans_until_it_speaks(void **state)
{
    struct sch_job job = {.pool = sch_pool_get(&pools, "eu"), .lane = LANE_BULK};

    (void)state;
    sch_pool_job(&job);
    sch_pool_leased(&pools, &job, "w9");
    assert_int_equal(taken_of(&job), 0);
    assert_true(say("w9", "eu", 10, false, 10));
    assert_int_equal(taken_of(&job), 1);
    sch_pool_turn(&pools, 100000);
    sch_pool_job_gone(&job);
    sch_pool_turn(&pools, 100000 + SCH_FORGET_MS);
    assert_int_equal(map_count(pools.workers), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_worker_counts_while_it_speaks, begin, end),
        cmocka_unit_test_setup_teardown(a_draining_worker_does_not_count, begin, end),
        cmocka_unit_test_setup_teardown(a_worker_never_changes_its_pool, begin, end),
        cmocka_unit_test_setup_teardown(an_orphan_takes_no_place_until_it_is_leased_again,
                                        begin, end),
        cmocka_unit_test_setup_teardown(an_orphan_is_in_flight, begin, end),
        cmocka_unit_test_setup_teardown(
            a_worker_that_was_never_heard_makes_orphans_until_it_speaks, begin, end),
    };

    return cmocka_run_group_tests_name("sch_pool", tests, NULL, NULL);
}
