#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gate.h"

/* must() of the gate's own tests aborts: that it is never reached is what they prove. */

enum { START = 1000000 };

static struct gate *open_gate(const struct run_upstream *u)
{
    struct run_upstream all[3] = {u[0]};

    return gate_new(all, NULL, 0, START);
}

static struct permit_ask session_ask(size_t id, const char *session)
{
    struct permit_ask a = gate_want("up", id);

    str_copy(a.session, sizeof(a.session), session);
    a.keys[0].session_open = true;
    return a;
}

/* ---- waiting ----------------------------------------------------------------------- */

static void a_return_lets_the_next_go(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.in_flight         = 1;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = gate_want("up", 1), b = gate_want("up", 2);

    b.wait_ms             = 5000;
    const struct told *t1 = gate_ask(g, &a), *t2 = gate_ask(g, &b);

    assert_true(t1->ok && t1->logged);
    assert_false(t2->any);
    (void)gate_tick(g, 70);
    gate_return(g, 1, CALL_OK, 200);
    assert_true(t2->ok);
    assert_int_equal(t2->grant.waited_ms, 70);
    gate_free(&g);
}

static void who_does_not_wait_is_told_when_to_come_again(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.rate_per_s = 2, u.rate_burst = 1;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = gate_want("up", 1), b = gate_want("up", 2);
    const struct told *t1 = gate_ask(g, &a), *t2 = gate_ask(g, &b);

    assert_true(t1->ok);
    assert_true(t2->any && !t2->ok);
    assert_string_equal(t2->grant.why, "upstream_rate");
    assert_in_range(t2->grant.retry_after_ms, 500, 600);
    gate_free(&g);
}

static void the_told_instant_is_when_the_next_goes(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.rate_per_s = 10, u.rate_burst = 1;
    struct gate *g = open_gate(&u);
    struct told *t[5];

    for (size_t n = 0; n < 5; n++) {
        struct permit_ask a = gate_want("up", n);

        a.wait_ms = 10000;
        t[n]      = gate_ask(g, &a);
    }
    for (size_t n = 1; n < 5; n++) {
        uint64_t next = gate_tick(g, 0);

        assert_false(t[n]->any);
        assert_true(next > g->now && next <= g->now + 100);
        (void)gate_tick(g, next - g->now);
        assert_true(t[n]->ok);
    }
    gate_free(&g);
}

static void a_wait_has_an_end(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.in_flight         = 1;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = gate_want("up", 1), b = gate_want("up", 2);
    const struct told *t1 = gate_ask(g, &a);

    b.wait_ms             = 300;
    const struct told *t2 = gate_ask(g, &b);

    assert_true(t1->ok);
    assert_true(gate_tick(g, 299) <= START + 300);
    assert_false(t2->any);
    (void)gate_tick(g, 1);
    assert_true(t2->any && !t2->ok);
    assert_string_equal(t2->grant.why, "upstream_in_flight");
    gate_return(g, 1, CALL_OK, 200);
    assert_int_equal(gate_state(g, "up").in_flight_used, 0); /* nobody has it */
    gate_free(&g);
}

static void several_keys_are_granted_together_or_not_at_all(void **state)
{
    struct run_upstream all[3] = {gate_upstream("up"), gate_upstream("other")};

    (void)state;
    all[1].in_flight    = 1;
    struct gate *g      = gate_new(all, NULL, 0, START);
    struct permit_ask a = gate_want("other", 1), b = gate_want("up", 2);

    b.wait_ms   = 1000;
    b.key_count = 3;
    b.keys[1]   = a.keys[0];
    str_copy(b.keys[2].name, sizeof(b.keys[2].name), "site:shop.example");
    b.keys[2].rate        = true;
    const struct told *t1 = gate_ask(g, &a), *t2 = gate_ask(g, &b);

    assert_true(t1->ok && !t2->any);
    assert_int_equal(gate_state(g, "up").in_flight_used, 0);
    gate_return(g, 1, CALL_OK, 200);
    assert_true(t2->ok);
    assert_int_equal(gate_state(g, "up").in_flight_used, 1);
    assert_int_equal(gate_state(g, "other").in_flight_used, 1);
    gate_return(g, 2, CALL_OK, 200);
    assert_int_equal(gate_state(g, "other").in_flight_used, 0);
    gate_free(&g);
}

static void an_unknown_upstream_is_refused(void **state)
{
    struct run_upstream u = gate_upstream("up");
    struct gate *g        = open_gate(&u);
    struct permit_ask a   = gate_want("nope", 1);
    const struct told *t  = gate_ask(g, &a);

    (void)state;
    assert_string_equal(t->grant.why, "unknown_upstream");
    gate_free(&g);
}

