#include "agent_sim/sim_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct sim_words read_all(const char *text)
{
    struct sim_words words = sim_words_none();
    const char *wrong      = NULL;

    assert_true(sim_words_read(&words, text, &wrong));
    return words;
}

static void text_without_words_says_nothing(void **state)
{
    (void)state;
    struct sim_words words = read_all("buy two tickets; verisim:order=1 is no word");

    assert_string_equal(words.order, "");
    assert_false(words.faulty);
    assert_true(words.latency_min_ms < 0);
    assert_int_equal(words.rows, -1);
}

static void words_are_found_anywhere_in_a_command(void **state)
{
    (void)state;
    struct sim_words words = read_all("sim:tenant=acme buy\nsim:order=o-1:x the "
                                      "sim:latency=200..800 thing sim:rows=7");

    assert_string_equal(words.tenant, "acme");
    assert_string_equal(words.order, "o-1:x");
    assert_true(words.latency_min_ms == 200 && words.latency_max_ms == 800);
    assert_int_equal(words.rows, 7);
}

static void words_are_found_in_a_url(void **state)
{
    (void)state;
    struct sim_words words = read_all("https://a.example/x?sim:tenant=acme&sim:latency=5#y");

    assert_string_equal(words.tenant, "acme");
    assert_true(words.latency_min_ms == 5 && words.latency_max_ms == 5);
}

static void fault_may_be_for_the_first_calls_only(void **state)
{
    (void)state;
    struct sim_words always = read_all("sim:fault=500_after");
    struct sim_words once   = read_all("sim:retry_after=3 sim:fault=429*2");

    assert_true(always.faulty && always.fault.acts);
    assert_int_equal(always.fault.status, 500);
    assert_int_equal(always.fault_times, 0);
    assert_int_equal(once.fault_times, 2);
    assert_false(once.fault.acts);
    assert_int_equal(once.fault.retry, SIM_PLAN_RETRY_SECONDS);
    assert_int_equal(once.fault.retry_after_s, 3);
}

static void mistyped_word_is_an_error(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "sim:ordr=K",          "sim:order=",        "sim:order",       "sim:latency=fast",
        "sim:latency=800..20", "sim:fault=explode", "sim:fault=500*0", "sim:rows=-1",
        "sim:fault=99",        "sim:retry_after=x", "x sim:=1",        "sim:fault=",
    };

    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct sim_words words = sim_words_none();
        const char *wrong      = NULL;

        assert_false(sim_words_read(&words, WRONG[i], &wrong));
        assert_ptr_equal(wrong, strstr(WRONG[i], "sim:"));
    }
}

static void statuses_come_one_after_the_other_and_the_last_stays(void **state)
{
    (void)state;
    static const char *const EXPECTED[] = {"CONTINUE", "CONTINUE", "ASK_USER", "DONE", "DONE"};
    char status[64];

    for (uint64_t n = 0; n < 5; n++) {
        sim_words_status(status, sizeof status, "CONTINUE*2,ASK_USER,DONE", n);
        assert_string_equal(status, EXPECTED[n]);
    }
}

static void status_can_be_free_text_with_spaces(void **state)
{
    (void)state;
    char status[64];

    sim_words_status(status, sizeof status, "NOT_SURE", 0);
    assert_string_equal(status, "NOT SURE");
    sim_words_status(status, sizeof status, "Finished+running", 9);
    assert_string_equal(status, "Finished running");
    assert_string_equal(read_all("sim:message=which+size?").message, "which size?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_without_words_says_nothing),
        cmocka_unit_test(words_are_found_anywhere_in_a_command),
        cmocka_unit_test(words_are_found_in_a_url),
        cmocka_unit_test(fault_may_be_for_the_first_calls_only),
        cmocka_unit_test(mistyped_word_is_an_error),
        cmocka_unit_test(statuses_come_one_after_the_other_and_the_last_stays),
        cmocka_unit_test(status_can_be_free_text_with_spaces),
    };
    return cmocka_run_group_tests_name("sim_words", tests, NULL, NULL);
}
