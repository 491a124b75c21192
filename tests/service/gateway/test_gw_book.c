/* What the gateway knows of the configuration, once its bucket was deleted and made anew. */
#include "gw_rig.h"

#define SET "{\"steps\":[{\"id\":\"a\",\"set\":{}}]}"
#define PAGE "{\"steps\":[{\"id\":\"a\",\"open\":{\"url\":\"https://shop.example\"}}]}"

enum { TOLD_MS = 5000 };

static void anew(const char *bucket)
{
    char stream[64];

    str_format(stream, sizeof(stream), "KV_%s", bucket);
    fake_make_anew(stream);
    fake_settle();
}

static void tenant_of_a_bucket_that_is_gone_is_not_known(void **state)
{
    struct rig *r = *state;

    rig_put(BUCKET_TENANTS, TENANT, "{}");
    rig_submit(r, "{\"flow\":" SET "}");
    assert_true(rig_says(r, "\"run_id\""));
    anew(BUCKET_TENANTS);
    rig_submit(r, "{\"flow\":" SET "}");

    assert_true(rig_says(r, "tenant acme is not known"));
}

static void flow_of_a_bucket_that_is_gone_is_not_known(void **state)
{
    static const char *const REFS[] = {"{\"flow\":\"f\"}", "{\"flow\":\"f@1\"}"};
    struct rig *r                   = *state;

    rig_put(BUCKET_FLOWS, "f", "{\"version\":1,\"flow\":" SET "}");
    rig_put(BUCKET_FLOWS, "f", "{\"version\":2,\"flow\":" SET "}");
    for (size_t n = 0; n < 2; n++) {
        rig_submit(r, REFS[n]);
        assert_true(rig_says(r, "\"run_id\""));
    }
    anew(BUCKET_FLOWS);
    for (size_t n = 0; n < 2; n++) {
        rig_submit(r, REFS[n]);
        assert_true(rig_says(r, "is not known"));
    }
    /* Its old version is known no more, though it has a new one. */
    rig_put(BUCKET_FLOWS, "f", "{\"version\":3,\"flow\":" SET "}");
    rig_submit(r, REFS[1]);
    assert_true(rig_says(r, "is not known"));
}

static void flow_that_was_removed_has_no_versions(void **state)
{
    struct rig *r = *state;

    rig_put(BUCKET_FLOWS, "f", "{\"version\":1,\"flow\":" SET "}");
    rig_put(BUCKET_FLOWS, "fg", "{\"version\":1,\"flow\":" SET "}");
    rig_put(BUCKET_FLOWS, "fg", "{\"version\":2,\"flow\":" SET "}");
    rig_remove(r, BUCKET_FLOWS, "f");
    rig_submit(r, "{\"flow\":\"f@1\"}");
    assert_true(rig_says(r, "is not known"));
    /* Nor when it is put again; and another's stand. */
    rig_put(BUCKET_FLOWS, "f", "{\"version\":3,\"flow\":" SET "}");
    rig_submit(r, "{\"flow\":\"f@1\"}");
    assert_true(rig_says(r, "is not known"));
    rig_submit(r, "{\"flow\":\"fg@1\"}");
    assert_true(rig_says(r, "\"run_id\""));
}

static void upstream_of_a_bucket_that_is_gone_is_not_known(void **state)
{
    struct rig *r = *state;

    rig_put(BUCKET_UPSTREAMS, "sim",
            "{\"driver\":\"webdriver\",\"url\":\"http://sim.example\"}");
    rig_submit(r, "{\"upstream\":\"sim\",\"flow\":" PAGE "}");
    assert_true(rig_says(r, "\"run_id\""));
    anew(BUCKET_UPSTREAMS);
    rig_submit(r, "{\"upstream\":\"sim\",\"flow\":" PAGE "}");

    assert_true(rig_says(r, "upstream \\\"sim\\\" is not known"));
}

static size_t alerts(const char *state)
{
    struct fake_stored m;
    size_t count = 0;

    for (size_t n = 0; fake_stored(STREAM_ALERTS, "sluice.alert.ConfigRefused.*", n, &m); n++)
        count += memmem(m.body.at, m.body.len, state, strlen(state)) != NULL;
    return count;
}

static void await_alerts(const char *state, size_t count)
{
    for (uint64_t end = fake_now() + TOLD_MS; alerts(state) < count; fake_advance(20))
        if (fake_now() >= end)
            fail_msg("%zu alerts are %s, not %zu", alerts(state), state, count);
}

static void value_that_was_refused_is_gone_with_its_bucket(void **state)
{
    static const char *const BUCKETS[] = {BUCKET_TENANTS, BUCKET_FLOWS, BUCKET_UPSTREAMS,
                                          BUCKET_POOLS};

    (void)state;
    for (size_t n = 0; n < 4; n++)
        rig_put(BUCKETS[n], "x", "no JSON");
    await_alerts("firing", 4);
    for (size_t n = 0; n < 4; n++) {
        assert_int_equal(alerts("resolved"), n);
        anew(BUCKETS[n]);
        await_alerts("resolved", n + 1);
    }
}

static void a_tenant_written_before_its_tier_is_refused_until_then(void **state)
{
    struct rig *r = *state;

    rig_put(BUCKET_TENANTS, TENANT, "{\"tier\":\"bronze\",\"lanes\":[\"bulk\"]}");
    await_alerts("firing", 1);
    rig_submit(r, "{\"flow\":" SET "}");
    assert_true(rig_says(r, "\"run_id\""));
    rig_put(BUCKET_TENANTS, "tier.bronze", "{}");
    await_alerts("resolved", 1);
    rig_submit(r, "{\"flow\":" SET "}");
    assert_true(rig_says(r, "lane_not_allowed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LISTED(tenant_of_a_bucket_that_is_gone_is_not_known),
        WITH(flow_of_a_bucket_that_is_gone_is_not_known),
        WITH(flow_that_was_removed_has_no_versions),
        WITH(upstream_of_a_bucket_that_is_gone_is_not_known),
        WITH(value_that_was_refused_is_gone_with_its_bucket),
        WITH(a_tenant_written_before_its_tier_is_refused_until_then),
    };
    return cmocka_run_group_tests_name("gw_book", tests, NULL, NULL);
}
