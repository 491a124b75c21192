/* What an operator sees of a tenant, and what a request changes while the bucket holds something broken that was written by
   hand. */
#include "sch_rig.h"

#define KEY "$KV.sluice_tenants." TENANT
#define REPLY "_TEST.admin"

static char said[4096]; /* the last answer; "": none yet */

static void on_answer(void *self, struct bus_msg **msg)
{
    (void)self;
    str_copy_n(said, sizeof(said), (const char *)(*msg)->body.at, (*msg)->body.len);
}

static const char *ask(struct rig *r, const char *patch)
{
    struct bus_sub *sub = NULL;

    said[0] = '\0';
    assert_false(failed(bus_subscribe(r->client, REPLY, NULL, on_answer, NULL, &sub)));
    assert_true(bus_send_from(
        r->client,
        &(struct bus_out){.subject = "sluice.admin.tenant." TENANT, .body = bytes_str(patch)},
        REPLY));
    RIG_WAIT(r, 5000, said[0]);
    bus_unsubscribe(&sub);
    return said;
}

static void written_by_hand(const char *value)
{
    (void)fake_store(KEY, bytes_str(value));
}

static void stored_is(const char *value)
{
    size_t count = fake_stored_count("KV_sluice_tenants", KEY);
    struct fake_stored m;
    char text[400];

    assert_true(count > 0 && fake_stored("KV_sluice_tenants", KEY, count - 1, &m));
    str_copy_n(text, sizeof(text), (const char *)m.body.at, m.body.len);
    assert_string_equal(text, value);
}

static void a_pause_behind_what_is_no_json_takes_no_limit_away(void **state)
{
    struct rig *r = *state;

    written_by_hand("{\"tier\":\"pro\",\"cap\":3}");
    rig_pass(r, 1000);
    written_by_hand("{\"cap\":4,}");
    rig_pass(r, 1000);

    assert_non_null(strstr(ask(r, "{\"paused\":true}"), "\"cap\":3"));
    stored_is("{\"tier\":\"pro\",\"cap\":3,\"paused\":true}");
}

static void a_pause_is_not_refused_for_a_field_that_a_hand_wrote(void **state)
{
    struct rig *r = *state;

    written_by_hand("{\"cap\":3,\"pausd\":true}");
    rig_pass(r, 1000);

    assert_non_null(strstr(ask(r, "{\"paused\":true}"), "\"paused\":true"));
    stored_is("{\"cap\":10,\"paused\":true}");
}

/* The broken value is read while those below it are still on their way to us: the last of them holds all the same. */
static void a_value_that_was_not_heard_of_yet_is_not_lost(void **state)
{
    struct rig *r = *state;
    char value[40];

    for (int cap = 20; cap <= 40; cap++) {
        str_format(value, sizeof(value), "{\"cap\":%d}", cap);
        written_by_hand(value);
    }
    written_by_hand("{\"cap\":50,}");

    assert_non_null(strstr(ask(r, "{\"paused\":true}"), "\"cap\":40"));
    stored_is("{\"cap\":40,\"paused\":true}");
}

/* What the gateway is told of, and refuses by, is what the operator sees. */
/* … and is what a patch goes into. */
static void a_tenant_written_before_its_tier_is_taken_with_it(void **state)
{
    struct rig *r = *state;

    written_by_hand("{\"tier\":\"bronze\",\"cap\":7}");
    rig_pass(r, 1000);
    assert_non_null(strstr(ask(r, ""), "\"cap\":10"));
    (void)fake_store("$KV.sluice_tenants.tier.bronze", bytes_str("{\"queue_max\":77}"));
    rig_pass(r, 1000);

    assert_non_null(strstr(ask(r, ""), "\"tier\":\"bronze\",\"cap\":7"));
    assert_non_null(strstr(ask(r, ""), "\"queue_max\":77"));
    written_by_hand("no JSON");
    rig_pass(r, 1000);
    (void)ask(r, "{\"paused\":true}");
    stored_is("{\"tier\":\"bronze\",\"cap\":7,\"paused\":true}");
}

static void runs_before_their_time_are_queued_and_not_old(void **state)
{
    struct rig *r = *state;

    for (unsigned n = 1; n <= 2; n++) {
        rig_plan(r, n, (struct entry_plan){.key = ""});
        rig_ticket(n, (struct ticket){.lane = LANE_BULK, .due_after_ms = 3600 * 1000});
    }
    RIG_WAIT(r, 5000, strstr(ask(r, ""), "\"bulk\":2}"));
    assert_non_null(strstr(said, "\"oldest_ms\":0}"));
    assert_int_equal(sch_index_tenant_find(r->sch->index, TENANT)->fresh, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_pause_behind_what_is_no_json_takes_no_limit_away),
        WITH(a_pause_is_not_refused_for_a_field_that_a_hand_wrote),
        WITH(runs_before_their_time_are_queued_and_not_old),
        WITH(a_value_that_was_not_heard_of_yet_is_not_lost),
        WITH(a_tenant_written_before_its_tier_is_taken_with_it),
    };
    return cmocka_run_group_tests_name("sch_admin", tests, NULL, NULL);
}
