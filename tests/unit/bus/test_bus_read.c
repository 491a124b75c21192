#include "bus_world.h"

static void fill(struct world *w, int count)
{
    struct bus_header x = {"X-Test", "yes: \"it\" is"};
    struct bus_out out  = {
         .subject = "s.a", .body = bytes_str("body"), .headers = &x, .header_count = 1};
    struct probe p;

    for (int n = 0; n < count; n++) {
        probe_start(w, &p, 0);
        assert_false(failed(bus_publish(&p.op, &out, NULL, probe_next)));
        probe_wait(w, &p);
        assert_int_equal(p.err.kind, ERR_NONE);
    }
}

static void an_empty_subject_reads_as_nothing(void **state)
{
    struct world *w = *state;
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    for (int leader = 0; leader <= 1; leader++) {
        struct bus_read read = {.stream = "S", .subject = "s.a", .leader = leader};

        assert_int_equal(probe_read(w, &p, &read), ERR_NONE);
        assert_int_equal(p.count, 0);
        assert_int_equal(p.seq, 0);
        assert_false(p.more);
    }
}

static void both_ways_of_reading_read_the_same(void **state)
{
    struct world *w = *state;
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    fill(w, 3);
    assert_int_equal(probe_publish(w, &p, "s.other", "x", NULL), ERR_NONE);
    fill(w, 2);
    for (int leader = 0; leader <= 1; leader++) {
        struct bus_read read = {.stream = "S", .subject = "s.a", .leader = leader};

        assert_int_equal(probe_read(w, &p, &read), ERR_NONE);
        assert_int_equal(p.count, 5);
        assert_int_equal(p.seq, 6);
        assert_int_equal(p.seqs[2], 3);
        assert_int_equal(p.seqs[3], 5);
        assert_false(p.more);
        assert_string_equal(p.subject, "s.a");
        assert_string_equal(p.header, "yes: \"it\" is");
    }
}

static void a_read_goes_on_where_it_was_cut(void **state)
{
    struct world *w = *state;
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    fill(w, 7);
    for (int leader = 0; leader <= 1; leader++) {
        struct bus_read read = {.stream = "S", .subject = "s.*", .max = 3, .leader = leader};

        assert_int_equal(probe_read(w, &p, &read), ERR_NONE);
        assert_int_equal(p.count, 3);
        assert_true(p.more);
        read.from = p.seq + 1;
        assert_int_equal(probe_read(w, &p, &read), ERR_NONE);
        assert_int_equal(p.seqs[0], 4);
        assert_true(p.more);
        read.from = p.seq + 1;
        assert_int_equal(probe_read(w, &p, &read), ERR_NONE);
        assert_int_equal(p.count, 1);
        assert_false(p.more);
        read.from = 8;
        assert_int_equal(probe_read(w, &p, &read), ERR_NONE);
        assert_int_equal(p.count, 0);
        read = (struct bus_read){.stream = "S", .subject = "s.*", .max = 7, .leader = leader};
        assert_int_equal(probe_read(w, &p, &read), ERR_NONE);
        assert_int_equal(p.count, 7);
        assert_false(p.more);
    }
}

static void a_thousand_messages_come_in_one_answer(void **state)
{
    struct world *w      = *state;
    struct bus_read read = {.stream = "S", .subject = "s.a", .max = 5000};
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    fill(w, 1200);
    assert_int_equal(probe_read(w, &p, &read), ERR_NONE);
    assert_int_equal(p.count, 1024);
    assert_int_equal(p.seq, 1024);
    assert_true(p.more);
}

