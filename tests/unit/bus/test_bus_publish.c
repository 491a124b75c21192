#include "bus_world.h"

static void a_published_message_has_the_next_sequence(void **state)
{
    struct world *w = *state;
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    assert_int_equal(probe_publish(w, &p, "s.a", "one", NULL), ERR_NONE);
    assert_int_equal(p.seq, 1);
    assert_int_equal(probe_publish(w, &p, "s.a", "two", NULL), ERR_NONE);
    assert_int_equal(p.seq, 2);
    world_no_ops(w);
}

static void what_no_stream_hears_is_refused_for_now(void **state)
{
    struct world *w = *state;
    struct probe p;

    assert_int_equal(probe_publish(w, &p, "nobody.a", "x", NULL), ERR_RETRY);
}

static void an_expectation_not_met_is_a_conflict(void **state)
{
    struct world *w          = *state;
    struct bus_expect expect = {.seq = 0};
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    assert_int_equal(probe_publish(w, &p, "s.a", "x", &expect), ERR_NONE);
    assert_int_equal(probe_publish(w, &p, "s.a", "x", &expect), ERR_CONFLICT);
    assert_int_equal(p.err.code, 10071);
    assert_string_equal(p.text, "wrong last sequence: 1");
    expect.seq = 1;
    assert_int_equal(probe_publish(w, &p, "s.a", "x", &expect), ERR_NONE);
}

static void an_expectation_may_be_about_a_wildcard(void **state)
{
    struct world *w          = *state;
    struct bus_expect expect = {.seq = 0, .subject = "s.slot1.*"};
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    assert_int_equal(probe_publish(w, &p, "s.slot1.east", "x", &expect), ERR_NONE);
    assert_int_equal(probe_publish(w, &p, "s.slot1.west", "x", &expect), ERR_CONFLICT);
}

static void a_full_stream_pushes_back_and_says_which_limit(void **state)
{
    struct world *w = *state;
    struct probe p;

    world_stream(w, "S", "s.>", "\"max_msgs\":2,\"discard\":\"new\"");
    assert_int_equal(probe_publish(w, &p, "s.a", "x", NULL), ERR_NONE);
    assert_int_equal(probe_publish(w, &p, "s.a", "x", NULL), ERR_NONE);
    assert_int_equal(probe_publish(w, &p, "s.a", "x", NULL), ERR_FULL);
    assert_string_equal(p.text, "maximum messages exceeded");
}

static void a_full_subject_pushes_back_and_says_so(void **state)
{
    struct world *w = *state;
    struct probe p;

    world_stream(
        w, "S", "s.>",
        "\"max_msgs_per_subject\":1,\"discard\":\"new\",\"discard_new_per_subject\":true");
    assert_int_equal(probe_publish(w, &p, "s.a", "x", NULL), ERR_NONE);
    assert_int_equal(probe_publish(w, &p, "s.a", "x", NULL), ERR_FULL);
    assert_string_equal(p.text, "maximum messages per subject exceeded");
}

static void a_counter_answers_with_its_sum(void **state)
{
    struct world *w      = *state;
    struct bus_header by = {"Nats-Incr", "+5"};
    struct bus_out out   = {.subject = "c.a", .headers = &by, .header_count = 1};
    struct probe p;

    world_stream(w, "C", "c.>", "\"allow_msg_counter\":true");
    for (int sum = 5; sum <= 15; sum += 5) {
        probe_start(w, &p, 0);
        assert_false(failed(bus_publish(&p.op, &out, NULL, probe_next)));
        probe_wait(w, &p);
        assert_int_equal(p.err.kind, ERR_NONE);
        assert_int_equal(p.value, sum);
    }
    by.value = "-20";
    probe_start(w, &p, 0);
    assert_false(failed(bus_publish(&p.op, &out, NULL, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.value, -5);
}

static void what_is_too_large_is_never_sent(void **state)
{
    struct world *w           = *state;
    size_t size               = (1 << 20) + 1;
    AUTO(mem_free) char *body = mem_array(size, 1);
    struct bus_out out        = {.subject = "s.a", .body = bytes_of(body, size)};
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    uint64_t before = bus_counts(w->bus).sent;
    probe_start(w, &p, 0);
    assert_false(failed(bus_publish(&p.op, &out, NULL, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_REJECT);
    assert_int_equal(bus_counts(w->bus).sent, before);
    assert_true(bus_connected(w->bus));
}

static void a_subject_that_is_none_is_never_sent(void **state)
{
    static const char *const bad[] = {"",   "a b", "a..b", ".a",
                                      "a.", "a.*", ">",    "a\r\nPUB x 0"};
    struct world *w                = *state;
    struct probe p;

    for (size_t n = 0; n < sizeof(bad) / sizeof(*bad); n++)
        assert_int_equal(probe_publish(w, &p, bad[n], "x", NULL), ERR_REJECT);
}

/* ---- many at once ------------------------------------------------------------------------------- */

enum { MANY = 10000 };

struct many {
    struct bus_op op;
    struct many_all *all;
    uint64_t seq;
};

struct many_all {
    size_t done;
    uint64_t last;
    bool in_order;
};

static struct err many_next(struct bus_op *op, const struct bus_reply *r)
{
    struct many *m = SELF(struct many, PROBE_MAGIC, op);

    m->all->in_order = m->all->in_order && r->seq == m->all->last + 1;
    m->all->last     = r->seq;
    return failed(r->err) ? r->err : bus_op_done(op);
}

static void many_end(struct bus_op *op, struct err e)
{
    struct many *m = SELF(struct many, PROBE_MAGIC, op);

    assert_int_equal(e.kind, ERR_NONE);
    m->all->done++;
}

static void ten_thousand_messages_are_stored_in_order(void **state)
{
    struct world *w               = *state;
    struct many_all all           = {.in_order = true};
    AUTO(mem_free) struct many *m = mem_array(MANY, sizeof(*m));
    struct bus_out out            = {.subject = "s.a", .body = bytes_str("0123456789")};

    world_stream(w, "S", "s.>", NULL);
    for (size_t n = 0; n < MANY; n++) {
        m[n].all = &all;
        bus_op_start(w->bus, &m[n].op, PROBE_MAGIC, "many", 0, many_end);
        assert_false(failed(bus_publish(&m[n].op, &out, NULL, many_next)));
    }
    assert_int_equal(bus_counts(w->bus).ops, MANY);
    assert_true(world_counts(w, &all.done, MANY));
    assert_true(all.in_order);
    assert_int_equal(all.last, MANY);
    world_no_ops(w);
    assert_int_equal(bus_counts(w->bus).late, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_published_message_has_the_next_sequence),
        TEST(what_no_stream_hears_is_refused_for_now),
        TEST(an_expectation_not_met_is_a_conflict),
        TEST(an_expectation_may_be_about_a_wildcard),
        TEST(a_full_stream_pushes_back_and_says_which_limit),
        TEST(a_full_subject_pushes_back_and_says_so),
        TEST(a_counter_answers_with_its_sum),
        TEST(what_is_too_large_is_never_sent),
        TEST(a_subject_that_is_none_is_never_sent),
        TEST(ten_thousand_messages_are_stored_in_order),
    };
    return GROUP("bus_publish", tests);
}
