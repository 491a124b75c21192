/* Ops by themselves: turns, ends, deadlines, answers that come late or twice. */
#include "base/fault.h"
#include "bus_world.h"

/* ---- turns ------------------------------------------------------------------------------------------ */

static void no_answer_comes_inside_the_call(void **state)
{
    struct world *w    = *state;
    struct bus_out bad = {.subject = "not a subject"};
    struct probe p;

    probe_start(w, &p, 0);
    assert_false(failed(bus_publish(&p.op, &bad, NULL, probe_next)));
    assert_int_equal(p.nexts, 0);
    assert_int_equal(p.ends, 0);
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_REJECT);
}

static void an_end_comes_in_a_later_turn(void **state)
{
    struct world *w = *state;
    struct probe p;

    probe_start(w, &p, 0);
    assert_false(failed(bus_op_fail(&p.op, err_of(ERR_FULL, "test"))));
    assert_int_equal(p.ends, 0);
    assert_true(bus_op_living(&p.op));
    assert_true(world_run(w, world_is_set, &p.ended, WORLD_WAIT_MS));
    assert_int_equal(p.end.kind, ERR_FULL);
    assert_false(bus_op_living(&p.op));
}

struct chain {
    struct bus_op op;
    unsigned steps;
    bool ended;
    struct err end;
};

static void chain_end(struct bus_op *op, struct err e)
{
    struct chain *c = SELF(struct chain, PROBE_MAGIC, op);

    c->ended = true;
    c->end   = e;
}

static struct err chain_last(struct bus_op *op, const struct bus_reply *r)
{
    struct chain *c = SELF(struct chain, PROBE_MAGIC, op);

    assert_int_equal(r->seq, 2);
    c->steps++;
    return bus_op_done(op);
}

static struct err chain_second(struct bus_op *op, const struct bus_reply *r)
{
    struct chain *c    = SELF(struct chain, PROBE_MAGIC, op);
    struct bus_out out = {.subject = "s.b"};

    assert_int_equal(r->seq, 1);
    c->steps++;
    return bus_publish(op, &out, NULL, chain_last);
}

static void a_chain_goes_from_step_to_step(void **state)
{
    struct world *w    = *state;
    struct chain c     = {0};
    struct bus_out out = {.subject = "s.a"};

    world_stream(w, "S", "s.>", NULL);
    bus_op_start(w->bus, &c.op, PROBE_MAGIC, "chain", 5000, chain_end);
    assert_false(failed(bus_publish(&c.op, &out, NULL, chain_second)));
    assert_true(world_run(w, world_is_set, &c.ended, WORLD_WAIT_MS));
    assert_int_equal(c.steps, 2);
    assert_int_equal(c.end.kind, ERR_NONE);
}

static struct err chain_over(struct bus_op *op, const struct bus_reply *r)
{
    return failed(r->err) ? r->err : bus_op_done(op);
}

static struct err chain_on(struct bus_op *op, const struct bus_reply *r)
{
    struct bus_out out = {.subject = "s.b"};

    SELF(struct chain, PROBE_MAGIC, op)->steps++;
    return failed(r->err) ? r->err : bus_publish(op, &out, NULL, chain_over);
}

/* The n-th send fails, for each n: the chain ends once, and says what happened. */
static void whichever_send_fails_the_chain_ends_once(void **state)
{
    struct world *w    = *state;
    struct bus_out out = {.subject = "s.a"};

    world_stream(w, "S", "s.>", NULL);
    for (unsigned n = 1;; n++) {
        struct chain c = {0};

        fault_arm(n);
        bus_op_start(w->bus, &c.op, PROBE_MAGIC, "chain", 0, chain_end);
        assert_false(failed(bus_publish(&c.op, &out, NULL, chain_on)));
        assert_true(world_run(w, world_is_set, &c.ended, WORLD_WAIT_MS));
        bool fired = fault_fired();
        fault_arm(0);
        assert_int_equal(c.end.kind, fired ? ERR_RETRY : ERR_NONE);
        world_no_ops(w);
        if (!fired)
            break;
        assert_in_range(n, 1, 2);
    }
}

