#include "sch_reconcile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct sch_reconcile *r;
static uint64_t seq;
static unsigned has_now; /* what every run has */
static char needed[8][ID_SIZE];
static enum sch_need need_of[8];
static int needs;

static int begin(void **state)
{
    (void)state;
    r       = sch_reconcile_new();
    seq     = 0;
    has_now = HAS_NOTHING;
    needs   = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    sch_reconcile_free(&r);
    return 0;
}

static enum sch_event say_at(const char *run, enum entry_kind kind, uint32_t wake,
                             int64_t stored_ms)
{
    const struct sch_fact *fact = NULL;
    struct entry e;

    memset(&e, 0, sizeof(e));
    e.kind      = kind;
    e.wake      = wake;
    e.seq       = ++seq;
    e.job       = 7;
    e.stored_ms = stored_ms;
    return sch_reconcile_entry(r, "acme", run, &e, kind == ENTRY_LEASED ? "w1" : NULL, &fact);
}

static enum sch_event say(const char *run, enum entry_kind kind, uint32_t wake)
{
    return say_at(run, kind, wake, 0);
}

static unsigned has(void *self, const struct sch_fact *fact)
{
    (void)self;
    (void)fact;
    return has_now;
}

static void on_need(void *self, const struct sch_fact *fact, enum sch_need need)
{
    (void)self;
    assert_true(needs < 8);
    strcpy(needed[needs], fact->run);
    need_of[needs++] = need;
}

static int sweep(int64_t now)
{
    needs = 0;
    sch_reconcile_sweep(
        r, &(struct sch_sweep){
               .now = now, .patience_ms = 30000, .budget = 100, .has = has, .needs = on_need});
    return needs;
}

static void a_run_without_a_message_gets_one_after_a_while(void **state)
{
    (void)state;
    say("A", ENTRY_PLAN, 0);
    assert_int_equal(sweep(1000), 0);
    assert_int_equal(sweep(30999), 0);
    assert_int_equal(sweep(31000), 1);
    assert_string_equal(needed[0], "A");
    assert_int_equal(need_of[0], NEED_TICKET);
    assert_int_equal(sweep(32000), 0); /* it is on its way */
    assert_int_equal(sweep(61000), 1); /* it did not come */
}

static void a_message_in_between_begins_the_wait_anew(void **state)
{
    (void)state;
    say("A", ENTRY_PLAN, 0);
    sweep(1000);
    has_now = HAS_TICKET | HAS_DUE;
    sweep(20000);
    has_now = HAS_NOTHING;
    assert_int_equal(sweep(31000), 0);
    assert_int_equal(sweep(61000), 1);
}

static void a_job_is_a_message_too(void **state)
{
    (void)state;
    say("A", ENTRY_PLAN, 0);
    say("A", ENTRY_LEASED, 1);
    has_now = HAS_JOB;
    sweep(1000);
    assert_int_equal(sweep(100000), 0);
}

static void mail_to_a_waiting_run_wants_a_due_ticket(void **state)
{
    (void)state;
    say("A", ENTRY_PLAN, 0);
    say("A", ENTRY_LEASED, 1);
    say("A", ENTRY_WAITING, 1);
    has_now = HAS_TICKET; /* dormant, for the timer */
    sweep(1000);
    assert_int_equal(sweep(100000), 0);
    say("A", ENTRY_SIGNAL, 0);
    sweep(101000);
    assert_int_equal(sweep(131000), 1);
    assert_int_equal(need_of[0], NEED_WAKE);
    has_now = HAS_TICKET | HAS_DUE;
    sweep(132000);
    assert_int_equal(sweep(200000), 0);
    say("A", ENTRY_LEASED, 2); /* read */
    has_now = HAS_TICKET;
    sweep(201000);
    assert_int_equal(sweep(300000), 0);
}

static void a_run_that_ended_without_a_result_is_looked_after(void **state)
{
    (void)state;
    say("A", ENTRY_PLAN, 0);
    say("A", ENTRY_LEASED, 1);
    assert_int_equal(say("A", ENTRY_END, 1), EVENT_NONE);
    sweep(1000);
    assert_int_equal(sweep(31000), 1);
    assert_int_equal(need_of[0], NEED_END);
    assert_int_equal(sch_reconcile_result(r, "A"), EVENT_OVER);
    assert_int_equal(sch_reconcile_count(r), 0);
}

static void a_result_may_be_read_before_its_end(void **state)
{
    (void)state;
    assert_int_equal(sch_reconcile_result(r, "A"), EVENT_NONE);
    sch_reconcile_age(r);
    say("A", ENTRY_PLAN, 0);
    assert_int_equal(say("A", ENTRY_END, 1), EVENT_OVER);
    assert_int_equal(sch_reconcile_count(r), 0);
}

static void a_refused_run_is_forgotten_until_it_is_planned_anew(void **state)
{
    (void)state;
    say("A", ENTRY_PLAN, 0);
    assert_int_equal(say("A", ENTRY_REJECTED, 0), EVENT_OVER);
    assert_int_equal(say("A", ENTRY_CANCEL, 0), EVENT_NONE);
    assert_int_equal(sch_reconcile_count(r), 0);
    say("A", ENTRY_PLAN, 0);
    assert_int_equal(sch_reconcile_find(r, "A")->plan_seq, seq);
    assert_false(sch_reconcile_find(r, "A")->cancelled);
}

