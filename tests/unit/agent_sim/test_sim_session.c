#include "agent_sim/sim_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct sim_sessions sessions;

static int with_none(void **state)
{
    (void)state;
    sim_session_init(&sessions, 77);
    return 0;
}

static int without(void **state)
{
    (void)state;
    sim_session_clear(&sessions);
    return 0;
}

static struct sim_session *open_live(uint64_t now_ns)
{
    struct sim_session *s = sim_session_open(&sessions, "acme");

    sim_session_hold(&sessions, s);
    sim_session_move(&sessions, s, SIM_SESSION_LIVE);
    sim_session_release(&sessions, s, now_ns);
    return s;
}

static void ids_differ_also_from_those_before_a_clear(void **state)
{
    (void)state;
    char first[48];

    snprintf(first, sizeof first, "%s", sim_session_open(&sessions, "")->id);
    sim_session_clear(&sessions);

    struct sim_session *second = sim_session_open(&sessions, "");

    assert_string_not_equal(first, second->id);
    assert_null(sim_session_find(&sessions, first));
    assert_ptr_equal(sim_session_find(&sessions, second->id), second);
}

static void session_counts_from_opening_until_closed(void **state)
{
    (void)state;
    struct sim_session *s = sim_session_open(&sessions, "acme");

    assert_int_equal(sessions.open, 1);
    sim_session_move(&sessions, s, SIM_SESSION_LIVE);
    sim_session_move(&sessions, s, SIM_SESSION_CLOSING);
    assert_int_equal(sessions.open, 1);
    sim_session_move(&sessions, s, SIM_SESSION_CLOSED);
    assert_int_equal(sessions.open, 0);
    assert_ptr_equal(sim_session_find(&sessions, s->id), s);
}

static void idlest_is_the_one_that_was_used_longest_ago(void **state)
{
    (void)state;
    struct sim_session *a = open_live(10), *b = open_live(20), *c = open_live(30);

    assert_ptr_equal(sim_session_idlest(&sessions), a);
    sim_session_hold(&sessions, a);
    assert_ptr_equal(sim_session_idlest(&sessions), b);
    sim_session_release(&sessions, a, 40);
    sim_session_move(&sessions, b, SIM_SESSION_EXPIRED);
    assert_ptr_equal(sim_session_idlest(&sessions), c);
    sim_session_hold(&sessions, c);
    assert_ptr_equal(sim_session_idlest(&sessions), a);
    assert_int_equal(a->idle_since_ns, 40);
}

static void session_in_use_is_never_idle(void **state)
{
    (void)state;
    struct sim_session *s = open_live(10);

    sim_session_hold(&sessions, s);
    sim_session_hold(&sessions, s);
    sim_session_release(&sessions, s, 20);
    assert_null(sim_session_idlest(&sessions));
    sim_session_release(&sessions, s, 30);
    assert_ptr_equal(sim_session_idlest(&sessions), s);
}

static void foreign_ones_are_listed_and_not_counted(void **state)
{
    (void)state;
    struct sim_session *ours = open_live(10);

    sim_session_open(&sessions, "opening");
    sim_session_open_foreign(&sessions);

    json_t *list = sim_session_list(&sessions);

    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_array_get(list, 0)), ours->id);
    assert_int_equal(sessions.open, 2);
    json_decref(list);
}

static void repeats_count_only_in_a_row(void **state)
{
    (void)state;
    struct sim_session *s = open_live(10);

    assert_int_equal(sim_session_repeat(s, "buy"), 0);
    assert_int_equal(sim_session_repeat(s, "buy"), 1);
    assert_int_equal(sim_session_repeat(s, "look"), 0);
    assert_int_equal(sim_session_repeat(s, "buy"), 0);
}

#define SESSIONS(test) cmocka_unit_test_setup_teardown(test, with_none, without)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SESSIONS(ids_differ_also_from_those_before_a_clear),
        SESSIONS(session_counts_from_opening_until_closed),
        SESSIONS(idlest_is_the_one_that_was_used_longest_ago),
        SESSIONS(session_in_use_is_never_idle),
        SESSIONS(foreign_ones_are_listed_and_not_counted),
        SESSIONS(repeats_count_only_in_a_row),
    };
    return cmocka_run_group_tests_name("sim_session", tests, NULL, NULL);
}