static struct err fails(struct bus_op *op, const struct bus_reply *r)
{
    struct bus_out out = {.subject = "s.b"};

    (void)r;
    (void)bus_publish(op, &out, NULL, chain_last);
    return err_of(ERR_LOST, "test");
}

static void a_step_that_fails_ends_the_chain_whatever_it_called(void **state)
{
    struct world *w    = *state;
    struct chain c     = {0};
    struct bus_out out = {.subject = "s.a"};

    world_stream(w, "S", "s.>", NULL);
    bus_op_start(w->bus, &c.op, PROBE_MAGIC, "chain", 0, chain_end);
    assert_false(failed(bus_publish(&c.op, &out, NULL, fails)));
    assert_true(world_run(w, world_is_set, &c.ended, WORLD_WAIT_MS));
    assert_int_equal(c.end.kind, ERR_LOST);
    world_pass(w, 50);
    assert_int_equal(c.steps, 0);
    assert_int_equal(bus_counts(w->bus).late, 1);
}

static struct err parks(struct bus_op *op, const struct bus_reply *r)
{
    (void)r;
    SELF(struct chain, PROBE_MAGIC, op)->steps++;
    return OK;
}

static void a_step_that_calls_nothing_parks_the_op(void **state)
{
    struct world *w    = *state;
    struct chain c     = {0};
    struct bus_out out = {.subject = "s.a"};

    world_stream(w, "S", "s.>", NULL);
    bus_op_start(w->bus, &c.op, PROBE_MAGIC, "chain", 0, chain_end);
    assert_true(bus_op_parked(&c.op));
    assert_false(failed(bus_publish(&c.op, &out, NULL, parks)));
    assert_false(bus_op_parked(&c.op));
    world_pass(w, 50);
    assert_true(bus_op_parked(&c.op));
    assert_int_equal(c.steps, 1);
    assert_false(failed(bus_wait(&c.op, 0, parks)));
    world_pass(w, 20);
    assert_int_equal(c.steps, 2);
    assert_false(failed(bus_op_done(&c.op)));
    assert_true(world_run(w, world_is_set, &c.ended, WORLD_WAIT_MS));
}

/* ---- time ------------------------------------------------------------------------------------------- */

