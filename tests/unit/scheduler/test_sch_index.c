#include "sch_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "sch_claim.h"
#include "sch_load.h"
#include "sch_place.h"

static const struct sch_lanes EVEN = {{70, 25, 5}, {0, 0, 0}};

static struct run_tenants *book;
static struct sch_pools pools;
static struct sch_jobs jobs;
static struct sch_index *ix;
static int acks;
static char last_ack[400];
static uint64_t seq;
static int64_t now;

static void on_ack(void *self, const char *text)
{
    (void)self;
    acks++;
    str_copy(last_ack, sizeof(last_ack), text);
}

static int begin(void **state)
{
    (void)state;
    book = run_tenant_new(NULL, NULL);
    sch_pool_init(&pools, &EVEN, 0);
    sch_slot_init(&jobs);
    ix   = sch_index_new(&pools, &jobs, book, on_ack, NULL);
    acks = 0;
    seq  = 1000;
    now  = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    sch_index_free(&ix);
    sch_slot_deinit(&jobs);
    sch_pool_deinit(&pools);
    run_tenant_free(&book);
    return 0;
}

static void workers(uint32_t slots)
{
    struct worker_status s = {.slots = slots};

    str_copy(s.worker, sizeof(s.worker), "w1");
    str_copy(s.pool, sizeof(s.pool), "eu");
    assert_true(sch_pool_heard(&pools, &s, now));
}

static void rule(const char *tenant, const char *text)
{
    struct problem why;

    assert_false(failed(run_tenant_put(book, tenant, bytes_str(text), &why)));
    sch_index_rules(ix, tenant, now);
}

static struct ticket ticket(const char *run, const char *tenant)
{
    struct ticket t = {.lane = LANE_STANDARD, .wake = 1, .cause = CAUSE_ACCEPT};

    str_copy(t.run, sizeof(t.run), run);
    str_copy(t.tenant, sizeof(t.tenant), tenant);
    str_copy(t.pool, sizeof(t.pool), "eu");
    return t;
}

static struct sch_run *put(const struct ticket *t)
{
    char reply[128];
    const uint64_t at = ++seq;

    str_format(reply, sizeof(reply),
               "$JS.ACK.SLUICE_PENDING.sched-0-7.1.%llu.%llu.1763715000000000000.5",
               (unsigned long long)at, (unsigned long long)at - 1000);

    const struct sch_message m = {.seq          = at,
                                  .consumer_seq = at - 1000,
                                  .acks         = reply,
                                  .deliveries   = 1,
                                  .stored       = now,
                                  .fresh        = t->wake == 1};

    return sch_index_put(ix, t, &m, now);
}

static struct sch_run *put_run(const char *run, const char *tenant)
{
    const struct ticket t = ticket(run, tenant);

    return put(&t);
}

static struct sch_pool *eu(void)
{
    return sch_pool_get(&pools, "eu");
}

/* Admits the next one, whole. */
static struct sch_job *admit(const char *wanted)
{
    struct sch_run *run = sch_claim_next(ix, eu(), now);
    struct sch_claim claim;
    struct job job;
    bool over = false;

    if (!wanted) {
        assert_null(run);
        return NULL;
    }
    if (!run)
        fail_msg("nobody is next, %s should be", wanted);
    assert_string_equal(run->run, wanted);
    sch_claim_take(ix, run, false, now, &claim, &job);
    assert_string_equal(job.ticket.run, wanted);
    assert_int_equal(job.slot, claim.slot);

    struct sch_job *ret = sch_claim_admitted(ix, run, &claim, ++seq, now, &over);

    assert_false(over);
    return ret;
}

static void gone(struct sch_job *job)
{
    sch_claim_job_gone(ix, &job, now);
}

/* ---- tickets ------------------------------------------------------------------------------------------- */

static void a_ticket_is_answered_when_its_job_is_stored(void **state)
{
    (void)state;
    workers(10);
    put_run("A", "acme");

    struct sch_run *run = sch_claim_next(ix, eu(), now);
    struct sch_claim claim;
    struct job job;
    bool over = false;

    sch_claim_take(ix, run, false, now, &claim, &job);
    assert_int_equal(acks, 0);
    assert_int_equal(claim.slot, 1);

    struct sch_job *stored = sch_claim_admitted(ix, run, &claim, 5, now, &over);

    assert_int_equal(acks, 1);
    assert_string_equal(last_ack, "$JS.ACK.SLUICE_PENDING.sched-0-7.1.1001.1.0.0");
    assert_null(sch_index_find(ix, "A"));
    gone(stored);
}

