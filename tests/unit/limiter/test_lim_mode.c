#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lim_mode.h"

static const struct lim_mode_limits LIMITS = {.window   = {.floor = 1, .in_flight = 100},
                                              .factor   = 0,
                                              .probe_ms = 60000,
                                              .ramp_ms  = 300000};

static bool heard(struct lim_mode *m, enum call_class what, uint64_t retry_after_ms,
                  uint64_t now)
{
    const struct lim_mode_result r = {.call_class     = what,
                                      .status         = what == CALL_PAYMENT ? 402 : 0,
                                      .retry_after_ms = retry_after_ms,
                                      .granted_ms     = now - 1,
                                      .in_flight      = 5,
                                      .chance         = 0};

    return lim_mode_heard(m, &LIMITS, &r, now);
}

static bool heard_probe(struct lim_mode *m, enum call_class what, uint64_t now)
{
    const struct lim_mode_result r = {
        .call_class = what, .granted_ms = now - 1, .in_flight = 1, .probe = true};

    return lim_mode_heard(m, &LIMITS, &r, now);
}

static enum lim_pass pass(const struct lim_mode *m, uint64_t now)
{
    uint64_t ms     = 0;
    const char *why = NULL;

    return lim_mode_pass(m, &LIMITS, now, &ms, &why);
}

static void a_429_closes_until_told_and_not_a_moment_less(void **state)
{
    struct lim_mode m              = {.mode = PERMIT_MODE_OPEN};
    const struct lim_mode_result r = {.call_class     = CALL_RATE,
                                      .status         = 429,
                                      .retry_after_ms = 5000,
                                      .granted_ms     = 900,
                                      .in_flight      = 1,
                                      .chance         = 123456789};

    (void)state;
    assert_true(lim_mode_heard(&m, &LIMITS, &r, 1000));
    assert_int_equal(m.mode, PERMIT_MODE_CLOSED);
    assert_true(m.until_ms >= 6000 && m.until_ms <= 6500);
    assert_int_equal(pass(&m, 5999), LIM_PASS_NO);
    assert_false(lim_mode_tick(&m, m.until_ms - 1));
    assert_true(lim_mode_tick(&m, m.until_ms));
    assert_int_equal(m.mode, PERMIT_MODE_OPEN);
    assert_int_equal(pass(&m, m.since_ms), LIM_PASS_YES);
}

/* "Retry-After: 0.001": obeyed, it would be a call each few milliseconds for as long as the upstream says so. */
static void less_than_a_second_is_no_word_about_when(void **state)
{
    static const uint64_t TOLD[] = {1, 10, 500, 999};
    static const uint64_t LAST[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};

    (void)state;
    for (size_t i = 0; i < sizeof TOLD / sizeof *TOLD; i++) {
        struct lim_mode m = {.mode = PERMIT_MODE_OPEN};
        uint64_t now      = 100000;

        for (size_t n = 0; n < sizeof LAST / sizeof *LAST; n++) {
            assert_true(heard(&m, CALL_RATE, TOLD[i], now));
            assert_int_equal(m.until_ms, now + LAST[n]);
            now = m.until_ms;
            assert_true(lim_mode_tick(&m, now));
            now += 5;
        }
    }
}

static void an_honest_second_is_obeyed_as_often_as_it_is_said(void **state)
{
    struct lim_mode m = {.mode = PERMIT_MODE_OPEN};
    uint64_t now      = 100000;

    (void)state;
    for (unsigned n = 0; n < 8; n++) {
        assert_true(heard(&m, CALL_RATE, 1000, now));
        assert_int_equal(m.until_ms, now + 1000);
        now = m.until_ms;
        assert_true(lim_mode_tick(&m, now));
        now += 5;
    }
}

