#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "lim_limit.h"

static struct run_upstream config;
static struct lim_grants *grants;
static struct permit_key key;

static int setup(void **state)
{
    (void)state;
    config = (struct run_upstream){.name = "up", .tenant_share = 1};
    key    = (struct permit_key){.name = "up", .rate = true, .in_flight = true};
    grants = lim_grant_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lim_grant_free(&grants);
    return 0;
}

static struct lim_limit limit(void)
{
    return (struct lim_limit){.config = &config,
                              .key    = lim_grant_key(grants, "up"),
                              .mode   = {.window   = {.floor = 1, .in_flight = config.in_flight},
                                         .factor   = config.limited_factor,
                                         .probe_ms = 60000,
                                         .ramp_ms  = 1000},
                              .now    = 100000};
}

static struct lim_block block(size_t waiting)
{
    const struct lim_limit l     = limit();
    const struct lim_limit_ask a = {.tenant = "acme", .key = &key, .waiting = waiting};

    return lim_limit_block(&l, &a);
}

static void nothing_configured_is_no_limit(void **state)
{
    (void)state;
    key.session_open = true;
    assert_null(block(0).why);
}

static void each_limit_has_its_word(void **state)
{
    struct lim_key *k = lim_grant_key(grants, "up");

    (void)state;
    key.session_open = true;
    config.sessions = 1, k->use.sessions = 1;
    assert_string_equal(block(0).why, "upstream_sessions");
    config.in_flight = 3, k->use.in_flight = 3;
    assert_string_equal(block(0).why, "upstream_in_flight");
    config.rate_per_s = 1, config.rate_burst = 1;
    lim_rate_take(&k->bucket, lim_rate_of(1, 1, 1), UINT64_C(100000) * 1000000);
    assert_string_equal(block(0).why, "upstream_rate");
    k->mode.mode = PERMIT_MODE_LIMITED, k->mode.probe_from_ms = 99999;
    assert_string_equal(block(0).why, "upstream_limited");
    k->mode.mode = PERMIT_MODE_CLOSED, k->mode.until_ms = 105000;
    assert_string_equal(block(0).why, "upstream_closed");
    config.paused = true;
    assert_string_equal(block(0).why, "paused");
    key.close = true;
    assert_string_equal(block(0).why, "upstream_rate");
}

static void the_told_time_grows_with_those_who_wait(void **state)
{
    struct lim_key *k = lim_grant_key(grants, "up");

    (void)state;
    config.rate_per_s = 10, config.rate_burst = 1;
    lim_rate_take(&k->bucket, lim_rate_of(10, 1, 1), UINT64_C(100000) * 1000000);
    assert_int_equal(block(0).ms, 100);
    assert_int_equal(block(7).ms, 800);
    config.rate_per_s = 0;
    config.in_flight = 2, k->use.in_flight = 2, k->hold_ms = 4000;
    assert_int_equal(block(0).ms, 2000);
    assert_int_equal(block(3).ms, 8000);
    assert_int_equal(block(100000).ms, 30000); /* nobody is sent away for hours by a guess */
}

static void closed_for_a_moment_is_brief(void **state)
{
    struct lim_key *k = lim_grant_key(grants, "up");

    (void)state;
    k->mode.mode = PERMIT_MODE_CLOSED, k->mode.until_ms = 100500;
    assert_true(block(0).shut && block(0).brief);
    k->mode.until_ms = 105000;
    assert_true(block(0).shut && !block(0).brief);
    k->mode.until_ms = 100500, k->mode.tries = true; /* then one tries: that is not over soon */
    assert_true(block(0).shut && !block(0).brief);
}

static void a_probe_meets_the_limits_themselves(void **state)
{
    struct lim_key *k = lim_grant_key(grants, "up");
    bool probe        = false;

    (void)state;
    config.in_flight         = 1;
    k->mode.mode             = PERMIT_MODE_LIMITED;
    const struct lim_limit l = limit();

    assert_null(block(0).why);
    (void)lim_limit_rate(&l, false, &probe);
    assert_true(probe);
    k->use.in_flight = 1;
    assert_string_equal(block(0).why, "upstream_in_flight");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nothing_configured_is_no_limit),          T(each_limit_has_its_word),
        T(the_told_time_grows_with_those_who_wait), T(closed_for_a_moment_is_brief),
        T(a_probe_meets_the_limits_themselves),
    };

    return cmocka_run_group_tests_name("lim_limit", tests, NULL, NULL);
}
