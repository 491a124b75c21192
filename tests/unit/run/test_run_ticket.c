#include "story.h"

#include "run/run_ticket.h"

#include <cmocka.h>

static struct story s;

static int begin(void **state)
{
    (void)state;
    story_begin(&s, "{\"steps\":[{\"id\":\"nap\",\"sleep\":{\"for\":\"60s\"}}]}");
    return 0;
}

static int end(void **state)
{
    (void)state;
    story_end(&s);
    return 0;
}

static struct ticket ticket_after(int64_t ms)
{
    struct ticket t;

    run_ticket(&s.fold, CAUSE_TIMER, 1, s.now + ms, &t);
    return t;
}

static void plan(uint64_t not_before_ms, uint64_t start_within_ms, uint64_t timeout_ms)
{
    struct entry e = story_entry(&s, ENTRY_PLAN);

    e.plan = (struct entry_plan){.tenant          = "acme",
                                 .run             = "01ARZ3NDEKTSV4RRFFQ69G5FAV",
                                 .flow_name       = "f",
                                 .lane            = "bulk",
                                 .pool            = "default",
                                 .lock            = "till",
                                 .not_before_ms   = not_before_ms,
                                 .start_within_ms = start_within_ms,
                                 .timeout_ms      = timeout_ms};
    story_add(&s, e);
}

/* WAITING may be read by a second worker, or a third, before its ticket is there. */
static void a_timer_counts_from_when_its_wait_was_stored(void **state)
{
    (void)state;
    plan(0, 0, 0);
    story_lease(&s, 7);
    story_wait(&s, ON_TIMER, 60000, "nap");
    assert_int_equal(ticket_after(0).due_after_ms, 60000);
    assert_int_equal(ticket_after(45000).due_after_ms, 15000);
    assert_int_equal(ticket_after(61000).due_after_ms, 0);
    assert_int_equal(ticket_after(0).wake, 2);
}

static void nobody_sleeps_past_the_deadline_of_the_run(void **state)
{
    (void)state;
    plan(0, 0, 20000);
    story_lease(&s, 7);
    story_wait(&s, ON_TIMER, 60000, "nap");
    assert_int_equal(ticket_after(5000).due_after_ms, 15000);
    assert_int_equal(ticket_after(5000).deadline_after_ms, 15000);
    assert_int_equal(ticket_after(30000).deadline_after_ms, 1); /* 0 would mean none */
}

static void the_time_to_begin_is_of_no_interest_once_it_has_begun(void **state)
{
    (void)state;
    plan(10000, 5000, 0);
    assert_int_equal(ticket_after(1000).due_after_ms, 9000);
    assert_int_equal(ticket_after(1000).start_within_ms, 14000);
    assert_int_equal(ticket_after(1000).deadline_after_ms, 0);
    story_lease(&s, 7);
    story_wait(&s, ON_TIMER, 60000, "nap");
    assert_int_equal(ticket_after(1000).start_within_ms, 0);
}

static void a_ticket_says_where_the_run_belongs(void **state)
{
    (void)state;
    plan(0, 0, 0);
    struct ticket t = ticket_after(0);

    assert_string_equal(t.tenant, "acme");
    assert_string_equal(t.run, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_string_equal(t.lock, "till");
    assert_int_equal(t.lane, LANE_BULK);
    assert_int_equal(t.wake, 1);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_timer_counts_from_when_its_wait_was_stored),
        WITH(nobody_sleeps_past_the_deadline_of_the_run),
        WITH(the_time_to_begin_is_of_no_interest_once_it_has_begun),
        WITH(a_ticket_says_where_the_run_belongs),
    };

    return cmocka_run_group_tests_name("run_ticket", tests, NULL, NULL);
}