/* Ten that were out together are one refusal. */
static void a_brief_word_to_all_that_were_out_is_one_refusal(void **state)
{
    struct lim_mode m              = {.mode = PERMIT_MODE_OPEN};
    const struct lim_mode_result r = {
        .call_class = CALL_RATE, .retry_after_ms = 1, .granted_ms = 900, .in_flight = 10};

    (void)state;
    assert_true(lim_mode_heard(&m, &LIMITS, &r, 1000));
    for (uint64_t now = 1000; now < 1009; now++)
        assert_false(lim_mode_heard(&m, &LIMITS, &r, now));
    assert_int_equal(m.until_ms, 2000);
    assert_int_equal(m.trips, 1);
}

static void who_looks_is_told_what_closed_it(void **state)
{
    static const struct {
        uint32_t status;
        const char *why;
    } CASES[] = {{402, "402"}, {403, "429"}, {429, "429"}, {503, "503"}};

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct lim_mode m              = {.mode = PERMIT_MODE_OPEN};
        const struct lim_mode_result r = {
            .call_class = CALL_RATE, .status = CASES[i].status, .retry_after_ms = 4000};

        assert_true(lim_mode_heard(&m, &LIMITS, &r, 1000));
        assert_string_equal(m.why, CASES[i].why);
    }
}

static void a_closing_is_only_ever_prolonged(void **state)
{
    struct lim_mode m = {.mode = PERMIT_MODE_OPEN};

    (void)state;
    assert_true(heard(&m, CALL_RATE, 5000, 1000));
    assert_false(heard(&m, CALL_RATE, 1000, 1100));
    assert_int_equal(m.until_ms, 6000);
    assert_true(heard(&m, CALL_RATE, 9000, 1100));
    assert_int_equal(m.until_ms, 10100);
    assert_false(heard(&m, CALL_OK, 0, 1200));
    assert_int_equal(m.mode, PERMIT_MODE_CLOSED);
}

static void closed_without_a_word_of_how_long_it_doubles(void **state)
{
    struct lim_mode m = {.mode = PERMIT_MODE_OPEN};
    uint64_t now = 1000, last = 0;

    (void)state;
    for (int n = 0; n < 10; n++) {
        assert_true(heard(&m, CALL_RATE, 0, now));
        uint64_t ms = m.until_ms - now;

        assert_true(ms >= last && ms <= LIM_MODE_BACKOFF_MAX);
        last = ms;
        now  = m.until_ms;
        assert_true(lim_mode_tick(&m, now));
        now++;
    }
    assert_int_equal(last, LIM_MODE_BACKOFF_MAX);
}

static void trouble_slows_and_answers_open_again(void **state)
{
    struct lim_mode m = {.mode = PERMIT_MODE_OPEN};

    (void)state;
    assert_true(heard(&m, CALL_SERVER, 0, 1000));
    assert_int_equal(m.mode, PERMIT_MODE_SLOWED);
    assert_int_equal(lim_mode_room(&m, &LIMITS, 1000), 3);
    for (int n = 0; m.mode == PERMIT_MODE_SLOWED && n < 100000; n++)
        (void)heard(&m, CALL_OK, 0, 2000);
    assert_int_equal(m.mode, PERMIT_MODE_OPEN);
    assert_int_equal(lim_mode_room(&m, &LIMITS, 2000), 100);
}

