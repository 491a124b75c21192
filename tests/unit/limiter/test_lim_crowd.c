#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gate.h"

enum { START = 1000000 };

/* An upstream that bears so many sessions. */
static struct gate *open_gate(uint32_t sessions)
{
    struct run_upstream all[2] = {gate_upstream("up")};

    all[0].sessions = sessions;
    return gate_new(all, NULL, 0, START);
}

/* One more that wants a session and would wait for it. */
static const struct told *crowd(struct gate *g, size_t id, const char *tenant, enum lane lane)
{
    struct permit_ask a = gate_want("up", id);

    a.keys[0].session_open = true;
    str_format(a.session, sizeof(a.session), "s%zu", id);
    str_copy(a.tenant, sizeof(a.tenant), tenant);
    a.lane    = lane;
    a.wait_ms = 10000;
    return gate_ask(g, &a);
}

static void close_session(struct gate *g, size_t id)
{
    struct permit_report gone = {.session_closed = true, .name = "up"};

    str_format(gone.session, sizeof(gone.session), "s%zu", id);
    lim_gate_report(g->gate, &gone, g->now);
    (void)gate_tick(g, 0);
}

static bool waits(const struct told *t)
{
    return !t->any && !t->dropped;
}

static void as_many_wait_for_sessions_as_there_may_be(void **state)
{
    struct gate *g = open_gate(3);
    const struct told *t[8];

    (void)state;

    for (size_t n = 0; n < 8; n++)
        t[n] = crowd(g, n, "acme", LANE_STANDARD);
    assert_true(t[0]->ok && t[1]->ok && t[2]->ok);
    assert_true(waits(t[3]) && waits(t[4]) && waits(t[5]));
    assert_true(t[6]->any && !t[6]->ok && t[7]->any && !t[7]->ok);
    assert_string_equal(t[6]->grant.why, "upstream_sessions");
    assert_in_range(t[6]->grant.retry_after_ms, 1000, 1600);
    /* All places come free at once: somebody is there for each. */
    for (size_t n = 0; n < 3; n++)
        close_session(g, n);
    assert_true(t[3]->ok && t[4]->ok && t[5]->ok);
    gate_free(&g);
}

static void a_crowd_keeps_nobody_elses_turn(void **state)
{
    struct gate *g = open_gate(1);

    (void)state;

    assert_true(crowd(g, 1, "acme", LANE_STANDARD)->ok);
    const struct told *acme = crowd(g, 2, "acme", LANE_STANDARD);
    const struct told *more = crowd(g, 3, "acme", LANE_STANDARD);
    const struct told *bulk = crowd(g, 4, "acme", LANE_BULK);
    const struct told *lone = crowd(g, 5, "globex", LANE_STANDARD);

    assert_true(waits(acme) && waits(bulk) && waits(lone));
    assert_true(more->any && !more->ok);
    gate_free(&g);
}

/* Two slots, and a session that sleeps in neither: if two waited, nobody could wake it. */
static void who_holds_sessions_keeps_slots_to_go_on_in(void **state)
{
    struct gate *g = open_gate(2);

    (void)state;

    g->may.cap = 3;
    assert_true(crowd(g, 1, "acme", LANE_STANDARD)->ok &&
                crowd(g, 2, "acme", LANE_STANDARD)->ok);
    assert_true(waits(crowd(g, 3, "acme", LANE_STANDARD)));
    assert_true(crowd(g, 4, "acme", LANE_STANDARD)->any);
    assert_true(crowd(g, 5, "acme", LANE_REALTIME)->any); /* a slot is a slot */
    assert_true(waits(crowd(g, 6, "globex", LANE_STANDARD)) &&
                waits(crowd(g, 7, "globex", LANE_REALTIME)));
    gate_free(&g);
}

static void a_crowd_of_a_tenants_own_number_is_its_own(void **state)
{
    struct gate *g = open_gate(0);

    (void)state;

    g->may.sessions_max = 1;
    assert_true(crowd(g, 1, "acme", LANE_STANDARD)->ok &&
                crowd(g, 2, "globex", LANE_STANDARD)->ok);
    assert_true(waits(crowd(g, 3, "acme", LANE_STANDARD)));
    assert_true(crowd(g, 4, "acme", LANE_STANDARD)->any);
    assert_true(waits(crowd(g, 5, "globex", LANE_STANDARD)));
    gate_free(&g);
}

/* ---- many -------------------------------------------------------------------------- */

enum { RUNS = 200, PLACES = 5 };

/* A run that wants a session, holds it for a while, and comes again when it is told to. */
struct one {
    const struct told *asked; /* NULL: not now */
    size_t id;
    uint64_t due, ends; /* 0: it has none yet */
    bool over;
};

struct many {
    struct gate *gate;
    struct one runs[RUNS];
    size_t asks, over;
};

static void go_on(struct many *m, struct one *o, uint64_t lasts_ms)
{
    uint64_t now = m->gate->now;

    if (o->ends > 0 && o->ends <= now) {
        close_session(m->gate, o->id);
        o->over = true;
        m->over++;
    } else if (!o->asked && o->due <= now) {
        o->id    = ++m->asks;
        o->asked = crowd(m->gate, o->id, "acme", LANE_STANDARD);
    } else if (o->ends == 0 && o->asked && o->asked->ok) {
        o->ends = now + lasts_ms;
    } else if (o->ends == 0 && o->asked && o->asked->any) {
        o->due   = now + o->asked->grant.retry_after_ms;
        o->asked = NULL;
    }
}

static uint64_t all_done_ms(struct many *m, uint64_t lasts_ms)
{
    m->gate = open_gate(PLACES);
    for (; m->over < RUNS; (void)gate_tick(m->gate, 10))
        for (size_t n = 0; n < RUNS; n++)
            if (!m->runs[n].over)
                go_on(m, &m->runs[n], lasts_ms);

    uint64_t ms = m->gate->now - START;

    gate_free(&m->gate);
    return ms;
}

/* Whatever a session lasts: who comes when it was told to leaves no place empty for long, and does not come in vain
   oftener than each second. */
static void places_are_taken_whatever_sessions_last(void **state)
{
    static const uint64_t LASTS[] = {50, 300, 3000, 60000};

    (void)state;
    for (size_t n = 0; n < sizeof(LASTS) / sizeof(*LASTS); n++) {
        struct many m  = {.over = 0};
        uint64_t least = RUNS / PLACES * LASTS[n];
        uint64_t took  = all_done_ms(&m, LASTS[n]);

        assert_in_range(took, least, least + least / 20 + 1500);
        assert_in_range(m.asks, RUNS, 4 * RUNS + 2 * took / 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_wait_for_sessions_as_there_may_be),
        cmocka_unit_test(a_crowd_keeps_nobody_elses_turn),
        cmocka_unit_test(who_holds_sessions_keeps_slots_to_go_on_in),
        cmocka_unit_test(a_crowd_of_a_tenants_own_number_is_its_own),
        cmocka_unit_test(places_are_taken_whatever_sessions_last),
    };
    return cmocka_run_group_tests_name("lim_crowd", tests, NULL, NULL);
}