static void a_reply_of_another_form_is_kept_whole(void **state)
{
    const struct ticket t      = ticket("A", "acme");
    const struct sch_message m = {.seq          = 9,
                                  .consumer_seq = 3,
                                  .acks         = "fake.ack.9",
                                  .deliveries   = 1,
                                  .stored       = 0,
                                  .fresh        = true};

    (void)state;
    sch_index_drop(ix, sch_index_put(ix, &t, &m, now), now);
    assert_string_equal(last_ack, "fake.ack.9");
}

static void tickets_of_a_run_are_one(void **state)
{
    struct ticket t = ticket("A", "acme");

    (void)state;
    workers(10);
    put(&t);
    put(&t);
    assert_int_equal(sch_index_figures(ix).runs, 1);
    assert_int_equal(sch_index_figures(ix).tickets, 2);

    struct sch_job *job = admit("A");

    assert_int_equal(acks, 2);
    admit(NULL);
    put(&t); /* a duplicate of a job of the same wake */
    assert_int_equal(acks, 3);
    gone(job);
    admit(NULL);
}

static void a_ticket_that_comes_again_is_still_one(void **state)
{
    const struct ticket t = ticket("A", "acme");
    struct sch_message m  = {.seq          = 9,
                             .consumer_seq = 3,
                             .acks         = "$JS.ACK.S.c.1.9.3.0.0",
                             .deliveries   = 1,
                             .fresh        = true};

    (void)state;
    sch_index_put(ix, &t, &m, now);
    m.consumer_seq = 4;
    m.acks         = "$JS.ACK.S.c.2.9.4.0.0";
    m.deliveries   = 2;
    sch_index_put(ix, &t, &m, now);
    assert_int_equal(sch_index_figures(ix).tickets, 1);
    assert_int_equal(sch_index_tenant_find(ix, "acme")->fresh, 1);
    sch_index_drop(ix, sch_index_find(ix, "A"), now);
    assert_int_equal(acks, 1);
    assert_string_equal(last_ack, "$JS.ACK.S.c.2.9.4.0.0");
}

static void the_earliest_of_the_highest_wake_counts(void **state)
{
    struct ticket t = ticket("A", "acme");

    (void)state;
    workers(10);
    t.wake         = 2;
    t.due_after_ms = 5000;
    put(&t);
    t.wake         = 1;
    t.due_after_ms = 0;
    assert_null(put(&t)); /* of a wake that is over */
    assert_int_equal(acks, 1);
    admit(NULL);
    t.wake         = 2;
    t.due_after_ms = 1000;
    put(&t);
    now = 999;
    assert_int_equal(sch_place_turn(ix, now), 1000);
    admit(NULL);
    now = 1000;
    sch_place_turn(ix, now);
    gone(admit("A"));
    assert_int_equal(acks, 3);
}

static void a_higher_wake_waits_for_the_job_of_the_lower(void **state)
{
    struct ticket t = ticket("A", "acme");

    (void)state;
    workers(10);
    put(&t);

    struct sch_job *first = admit("A");

    t.wake = 2;
    put(&t);
    admit(NULL);
    assert_int_equal(sch_index_figures(ix).held, 1);
    gone(first);
    gone(admit("A"));
}

static void a_better_ticket_during_the_publish_is_kept(void **state)
{
    struct ticket t = ticket("A", "acme");
    struct sch_claim claim;
    struct job job;
    bool over = false;

    (void)state;
    workers(10);
    sch_claim_take(ix, put(&t), false, now, &claim, &job);
    t.wake = 2;
    put(&t);
    assert_int_equal(acks, 0);

    struct sch_job *first =
        sch_claim_admitted(ix, sch_index_find(ix, "A"), &claim, ++seq, now, &over);

    assert_int_equal(acks, 1);
    assert_int_equal(sch_index_find(ix, "A")->stage, STAGE_HELD);
    gone(first);
    gone(admit("A"));
}

static void dropped_while_busy_is_answered_at_the_end(void **state)
{
    struct sch_claim claim;
    struct job job;

    (void)state;
    workers(10);

    struct sch_run *run = put_run("A", "acme");

    sch_claim_take(ix, run, false, now, &claim, &job);
    sch_index_drop(ix, run, now);
    assert_int_equal(acks, 0);
    sch_claim_refused(ix, run, &claim, now);
    assert_int_equal(acks, 1);
    assert_null(sch_index_find(ix, "A"));
}

/* ---- order ------------------------------------------------------------------------------------------------ */