static void failures_in_a_row_close_and_one_tries(void **state)
{
    struct lim_mode m = {.mode = PERMIT_MODE_OPEN};

    (void)state;
    for (unsigned n = 0; n < LIM_MODE_FAILURES - 1; n++)
        (void)heard(&m, CALL_TIMEOUT, 0, 1000 + n);
    (void)heard(&m, CALL_OK, 0, 1050);
    for (unsigned n = 0; n < LIM_MODE_FAILURES; n++) {
        assert_int_not_equal(m.mode, PERMIT_MODE_CLOSED);
        (void)heard(&m, CALL_SERVER, 0, 1100 + n);
    }
    assert_int_equal(m.mode, PERMIT_MODE_CLOSED);
    assert_true(m.tries);
    uint64_t until = m.until_ms;

    assert_false(lim_mode_tick(&m, until));
    assert_int_equal(pass(&m, until - 1), LIM_PASS_NO);
    assert_int_equal(pass(&m, until), LIM_PASS_PROBE);
    lim_mode_probe(&m, "01KAJ4T0Q8ZP9F4T4W6V2N8M1C", until);
    assert_int_equal(pass(&m, until + 5), LIM_PASS_NO);
    assert_true(heard_probe(&m, CALL_TIMEOUT, until + 10));
    assert_true(m.until_ms > until + 1000); /* longer than before */
    assert_int_equal(pass(&m, m.until_ms), LIM_PASS_PROBE);
    lim_mode_probe(&m, "01KAJ4T0Q8ZP9F4T4W6V2N8M1C", m.until_ms);
    assert_true(heard_probe(&m, CALL_OK, m.until_ms + 10));
    assert_int_equal(m.mode, PERMIT_MODE_SLOWED);
    assert_int_equal(lim_mode_room(&m, &LIMITS, m.since_ms), 1);
}

static void a_failure_of_before_the_reopening_counts_no_more(void **state)
{
    struct lim_mode m = {.mode = PERMIT_MODE_OPEN};

    (void)state;
    for (unsigned n = 0; n < LIM_MODE_FAILURES; n++)
        (void)heard(&m, CALL_SERVER, 0, 1100 + n);
    lim_mode_probe(&m, "01KAJ4T0Q8ZP9F4T4W6V2N8M1C", m.until_ms);
    assert_true(heard_probe(&m, CALL_OK, m.until_ms + 10));
    for (unsigned n = 0; n < 3 * LIM_MODE_FAILURES; n++) {
        const struct lim_mode_result late = {
            .call_class = CALL_TIMEOUT, .granted_ms = 1050, .in_flight = 9};

        assert_false(lim_mode_heard(&m, &LIMITS, &late, m.since_ms + 100));
    }
    assert_int_equal(m.mode, PERMIT_MODE_SLOWED);
}

static void a_402_limits_and_a_probe_an_interval_tries(void **state)
{
    struct lim_mode m = {.mode = PERMIT_MODE_OPEN};

    (void)state;
    assert_true(heard(&m, CALL_PAYMENT, 0, 1000));
    assert_int_equal(m.mode, PERMIT_MODE_LIMITED);
    assert_false(heard(&m, CALL_PAYMENT, 0, 1001)); /* the others that were out */
    assert_false(heard(&m, CALL_OK, 0, 1002));
    assert_int_equal(lim_mode_room(&m, &LIMITS, 1002), 0);
    assert_int_equal(pass(&m, 60999), LIM_PASS_NO);
    assert_int_equal(pass(&m, 61000), LIM_PASS_PROBE);
    lim_mode_probe(&m, "01KAJ4T0Q8ZP9F4T4W6V2N8M1C", 61000);
    assert_int_equal(pass(&m, 61001), LIM_PASS_NO);
    assert_false(heard_probe(&m, CALL_PAYMENT, 61500));
    assert_int_equal(pass(&m, 121499), LIM_PASS_NO);
    assert_int_equal(pass(&m, 121500), LIM_PASS_PROBE);
    lim_mode_probe(&m, "01KAJ4T0Q8ZP9F4T4W6V2N8M1C", 121500);
    assert_true(heard_probe(&m, CALL_OK, 122000));
    assert_int_equal(m.mode, PERMIT_MODE_RAMP);
    assert_false(lim_mode_tick(&m, 421999));
    assert_true(lim_mode_tick(&m, 422000));
    assert_int_equal(m.mode, PERMIT_MODE_OPEN);
}