static void the_first_end_wins(void **state)
{
    (void)state;
    say("A", ENTRY_PLAN, 0);
    say("A", ENTRY_END, 1);
    say("A", ENTRY_LEASED, 2);
    assert_int_equal(sch_reconcile_find(r, "A")->state, FACT_ENDED);
    assert_int_equal(say("A", ENTRY_CANCEL, 0), EVENT_NONE);
}

static void a_ticket_of_an_earlier_wake_or_of_a_run_that_is_over_is_stale(void **state)
{
    (void)state;
    say("A", ENTRY_PLAN, 0);
    uint64_t plan = seq;
    assert_false(sch_reconcile_stale(r, "A", 1, plan, seq));
    say("A", ENTRY_LEASED, 1);
    assert_false(sch_reconcile_stale(r, "A", 1, plan, seq)); /* the worker may be lost */
    say("A", ENTRY_WAITING, 1);
    assert_true(sch_reconcile_stale(r, "A", 1, plan, seq));
    assert_false(sch_reconcile_stale(r, "A", 2, plan, seq));
    say("A", ENTRY_LEASED, 2);
    say("A", ENTRY_END, 2);
    assert_false(sch_reconcile_stale(r, "A", 2, plan, seq)); /* its duties may be owed */
    sch_reconcile_result(r, "A");
    assert_true(sch_reconcile_stale(r, "A", 2, plan, seq));
    assert_false(sch_reconcile_stale(r, "B", 1, seq + 1, seq)); /* its PLAN is not read yet */
    assert_false(sch_reconcile_stale(r, "B", 1, 0, seq)); /* and of this one nobody knows */
}

static void leases_and_cancels_are_told(void **state)
{
    (void)state;
    say("A", ENTRY_PLAN, 0);
    assert_int_equal(say("A", ENTRY_LEASED, 1), EVENT_LEASED);
    assert_string_equal(sch_reconcile_find(r, "A")->worker, "w1");
    assert_int_equal(sch_reconcile_find(r, "A")->job, 7);
    assert_int_equal(say("A", ENTRY_CANCEL, 0), EVENT_CANCELLED);
    assert_true(sch_reconcile_find(r, "A")->cancelled);
    assert_int_equal(say("A", ENTRY_WAITING, 1), EVENT_WAITING);
}

static void a_sweep_goes_round_in_parts(void **state)
{
    char run[16];

    (void)state;
    for (int n = 0; n < 5000; n++) {
        snprintf(run, sizeof(run), "R%d", n);
        say(run, ENTRY_PLAN, 0);
    }
    assert_int_equal(sch_reconcile_count(r), 5000);
    has_now = HAS_NOTHING;
    for (int n = 0; n < 200; n++) /* 100 at a time: all were seen bare, none long enough */
        assert_int_equal(sweep(1000 + n), 0);
    for (int n = 0; n < 5000; n++) {
        snprintf(run, sizeof(run), "R%d", n);
        assert_true(sch_reconcile_find(r, run)->bare_since > 0);
    }
}

/* Its result was stored and has left: to store it anew would tell it twice. */
static void a_run_that_ended_before_the_results_that_are_left_needs_none(void **state)
{
    (void)state;
    say("A", ENTRY_PLAN, 0);
    say_at("A", ENTRY_END, 1, 4999);
    say("B", ENTRY_PLAN, 0);
    say_at("B", ENTRY_END, 1, 5000);
    say("C", ENTRY_PLAN, 0);
    sch_reconcile_results_left(r, 5000);

    sweep(1000);
    assert_int_equal(sweep(31000), 2);
    assert_null(sch_reconcile_find(r, "A"));
    for (int n = 0; n < needs; n++)
        assert_int_equal(need_of[n], needed[n][0] == 'B' ? NEED_END : NEED_TICKET);
}

/* Then its duties are still to be done. */
static void a_run_with_a_message_is_kept_whatever_has_left(void **state)
{
    (void)state;
    say("A", ENTRY_PLAN, 0);
    say_at("A", ENTRY_END, 1, 1);
    sch_reconcile_results_left(r, 5000);
    has_now = HAS_JOB;

    assert_int_equal(sweep(1000), 0);
    assert_non_null(sch_reconcile_find(r, "A"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_without_a_message_gets_one_after_a_while, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_message_in_between_begins_the_wait_anew, begin, end),
        cmocka_unit_test_setup_teardown(a_job_is_a_message_too, begin, end),
        cmocka_unit_test_setup_teardown(mail_to_a_waiting_run_wants_a_due_ticket, begin, end),
        cmocka_unit_test_setup_teardown(a_run_that_ended_without_a_result_is_looked_after,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_result_may_be_read_before_its_end, begin, end),
        cmocka_unit_test_setup_teardown(a_refused_run_is_forgotten_until_it_is_planned_anew,
                                        begin, end),
        cmocka_unit_test_setup_teardown(the_first_end_wins, begin, end),
        cmocka_unit_test_setup_teardown(
            a_ticket_of_an_earlier_wake_or_of_a_run_that_is_over_is_stale, begin, end),
        cmocka_unit_test_setup_teardown(leases_and_cancels_are_told, begin, end),
        cmocka_unit_test_setup_teardown(a_sweep_goes_round_in_parts, begin, end),
        cmocka_unit_test_setup_teardown(
            a_run_that_ended_before_the_results_that_are_left_needs_none, begin, end),
        cmocka_unit_test_setup_teardown(a_run_with_a_message_is_kept_whatever_has_left, begin,
                                        end),
    };

    return cmocka_run_group_tests_name("sch_reconcile", tests, NULL, NULL);
}