static void continuations_go_before_fresh_ones_and_a_yield_first(void **state)
{
    struct ticket t = ticket("C", "acme");

    (void)state;
    workers(10);
    rule("acme", "{\"cap\":10}");
    put_run("A", "acme");
    now = 10;
    put_run("B", "acme");
    t.wake  = 2;
    t.cause = CAUSE_TIMER;
    put(&t);
    now     = 20;
    t       = ticket("D", "acme");
    t.wake  = 3;
    t.cause = CAUSE_YIELD;
    put(&t);

    struct sch_job *all[4] = {admit("D"), admit("C"), admit("A"), admit("B")};

    for (int n = 0; n < 4; n++)
        gone(all[n]);
}

static void tenants_take_turns(void **state)
{
    struct sch_job *all[6];
    char order[8] = "";

    (void)state;
    workers(6);
    for (int n = 0; n < 9; n++) {
        char run[8];

        str_format(run, sizeof(run), "%c%d", "abc"[n / 3], n % 3);
        put_run(run, (const char *[]){"ta", "tb", "tc"}[n / 3]);
    }
    rule("ta", "{\"cap\":9}");
    rule("tb", "{\"cap\":9}");
    rule("tc", "{\"cap\":9}");
    for (int n = 0; n < 6; n++) {
        struct sch_run *run = sch_claim_next(ix, eu(), now);

        order[n] = run->run[0];
        all[n]   = admit(run->run);
    }
    assert_memory_equal(order, order + 3, 3); /* each once, and once more */
    assert_true(order[0] != order[1] && order[1] != order[2] && order[0] != order[2]);
    for (int n = 0; n < 6; n++)
        gone(all[n]);
}

static void the_cap_holds_over_pools_and_is_live(void **state)
{
    struct ticket t = ticket("X", "acme");

    (void)state;
    workers(10);
    rule("acme", "{\"cap\":1}");
    put_run("A", "acme");
    put_run("B", "acme");

    struct sch_job *a = admit("A");

    admit(NULL);
    str_copy(t.pool, sizeof(t.pool), "us");
    put(&t);
    assert_null(sch_claim_next(ix, sch_pool_get(&pools, "us"), now));
    rule("acme", "{\"cap\":2}");

    struct sch_job *b = admit("B");

    rule("acme", "{\"cap\":1}");
    gone(a);
    assert_null(sch_claim_next(ix, sch_pool_get(&pools, "us"), now)); /* it drains first */
    gone(b);
    rule("acme", "{\"paused\":true}");
    put_run("C", "acme");
    admit(NULL);
    rule("acme", "{}");
    gone(admit("C"));
}

/* ---- what else a run waits for ------------------------------------------------------------------------------- */

static void one_run_a_lock(void **state)
{
    struct ticket a = ticket("A", "acme"), b = ticket("B", "acme"), c = ticket("C", "acme");

    (void)state;
    workers(10);
    str_copy(a.lock, sizeof(a.lock), "user-42");
    str_copy(b.lock, sizeof(b.lock), "user-42");
    put(&a);
    put(&b);
    put(&c);

    struct sch_job *first = admit("A");
    struct sch_job *free  = admit("C"); /* who waits for a lock keeps nobody back */

    admit(NULL);
    gone(first);
    first = admit("B");
    assert_non_null(sch_index_gate_find(ix, GATE_LOCK, "acme.user-42"));
    gone(first);
    gone(free);
    assert_null(
        sch_index_gate_find(ix, GATE_LOCK, "acme.user-42")); /* nobody names it any more */
}

static void a_lock_record_lets_its_run_pass_and_no_other(void **state)
{
    struct ticket a = ticket("A", "acme"), b = ticket("B", "acme");

    (void)state;
    workers(10);
    str_copy(a.lock, sizeof(a.lock), "L");
    str_copy(b.lock, sizeof(b.lock), "L");

    struct sch_gate *gate = sch_index_gate(ix, GATE_LOCK, "acme.L");

    str_copy(gate->owner, sizeof(gate->owner), "B");
    sch_place_gate_changed(ix, gate, false, now);
    put(&a);
    admit(NULL);
    put(&b);

    struct sch_job *job = admit("B");

    admit(NULL);
    gone(job);
    admit(NULL);
    gate->owner[0] = '\0';
    sch_place_gate_changed(ix, gate, false, now);
    gone(admit("A"));
}