static void a_full_house_turns_away(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.in_flight    = 1;
    struct gate *g = open_gate(&u);
    struct told *t = NULL;

    for (size_t n = 0; n < 1100; n++) {
        struct permit_ask a = gate_want("up", n);

        a.wait_ms = 50000;
        t         = gate_ask(g, &a);
    }
    assert_true(t->any && !t->ok && t->grant.retry_after_ms > 0);
    assert_int_equal(lim_gate_waiting(g->gate), 1000);
    gate_free(&g);
}

static void a_tenant_has_its_share_and_no_more(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.in_flight    = 10;
    u.tenant_share = 0.3;
    struct gate *g = open_gate(&u);
    int granted    = 0;

    for (size_t n = 0; n < 10; n++) {
        struct permit_ask a = gate_want("up", n);

        granted += gate_ask(g, &a)->ok;
    }
    assert_int_equal(granted, 3);
    struct permit_ask other = gate_want("up", 20);

    str_copy(other.tenant, sizeof(other.tenant), "other");
    assert_true(gate_ask(g, &other)->ok);
    gate_free(&g);
}

static void a_lowered_limit_drains_and_a_raised_one_counts_at_once(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.in_flight         = 2;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = gate_want("up", 1), b = gate_want("up", 2), c = gate_want("up", 3);

    c.wait_ms = 5000;
    assert_true(gate_ask(g, &a)->ok && gate_ask(g, &b)->ok);
    const struct told *t = gate_ask(g, &c);

    u.in_flight = 1;
    lim_gate_configure(g->gate, &u);
    gate_return(g, 1, CALL_OK, 200);
    assert_false(t->any);
    u.in_flight = 5;
    lim_gate_configure(g->gate, &u);
    (void)gate_tick(g, 0);
    assert_true(t->ok);
    gate_free(&g);
}

static void who_waits_for_an_upstream_that_is_removed_is_told(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.in_flight         = 1;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = gate_want("up", 1), b = gate_want("up", 2);

    b.wait_ms = 5000;
    (void)gate_ask(g, &a);
    const struct told *t = gate_ask(g, &b);

    lim_gate_forget(g->gate, "up");
    assert_string_equal(t->grant.why, "unknown_upstream");
    gate_return(g, 1, CALL_OK, 200);
    lim_gate_configure(g->gate, &u);
    assert_int_equal(gate_state(g, "up").in_flight_used, 0);
    gate_free(&g);
}

/* ---- repeats ----------------------------------------------------------------------- */

static void the_same_ask_again_is_the_same_grant(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.in_flight         = 1;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = gate_want("up", 1);

    assert_true(gate_ask(g, &a)->ok);
    size_t count = g->count;

    (void)gate_tick(g, 50);
    assert_true(gate_ask(g, &a)->ok);
    assert_int_equal(g->count, count); /* nothing was granted again */
    gate_free(&g);
}

static void an_old_grant_asked_for_again_counts_in_the_rate_again(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.in_flight = 1, u.rate_per_s = 1, u.rate_burst = 1;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = gate_want("up", 1);

    assert_true(gate_ask(g, &a)->ok);
    (void)gate_tick(g, 500);
    assert_false(gate_ask(g, &a)->ok); /* its second is not over */
    (void)gate_tick(g, 500);
    assert_true(gate_ask(g, &a)->ok);
    assert_int_equal(gate_state(g, "up").in_flight_used, 1);
    assert_int_equal(lim_grant_find(lim_gate_grants(g->gate), a.id)->at_ms, g->now);
    gate_free(&g);
}

/* It was out when it was asked for again, but came back while that waited. */
static void granted_anew_it_needs_a_place_like_any_other(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.in_flight = 1, u.rate_per_s = 1, u.rate_burst = 1;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = gate_want("up", 1), b = gate_want("up", 2);

    (void)gate_ask(g, &a);
    (void)gate_tick(g, 500);
    a.wait_ms = b.wait_ms = 9000;
    b.lane                = LANE_REALTIME;
    const struct told *t1 = gate_ask(g, &a), *t2 = gate_ask(g, &b);

    gate_return(g, 1, CALL_OK, 200);
    for (int n = 0; n < 30; n++)
        (void)gate_tick(g, 100);
    assert_true(t1->any + t2->any == 1); /* the other has its place */
    assert_int_equal(gate_state(g, "up").in_flight_used, 1);
    gate_free(&g);
}

/* Its asker never heard of the first grant, and takes the refusal for the whole answer. */
static void a_repeated_ask_that_is_refused_holds_nothing(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.in_flight = 1, u.sessions = 1;
    struct gate *g         = open_gate(&u);
    struct permit_ask a    = gate_want("up", 1);
    a.keys[0].session_open = true;
    str_copy(a.session, sizeof(a.session), "s01KAJ4T0Q8ZP9F4T0000000001");

    assert_true(gate_ask(g, &a)->ok);
    u.paused = true;
    lim_gate_configure(g->gate, &u);
    (void)gate_tick(g, 1000);
    assert_false(gate_ask(g, &a)->ok);
    assert_int_equal(gate_state(g, "up").in_flight_used, 0);
    assert_int_equal(gate_state(g, "up").sessions_used, 0);
    gate_free(&g);
}