static void a_probe_that_was_not_sent_leaves_its_turn_to_another(void **state)
{
    struct lim_mode m = {.mode = PERMIT_MODE_OPEN};

    (void)state;
    (void)heard(&m, CALL_PAYMENT, 0, 1000);
    lim_mode_probe(&m, "01KAJ4T0Q8ZP9F4T4W6V2N8M1C", 61000);
    assert_false(heard_probe(&m, CALL_UNSENT, 61100));
    assert_int_equal(pass(&m, 61100), LIM_PASS_PROBE);
    lim_mode_probe(&m, "01KAJ4T0Q8ZP9F4T4W6V2N8M1C", 61100);
    assert_false(heard_probe(&m, CALL_CLIENT, 61200));
    assert_int_equal(pass(&m, 61200), LIM_PASS_PROBE);
}

static void a_402_with_retry_after_is_transient(void **state)
{
    struct lim_mode m = {.mode = PERMIT_MODE_OPEN};

    (void)state;
    assert_true(heard(&m, CALL_PAYMENT, 3000, 1000));
    assert_int_equal(m.mode, PERMIT_MODE_CLOSED);
    assert_string_equal(m.why, "402");
    assert_true(lim_mode_tick(&m, 4300));
    assert_int_equal(m.mode, PERMIT_MODE_OPEN);
}

static void the_operator_resumes_and_it_ramps(void **state)
{
    struct lim_mode m = {.mode = PERMIT_MODE_OPEN};
    uint32_t last     = 0;

    (void)state;
    assert_false(lim_mode_resume(&m, &LIMITS, 0, 1000));
    (void)heard(&m, CALL_PAYMENT, 0, 1000);
    assert_true(lim_mode_resume(&m, &LIMITS, 10000, 2000));
    for (uint64_t now = 2000; now < 12000; now += 100) {
        uint32_t room = lim_mode_room(&m, &LIMITS, now);

        assert_true(room >= 1 && room >= last && room <= 100);
        last = room;
    }
    assert_true(last >= 95);
    assert_true(lim_mode_tick(&m, 12000));
    assert_int_equal(lim_mode_room(&m, &LIMITS, 12000), 100);
    assert_true(lim_mode_factor(&m, &LIMITS, 12000) == 1);
}

static void a_402_of_before_it_was_paid_is_old_news(void **state)
{
    struct lim_mode m                 = {.mode = PERMIT_MODE_OPEN};
    const struct lim_mode_result late = {
        .call_class = CALL_PAYMENT, .status = 402, .granted_ms = 1500, .in_flight = 9};

    (void)state;
    (void)heard(&m, CALL_PAYMENT, 0, 1000);
    (void)lim_mode_resume(&m, &LIMITS, 10000, 2000);
    assert_false(lim_mode_heard(&m, &LIMITS, &late, 2100));
    assert_int_equal(m.mode, PERMIT_MODE_RAMP);
    assert_true(heard(&m, CALL_PAYMENT, 0, 2200));
    assert_int_equal(m.mode, PERMIT_MODE_LIMITED);
}

static void a_factor_leaves_part_of_the_capacity(void **state)
{
    struct lim_mode m            = {.mode = PERMIT_MODE_OPEN};
    struct lim_mode_limits limit = LIMITS;
    uint64_t ms                  = 0;
    const char *why              = NULL;

    (void)state;
    limit.factor = 0.25;
    (void)heard(&m, CALL_PAYMENT, 0, 1000);
    assert_int_equal(lim_mode_room(&m, &limit, 1000), 25);
    assert_int_equal(lim_mode_pass(&m, &limit, 1000, &ms, &why), LIM_PASS_YES);
}