static void a_limited_upstream_parks_its_runs_but_for_one_probe(void **state)
{
    struct ticket t = ticket("A", "acme");
    char run[8];

    (void)state;
    workers(10);
    rule("acme", "{\"cap\":10}");
    for (int n = 0; n < 3; n++) {
        str_format(run, sizeof(run), "A%d", n);
        t = ticket(run, "acme");
        str_copy(t.upstream, sizeof(t.upstream), "multion");
        put(&t);
    }

    struct sch_gate *gate = sch_index_gate(ix, GATE_UPSTREAM, "multion");

    gate->shut_until = INT64_MAX;
    gate->probe_ms   = 60000;
    gate->probe_at   = 60000;
    gate->known      = true;
    sch_place_gate_changed(ix, gate, true, now);
    assert_int_equal(sch_index_figures(ix).parked, 3); /* those in the queue went back */
    put_run("B", "acme");
    gone(admit("B"));
    admit(NULL);
    sch_load_count(ix, now, 1000);
    assert_int_equal(eu()->load.runnable, 0);
    assert_int_equal(eu()->load.blocked.upstream, 3);

    assert_int_equal(sch_place_turn(ix, now), 60000);
    now = 60000;
    workers(10);
    sch_place_turn(ix, now);

    struct sch_job *probe = admit("A0");

    admit(NULL);
    now = 70000;
    gone(probe); /* in vain: the limiter counts its interval from here, too */
    assert_int_equal(sch_place_turn(ix, now), 130000);
    admit(NULL);
    gate->shut_until = 0;
    sch_place_gate_changed(ix, gate, true, now);
    gone(admit("A1"));
    gone(admit("A2"));
}

static void an_upstream_that_shuts_unseen_is_met_at_the_turn(void **state)
{
    struct ticket t = ticket("A", "acme");

    (void)state;
    workers(10);
    str_copy(t.upstream, sizeof(t.upstream), "multion");
    put(&t);

    struct sch_gate *gate = sch_index_gate_find(ix, GATE_UPSTREAM, "multion");

    gate->shut_until = 3000;
    admit(NULL);
    assert_int_equal(sch_index_figures(ix).parked, 1);
    assert_int_equal(sch_place_turn(ix, now), 3000);
    now = 3000;
    sch_place_turn(ix, now);
    gone(admit("A"));
}

static void a_flow_has_its_maximum(void **state)
{
    struct ticket a = ticket("A", "acme"), b = ticket("B", "globex");

    (void)state;
    workers(10);
    str_copy(a.flow, sizeof(a.flow), "checkout");
    str_copy(b.flow, sizeof(b.flow), "checkout");

    struct sch_gate *gate = sch_index_gate(ix, GATE_FLOW, "checkout");

    gate->limit = 1;
    gate->known = true;
    put(&a);
    put(&b);

    struct sch_job *job = admit("A");

    admit(NULL);
    gone(job);
    gone(admit("B"));
}

/* ---- endings ---------------------------------------------------------------------------------------------------- */

static void a_run_to_be_ended_passes_the_cap_by_the_closing_slot(void **state)
{
    struct ticket t = ticket("B", "acme");
    struct sch_claim claim;
    struct job job;
    bool over = false;

    (void)state;
    workers(10);
    rule("acme", "{\"cap\":1}");
    put_run("A", "acme");

    struct sch_job *a = admit("A");

    t.wake         = 2;
    t.due_after_ms = 100000;
    str_copy(t.lock, sizeof(t.lock), "L");

    struct sch_run *run = put(&t);

    sch_index_close(ix, run, now); /* CANCEL came: neither cap, nor time, nor lock */
    assert_ptr_equal(sch_claim_next_closing(ix), run);
    admit(NULL);
    sch_claim_take(ix, run, true, now, &claim, &job);
    assert_int_equal(job.slot, 0);

    struct sch_job *closing = sch_claim_admitted(ix, run, &claim, ++seq, now, &over);
    struct ticket u         = ticket("C", "acme");

    u.wake = 2;
    run    = put(&u);
    sch_index_close(ix, run, now);
    assert_null(sch_claim_next_closing(ix)); /* one at a time */
    gone(closing);
    assert_ptr_equal(sch_claim_next_closing(ix), run);
    gone(a);
    gone(admit("C")); /* or by a slot of the cap, if one is free first */
    assert_null(sch_claim_next_closing(ix));
}

