#include "sch_slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

static struct sch_jobs jobs;
static struct sch_slots slots;

static int begin(void **state)
{
    (void)state;
    sch_slot_init(&jobs);
    slots = (struct sch_slots){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    sch_slot_forget(&slots);
    sch_slot_deinit(&jobs);
    return 0;
}

static struct sch_job job(const char *run, uint32_t slot, uint64_t seq)
{
    struct sch_job ret = {.slot = slot, .seq = seq, .wake = 1};

    str_copy(ret.run, sizeof(ret.run), run);
    return ret;
}

static void the_lowest_free_slot_goes_first(void **state)
{
    (void)state;
    assert_int_equal(sch_slot_ask(&slots, 3), 1);
    assert_int_equal(sch_slot_ask(&slots, 3), 2);
    assert_int_equal(sch_slot_ask(&slots, 3), 3);
    assert_int_equal(sch_slot_ask(&slots, 3), 0);
    sch_slot_undo(&slots, 2);
    assert_int_equal(sch_slot_ask(&slots, 3), 2);
}

static void a_lowered_cap_drains(void **state)
{
    struct sch_job high = job("A", 5, 50);

    (void)state;
    (void)sch_slot_put(&jobs, &slots, &high);
    assert_int_equal(sch_slot_ask(&slots, 1),
                     0); /* one is in flight already, wherever it stands */
    sch_slot_out(&jobs, &slots, &high);
    assert_int_equal(sch_slot_ask(&slots, 1), 1);
}

static void a_hint_counts_only_for_the_occupant(void **state)
{
    struct sch_job a = job("A", 1, 50), b = job("B", 1, 60);
    bool doubt = false;

    (void)state;
    assert_int_equal(sch_slot_ask(&slots, 2), 1);
    assert_false(sch_slot_put(&jobs, &slots, &a));
    assert_null(sch_slot_freed(&slots, 1, 49, &doubt));
    assert_false(doubt);
    assert_null(sch_slot_freed(&slots, 1, 51, &doubt));
    assert_true(doubt); /* somebody's job that we do not know was there */
    assert_ptr_equal(sch_slot_freed(&slots, 1, 50, &doubt), &a);
    sch_slot_out(&jobs, &slots, &a);
    assert_null(sch_slot_job(&jobs, "A"));

    assert_int_equal(sch_slot_ask(&slots, 2), 1);
    (void)sch_slot_put(&jobs, &slots, &b);
    assert_null(sch_slot_freed(&slots, 1, 50, &doubt)); /* told twice */
    assert_false(doubt);
    assert_null(sch_slot_freed(&slots, 9, 50, &doubt));
    sch_slot_out(&jobs, &slots, &b);
}

static void a_hint_before_the_answer_is_kept(void **state)
{
    struct sch_job a = job("A", 1, 50);
    bool doubt       = false;

    (void)state;
    assert_int_equal(sch_slot_ask(&slots, 2), 1);
    assert_null(sch_slot_freed(&slots, 1, 50, &doubt));
    assert_true(sch_slot_put(&jobs, &slots, &a)); /* it is over already */
    sch_slot_out(&jobs, &slots, &a);
}

static void the_closing_slot_is_outside_the_cap(void **state)
{
    (void)state;
    assert_int_equal(sch_slot_ask(&slots, 1), 1);
    assert_false(sch_slot_any(&slots, 1));
    assert_true(sch_slot_closing_free(&slots));
    assert_true(sch_slot_ask_closing(&slots));
    assert_false(sch_slot_ask_closing(&slots));
    assert_int_equal(slots.taken, 1);
    sch_slot_undo(&slots, 0);
    assert_true(sch_slot_closing_free(&slots));
    assert_int_equal(slots.taken, 1);

    /* Nor does one count that was found there, of another leader's. */
    struct sch_job found = job("a", 0, 7);
    (void)sch_slot_put(&jobs, &slots, &found);
    assert_false(sch_slot_closing_free(&slots));
    assert_int_equal(slots.taken, 1);
    sch_slot_out(&jobs, &slots, &found);
    assert_int_equal(slots.taken, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_lowest_free_slot_goes_first, begin, end),
        cmocka_unit_test_setup_teardown(a_lowered_cap_drains, begin, end),
        cmocka_unit_test_setup_teardown(a_hint_counts_only_for_the_occupant, begin, end),
        cmocka_unit_test_setup_teardown(a_hint_before_the_answer_is_kept, begin, end),
        cmocka_unit_test_setup_teardown(the_closing_slot_is_outside_the_cap, begin, end),
    };

    return cmocka_run_group_tests_name("sch_slot", tests, NULL, NULL);
}