static void a_waiting_ask_repeated_is_answered_once_where_it_came_last(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.in_flight         = 1;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = gate_want("up", 1), b = gate_want("up", 2);

    b.wait_ms = 5000;
    (void)gate_ask(g, &a);
    const struct told *first = gate_ask(g, &b), *second = gate_ask(g, &b);

    assert_true(first->dropped);
    gate_return(g, 1, CALL_OK, 200);
    assert_true(second->ok);
    gate_free(&g);
}

/* ---- sessions ---------------------------------------------------------------------- */

/* The call of a worker that died is out for its whole lifetime, and fills what is left of a slowed upstream. */
static void a_slowed_upstream_does_not_stand_still_for_the_dead(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.in_flight            = 3;
    struct gate *g         = open_gate(&u);
    struct permit_ask dead = gate_want("up", 1), bad = gate_want("up", 2),
                      a = gate_want("up", 3), b = gate_want("up", 4);

    a.wait_ms = b.wait_ms = 60000;
    assert_true(gate_ask(g, &dead)->ok && gate_ask(g, &bad)->ok);
    (void)gate_tick(g, 500);
    gate_return(g, 2, CALL_SERVER, 500);
    assert_int_equal(gate_state(g, "up").mode, PERMIT_MODE_SLOWED);
    assert_int_equal(gate_state(g, "up").in_flight, 1);
    const struct told *ta = gate_ask(g, &a), *tb = gate_ask(g, &b);
    for (uint64_t ms = 0; ms < 1900; ms += 100)
        (void)gate_tick(g, 100);
    assert_false(ta->any || tb->any);
    (void)gate_tick(g, 200);
    assert_true(ta->ok && !tb->any); /* one */
    gate_return(g, 3, CALL_OK, 200);
    assert_true(tb->ok); /* a good answer widens it as ever */
    gate_free(&g);
}

static void a_session_is_held_until_its_close_is_confirmed(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.sessions          = 1;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = session_ask(1, "s1"), b = session_ask(2, "s2"),
                      c    = session_ask(3, "s2");
    struct permit_report r = {.call_class = CALL_OK, .status = 200, .session_opened = true};

    assert_true(gate_ask(g, &a)->ok);
    gate_id(1, r.id);
    lim_gate_report(g->gate, &r, g->now);
    (void)gate_tick(g, 100000000);
    assert_string_equal(gate_ask(g, &b)->grant.why, "upstream_sessions");
    c.wait_ms            = 5000;
    const struct told *t = gate_ask(g, &c);

    assert_false(t->any);
    struct permit_report gone = {.session_closed = true};

    str_copy(gone.name, sizeof(gone.name), "up");
    str_copy(gone.session, sizeof(gone.session), "s1");
    lim_gate_report(g->gate, &gone, g->now);
    (void)gate_tick(g, 0);
    assert_true(t->ok);
    assert_int_equal(gate_state(g, "up").sessions_used, 1);
    gate_free(&g);
}

static void a_tenant_has_its_number_of_sessions_over_all_upstreams(void **state)
{
    const struct run_upstream all[3] = {gate_upstream("up"), gate_upstream("other")};
    struct gate *g                   = gate_new(all, NULL, 0, START);
    struct permit_ask a = session_ask(1, "s1"), b = session_ask(2, "s2"),
                      c = session_ask(3, "s3"), d = session_ask(4, "s4");
    const struct permit_report gone = {.session_closed = true, .name = "up", .session = "s1"};

    (void)state;
    g->may.sessions_max = 1;
    str_copy(b.keys[0].name, sizeof(b.keys[0].name), "other");
    str_copy(c.keys[0].name, sizeof(c.keys[0].name), "other");
    str_copy(c.tenant, sizeof(c.tenant), "globex");
    b.wait_ms = d.wait_ms = 5000;
    assert_true(gate_ask(g, &a)->ok);
    const struct told *tb = gate_ask(g, &b);
    assert_false(tb->any);
    assert_true(gate_ask(g, &c)->ok); /* another's number is another's */
    lim_gate_report(g->gate, &gone, g->now);
    (void)gate_tick(g, 0);
    assert_true(tb->ok);
    const struct told *td = gate_ask(g, &d);
    assert_false(td->any);
    g->may.sessions_max = 2;
    lim_gate_tenants(g->gate);
    (void)gate_tick(g, 0);
    assert_true(td->ok);
    gate_free(&g);
}