static void what_is_written_is_read(void **state)
{
    struct lim_mode m = {.mode = PERMIT_MODE_OPEN}, back = {.mode = PERMIT_MODE_NONE};
    struct grant_record r = {.at_ms = 5000};

    (void)state;
    for (unsigned n = 0; n < LIM_MODE_FAILURES; n++)
        (void)heard(&m, CALL_SERVER, 0, 1100 + n);
    lim_mode_write(&m, &r);
    lim_mode_read(&back, &r);
    assert_int_equal(back.mode, m.mode);
    assert_int_equal(back.since_ms, m.since_ms);
    assert_int_equal(back.until_ms, m.until_ms);
    assert_int_equal(back.trips, m.trips);
    assert_true(back.tries);
    assert_int_equal(lim_window_room(&back.window), lim_window_room(&m.window));
    assert_string_equal(back.why, m.why);
}

/* Whatever is heard, in whatever order: the machine stands in one of its states, rooms keep their bounds. */
static void any_sequence_keeps_its_bounds(void **state)
{
    struct lim_mode m = {.mode = PERMIT_MODE_OPEN};
    unsigned seed     = 7;
    uint64_t now      = 100000;

    (void)state;
    for (int n = 0; n < 200000; n++) {
        seed = seed * 1103515245 + 12345;
        now += (seed >> 16) % 50;
        const struct lim_mode_result r = {
            .call_class     = (enum call_class)((seed >> 20) % (CALL_UNSENT + 1)),
            .retry_after_ms = (seed >> 8) % 5 ? 0 : (seed >> 12) % 100000,
            .granted_ms     = now - (seed >> 18) % 1000,
            .in_flight      = 1 + (seed >> 14) % 100,
            .probe          = m.probe[0] != '\0' && (seed >> 9) % 2,
            .chance         = seed};

        if ((seed >> 22) % 50 == 0)
            (void)lim_mode_resume(&m, &LIMITS, 1000, now);
        (void)lim_mode_heard(&m, &LIMITS, &r, now);
        (void)lim_mode_tick(&m, now);
        if (pass(&m, now) == LIM_PASS_PROBE)
            lim_mode_probe(&m, "01KAJ4T0Q8ZP9F4T4W6V2N8M1C", now);
        uint32_t room = lim_mode_room(&m, &LIMITS, now);
        double factor = lim_mode_factor(&m, &LIMITS, now);

        assert_true(room <= 100 && (room >= 1 || m.mode == PERMIT_MODE_LIMITED));
        assert_true(factor >= 0 && factor <= 1);
        assert_true(m.mode >= PERMIT_MODE_OPEN && m.mode <= PERMIT_MODE_RAMP);
        if (m.mode == PERMIT_MODE_CLOSED)
            assert_true(m.until_ms < now + LIM_MODE_CLOSED_MAX * UINT64_C(2));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_429_closes_until_told_and_not_a_moment_less),
        cmocka_unit_test(less_than_a_second_is_no_word_about_when),
        cmocka_unit_test(an_honest_second_is_obeyed_as_often_as_it_is_said),
        cmocka_unit_test(a_brief_word_to_all_that_were_out_is_one_refusal),
        cmocka_unit_test(who_looks_is_told_what_closed_it),
        cmocka_unit_test(a_closing_is_only_ever_prolonged),
        cmocka_unit_test(closed_without_a_word_of_how_long_it_doubles),
        cmocka_unit_test(trouble_slows_and_answers_open_again),
        cmocka_unit_test(failures_in_a_row_close_and_one_tries),
        cmocka_unit_test(a_failure_of_before_the_reopening_counts_no_more),
        cmocka_unit_test(a_402_limits_and_a_probe_an_interval_tries),
        cmocka_unit_test(a_probe_that_was_not_sent_leaves_its_turn_to_another),
        cmocka_unit_test(a_402_with_retry_after_is_transient),
        cmocka_unit_test(the_operator_resumes_and_it_ramps),
        cmocka_unit_test(a_402_of_before_it_was_paid_is_old_news),
        cmocka_unit_test(a_factor_leaves_part_of_the_capacity),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(any_sequence_keeps_its_bounds),
    };

    return cmocka_run_group_tests_name("lim_mode", tests, NULL, NULL);
}