static void deadlines_are_named_once(void **state)
{
    struct ticket t = ticket("A", "acme");

    (void)state;
    t.start_within_ms   = 1000;
    t.deadline_after_ms = 5000;

    struct sch_run *run = put(&t);

    assert_null(sch_place_expired(ix, 999));
    assert_ptr_equal(sch_place_expired(ix, 1000), run);
    assert_null(sch_place_expired(ix, 1000));
    sch_place_expire_again(ix, run, 2000);
    assert_ptr_equal(sch_place_expired(ix, 2000), run);
    sch_index_started(
        ix, run, 2000); /* it was leased before: start_within is over, the deadline is not */
    assert_null(sch_place_expired(ix, 4999));
    assert_ptr_equal(sch_place_expired(ix, 5000), run);
}

/* ---- figures ------------------------------------------------------------------------------------------------------ */

static void wanted_counts_what_may_run_now(void **state)
{
    char run[8];
    struct ticket t;

    (void)state;
    rule("acme", "{\"cap\":3}");
    for (int n = 0; n < 10; n++) {
        str_format(run, sizeof(run), "A%d", n);
        put_run(run, "acme");
    }
    t              = ticket("L", "acme");
    t.due_after_ms = 5000;
    put(&t);
    rule("gone", "{\"paused\":true}");
    put_run("P", "gone");
    workers(1);

    struct sch_job *job = admit("A0");

    now = 7000;
    sch_load_count(ix, now, 1000);
    assert_int_equal(eu()->load.runnable, 2);
    assert_int_equal(eu()->load.blocked.tenant_cap, 7);
    assert_int_equal(eu()->load.blocked.not_due, 1); /* its timer was not looked at yet */
    assert_int_equal(eu()->load.blocked.paused, 1);
    assert_int_equal(eu()->load.waiting[LANE_STANDARD], 11);
    assert_int_equal(eu()->load.runnable_age_ms, 7000);
    assert_true(eu()->room.aged[LANE_STANDARD]);
    assert_int_equal(sch_index_tenant_find(ix, "acme")->fresh, 10);
    gone(job);
}

static int64_t oldest_of(const char *tenant)
{
    return sch_load_oldest(sch_index_tenant_find(ix, tenant));
}

/* It goes last, and is the oldest all the same: behind those that go on, and in a pause. */
static void the_oldest_is_who_waits_longest_whoever_goes_first(void **state)
{
    struct ticket woken = ticket("W", "acme");

    (void)state;
    workers(10);
    woken.wake = 2;
    rule("acme", "{\"paused\":true}");
    put_run("F", "acme");
    now = 11000;
    put(&woken);
    now = 12000;
    sch_load_count(ix, now, 5000);
    assert_int_equal(oldest_of("acme"), 0);
    assert_int_equal(eu()->load.oldest_ms[LANE_STANDARD], 12000);
    assert_int_equal(eu()->load.runnable_age_ms, 0);
    assert_false(eu()->room.aged[LANE_STANDARD]);

    rule("acme", "{}");
    sch_load_count(ix, now, 5000);
    assert_int_equal(eu()->load.runnable_age_ms, 12000);
    assert_true(eu()->room.aged[LANE_STANDARD]);
    assert_string_equal(sch_claim_next(ix, eu(), now)->run, "W");

    sch_index_drop(ix, sch_index_find(ix, "F"), now);
    sch_load_count(ix, now, 5000);
    assert_int_equal(oldest_of("acme"), 11000);
    assert_int_equal(eu()->load.oldest_ms[LANE_STANDARD], 1000);
    assert_false(eu()->room.aged[LANE_STANDARD]);
    sch_index_clear(ix);
    assert_int_equal(oldest_of("acme"), INT64_MAX);
}

/* No slot would help it, so a pool wants none for it, and prefers no lane. */
static void kept_by(enum sch_gate_kind kind)
{
    static const char *const NAMES[GATES] = {"acme.L", "multion", "checkout"};
    struct ticket t                       = ticket("A", "acme");
    struct sch_gate *gate                 = sch_index_gate(ix, kind, NAMES[kind]);

    str_copy(t.lock, sizeof(t.lock), kind == GATE_LOCK ? "L" : "");
    str_copy(t.upstream, sizeof(t.upstream), kind == GATE_UPSTREAM ? "multion" : "");
    str_copy(t.flow, sizeof(t.flow), kind == GATE_FLOW ? "checkout" : "");
    gate->paused = gate->known = true;
    put(&t);
    now = 6000;
    put_run("B", "acme");
    now = 7000;
    sch_load_count(ix, now, 5000);
    assert_int_equal(oldest_of("acme"), 0);
    assert_int_equal(eu()->load.oldest_ms[LANE_STANDARD], 7000);
    assert_int_equal(eu()->load.runnable_age_ms, 1000);
    assert_false(eu()->room.aged[LANE_STANDARD]);

    gate->paused = false;
    sch_place_gate_changed(ix, gate, true, now);
    sch_load_count(ix, now, 5000);
    assert_int_equal(oldest_of("acme"), 0);
    assert_int_equal(eu()->load.runnable_age_ms, 7000);
    assert_true(eu()->room.aged[LANE_STANDARD]);
}