static void an_open_that_was_not_sent_or_was_refused_holds_nothing(void **state)
{
    static const struct {
        enum call_class call_class;
        uint32_t status, held;
    } CASES[] = {{CALL_UNSENT, 0, 0},    {CALL_RATE, 429, 0},   {CALL_CONCURRENCY, 429, 0},
                 {CALL_PAYMENT, 402, 0}, {CALL_CLIENT, 400, 0}, {CALL_TIMEOUT, 408, 1},
                 {CALL_TIMEOUT, 0, 1},   {CALL_SERVER, 500, 1}, {CALL_OK, 200, 1},
                 {CALL_CLIENT, 0, 1},    {CALL_SERVER, 0, 1}};

    (void)state;
    for (size_t n = 0; n < sizeof(CASES) / sizeof(*CASES); n++) {
        struct run_upstream u = gate_upstream("up");

        u.sessions          = 5;
        struct gate *g      = open_gate(&u);
        struct permit_ask a = session_ask(1, "s1");

        (void)gate_ask(g, &a);
        gate_return(g, 1, CASES[n].call_class, CASES[n].status);
        assert_int_equal(gate_state(g, "up").sessions_used, CASES[n].held);
        gate_free(&g);
    }
}

/* The return of the first comes late: the second may have opened it meanwhile. */
static void an_unsent_open_does_not_end_what_another_permit_opens(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.sessions          = 1;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = session_ask(1, "s1"), b = session_ask(2, "s1");

    assert_true(gate_ask(g, &a)->ok && gate_ask(g, &b)->ok);
    assert_int_equal(gate_state(g, "up").sessions_used, 1);
    gate_return(g, 2, CALL_TIMEOUT, 0);
    gate_return(g, 1, CALL_UNSENT, 0);
    assert_int_equal(gate_state(g, "up").sessions_used, 1);
    gate_free(&g);
}

static void a_silent_session_ends_after_the_end_of_its_last_permit(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.sessions = 1, u.session_idle_ms = 60000;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = session_ask(1, "s1"), use = gate_want("up", 2);

    assert_true(gate_ask(g, &a)->ok);
    gate_return(g, 1, CALL_OK, 200);
    (void)gate_tick(g, 50000);
    str_copy(use.session, sizeof(use.session), "s1");
    use.keys[0].session_use = true;
    assert_true(gate_ask(g, &use)->ok);
    (void)gate_tick(g, 65000); /* the call goes on */
    assert_int_equal(gate_state(g, "up").sessions_used, 1);
    (void)gate_tick(g, 5000); /* grant + timeout + 10 s: it is over, whatever became of it */
    assert_int_equal(gate_state(g, "up").in_flight_used, 0);
    (void)gate_tick(g, 59400);
    assert_int_equal(gate_state(g, "up").sessions_used, 1);
    (void)gate_tick(g, 1200);
    assert_int_equal(gate_state(g, "up").sessions_used, 0);
    gate_free(&g);
}

/* ---- closes ------------------------------------------------------------------------ */

static struct permit_ask close_ask(size_t id)
{
    struct permit_ask a = gate_want("up", id);

    a.keys[0].close = true;
    a.wait_ms       = 5000;
    return a;
}

static void a_close_goes_first_but_not_past_the_limits(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.in_flight         = 1;
    struct gate *g      = open_gate(&u);
    struct permit_ask a = gate_want("up", 1), b = gate_want("up", 2), c = close_ask(3);

    b.wait_ms = 5000;
    b.lane    = LANE_REALTIME;
    (void)gate_ask(g, &a);
    const struct told *t2 = gate_ask(g, &b), *t3 = gate_ask(g, &c);

    assert_false(t3->any);
    gate_return(g, 1, CALL_OK, 200);
    assert_true(t3->ok && !t2->any);
    gate_return(g, 3, CALL_OK, 200);
    assert_true(t2->ok);
    gate_free(&g);
}

static void a_close_goes_while_limited_paused_and_closed(void **state)
{
    struct run_upstream u = gate_upstream("up");
    struct gate *g        = open_gate(&u);
    struct permit_ask a = gate_want("up", 1), c = close_ask(2), d = close_ask(3),
                      b = gate_want("up", 4);

    (void)state;
    (void)gate_ask(g, &a);
    gate_return(g, 1, CALL_PAYMENT, 402);
    assert_int_equal(gate_state(g, "up").mode, PERMIT_MODE_LIMITED);
    assert_true(gate_ask(g, &c)->ok);
    u.paused = true;
    lim_gate_configure(g->gate, &u);
    assert_true(gate_ask(g, &d)->ok);
    assert_string_equal(gate_ask(g, &b)->grant.why, "paused");
    gate_free(&g);
}

/* ---- modes ------------------------------------------------------------------------- */

