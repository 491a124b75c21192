/* Settings: what an operator says, repeated until it is answered, stands and was answered once. */
#include "world.h"

/* Repeated until it is taken; then it stands. */
static bool drive_setting(const char *subject, const char *body, const char *stored_at,
                          const char *word)
{
    struct fake_stored m;

    if (world.stage == 0) {
        (void)ask_at(subject, body);
        next_stage();
    }
    unsigned last = world.ask_count - 1;
    bool repeats = fake_now() > world.asks[last].asked + CLIENT_MS && !world.asks[last].answers;
    if (!world.asks[last].answers && !repeats)
        return false;
    if ((repeats || says(last, "\"code\"")) && world.ask_count < ASKS_MAX) {
        (void)ask_at(subject, body);
        return false;
    }
    bool there = false;
    for (size_t i = 0; fake_stored("KV_sluice_tenants", stored_at, i, &m) ||
                       fake_stored("KV_sluice_upstreams", stored_at, i, &m);
         i++)
        there = true;
    if (!there)
        complain("a setting that was answered is not there");
    else if (!memmem(m.body.at, m.body.len, word, strlen(word)))
        complain("a setting that was answered does not stand");
    return true;
}

static const char *judge_answers(void)
{
    for (unsigned n = 0; n < world.ask_count; n++)
        if (world.asks[n].answers > 1)
            return "a request was answered twice";
    return NULL;
}

static bool drive_tenant(void)
{
    return drive_setting("sluice.admin.tenant." TENANT, "{\"cap\":7}",
                         "$KV.sluice_tenants." TENANT, "\"cap\":7");
}

static bool drive_upstream(void)
{
    return drive_setting("sluice.admin.upstream.sim", "{\"in_flight\":3}",
                         "$KV.sluice_upstreams.sim", "\"in_flight\":3");
}

static void a_tenant_is_set(void **state)
{
    static const struct scenario s = {
        .name = "set tenant", .drive = drive_tenant, .judge = judge_answers};

    (void)state;
    torture(&s);
}

static void an_upstream_is_set(void **state)
{
    static const struct scenario s = {
        .name = "set upstream", .drive = drive_upstream, .judge = judge_answers};

    (void)state;
    torture(&s);
}

THESE_CHAINS_WERE_HURT("tenant", "admin-upstream")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tenant_is_set),
        cmocka_unit_test(an_upstream_is_set),
        cmocka_unit_test(these_chains_were_hurt),
    };

    return cmocka_run_group_tests_name("admin", tests, world_setup, world_teardown);
}