static void who_waits_for_a_lock_is_old_and_could_not_run(void **state)
{
    (void)state;
    kept_by(GATE_LOCK);
}

static void who_waits_for_an_upstream_is_old_and_could_not_run(void **state)
{
    (void)state;
    kept_by(GATE_UPSTREAM);
}

static void who_waits_for_its_flow_is_old_and_could_not_run(void **state)
{
    (void)state;
    kept_by(GATE_FLOW);
}

/* It was accepted, counts in the quota, and get calls it queued. */
static void who_never_began_waits_before_it_is_due_and_is_not_old(void **state)
{
    struct ticket later = ticket("L", "acme"), asleep = ticket("S", "acme");

    (void)state;
    later.due_after_ms = asleep.due_after_ms = 20000;
    asleep.wake                              = 2;
    put(&later);
    put(&asleep);
    now = 7000;
    sch_load_count(ix, now, 5000);
    assert_int_equal(sch_load_waiting(sch_index_tenant_find(ix, "acme"), LANE_STANDARD), 1);
    assert_int_equal(sch_index_tenant_find(ix, "acme")->fresh, 1);
    assert_int_equal(eu()->load.waiting[LANE_STANDARD], 1);
    assert_int_equal(eu()->load.blocked.not_due, 2);
    assert_int_equal(eu()->load.oldest_ms[LANE_STANDARD], 0);
    assert_int_equal(oldest_of("acme"), 20000);

    now = 23000;
    sch_place_turn(ix, now);
    sch_load_count(ix, now, 5000);
    assert_int_equal(sch_load_waiting(sch_index_tenant_find(ix, "acme"), LANE_STANDARD), 2);
    assert_int_equal(eu()->load.blocked.not_due, 0);
    assert_int_equal(eu()->load.oldest_ms[LANE_STANDARD], 3000);
}

/* Its journal says so before its ticket does. */
static void who_began_after_all_does_not_wait_before_it_is_due(void **state)
{
    struct ticket later = ticket("L", "acme");

    (void)state;
    later.due_after_ms = 20000;
    sch_index_started(ix, put(&later), now);
    assert_int_equal(sch_load_waiting(sch_index_tenant_find(ix, "acme"), LANE_STANDARD), 0);
    assert_int_equal(oldest_of("acme"), INT64_MAX);
}

/* Whichever of its queues is looked at first. */
static void who_is_kept_by_its_tenants_cap_could_not_run(void **state)
{
    struct ticket t = ticket("C", "acme");

    (void)state;
    workers(10);
    rule("acme", "{\"cap\":1}");
    t.lane = LANE_BULK;
    put_run("A", "acme");
    put_run("B", "acme");
    put(&t);

    struct sch_job *job = admit("A");

    now = 7000;
    sch_load_count(ix, now, 5000);
    assert_int_equal(eu()->load.oldest_ms[LANE_STANDARD], 7000);
    assert_int_equal(eu()->load.runnable_age_ms, 0);
    assert_false(eu()->room.aged[LANE_STANDARD]);
    assert_false(eu()->room.aged[LANE_BULK]);
    gone(job);
    sch_load_count(ix, now, 5000);
    assert_int_equal(eu()->load.runnable, 1);
    assert_int_equal(eu()->load.runnable_age_ms, 7000);
    assert_true(eu()->room.aged[LANE_STANDARD]);
    assert_true(eu()->room.aged[LANE_BULK]);
}

static void depth_is_told_of_tenants_that_changed(void **state)
{
    (void)state;
    put_run("A", "acme");
    put_run("B", "acme");
    assert_string_equal(sch_index_dirty(ix)->name, "acme");
    assert_null(sch_index_dirty(ix));
    sch_index_drop(ix, sch_index_find(ix, "A"), now);
    assert_int_equal(sch_index_dirty(ix)->fresh, 1);
}

/* ---- a model: any order of events keeps the cap and loses nobody ----------------------------------------------------- */

enum { TENANTS = 7, MODEL_SLOTS = 12, RUNS = 3000, OPEN_MAX = 40 };