static void all_that_wait_are_told_when_it_closes(void **state)
{
    struct run_upstream u = gate_upstream("up");

    (void)state;
    u.in_flight    = 1;
    struct gate *g = open_gate(&u);
    struct told *t[20];
    struct permit_report r = {.call_class = CALL_RATE, .status = 429, .retry_after_ms = 30000};

    for (size_t n = 0; n < 20; n++) {
        struct permit_ask a = gate_want("up", n);

        a.wait_ms = 9000;
        t[n]      = gate_ask(g, &a);
    }
    gate_id(0, r.id);
    lim_gate_report(g->gate, &r, g->now);
    (void)gate_tick(g, 0);
    for (size_t n = 1; n < 20; n++) {
        assert_string_equal(t[n]->grant.why, "upstream_closed");
        assert_true(t[n]->grant.retry_after_ms >= 30000);
    }
    gate_free(&g);
}

static void closed_for_a_moment_they_wait(void **state)
{
    struct run_upstream u = gate_upstream("up");
    struct gate *g        = open_gate(&u);
    struct permit_ask a = gate_want("up", 1), b = gate_want("up", 2), c = gate_want("up", 3);
    struct permit_report r = {.call_class = CALL_RATE, .status = 429, .retry_after_ms = 1500};

    (void)state;
    (void)gate_ask(g, &a);
    gate_id(1, r.id);
    lim_gate_report(g->gate, &r, g->now);
    (void)gate_tick(g, 1000); /* what is left of it is a moment */
    b.wait_ms             = 2000;
    const struct told *t2 = gate_ask(g, &b), *t3 = gate_ask(g, &c);

    assert_true(t3->any && !t3->ok); /* who does not wait is told */
    assert_false(t2->any);
    for (uint64_t next = gate_tick(g, 0); !t2->any && g->now < START + 2000;
         next          = gate_tick(g, next - g->now))
        ;
    assert_true(t2->ok && g->now >= START + 1500 && g->now <= START + 1660);
    gate_free(&g);
}

static void limited_one_of_many_tries(void **state)
{
    struct run_upstream u = gate_upstream("up");
    struct gate *g        = open_gate(&u);
    struct permit_ask a   = gate_want("up", 1);
    int probes            = 0;

    (void)state;
    (void)gate_ask(g, &a);
    gate_return(g, 1, CALL_PAYMENT, 402);
    for (size_t n = 2; n < 1202; n++) {
        struct permit_ask b = gate_want("up", n);

        (void)gate_tick(g, 100); /* 120 s */
        const struct told *t = gate_ask(g, &b);

        probes += t->ok;
        assert_true(t->ok == t->grant.probe);
        if (t->ok)
            gate_return(g, n, CALL_PAYMENT, 402);
        else
            assert_string_equal(t->grant.why, "upstream_limited");
    }
    assert_in_range(probes, 1, 2);
    gate_free(&g);
}

static void while_one_tries_nobody_else_does(void **state)
{
    struct run_upstream u = gate_upstream("up");
    struct gate *g        = open_gate(&u);
    struct permit_ask a = gate_want("up", 1), b = gate_want("up", 2);

    (void)state;
    (void)gate_ask(g, &a);
    gate_return(g, 1, CALL_PAYMENT, 402);
    (void)gate_tick(g, 60000);
    b.lifetime_ms = 300000;
    assert_true(gate_ask(g, &b)->grant.probe);
    for (size_t n = 3; n < 9; n++) {
        struct permit_ask c = gate_want("up", n);

        (void)gate_tick(g, 50000);
        assert_false(gate_ask(g, &c)->ok);
    }
    gate_free(&g);
}

static void who_tries_and_did_not_hear_it_tries_anew(void **state)
{
    struct run_upstream u = gate_upstream("up");
    struct gate *g        = open_gate(&u);
    struct permit_ask a = gate_want("up", 1), b = gate_want("up", 2), c = gate_want("up", 3);

    (void)state;
    (void)gate_ask(g, &a);
    gate_return(g, 1, CALL_PAYMENT, 402);
    (void)gate_tick(g, 60000);
    assert_true(gate_ask(g, &b)->grant.probe);
    (void)gate_tick(g, 1000);
    assert_true(gate_ask(g, &b)->grant.probe);
    assert_int_equal(lim_grant_find(lim_gate_grants(g->gate), b.id)->at_ms, g->now);
    assert_false(gate_ask(g, &c)->ok);
    assert_int_equal(gate_state(g, "up").in_flight_used, 1);
    gate_free(&g);
}