static void a_message_is_got_by_subject_and_by_sequence(void **state)
{
    struct world *w = *state;
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    fill(w, 2);
    probe_start(w, &p, 0);
    assert_false(failed(bus_get_last(&p.op, "S", "s.a", probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_NONE);
    assert_int_equal(p.seq, 2);
    assert_string_equal(p.body, "body");
    assert_string_equal(p.subject, "s.a");

    probe_start(w, &p, 0);
    assert_false(failed(bus_get_seq(&p.op, "S", 1, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.seq, 1);

    probe_start(w, &p, 0);
    assert_false(failed(bus_get_seq(&p.op, "S", 3, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_ABSENT);

    probe_start(w, &p, 0);
    assert_false(failed(bus_get_last(&p.op, "S", "s.b", probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_ABSENT);
    world_no_ops(w);
}

static void a_stream_that_is_not_there_cannot_be_read_for_now(void **state)
{
    struct world *w = *state;
    struct probe p;

    assert_int_equal(probe_read(w, &p, &(struct bus_read){.stream = "NO", .subject = "s.a"}),
                     ERR_RETRY);
    assert_int_equal(
        probe_read(w, &p, &(struct bus_read){.stream = "NO", .subject = "s.a", .leader = true}),
        ERR_ABSENT);
    assert_int_equal(probe_read(w, &p, &(struct bus_read){.stream = "N.O", .subject = "s.a"}),
                     ERR_REJECT);
    assert_int_equal(probe_read(w, &p, &(struct bus_read){.stream = "S", .subject = "s.\"a"}),
                     ERR_REJECT);
    assert_int_equal(probe_read(w, &p, &(struct bus_read){.stream = "S", .subject = ""}),
                     ERR_REJECT);
}

/* A stored message may look like a status: an empty body and a header of that name. */
static void a_message_that_looks_like_a_status_is_a_message(void **state)
{
    struct world *w     = *state;
    struct bus_header h = {"Status", "404"};
    struct bus_out out  = {.subject = "s.a", .headers = &h, .header_count = 1};
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    probe_start(w, &p, 0);
    assert_false(failed(bus_publish(&p.op, &out, NULL, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(probe_read(w, &p, &(struct bus_read){.stream = "S", .subject = "s.a"}),
                     ERR_NONE);
    assert_int_equal(p.count, 1);
    probe_start(w, &p, 0);
    assert_false(failed(bus_get_last(&p.op, "S", "s.a", probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_NONE);
}

/* ---- an answer in pieces: we play the server ------------------------------------------------------- */

struct piece {
    const char *seq, *last, *pending, *status;
};

struct forged {
    struct world *w;
    const struct piece *pieces;
    size_t count;
};

static void forge(void *self, struct bus_msg **msg)
{
    struct forged *f = self;

    for (size_t n = 0; n < f->count; n++) {
        const struct piece *p = &f->pieces[n];
        struct bus_header h[] = {
            {"Nats-Last-Sequence", p->last},
            {"Nats-Num-Pending", p->pending},
            {p->status ? "Status" : "Nats-Stream", p->status ? p->status : "F"},
            {"Nats-Subject", "s.a"},
            {"Nats-Sequence", p->seq},
            {"Nats-Time-Stamp", "2026-01-01T00:00:00.123456789Z"}};
        bus_answer(f->w->bus, *msg, bytes_of(NULL, 0), h, p->status ? 3 : 6);
    }
}

static int read_forged(struct world *w, struct probe *p, const struct piece *pieces,
                       size_t count)
{
    struct forged f     = {w, pieces, count};
    struct bus_sub *sub = NULL;

    assert_false(failed(bus_subscribe(w->bus, "$JS.API.DIRECT.GET.F", NULL, forge, &f, &sub)));
    int kind = probe_read(w, p, &(struct bus_read){.stream = "F", .subject = "s.a"});
    bus_unsubscribe(&sub);
    return kind;
}

static void a_lost_part_of_an_answer_is_not_a_short_read(void **state)
{
    static const struct piece whole[] = {
        {"1", "0", "1", NULL}, {"5", "1", "0", NULL}, {NULL, "5", "0", "204"}};
    static const struct piece no_first[]  = {{"5", "1", "0", NULL}, {NULL, "5", "0", "204"}};
    static const struct piece no_middle[] = {
        {"1", "0", "2", NULL}, {"7", "5", "0", NULL}, {NULL, "7", "0", "204"}};
    static const struct piece no_last[] = {{"1", "0", "1", NULL}, {NULL, "5", "0", "204"}};
    static const struct piece no_end[]  = {{"1", "0", "1", NULL}};
    static const struct piece odd[]     = {{"1", "0", "1", NULL}, {NULL, "1", "0", "404"}};
    static const struct piece cut[]     = {{"1", "0", "9", NULL}, {NULL, "1", "9", "204"}};
    struct world *w                     = *state;
    struct probe p;

    assert_int_equal(read_forged(w, &p, whole, 3), ERR_NONE);
    assert_int_equal(p.count, 2);
    assert_false(p.more);
    assert_int_equal(read_forged(w, &p, cut, 2), ERR_NONE);
    assert_true(p.more);
    assert_int_equal(read_forged(w, &p, no_first, 2), ERR_UNKNOWN);
    assert_int_equal(read_forged(w, &p, no_middle, 3), ERR_UNKNOWN);
    assert_int_equal(read_forged(w, &p, no_last, 2), ERR_UNKNOWN);
    assert_int_equal(read_forged(w, &p, odd, 2), ERR_UNKNOWN);
    assert_int_equal(read_forged(w, &p, no_end, 1), ERR_UNKNOWN);
    world_no_ops(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_subject_reads_as_nothing),
        TEST(both_ways_of_reading_read_the_same),
        TEST(a_read_goes_on_where_it_was_cut),
        TEST(a_thousand_messages_come_in_one_answer),
        TEST(a_message_is_got_by_subject_and_by_sequence),
        TEST(a_stream_that_is_not_there_cannot_be_read_for_now),
        TEST(a_message_that_looks_like_a_status_is_a_message),
        TEST(a_lost_part_of_an_answer_is_not_a_short_read),
    };
    return GROUP("bus_read", tests);
}
