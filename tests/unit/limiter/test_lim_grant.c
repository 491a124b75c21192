#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "lim_grant.h"

#define A "01KAJ4T0Q8ZP9F4T4W6V2N8M1C"
#define B "01KAJ4T0Q8ZP9F4T4W6V2N8M1D"

static struct grant_record record(enum grant_op op, const char *id, const char *session,
                                  uint64_t at)
{
    struct grant_record r = {.op = op, .at_ms = at, .in_flight = true, .lifetime_ms = 1000};

    str_copy(r.name, sizeof(r.name), "up");
    str_copy(r.tenant, sizeof(r.tenant), "acme");
    str_copy(r.id, sizeof(r.id), id);
    str_copy(r.session, sizeof(r.session), session);
    r.session_open = op == GRANT_GRANT && session[0];
    return r;
}

static void apply(struct lim_grants *all, struct grant_record r)
{
    lim_grant_apply(all, &r);
}

static void a_grant_is_out_until_it_returns(void **state)
{
    struct lim_grants *all    = lim_grant_new();
    const struct lim_key *key = lim_grant_key(all, "up");

    (void)state;
    apply(all, record(GRANT_GRANT, A, "", 5000));
    apply(all, record(GRANT_GRANT, B, "", 6000));
    assert_int_equal(key->use.in_flight, 2);
    assert_int_equal(lim_grant_use(key, "acme").in_flight, 2);
    assert_string_equal(lim_grant_first(all)->id, A);
    assert_int_equal(lim_grant_expires_ms(lim_grant_first(all)), 5000 + 1000 + PERMIT_SLACK_MS);
    apply(all, record(GRANT_RETURN, A, "", 7000));
    apply(all, record(GRANT_RETURN, A, "", 7000));
    assert_int_equal(key->use.in_flight, 1);
    assert_string_equal(lim_grant_first(all)->id, B);
    apply(all, record(GRANT_RETURN, B, "", 7000));
    assert_int_equal(lim_grant_use(key, "acme").in_flight, 0);
    assert_null(lim_grant_first(all));
    lim_grant_free(&all);
}

static void the_same_id_again_begins_anew_and_counts_once(void **state)
{
    struct lim_grants *all = lim_grant_new();

    (void)state;
    apply(all, record(GRANT_GRANT, A, "", 5000));
    apply(all, record(GRANT_GRANT, A, "", 9000));
    assert_int_equal(lim_grant_key(all, "up")->use.in_flight, 1);
    assert_int_equal(lim_grant_first(all)->at_ms, 9000);
    lim_grant_free(&all);
}

static void a_session_outlives_its_permits_until_its_end(void **state)
{
    struct lim_grants *all      = lim_grant_new();
    const struct lim_session *s = NULL;
    struct grant_record back    = record(GRANT_RETURN, A, "", 7000);

    (void)state;
    apply(all, record(GRANT_GRANT, A, "s1", 5000));
    s = lim_grant_session(all, "up", "s1");
    assert_true(s && s->openers == 1 && !s->opened && !list_empty(&s->permits));
    back.opened = true;
    apply(all, back);
    assert_true(s->openers == 0 && s->opened && list_empty(&s->permits));
    assert_int_equal(s->last_end_ms, 7000);
    assert_int_equal(lim_grant_key(all, "up")->use.sessions, 1);
    assert_int_equal(lim_grant_use(lim_grant_key(all, "up"), "acme").sessions, 1);
    apply(all, record(GRANT_SESSION_END, "", "s1", 8000));
    apply(all, record(GRANT_SESSION_END, "", "s1", 8000));
    assert_null(lim_grant_session(all, "up", "s1"));
    assert_int_equal(lim_grant_key(all, "up")->use.sessions, 0);
    lim_grant_free(&all);
}

static void a_session_may_end_before_the_permit_that_names_it(void **state)
{
    struct lim_grants *all = lim_grant_new();

    (void)state;
    apply(all, record(GRANT_GRANT, A, "s1", 5000));
    apply(all, record(GRANT_SESSION_END, "", "s1", 6000));
    assert_null(lim_grant_find(all, A)->session);
    apply(all, record(GRANT_RETURN, A, "", 7000));
    assert_int_equal(lim_grant_key(all, "up")->use.sessions, 0);
    lim_grant_free(&all);
}