static void an_incident_is_noted_when_it_begins_and_when_it_ends(void **state)
{
    struct run_upstream u = gate_upstream("up");
    struct gate *g        = open_gate(&u);
    struct permit_ask a = gate_want("up", 1), b = gate_want("up", 2);
    const struct lim_incident *i;

    (void)state;
    (void)gate_ask(g, &a);
    (void)gate_ask(g, &b);
    gate_return(g, 1, CALL_PAYMENT, 402);
    gate_return(g, 2, CALL_PAYMENT, 402);
    i = &lim_grant_key(lim_gate_grants(g->gate), "up")->incidents[LIM_INCIDENT_402];
    assert_true(i->since_ms == START && i->until_ms == 0 && i->told == LIM_TOLD_NOTHING);
    lim_gate_told(g->gate, "up", LIM_INCIDENT_402, LIM_TOLD_FIRING, g->now);
    (void)gate_tick(g, 10);
    assert_true(lim_gate_resume(g->gate, "up", 0, g->now));
    assert_true(i->since_ms == START && i->until_ms == START + 10 &&
                i->told == LIM_TOLD_FIRING);
    assert_false(lim_gate_resume(g->gate, "up", 0, g->now));

    size_t incidents = 0;

    for (size_t n = 0; n < g->count; n++)
        incidents += g->log[n].op == GRANT_INCIDENT;
    assert_int_equal(incidents, 3);
    gate_free(&g);
}

static void a_probe_that_dies_leaves_its_turn(void **state)
{
    struct run_upstream u = gate_upstream("up");
    struct gate *g        = open_gate(&u);
    struct permit_ask a = gate_want("up", 1), b = gate_want("up", 2), c = gate_want("up", 3);

    (void)state;
    (void)gate_ask(g, &a);
    gate_return(g, 1, CALL_PAYMENT, 402);
    (void)gate_tick(g, 60000);
    b.lifetime_ms = 1000;
    assert_true(gate_ask(g, &b)->grant.probe);
    (void)gate_tick(g, 11000);
    assert_true(gate_ask(g, &c)->grant.probe);
    gate_free(&g);
}

/* ---- the model --------------------------------------------------------------------- */

enum { IN_FLIGHT = 7, SESSIONS = 3, PER_S = 50, BURST = 8, STEPS = 6000, IDS = 15000 };

/* Limits, counted from the records alone. */
struct count {
    bool held[IDS], flies[IDS];
    char session[64][ID_SIZE + 1];
    size_t sessions, in_flight, rates, from;
    uint64_t *at;
};

static size_t number_of(const char *id)
{
    return (size_t)strtoul(id + 16, NULL, 10);
}

static void count_record(struct count *c, const struct grant_record *r)
{
    size_t n = r->id[0] ? number_of(r->id) : 0, i = 0;

    if (r->op == GRANT_GRANT) {
        if (!c->held[n] && r->in_flight) {
            c->flies[n] = true;
            c->in_flight++;
        }
        c->held[n] = true;
        for (i = 0; i < c->sessions && strcmp(c->session[i], r->session) != 0; i++)
            ;
        if (r->session_open && i == c->sessions)
            strcpy(c->session[c->sessions++], r->session);
        if (r->rate) {
            c->at[c->rates++] = r->at_ms;
            while (r->at_ms - c->at[c->from] >= 1000)
                c->from++;
            assert_true(c->rates - c->from <= PER_S + BURST);
        }
    } else if (r->op == GRANT_RETURN) {
        c->in_flight -= c->flies[n];
        c->held[n] = c->flies[n] = false;
    } else if (r->op == GRANT_SESSION_END) {
        for (i = 0; i < c->sessions; i++)
            if (strcmp(c->session[i], r->session) == 0)
                memmove(c->session[i], c->session[--c->sessions], sizeof(c->session[i]));
    }
    assert_true(c->in_flight <= IN_FLIGHT);
    assert_true(c->sessions <= SESSIONS);
}

static void count_log(const struct grant_record *log, size_t count)
{
    static struct count c;
    uint64_t *at = mem_array(count + 1, sizeof(*at));

    memset(&c, 0, sizeof(c));
    c.at = at;
    for (size_t n = 0; n < count; n++)
        count_record(&c, &log[n]);
    mem_free(&at);
}

static unsigned seed;

static unsigned roll(unsigned below)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % below;
}

static struct run_upstream model_upstream(void)
{
    struct run_upstream u = gate_upstream("up");

    u.in_flight = IN_FLIGHT, u.sessions = SESSIONS, u.rate_per_s = PER_S, u.rate_burst = BURST;
    u.session_idle_ms = 3000;
    return u;
}

static void random_ask(struct gate *g)
{
    struct permit_ask a = gate_want("up", 1 + g->asked % (IDS - 1));

    a.wait_ms     = roll(3) ? roll(3000) : 0;
    a.lane        = (enum lane)roll(LANES);
    a.lifetime_ms = 100 + roll(2000);
    str_format(a.tenant, sizeof(a.tenant), "t%u", roll(5));
    if (roll(3) == 0) {
        str_format(a.session, sizeof(a.session), "s%u", roll(12));
        a.keys[0].session_open = roll(2);
        a.keys[0].close        = !a.keys[0].session_open && roll(2);
    }
    (void)gate_ask(g, &a);
}

