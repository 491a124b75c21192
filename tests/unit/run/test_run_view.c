#include "run/run_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "story.h"

static const char FLOW[] = "{\"steps\":["
                           "{\"id\":\"open\",\"open\":{\"url\":\"https://shop.example\"}},"
                           "{\"id\":\"list\",\"retrieve\":{\"cmd\":\"all\"}},"
                           "{\"id\":\"nap\",\"sleep\":{\"for\":\"1m\"}},"
                           "{\"id\":\"order\",\"browse\":{\"cmd\":\"order\"}}]}";

static struct story s;
static struct json *seen;

static int begin(void **state)
{
    (void)state;
    story_begin(&s, FLOW);
    story_plan(&s);
    s.fold.plan.flow = bytes_str(FLOW);
    return 0;
}

static int end(void **state)
{
    (void)state;
    json_free(&seen);
    story_end(&s);
    return 0;
}

static void look(void)
{
    json_free(&seen);
    seen = run_view(&s.fold, s.now);
}

static const struct json *of_step(const char *id, const char *field)
{
    return json_get(json_get(json_get(seen, "steps"), id), field);
}

static void assert_status(const char *id, const char *status)
{
    assert_non_null(of_step(id, "status"));
    assert_string_equal(json_str(of_step(id, "status")), status);
}

static void assert_stands_at(const char *id)
{
    assert_non_null(json_str(json_get(seen, "step")));
    assert_string_equal(json_str(json_get(seen, "step")), id);
}

static void open_it(void)
{
    story_lease(&s, 7);
    story_open(&s, "open");
    story_outcome(&s, "open", RESULT_OK, true);
}

static void a_run_that_waits_for_its_turn_is_at_no_step(void **state)
{
    (void)state;
    look();
    assert_null(json_get(seen, "step"));
}

static void a_read_is_seen_while_it_is_done(void **state)
{
    (void)state;
    open_it();
    look();
    assert_stands_at("list");
    assert_status("open", "ok");
    assert_status("list", "running");
    assert_non_null(of_step("list", "since"));
}

static void an_order_is_seen_while_it_is_done(void **state)
{
    (void)state;
    open_it();
    story_outcome(&s, "list", RESULT_OK, true);
    story_outcome(&s, "nap", RESULT_OK, true);
    story_intent(&s, "order");
    look();
    assert_stands_at("order");
    assert_status("order", "running");
}

static void what_is_waited_for_says_so(void **state)
{
    (void)state;
    open_it();
    story_outcome(&s, "list", RESULT_OK, true);
    story_wait(&s, ON_TIMER, 60000, "nap");
    look();
    assert_stands_at("nap");
    assert_status("nap", "waiting");
}

static void a_read_that_is_tried_again_counts(void **state)
{
    (void)state;
    open_it();
    story_outcome(&s, "list", RESULT_FAILED, false);
    story_lease(&s, 8);
    struct entry again = story_entry(&s, ENTRY_OUTCOME);
    again.step.step    = "list";
    again.step.attempt = 2;
    again.step.result  = RESULT_FAILED;
    story_add(&s, again);
    look();
    assert_status("list", "running");
    assert_int_equal(json_int(of_step("list", "tries")), 2);
}

static void to_be_deferred_is_no_try(void **state)
{
    struct entry again;

    (void)state;
    open_it();
    story_outcome(&s, "list", RESULT_UNSENT, false);
    again              = story_entry(&s, ENTRY_OUTCOME);
    again.step.step    = "list";
    again.step.attempt = 2;
    again.step.result  = RESULT_OK;
    again.step.final   = true;
    story_add(&s, again);
    look();
    assert_status("list", "ok");
    assert_null(of_step("list", "tries"));

    struct json *scope = run_scope(&s.fold);
    assert_int_equal(json_int(json_get(json_get(json_get(scope, "steps"), "list"), "tries")),
                     1);
    json_free(&scope);
}

static void in_an_ended_run_nothing_runs(void **state)
{
    (void)state;
    open_it();
    story_outcome(&s, "list", RESULT_UNSENT, false);
    struct entry over = story_entry(&s, ENTRY_END);
    over.end.status   = STATUS_CANCELLED;
    over.end.step     = "list";
    story_add(&s, over);
    look();
    assert_stands_at("list");
    assert_status("list", "unsent");
    assert_null(of_step("list", "since"));
}

/* Whoever ends a run has another clock than the stream: what he said of its times is what all say. */
static void its_times_are_those_of_who_ended_it(void **state)
{
    struct entry over;

    (void)state;
    s.now += 40;
    story_lease(&s, 7);
    over            = story_entry(&s, ENTRY_END);
    over.end.status = STATUS_DONE;
    run_fold_tell_times(&s.fold, s.now + 300, &over.end);
    over.stored_ms = s.now + 1000;
    story_add(&s, over);
    look();
    assert_int_equal(json_int(json_get(json_get(seen, "ms"), "queued")), 40);
    assert_int_equal(json_int(json_get(json_get(seen, "ms"), "running")), 300);
    assert_int_equal(json_int(json_get(json_get(seen, "used"), "slot_ms")), 300);
    assert_int_equal(s.fold.ended_ms, s.now + 300);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_run_that_waits_for_its_turn_is_at_no_step),
        CASE(a_read_is_seen_while_it_is_done),
        CASE(an_order_is_seen_while_it_is_done),
        CASE(what_is_waited_for_says_so),
        CASE(a_read_that_is_tried_again_counts),
        CASE(to_be_deferred_is_no_try),
        CASE(in_an_ended_run_nothing_runs),
        CASE(its_times_are_those_of_who_ended_it),
    };
    return cmocka_run_group_tests_name("run_view", tests, NULL, NULL);
}
