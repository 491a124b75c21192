#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "run/run_retry.h"

#include <cmocka.h>

static const struct flow_step READS = {
    .effect = EFFECT_READ, .retry = {.tries = 3, .wait_ms = 1000, .max_wait_ms = 60000}};
static const struct flow_step ORDERS = {
    .effect = EFFECT_UNSAFE, .retry = {.tries = 3, .wait_ms = 1000, .max_wait_ms = 60000}};

static struct retry_answer first_try(const struct flow_step *step, enum call_fate fate)
{
    return run_retry(step, fate, 1, true, 0, 12345);
}

static void what_may_have_ordered_is_never_repeated(void **state)
{
    static const enum call_fate FATES[] = {CALL_FAILED, CALL_UNANSWERED, CALL_SESSION_LOST};

    (void)state;
    for (size_t i = 0; i < sizeof FATES / sizeof *FATES; i++)
        for (uint32_t attempts = 1; attempts < 5; attempts++)
            assert_int_equal(run_retry(&ORDERS, FATES[i], attempts, true, 0, i).verdict,
                             RETRY_INDETERMINATE);
}

static void what_only_reads_is_repeated_until_its_tries_are_spent(void **state)
{
    (void)state;
    assert_int_equal(first_try(&READS, CALL_FAILED).verdict, RETRY_AGAIN);
    assert_int_equal(first_try(&READS, CALL_UNANSWERED).verdict, RETRY_AGAIN);
    assert_int_equal(run_retry(&READS, CALL_FAILED, 2, true, 0, 1).verdict, RETRY_AGAIN);
    assert_int_equal(run_retry(&READS, CALL_FAILED, 3, true, 0, 1).verdict, RETRY_FAIL);
}

static void what_was_certainly_not_sent_may_be_sent_again(void **state)
{
    (void)state;
    assert_int_equal(first_try(&ORDERS, CALL_NOT_SENT).verdict, RETRY_AGAIN);
    assert_int_equal(run_retry(&ORDERS, CALL_NOT_SENT, 3, true, 0, 1).verdict, RETRY_FAIL);
}

/* 402 and 429: the run parks, for as long as it was told, however often that happens. */
static void what_is_deferred_spends_no_try(void **state)
{
    (void)state;
    for (uint32_t attempts = 1; attempts < 5; attempts++) {
        struct retry_answer a = run_retry(&ORDERS, CALL_DEFERRED, attempts, false, 7000, 1);

        assert_int_equal(a.verdict, RETRY_DEFER);
        assert_int_equal(a.wait_ms, 7000);
    }
}

static void a_lost_session_begins_again_where_it_may(void **state)
{
    (void)state;
    assert_int_equal(run_retry(&READS, CALL_SESSION_LOST, 1, true, 0, 1).verdict,
                     RETRY_RESTART);
    assert_int_equal(run_retry(&READS, CALL_SESSION_LOST, 1, false, 0, 1).verdict, RETRY_FAIL);
}

static void a_refusal_is_final(void **state)
{
    (void)state;
    assert_int_equal(first_try(&READS, CALL_REFUSED).verdict, RETRY_FAIL);
    assert_int_equal(first_try(&READS, CALL_DONE).verdict, RETRY_SETTLED);
}

static void nobody_comes_again_sooner_than_he_was_told(void **state)
{
    (void)state;
    for (uint64_t random = 0; random < 1000; random++)
        assert_true(run_retry(&READS, CALL_FAILED, 1, true, 5000, random).wait_ms >= 5000);
}

/* Of the upstream that closed all are told by the limiter; the run's own patience is the flow's word. */
static void nobody_waits_longer_than_max_wait(void **state)
{
    (void)state;
    for (uint64_t random = 0; random < 1000; random++) {
        struct retry_answer a = run_retry(&READS, CALL_FAILED, 2, true, 24 * 3600000, random);

        assert_int_equal(a.verdict, RETRY_AGAIN);
        assert_int_equal(a.wait_ms, 60000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_have_ordered_is_never_repeated),
        cmocka_unit_test(what_only_reads_is_repeated_until_its_tries_are_spent),
        cmocka_unit_test(what_was_certainly_not_sent_may_be_sent_again),
        cmocka_unit_test(what_is_deferred_spends_no_try),
        cmocka_unit_test(a_lost_session_begins_again_where_it_may),
        cmocka_unit_test(a_refusal_is_final),
        cmocka_unit_test(nobody_comes_again_sooner_than_he_was_told),
        cmocka_unit_test(nobody_waits_longer_than_max_wait),
    };

    return cmocka_run_group_tests_name("run_retry", tests, NULL, NULL);
}
