/* A bucket is deleted and made anew: what it said holds nobody back any more. */
#include "sch_rig.h"

static const struct ticket WANTS_ALL = {
    .lane = LANE_STANDARD, .lock = "till", .flow = "f", .upstream = "sim"};

static void put(const char *bucket, const char *key, const char *value)
{
    char subject[SUBJECT_SIZE];

    str_format(subject, sizeof(subject), "$KV.%s.%s", bucket, key);
    (void)fake_store(subject, bytes_str(value));
}

static void holds_until_it_is_gone(struct rig *r, const char *bucket, const char *key,
                                   const char *value)
{
    char stream[64];

    put(bucket, key, value);
    rig_pass(r, 100);
    rig_ticket(1, WANTS_ALL);
    rig_pass(r, 5000);
    assert_int_equal(rig_jobs(), 0);
    str_format(stream, sizeof(stream), "KV_%s", bucket);
    fake_make_anew(stream);

    RIG_WAIT(r, 5000, rig_jobs() == 1);
}

/* Its owner ended meanwhile, and found nothing to clear. */
static void lock_of_a_bucket_that_is_gone_is_free(void **state)
{
    char value[80];

    str_format(value, sizeof(value), "{\"run\":\"%s\"}", rig_run(9));
    holds_until_it_is_gone(*state, BUCKET_LOCKS, TENANT ".till", value);
}

static void tenant_of_a_bucket_that_is_gone_is_not_paused(void **state)
{
    holds_until_it_is_gone(*state, BUCKET_TENANTS, TENANT, "{\"paused\":true}");
}

static void upstream_of_a_bucket_that_is_gone_is_not_paused(void **state)
{
    holds_until_it_is_gone(*state, BUCKET_UPSTREAMS, "sim",
                           "{\"driver\":\"webdriver\",\"url\":\"http://sim.example\","
                           "\"paused\":true}");
}

static void flow_of_a_bucket_that_is_gone_is_not_paused(void **state)
{
    holds_until_it_is_gone(*state, BUCKET_FLOWS, "f",
                           "{\"version\":1,\"paused\":true,\"flow\":{\"steps\":[{\"id\":\"a\","
                           "\"set\":{}}]}}");
}

static void pool_of_a_bucket_that_is_gone_is_not_paused(void **state)
{
    holds_until_it_is_gone(*state, BUCKET_POOLS, "default", "{\"paused\":true}");
}

/* Whoever has the lock in hand keeps it while its job lasts, whatever became of the record. */
static void lock_in_hand_is_not_given_to_another(void **state)
{
    struct rig *r = *state;
    char value[80];

    rig_ticket(1, WANTS_ALL);
    RIG_WAIT(r, 5000, rig_jobs() == 1);
    str_format(value, sizeof(value), "{\"run\":\"%s\"}", rig_run(1));
    put(BUCKET_LOCKS, TENANT ".till", value);
    rig_ticket(2, WANTS_ALL);
    rig_pass(r, 1000);
    fake_make_anew("KV_" BUCKET_LOCKS);
    rig_pass(r, 5000);

    assert_int_equal(rig_jobs(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(lock_of_a_bucket_that_is_gone_is_free),
        WITH(tenant_of_a_bucket_that_is_gone_is_not_paused),
        WITH(upstream_of_a_bucket_that_is_gone_is_not_paused),
        WITH(flow_of_a_bucket_that_is_gone_is_not_paused),
        WITH(pool_of_a_bucket_that_is_gone_is_not_paused),
        WITH(lock_in_hand_is_not_given_to_another),
    };
    return cmocka_run_group_tests_name("sch_anew", tests, NULL, NULL);
}
