/* What the gateway knows of the configuration, once its bucket was deleted and made anew. */
#include "gw_rig.h"
#include "json/json.h"

#define SET "{\"steps\":[{\"id\":\"a\",\"set\":{}}]}"
#define PAGE "{\"steps\":[{\"id\":\"a\",\"open\":{\"url\":\"https://shop.example\"}}]}"

enum { TOLD_MS = 5000 };

static void stream_anew(const char *stream)
{
    fake_make_anew(stream);
    fake_settle();
}

static void anew(const char *bucket)
{
    char stream[64];

    str_format(stream, sizeof(stream), "KV_%s", bucket);
    stream_anew(stream);
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

/* The last alert says so; words that it does not say are an error as well. */
static void last_alert_says(const char *words)
{
    struct fake_stored m;
    size_t count = fake_stored_count(STREAM_ALERTS, "sluice.alert.ConfigRefused.*");

    assert_true(count > 0);
    assert_true(fake_stored(STREAM_ALERTS, "sluice.alert.ConfigRefused.*", count - 1, &m));
    if (!memmem(m.body.at, m.body.len, words, strlen(words)))
        fail_msg("\"%s\" is not in %.*s", words, (int)m.body.len, (const char *)m.body.at);
}

static void one_bad_value_after_another_is_one_incident(void **state)
{
    (void)state;
    rig_put(BUCKET_TENANTS, TENANT, "{\"cap\":0}");
    await_alerts("firing", 1);
    fake_advance(1000);
    rig_put(BUCKET_TENANTS, TENANT, "{\"weight\":0}");
    fake_advance(TOLD_MS);
    assert_int_equal(alerts("firing"), 1);
    assert_int_equal(alerts("resolved"), 0);
    rig_put(BUCKET_TENANTS, TENANT, "{}");
    await_alerts("resolved", 1);
    fake_advance(1000);
    rig_put(BUCKET_TENANTS, TENANT, "{\"cap\":0}");
    await_alerts("firing", 2);
    assert_int_equal(alerts("resolved"), 1);
}

/* Of the only one there is. */
static void since_of_alert(char ret[64])
{
    AUTO(json_free) struct json *alert = NULL;
    struct fake_stored m;
    char why[JSON_WHY_SIZE];

    assert_true(fake_stored(STREAM_ALERTS, "sluice.alert.ConfigRefused.*", 0, &m));
    assert_false(failed(json_parse(&alert, m.body, why, sizeof(why))));
    str_copy(ret, 64, json_str(json_get(alert, "since")));
}

/* Told anew, because nobody has kept what was told. */
static void an_incident_began_with_its_first_bad_value(void **state)
{
    char since[2][64];

    (void)state;
    for (size_t n = 0; n < 2; n++) {
        rig_put(BUCKET_TENANTS, TENANT, "{\"cap\":0}");
        if (n == 1)
            stream_anew(STREAM_ALERTS);
        await_alerts("firing", 1);
        since_of_alert(since[n]);
        fake_advance(1000);
    }
    assert_string_equal(since[0], since[1]);
}

/* Whether a good one stands in its place, or none. */
static void a_resolved_alert_says_what_is_true(void **state)
{
    struct rig *r = *state;

    rig_put(BUCKET_TENANTS, TENANT, "{\"cap\":0}");
    await_alerts("firing", 1);
    rig_remove(r, BUCKET_TENANTS, TENANT);
    await_alerts("resolved", 1);
    last_alert_says("\"summary\":\"The refused value is gone.\"");
}

static void an_alert_names_the_field(void **state)
{
    (void)state;
    rig_put(BUCKET_FLOWS, "f",
            "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{},\"timeout\":\"5 min\"}]}}");
    await_alerts("firing", 1);
    last_alert_says("the last good one stays: /flow/steps/0/timeout: ");
    rig_put(BUCKET_TENANTS, TENANT, "{\"cap\":0}"); /* which names it itself */
    await_alerts("firing", 2);
    last_alert_says("the last good one stays: cap: must be");
    rig_put(BUCKET_UPSTREAMS, "u", "{\"driver\":\"agent\",\"rate\":{\"per_s\":0}}");
    await_alerts("firing", 3);
    last_alert_says("the last good one stays: rate.per_s: must be");
}

/* Its value was good when this gateway began. */
static void what_another_told_is_resolved_with_all_its_fields(void **state)
{
    (void)state;
    (void)fake_store(
        "sluice.alert.ConfigRefused.tenants-zed",
        bytes_str("{\"alert\":\"ConfigRefused\",\"name\":\"tenants-zed\",\"state\":\"firing\","
                  "\"since\":\"2026-01-02T03:04:05.000Z\",\"until\":null,\"command\":"
                  "\"nats kv get sluice_tenants zed --raw\"}"));
    fake_settle();
    await_alerts("resolved", 1);
    last_alert_says("\"since\":\"2026-01-02T03:04:05");
    last_alert_says("\"command\":\"nats kv get sluice_tenants zed --raw\"");
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
        WITH(one_bad_value_after_another_is_one_incident),
        WITH(an_incident_began_with_its_first_bad_value),
        WITH(a_resolved_alert_says_what_is_true),
        WITH(an_alert_names_the_field),
        WITH(what_another_told_is_resolved_with_all_its_fields),
    };
    return cmocka_run_group_tests_name("gw_book", tests, NULL, NULL);
}