/* Of one that was granted lately. */
static void random_report(struct gate *g)
{
    struct permit_report r                 = {.retry_after_ms = roll(2) ? 0 : 1 + roll(300)};
    static const enum call_class CLASSES[] = {CALL_UNSENT, CALL_SERVER, CALL_CLIENT,
                                              CALL_CONCURRENCY};
    size_t n                               = 0;

    for (int tries = 0; tries < 12; tries++) {
        n = g->asked > 60 ? g->asked - 1 - roll(60) : roll((unsigned)g->asked + 1);
        if (g->told[n].ok)
            break;
    }
    gate_id(1 + n % (IDS - 1), r.id);
    r.call_class = roll(200) == 0   ? CALL_PAYMENT
                   : roll(100) == 0 ? CALL_RATE
                   : roll(15) == 0  ? CLASSES[roll(4)]
                                    : CALL_OK;
    r.status     = r.call_class == CALL_SERVER ? 500 : 200;
    if (roll(4) == 0) {
        str_copy(r.name, sizeof(r.name), "up");
        str_format(r.session, sizeof(r.session), "s%u", roll(12));
        r.session_closed = roll(2);
        r.session_opened = !r.session_closed && roll(2);
    }
    lim_gate_report(g->gate, &r, g->now);
}

static void random_step(struct gate *g)
{
    unsigned what = roll(20);

    if (what < 9)
        random_ask(g);
    else if (what < 16)
        random_report(g);
    else if (what < 18)
        (void)lim_gate_resume(g->gate, "up", 500, g->now);
    (void)gate_tick(g, roll(4) ? roll(5) : roll(200));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

struct texts {
    char at[600][480];
    size_t count;
};

static void add_text(void *self, const struct grant_record *r)
{
    struct texts *t = self;

    if (r->op == GRANT_MODE) /* what it counts between two records is its own */
        snprintf(t->at[t->count++], 480, "mode %s %d ahead %llu", r->name, r->mode,
                 (unsigned long long)r->ahead_ns);
    else
        snprintf(t->at[t->count++], 480, "%d %s %s %s %s %d%d%d %u %llu %llu %llu %u", r->op,
                 r->id, r->name, r->tenant, r->session, r->in_flight, r->session_open,
                 r->opened, r->lifetime_ms, (unsigned long long)r->at_ms,
                 (unsigned long long)r->since_ms, (unsigned long long)r->until_ms, r->told);
}

static void texts_of(struct gate *g, struct texts *t)
{
    t->count = 0;
    (void)lim_grant_key(lim_gate_grants(g->gate), "up"); /* made by the first look */
    lim_grant_each(lim_gate_grants(g->gate), g->now, add_text, t);
    qsort(t->at, t->count, sizeof(t->at[0]), by_text);
}

static void the_log_tells_the_state_at_every_point(void **state)
{
    static struct texts mine, theirs;
    struct run_upstream all[2] = {model_upstream()};
    struct gate *g             = gate_new(all, NULL, 0, START);

    (void)state;
    seed = 42;
    for (int n = 0; n < STEPS; n++) {
        random_step(g);
        if (n % 5)
            continue;
        struct gate *folded = gate_new(all, g->log, g->count, g->now);

        texts_of(g, &mine);
        texts_of(folded, &theirs);
        assert_int_equal(mine.count, theirs.count);
        for (size_t i = 0; i < mine.count; i++)
            assert_string_equal(mine.at[i], theirs.at[i]);
        gate_free(&folded);
    }
    print_message("%zu records\n", g->count);
    assert_true(g->count > 1000);
    count_log(g->log, g->count);
    gate_free(&g);
}

/* At each point of the log another takes over, is asked for all it can give, and goes on. */
static void whoever_takes_over_wherever_exceeds_nothing(void **state)
{
    struct run_upstream all[2] = {model_upstream()};
    struct gate *g             = gate_new(all, NULL, 0, START);

    (void)state;
    seed = 4711;
    for (int n = 0; n < 1500; n++)
        random_step(g);
    for (size_t point = 0; point <= g->count; point++) {
        uint64_t now      = point > 0 ? g->log[point - 1].at_ms : START;
        struct gate *next = gate_new(all, g->log, point, now + roll(3));

        for (size_t n = 0; n < 30; n++) {
            struct permit_ask a = gate_want("up", 14000 + n);

            if (n % 2) {
                str_format(a.session, sizeof(a.session), "n%zu", n);
                a.keys[0].session_open = true;
            }
            (void)gate_ask(next, &a);
            if (n % 7 == 0)
                (void)gate_tick(next, roll(50));
        }
        count_log(next->log, next->count);
        gate_free(&next);
    }
    gate_free(&g);
}

/* Take-overs one after the other, each from a log that lost its unstored end or from a snapshot. */
static void take_over_after_take_over(void **state)
{
    struct run_upstream all[2] = {model_upstream()};
    struct gate *g             = gate_new(all, NULL, 0, START);
    size_t grants              = 0;

    (void)state;
    seed = 99;
    for (int turn = 0; turn < 200; turn++) {
        for (int n = 0; n < 60; n++)
            random_step(g);

        size_t keep       = g->count - (g->count > 6 ? roll(6) : 0);
        struct gate *next = gate_new(all, g->log, keep, g->now + roll(2000));

        next->asked = g->asked;
        memcpy(next->told, g->told, g->asked * sizeof(*g->told));
        gate_free(&g);
        g = next;
        count_log(g->log, g->count);
    }
    for (size_t n = 0; n < g->count; n++)
        grants += g->log[n].op == GRANT_GRANT;
    print_message("%zu grants in %zu records\n", grants, g->count);
    assert_true(grants > 800);
    gate_free(&g);
}

struct copy {
    struct lim_grants *to;
};

static void copy_record(void *self, const struct grant_record *r)
{
    lim_grant_apply(((struct copy *)self)->to, r);
}

/* A snapshot, and behind it records that it holds already: the same state. */
static void a_snapshot_is_the_state_also_with_its_last_records_again(void **state)
{
    static struct texts mine, theirs;
    struct run_upstream all[2] = {model_upstream()};
    struct gate *g             = gate_new(all, NULL, 0, START);

    (void)state;
    seed = 7;
    for (int n = 0; n < 4000; n++) {
        random_step(g);
        if (n % 10)
            continue;
        struct gate *copied = gate_new(all, NULL, 0, g->now);
        struct copy copy    = {lim_gate_grants(copied->gate)};

        lim_grant_each(lim_gate_grants(g->gate), g->now, copy_record, &copy);
        texts_of(g, &mine);
        texts_of(copied, &theirs);
        assert_int_equal(mine.count, theirs.count);
        for (size_t i = 0; i < mine.count; i++)
            assert_string_equal(mine.at[i], theirs.at[i]);
        gate_free(&copied);
    }
    gate_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_return_lets_the_next_go),
        cmocka_unit_test(who_does_not_wait_is_told_when_to_come_again),
        cmocka_unit_test(the_told_instant_is_when_the_next_goes),
        cmocka_unit_test(a_wait_has_an_end),
        cmocka_unit_test(several_keys_are_granted_together_or_not_at_all),
        cmocka_unit_test(an_unknown_upstream_is_refused),
        cmocka_unit_test(a_full_house_turns_away),
        cmocka_unit_test(a_tenant_has_its_share_and_no_more),
        cmocka_unit_test(a_lowered_limit_drains_and_a_raised_one_counts_at_once),
        cmocka_unit_test(who_waits_for_an_upstream_that_is_removed_is_told),
        cmocka_unit_test(the_same_ask_again_is_the_same_grant),
        cmocka_unit_test(an_old_grant_asked_for_again_counts_in_the_rate_again),
        cmocka_unit_test(a_repeated_ask_that_is_refused_holds_nothing),
        cmocka_unit_test(granted_anew_it_needs_a_place_like_any_other),
        cmocka_unit_test(a_waiting_ask_repeated_is_answered_once_where_it_came_last),
        cmocka_unit_test(a_slowed_upstream_does_not_stand_still_for_the_dead),
        cmocka_unit_test(a_session_is_held_until_its_close_is_confirmed),
        cmocka_unit_test(a_tenant_has_its_number_of_sessions_over_all_upstreams),
        cmocka_unit_test(an_open_that_was_not_sent_or_was_refused_holds_nothing),
        cmocka_unit_test(an_unsent_open_does_not_end_what_another_permit_opens),
        cmocka_unit_test(a_silent_session_ends_after_the_end_of_its_last_permit),
        cmocka_unit_test(a_close_goes_first_but_not_past_the_limits),
        cmocka_unit_test(a_close_goes_while_limited_paused_and_closed),
        cmocka_unit_test(all_that_wait_are_told_when_it_closes),
        cmocka_unit_test(closed_for_a_moment_they_wait),
        cmocka_unit_test(limited_one_of_many_tries),
        cmocka_unit_test(who_tries_and_did_not_hear_it_tries_anew),
        cmocka_unit_test(while_one_tries_nobody_else_does),
        cmocka_unit_test(an_incident_is_noted_when_it_begins_and_when_it_ends),
        cmocka_unit_test(a_probe_that_dies_leaves_its_turn),
        cmocka_unit_test(the_log_tells_the_state_at_every_point),
        cmocka_unit_test(whoever_takes_over_wherever_exceeds_nothing),
        cmocka_unit_test(take_over_after_take_over),
        cmocka_unit_test(a_snapshot_is_the_state_also_with_its_last_records_again),
    };

    return cmocka_run_group_tests_name("lim_gate", tests, NULL, NULL);
}