struct server_slot { /* what the server says */
    uint64_t seq;
    char run[ID_SIZE];
    uint32_t wake;
};

struct open_op {
    bool used;
    struct sch_run *run;
    struct sch_claim claim;
    struct job job;
    bool stored; /* it landed, and the answer is still out */
    uint64_t seq;
};

/* What is kept of the ages says what a look at every run says. */
static void ages_are_right(int submitted)
{
    struct sch_tenant *t = NULL;

    for (size_t it = 0; sch_index_tenant_next(ix, &it, &t);) {
        int64_t oldest = INT64_MAX;

        for (int n = 0; n < submitted; n++) {
            char name[16];

            str_format(name, sizeof(name), "R%d", n);

            const struct sch_run *run = sch_index_find(ix, name);

            if (run && run->queue->tenant == t && run->due < oldest &&
                (run->stage == STAGE_QUEUED || run->stage == STAGE_PARKED ||
                 (run->stage == STAGE_DORMANT && !run->started)))
                oldest = run->due;
        }
        assert_int_equal(sch_load_oldest(t), oldest);
    }
}

static void the_cap_holds_and_nobody_is_lost_in_any_order(void **state)
{
    static struct server_slot server[TENANTS][64];
    static struct open_op ops[OPEN_MAX];
    static uint8_t ended[RUNS];
    uint32_t cap[TENANTS];
    uint64_t random = 12345;
    int submitted = 0, done = 0;

    (void)state;
    memset(server, 0, sizeof(server));
    memset(ops, 0, sizeof(ops));
    memset(ended, 0, sizeof(ended));
    for (int t = 0; t < TENANTS; t++) {
        char name[8], text[32];

        cap[t] = (uint32_t)(1 + t * 3);
        str_format(name, sizeof(name), "t%d", t);
        str_format(text, sizeof(text), "{\"cap\":%u,\"weight\":%d}", cap[t], t + 1);
        rule(name, text);
    }
    for (int step = 0; step < 400000 && done < RUNS; step++) {
        random ^= random << 13; /* xorshift64 */
        random ^= random >> 7;
        random ^= random << 17;

        unsigned die = random >> 32 & 0xff;
        int t        = (int)((random >> 40) % TENANTS);
        char name[8], run[16];

        str_format(name, sizeof(name), "t%d", t);
        now += 3;
        if (step % 500 == 0)
            workers(MODEL_SLOTS);
        if (step % 2000 == 0) /* a look at JOBS: hints may be lost */
            for (int n = 0; n < TENANTS * 64; n++) {
                char of[8];

                str_format(of, sizeof(of), "t%d", n / 64);

                struct sch_tenant *tenant = sch_index_tenant(ix, of);
                struct sch_job *job       = sch_slot_holder(&tenant->slots, (uint32_t)n % 64);

                if (job && job->seq != server[n / 64][n % 64].seq)
                    sch_claim_job_gone(ix, &job, now);
            }
        sch_place_turn(ix, now);
        if (step % 1000 == 0)
            ages_are_right(submitted);
        if (die < 60 && submitted < RUNS) {
            struct ticket k;

            str_format(run, sizeof(run), "R%d", submitted);
            k              = ticket(run, name);
            k.lane         = (enum lane)(random >> 5 & 1);
            k.due_after_ms = (random >> 9 & 7) == 0 ? 50 : 0;
            if ((random >> 12 & 7) == 0)
                str_copy(k.lock, sizeof(k.lock), (random >> 15 & 1) ? "L1" : "L2");
            put(&k);
            if ((random >> 14 & 15) == 0)
                put(&k); /* twice: nobody should mind */
            submitted++;
        } else if (die < 140) {
            int n = 0;

            while (n < OPEN_MAX && ops[n].used)
                n++;

            struct sch_run *next = n < OPEN_MAX ? sch_claim_next(ix, eu(), now) : NULL;

            if (next) {
                ops[n] = (struct open_op){.used = true, .run = next};
                sch_claim_take(ix, next, false, now, &ops[n].claim, &ops[n].job);
            }
        } else if (die < 210) {
            struct open_op *op = &ops[(random >> 4) % OPEN_MAX];

            if (!op->used)
                continue;

            int of                = atoi(op->job.ticket.tenant + 1);
            struct server_slot *s = &server[of][op->claim.slot];
            bool over             = false;

            if (!op->stored && s->seq == 0) {
                *s = (struct server_slot){.seq = ++seq, .wake = op->claim.wake};
                str_copy(s->run, sizeof(s->run), op->job.ticket.run);
                op->stored = true;
                op->seq    = s->seq;

                uint32_t taken = 0;

                for (int n = 1; n < 64; n++)
                    taken += server[of][n].seq != 0;
                assert_true(taken <= cap[of]);
                if ((random >> 3 & 3) == 0)
                    continue; /* the answer is late: hints may come before it */
            }
            op->used = false;
            if (op->stored) {
                struct sch_job *job =
                    sch_claim_admitted(ix, op->run, &op->claim, op->seq, now, &over);

                if (over)
                    sch_claim_job_gone(ix, &job, now);
            } else { /* refused: another leader's job is there */
                struct job there = {.slot = op->claim.slot};

                there.ticket = ticket(s->run, op->job.ticket.tenant);
                sch_claim_refused(ix, op->run, &op->claim, now);
                sch_claim_found(ix, &there, s->seq, now);
            }
        } else if (die < 245) { /* a worker ends some job */
            int n = (int)(random % 63) + 1;

            for (int tries = 0; tries < 63 && server[t][n].seq == 0; tries++)
                n = n % 63 + 1;

            struct server_slot *s = &server[t][n];
            bool doubt            = false;

            if (s->seq == 0)
                continue;
            if (s->run[0] == 'R') {
                assert_false(ended[atoi(s->run + 1)]);
                ended[atoi(s->run + 1)] = 1;
                done++;
            }

            uint64_t was = s->seq;

            *s = (struct server_slot){0};

            struct sch_tenant *tenant = sch_index_tenant(ix, name);
            struct sch_job *job = sch_slot_freed(&tenant->slots, (uint32_t)n, was, &doubt);

            if (job)
                sch_claim_job_gone(ix, &job, now);
        } else if (die < 250) { /* another leader takes a slot that is free, within the cap */
            uint32_t taken = 0;

            for (int n = 1; n < 64; n++)
                taken += server[t][n].seq != 0;
            if (taken < cap[t])
                for (uint32_t n = 1; n <= cap[t]; n++)
                    if (server[t][n].seq == 0) {
                        server[t][n] = (struct server_slot){.seq = ++seq, .wake = 1};
                        str_format(server[t][n].run, ID_SIZE, "X%d", step);
                        break;
                    }
        } else { /* a cap is raised */
            char text[32];

            if (cap[t] < 30)
                cap[t]++;
            str_format(text, sizeof(text), "{\"cap\":%u,\"weight\":%d}", cap[t], t + 1);
            rule(name, text);
        }
    }
    assert_int_equal(submitted, RUNS);
    assert_int_equal(done, RUNS);
    assert_int_equal(sch_index_figures(ix).tickets, 0);
    assert_int_equal(sch_index_figures(ix).runs, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(a_ticket_is_answered_when_its_job_is_stored),
        T(a_reply_of_another_form_is_kept_whole),
        T(tickets_of_a_run_are_one),
        T(a_ticket_that_comes_again_is_still_one),
        T(the_earliest_of_the_highest_wake_counts),
        T(a_higher_wake_waits_for_the_job_of_the_lower),
        T(a_better_ticket_during_the_publish_is_kept),
        T(dropped_while_busy_is_answered_at_the_end),
        T(continuations_go_before_fresh_ones_and_a_yield_first),
        T(tenants_take_turns),
        T(the_cap_holds_over_pools_and_is_live),
        T(one_run_a_lock),
        T(a_lock_record_lets_its_run_pass_and_no_other),
        T(a_limited_upstream_parks_its_runs_but_for_one_probe),
        T(an_upstream_that_shuts_unseen_is_met_at_the_turn),
        T(a_flow_has_its_maximum),
        T(a_run_to_be_ended_passes_the_cap_by_the_closing_slot),
        T(deadlines_are_named_once),
        T(wanted_counts_what_may_run_now),
        T(the_oldest_is_who_waits_longest_whoever_goes_first),
        T(who_waits_for_a_lock_is_old_and_could_not_run),
        T(who_waits_for_an_upstream_is_old_and_could_not_run),
        T(who_waits_for_its_flow_is_old_and_could_not_run),
        T(who_never_began_waits_before_it_is_due_and_is_not_old),
        T(who_began_after_all_does_not_wait_before_it_is_due),
        T(who_is_kept_by_its_tenants_cap_could_not_run),
        T(depth_is_told_of_tenants_that_changed),
        T(the_cap_holds_and_nobody_is_lost_in_any_order),
    };

    return cmocka_run_group_tests_name("sch_index", tests, NULL, NULL);
}