static void a_wait_takes_as_long_as_it_says(void **state)
{
    struct world *w = *state;
    struct probe p;

    probe_start(w, &p, 0);
    uint64_t before = clk_mono_ms();
    assert_false(failed(bus_wait(&p.op, 100, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_NONE);
    assert_in_range(clk_mono_ms() - before, 95, 10000);
}

/* A server of ours that never answers. */
static void silent(void *self, struct bus_msg **msg)
{
    size_t *heard = self;

    (void)msg;
    (*heard)++;
}

static void an_op_over_its_deadline_ends_unknown(void **state)
{
    struct world *w     = *state;
    struct bus_out out  = {.subject = "silent"};
    struct bus_sub *sub = NULL;
    size_t heard        = 0;
    struct probe p;

    assert_false(failed(bus_subscribe(w->bus, "silent", NULL, silent, &heard, &sub)));
    probe_start(w, &p, 150);
    assert_false(failed(bus_request(&p.op, &out, 0, probe_next)));
    uint64_t before = clk_mono_ms();
    assert_true(world_run(w, world_is_set, &p.ended, WORLD_WAIT_MS));
    assert_in_range(clk_mono_ms() - before, 140, 1900);
    assert_int_equal(p.nexts, 0);
    assert_int_equal(p.end.kind, ERR_UNKNOWN);
    assert_true(world_counts(w, &heard, 1)); /* it was sent */

    probe_start(w, &p, 50); /* parked */
    assert_true(world_run(w, world_is_set, &p.ended, WORLD_WAIT_MS));
    assert_int_equal(p.end.kind, ERR_UNKNOWN);

    probe_start(w, &p, 50); /* waiting */
    assert_false(failed(bus_wait(&p.op, 5000, probe_next)));
    assert_true(world_run(w, world_is_set, &p.ended, WORLD_WAIT_MS));
    assert_int_equal(p.nexts, 0);
    assert_int_equal(p.end.kind, ERR_UNKNOWN);

    probe_start(w, &p, 50); /* put off */
    bus_op_deadline(&p.op, 0);
    assert_false(failed(bus_wait(&p.op, 100, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.end.kind, ERR_NONE);
}

static void a_hop_without_an_answer_ends_unknown(void **state)
{
    struct world *w     = *state;
    struct bus_out out  = {.subject = "silent"};
    struct bus_sub *sub = NULL;
    size_t heard        = 0;
    struct probe p;

    assert_false(failed(bus_subscribe(w->bus, "silent", NULL, silent, &heard, &sub)));
    probe_start(w, &p, 0);
    assert_false(failed(bus_request(&p.op, &out, 100, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_UNKNOWN);

    uint64_t before = clk_mono_ms(); /* the bus's own: 2000 */
    probe_start(w, &p, 0);
    assert_false(failed(bus_publish(&p.op, &out, NULL, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_UNKNOWN);
    assert_in_range(clk_mono_ms() - before, 1900, 20000);
}

/* The loop was busy for longer than the answer may take; the answer was there all the time. */
static void an_answer_that_waits_in_the_box_is_in_time(void **state)
{
    struct world *w    = *state;
    struct bus_out out = {.subject = "s.a"};
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    probe_start(w, &p, 0);
    assert_false(failed(bus_request(&p.op, &out, 100, probe_next)));
    usleep(400000);
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_NONE);
}

/* The loop was away while the end was due: a stopped process, or a turn that took long. */
static void an_end_whose_deadline_passed_comes_all_the_same(void **state)
{
    struct world *w    = *state;
    struct bus_out out = {.subject = "s.a"};
    struct probe p;

    alarm(WORLD_WAIT_MS / 1000); /* a loop that does not turn cannot look at the clock */
    world_stream(w, "S", "s.>", NULL);
    probe_start(w, &p, 20);
    assert_false(failed(bus_op_fail(&p.op, err_of(ERR_FULL, "test"))));
    usleep(50000);
    assert_true(world_run(w, world_is_set, &p.ended, WORLD_WAIT_MS));
    assert_int_equal(p.end.kind, ERR_FULL);

    probe_start(w, &p, 100); /* in the late turn itself, by an answer from the box */
    assert_false(failed(bus_request(&p.op, &out, 0, probe_next)));
    usleep(400000);
    assert_true(world_run(w, world_is_set, &p.ended, WORLD_WAIT_MS));
    alarm(0);
}

/* ---- late and twice --------------------------------------------------------------------------------- */

static char first_reply[128];

static void remembers(void *self, struct bus_msg **msg)
{
    (void)self;
    strcpy(first_reply, (*msg)->reply);
}

static void late_and_repeated_answers_are_dropped(void **state)
{
    struct world *w     = *state;
    struct bus_out out  = {.subject = "silent"};
    struct bus_out late = {.subject = first_reply, .body = bytes_str("late")};
    struct bus_sub *sub = NULL;
    struct probe p;

    assert_false(failed(bus_subscribe(w->bus, "silent", NULL, remembers, NULL, &sub)));
    probe_start(w, &p, 0);
    assert_false(failed(bus_request(&p.op, &out, 100, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_UNKNOWN);

    /* Its slot is given out again, to one who must not get the old answer. */
    struct bus_sub *mute = NULL;
    struct probe other;
    size_t heard = 0;
    assert_false(failed(bus_subscribe(w->bus, "mute", NULL, silent, &heard, &mute)));
    probe_start(w, &other, 0);
    assert_false(
        failed(bus_request(&other.op, &(struct bus_out){.subject = "mute"}, 300, probe_next)));
    assert_true(bus_send(w->bus, &late));
    assert_true(bus_send(w->bus, &late));
    probe_wait(w, &other);
    assert_int_equal(other.err.kind, ERR_UNKNOWN);
    assert_int_equal(heard, 1);
    assert_int_equal(bus_counts(w->bus).late, 2);

    static const char *const odd[] = {
        "0.0", "1", "99999.0", "x.y", "1.x", "4294967296.0", "18446744073709551616.1"};
    for (size_t n = 0; n < sizeof(odd) / sizeof(*odd); n++) {
        char subject[160];

        snprintf(subject, sizeof(subject), "%.29s.%s", first_reply, odd[n]);
        assert_true(bus_send(w->bus, &(struct bus_out){.subject = subject}));
    }
    world_pass(w, 50);
    assert_int_equal(bus_counts(w->bus).late, 2 + 6); /* "1" has no dot: it is not ours */
}

static void answers_twice(void *self, struct bus_msg **msg)
{
    struct world *w = self;

    bus_answer(w->bus, *msg, bytes_str("first"), NULL, 0);
    bus_answer(w->bus, *msg, bytes_str("second"), NULL, 0);
}

static void of_two_answers_the_first_counts(void **state)
{
    struct world *w     = *state;
    struct bus_out out  = {.subject = "twice"};
    struct bus_sub *sub = NULL;
    struct probe p;

    assert_false(failed(bus_subscribe(w->bus, "twice", NULL, answers_twice, w, &sub)));
    probe_start(w, &p, 0);
    assert_false(failed(bus_request(&p.op, &out, 0, probe_next)));
    probe_wait(w, &p);
    assert_string_equal(p.body, "first");
    world_pass(w, 50);
    assert_int_equal(p.nexts, 1);
    assert_int_equal(bus_counts(w->bus).late, 1);
}

static void ending_an_op_drops_its_answer(void **state)
{
    struct world *w    = *state;
    struct bus_out out = {.subject = "s.a"};
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    probe_start(w, &p, 0);
    assert_false(failed(bus_publish(&p.op, &out, NULL, probe_next)));
    assert_false(failed(bus_op_fail(&p.op, err_of(ERR_LOST, "test"))));
    world_pass(w, 100);
    assert_int_equal(p.nexts, 0);
    assert_int_equal(p.ends, 1);
    assert_int_equal(p.end.kind, ERR_LOST);
    assert_int_equal(bus_counts(w->bus).late, 1);
}

/* ---- promises --------------------------------------------------------------------------------------- */

static jmp_buf broken;
static bool expected;

void must_fail(const char *what, const char *file, int line)
{
    if (expected)
        longjmp(broken, 1);
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

#define MUST_BREAK(call) \
    do { \
        expected = true; \
        if (setjmp(broken) == 0) { \
            call; \
            fail(); \
        } \
        expected = false; \
    } while (0)

static void a_second_call_and_a_dead_op_break_a_promise(void **state)
{
    struct world *w    = *state;
    struct bus_out out = {.subject = "void.x"};
    struct probe p;

    probe_start(w, &p, 0);
    MUST_BREAK(bus_op_start(w->bus, &p.op, PROBE_MAGIC, "probe", 0, probe_on_end));
    assert_false(failed(bus_request(&p.op, &out, 0, probe_next)));
    MUST_BREAK((void)bus_request(&p.op, &out, 0, probe_next));
    MUST_BREAK((void)bus_wait(&p.op, 0, probe_next));
    probe_wait(w, &p);
    MUST_BREAK((void)bus_publish(&p.op, &out, NULL, probe_next));
    MUST_BREAK((void)bus_op_done(&p.op));
    MUST_BREAK(bus_op_deadline(&p.op, 5));
    probe_start(w, &p, 0); /* started anew it is a new op */
    (void)bus_op_done(&p.op);
    assert_true(world_run(w, world_is_set, &p.ended, WORLD_WAIT_MS));
}

/* ---- the end of a bus --------------------------------------------------------------------------------- */

static void freeing_the_bus_ends_every_op(void **state)
{
    struct world *w     = *state;
    struct bus_out out  = {.subject = "silent"};
    struct bus_sub *sub = NULL;
    size_t heard        = 0;
    struct probe parked, calling, waiting, ending;

    assert_false(failed(bus_subscribe(w->bus, "silent", NULL, silent, &heard, &sub)));
    probe_start(w, &parked, 0);
    probe_start(w, &calling, 1000);
    assert_false(failed(bus_request(&calling.op, &out, 0, probe_next)));
    probe_start(w, &waiting, 0);
    assert_false(failed(bus_wait(&waiting.op, 5000, probe_next)));
    probe_start(w, &ending, 0);
    assert_false(failed(bus_op_fail(&ending.op, err_of(ERR_FULL, "test"))));

    bus_free(&w->bus);
    assert_null(w->bus);
    assert_int_equal(parked.end.kind, ERR_UNKNOWN);
    assert_int_equal(calling.end.kind, ERR_UNKNOWN);
    assert_int_equal(waiting.end.kind, ERR_UNKNOWN);
    assert_int_equal(ending.end.kind, ERR_FULL);
    assert_int_equal(calling.nexts + waiting.nexts, 0);
    assert_int_equal(parked.ends + calling.ends + waiting.ends + ending.ends, 4);
}

static void a_freed_bus_has_sent_what_it_took(void **state)
{
    struct world *w    = *state;
    struct bus_out out = {.subject = "s.a"};
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    for (int n = 0; n < 1000; n++)
        assert_true(bus_send(w->bus, &out));
    bus_free(&w->bus);
    world_bus_open(w, 2000);
    assert_true(world_run(w, world_is_connected, w, WORLD_WAIT_MS));
    do { /* stored a moment after it was heard */
        probe_start(w, &p, 0);
        assert_false(failed(bus_get_last(&p.op, "S", "s.a", probe_next)));
        probe_wait(w, &p);
    } while (p.seq < 1000);
    assert_int_equal(p.seq, 1000);
}

static void on_burst(void *self)
{
    (*(size_t *)self)++;
}

static void a_burst_is_told_once_for_many(void **state)
{
    struct world *w     = *state;
    struct bus_out out  = {.subject = "x"};
    struct bus_sub *sub = NULL;
    size_t bursts = 0, heard = 0;

    bus_on_burst(w->bus, on_burst, &bursts);
    assert_false(failed(bus_subscribe(w->bus, "x", NULL, silent, &heard, &sub)));
    for (int n = 0; n < 5000; n++)
        assert_true(bus_send(w->bus, &out));
    assert_true(world_counts(w, &heard, 5000));
    assert_in_range(bursts, 1, 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_answer_comes_inside_the_call),
        TEST(an_end_comes_in_a_later_turn),
        TEST(a_chain_goes_from_step_to_step),
        TEST(whichever_send_fails_the_chain_ends_once),
        TEST(a_step_that_fails_ends_the_chain_whatever_it_called),
        TEST(a_step_that_calls_nothing_parks_the_op),
        TEST(a_wait_takes_as_long_as_it_says),
        TEST(an_op_over_its_deadline_ends_unknown),
        TEST(a_hop_without_an_answer_ends_unknown),
        TEST(an_answer_that_waits_in_the_box_is_in_time),
        TEST(an_end_whose_deadline_passed_comes_all_the_same),
        TEST(late_and_repeated_answers_are_dropped),
        TEST(of_two_answers_the_first_counts),
        TEST(ending_an_op_drops_its_answer),
        TEST(a_second_call_and_a_dead_op_break_a_promise),
        TEST(freeing_the_bus_ends_every_op),
        TEST(a_freed_bus_has_sent_what_it_took),
        TEST(a_burst_is_told_once_for_many),
    };
    return GROUP("bus_op", tests);
}