static void what_was_granted_in_the_last_second_is_counted(void **state)
{
    struct lim_grants *all = lim_grant_new();
    struct grant_record r  = record(GRANT_GRANT, A, "", 0);
    struct lim_key *key    = lim_grant_key(all, "up");

    (void)state;
    r.rate = true;
    for (r.at_ms = 10000; r.at_ms < 11000; r.at_ms += 50)
        lim_grant_apply(all, &r);
    assert_int_equal(lim_grant_used_1s(key, 10950), 20);
    assert_int_equal(lim_grant_used_1s(key, 11450), 10);
    assert_int_equal(lim_grant_used_1s(key, 13000), 0);
    lim_grant_free(&all);
}

static void a_clock_that_was_set_back_closes_nothing_for_hours(void **state)
{
    struct lim_grants *all   = lim_grant_new();
    struct grant_record mode = record(GRANT_MODE, "", "", 90000000);

    (void)state;
    mode.mode     = PERMIT_MODE_CLOSED;
    mode.since_ms = 90000000;
    mode.until_ms = 90005000;
    lim_grant_apply(all, &mode);
    apply(all, record(GRANT_GRANT, A, "s1", 90000000));
    lim_grant_clamp(all, 1000);
    assert_int_equal(lim_grant_key(all, "up")->mode.until_ms, 1000 + 5000);
    assert_int_equal(lim_grant_expires_ms(lim_grant_first(all)), 1000 + 1000 + PERMIT_SLACK_MS);
    assert_int_equal(lim_grant_session(all, "up", "s1")->last_end_ms, 1000);
    lim_grant_free(&all);
}

/* Records that nobody would write, in any order: counts stay what is there, nothing is lost or freed twice. */
static void the_fold_is_total(void **state)
{
    static const char *const NAMES[] = {"up", "down", "site:x", ""};
    struct lim_grants *all           = lim_grant_new();
    unsigned seed                    = 11;

    (void)state;
    for (int n = 0; n < 200000; n++) {
        seed                  = seed * 1103515245 + 12345;
        struct grant_record r = {.op    = (enum grant_op)((seed >> 16) % (GRANT_SESSION + 1)),
                                 .at_ms = (seed >> 8) % 100000,
                                 .lifetime_ms  = (seed >> 10) % 1000,
                                 .in_flight    = (seed >> 11) % 2,
                                 .session_open = (seed >> 12) % 2,
                                 .rate         = (seed >> 13) % 2,
                                 .probe        = (seed >> 14) % 2,
                                 .opened       = (seed >> 15) % 2,
                                 .mode         = (enum permit_mode)((seed >> 20) % 6),
                                 .until_ms     = (seed >> 5) % 100000};

        str_copy(r.name, sizeof(r.name), NAMES[(seed >> 21) % 4]);
        str_format(r.tenant, sizeof(r.tenant), "t%u", (seed >> 23) % 3);
        if ((seed >> 25) % 8)
            str_format(r.id, sizeof(r.id), "01KAJ4T0Q8ZP9F4T%010u", (seed >> 17) % 40);
        if ((seed >> 26) % 3)
            str_format(r.session, sizeof(r.session), "s%u", (seed >> 18) % 9);
        str_copy(r.why, sizeof(r.why), (seed >> 19) % 2 ? "Upstream402" : "UpstreamBreaker");
        lim_grant_apply(all, &r);
        if (n % 100 == 0) {
            struct lim_key *key   = NULL;
            struct lim_session *s = NULL;
            size_t sessions = 0, counted = 0;

            for (size_t it = 0; lim_grant_key_next(all, &it, &key);) {
                assert_true(key->use.in_flight <= lim_grant_count(all));
                counted += key->use.sessions;
            }
            for (size_t it = 0; lim_grant_session_next(all, &it, &s);)
                sessions++;
            assert_int_equal(sessions, counted);
        }
    }
    lim_grant_clamp(all, 50);
    lim_grant_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grant_is_out_until_it_returns),
        cmocka_unit_test(the_same_id_again_begins_anew_and_counts_once),
        cmocka_unit_test(a_session_outlives_its_permits_until_its_end),
        cmocka_unit_test(a_session_may_end_before_the_permit_that_names_it),
        cmocka_unit_test(what_was_granted_in_the_last_second_is_counted),
        cmocka_unit_test(a_clock_that_was_set_back_closes_nothing_for_hours),
        cmocka_unit_test(the_fold_is_total),
    };

    return cmocka_run_group_tests_name("lim_grant", tests, NULL, NULL);
}
