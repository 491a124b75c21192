#include "bus_world.h"

enum { SEEN_MAX = 20000 };

struct reader {
    struct bus_follower *f;
    size_t count, caught_up, anew, count_at_caught_up;
    uint64_t seqs[SEEN_MAX];
    size_t body_len;
    char header[32];
    bool end_at_first;
};

static void on_msg(void *self, struct bus_msg **msg)
{
    struct reader *r = self;
    const char *x    = bus_msg_header(*msg, "X-Test");

    assert_true(r->count < SEEN_MAX);
    r->seqs[r->count++] = (*msg)->seq;
    r->body_len         = (*msg)->body.len;
    snprintf(r->header, sizeof(r->header), "%s", x ? x : "");
    if (r->end_at_first)
        bus_follow_end(&r->f);
}

static void on_caught_up(void *self)
{
    struct reader *r = self;

    r->caught_up++;
    r->count_at_caught_up = r->count;
}

static void on_anew(void *self)
{
    ((struct reader *)self)->anew++;
}

static void follow(struct world *w, struct reader *r, struct bus_follow how)
{
    how.on_msg       = on_msg;
    how.on_caught_up = on_caught_up;
    how.on_anew      = on_anew;
    how.self         = r;
    how.stream       = how.stream ? how.stream : "S";
    assert_false(failed(bus_follow(w->bus, &how, &r->f)));
}

static struct reader *reader_new(void)
{
    return mem_new(struct reader);
}

static void reader_end(struct reader *r)
{
    bus_follow_end(&r->f);
    mem_free(&r);
}

/* Stored when it returns. */
static void put(struct world *w, const char *subject, int count)
{
    struct bus_header x = {"X-Test", "h"};
    struct bus_out out  = {
         .subject = subject, .body = bytes_str("body"), .headers = &x, .header_count = 1};

    struct probe p;

    for (int n = 1; n < count; n++)
        assert_true(bus_send(w->bus, &out));
    probe_start(w, &p, 0);
    assert_false(failed(bus_publish(&p.op, &out, NULL, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_NONE);
}

/* Each once, in order, none left out. */
static void assert_run(const struct reader *r, uint64_t first, size_t count)
{
    assert_int_equal(r->count, count);
    for (size_t n = 0; n < count; n++)
        assert_int_equal(r->seqs[n], first + n);
}

static void a_follower_sees_what_is_there_and_what_comes(void **state)
{
    struct world *w  = *state;
    struct reader *r = reader_new();

    world_stream(w, "S", "s.>", NULL);
    put(w, "s.a", 3000);
    follow(w, r, (struct bus_follow){0});
    assert_true(world_counts(w, &r->caught_up, 1));
    assert_int_equal(r->count_at_caught_up, 3000);
    put(w, "s.b", 2000);
    assert_true(world_counts(w, &r->count, 5000));
    assert_run(r, 1, 5000);
    assert_int_equal(bus_follow_seq(r->f), 5000);
    assert_int_equal(r->caught_up, 1);
    assert_int_equal(r->body_len, 4);
    assert_string_equal(r->header, "h");
    reader_end(r);
}

static void an_empty_stream_is_caught_up_at_once(void **state)
{
    struct world *w  = *state;
    struct reader *r = reader_new();

    world_stream(w, "S", "s.>", NULL);
    follow(w, r, (struct bus_follow){.filter = "s.x"});
    assert_true(world_counts(w, &r->caught_up, 1));
    assert_int_equal(r->count, 0);
    put(w, "s.y", 1);
    put(w, "s.x", 1);
    assert_true(world_counts(w, &r->count, 1));
    assert_int_equal(r->seqs[0], 2);
    reader_end(r);
}

static void a_follower_starts_where_it_is_told(void **state)
{
    struct world *w       = *state;
    struct reader *from   = reader_new();
    struct reader *new    = reader_new();
    struct reader *last   = reader_new();
    struct reader *ahead  = reader_new();
    struct reader *header = reader_new();

    world_stream(w, "S", "s.>", NULL);
    put(w, "s.a", 5);
    put(w, "s.b", 5);
    follow(w, from, (struct bus_follow){.from = 4});
    follow(w, new, (struct bus_follow){.only_new = true});
    follow(w, last, (struct bus_follow){.last_per_subject = true});
    follow(w, ahead, (struct bus_follow){.from = 12});
    follow(w, header, (struct bus_follow){.headers_only = true});
    assert_true(world_counts(w, &from->caught_up, 1));
    assert_true(world_counts(w, &new->caught_up, 1));
    assert_true(world_counts(w, &last->caught_up, 1));
    assert_true(world_counts(w, &ahead->caught_up, 1));
    assert_true(world_counts(w, &header->caught_up, 1));
    assert_int_equal(new->count, 0);
    assert_int_equal(last->count, 2);
    assert_int_equal(last->seqs[0], 5);
    assert_int_equal(last->seqs[1], 10);
    assert_int_equal(header->body_len, 0);
    assert_string_equal(header->header, "h");
    put(w, "s.c", 3);
    assert_true(world_counts(w, &from->count, 10));
    assert_true(world_counts(w, &new->count, 3));
    assert_true(world_counts(w, &ahead->count, 2));
    assert_run(from, 4, 10);
    assert_run(new, 11, 3);
    assert_run(ahead, 12, 2);
    assert_int_equal(from->anew + new->anew + ahead->anew, 0);
    reader_end(from);
    reader_end(new);
    reader_end(last);
    reader_end(ahead);
    reader_end(header);
}

static void a_follower_may_end_itself_in_its_own_call(void **state)
{
    struct world *w  = *state;
    struct reader *r = reader_new();

    world_stream(w, "S", "s.>", NULL);
    put(w, "s.a", 100);
    r->end_at_first = true;
    follow(w, r, (struct bus_follow){0});
    assert_true(world_counts(w, &r->count, 1));
    world_pass(w, 100);
    assert_int_equal(r->count, 1);
    assert_null(r->f);
    mem_free(&r);
}

static void a_follower_waits_for_its_stream(void **state)
{
    struct world *w  = *state;
    struct reader *r = reader_new();

    follow(w, r, (struct bus_follow){0});
    world_pass(w, 300);
    world_stream(w, "S", "s.>", NULL);
    put(w, "s.a", 1);
    assert_true(world_counts(w, &r->count, 1));
    assert_int_equal(r->anew, 0);
    reader_end(r);
}

/* Somebody deletes the follower's own consumer under its feet. */
static void a_follower_whose_consumer_is_deleted_goes_on(void **state)
{
    struct world *w  = *state;
    struct reader *r = reader_new();
    char call[128];
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    put(w, "s.a", 600);
    follow(w, r, (struct bus_follow){0});
    for (int n = 0; n < 5; n++) {
        assert_true(world_counts(w, &r->count, 600 + 300 * (size_t)n));
        assert_int_equal(probe_api(w, &p, "CONSUMER.NAMES.S", "{}"), ERR_NONE);
        char *name = strstr(p.body, "follow-");
        assert_non_null(name);
        snprintf(call, sizeof(call), "CONSUMER.DELETE.S.%.*s", (int)strcspn(name, "\""), name);
        put(w, "s.a", 150);
        assert_int_equal(probe_api(w, &p, call, ""), ERR_NONE);
        put(w, "s.a", 150);
    }
    assert_true(world_counts(w, &r->count, 2100));
    assert_run(r, 1, 2100);
    assert_int_equal(r->caught_up, 1);
    assert_int_equal(r->anew, 0);
    reader_end(r);
}

/* ---- deliveries that go astray --------------------------------------------------------------- */

/* Where the follower is to be answered, and what its consumer is called now. */
struct spy {
    char inbox[128], consumer[64];
    size_t changes;
};

static void on_pull(void *self, struct bus_msg **msg)
{
    struct spy *spy  = self;
    const char *name = strrchr((*msg)->subject, '.') + 1;

    if (strncmp(name, "follow-", 7) != 0)
        return;
    spy->changes += strcmp(spy->consumer, name) != 0;
    snprintf(spy->consumer, sizeof(spy->consumer), "%s", name);
    snprintf(spy->inbox, sizeof(spy->inbox), "%s", (*msg)->reply);
}

static void ask_for_one(struct world *w, const char *consumer, const char *reply)
{
    char subject[128];

    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.MSG.NEXT.S.%s", consumer);
    assert_true(bus_send_from(w->bus, &(struct bus_out){.subject = subject}, reply));
}

static void on_stolen(void *self, struct bus_msg **msg)
{
    (void)msg;
    (*(size_t *)self)++;
}

/* A thief waits behind the follower at its consumer, and gets one of the next two messages. */
static void a_delivery_that_goes_to_a_thief_is_fetched_again(void **state)
{
    struct world *w     = *state;
    struct reader *r    = reader_new();
    struct spy spy      = {.changes = 0};
    struct bus_sub *sub = NULL, *thief = NULL;
    size_t stolen = 0;

    world_stream(w, "S", "s.>", NULL);
    assert_false(failed(
        bus_subscribe(w->bus, "$JS.API.CONSUMER.MSG.NEXT.S.*", NULL, on_pull, &spy, &sub)));
    assert_false(failed(bus_subscribe(w->bus, "thief", NULL, on_stolen, &stolen, &thief)));
    put(w, "s.a", 5);
    follow(w, r, (struct bus_follow){0});
    assert_true(world_counts(w, &r->count, 5));
    assert_true(world_counts(w, &spy.changes, 1));

    /* Others follow the stolen one: a hole in the numbers. */
    ask_for_one(w, spy.consumer, "thief");
    world_pass(w, 50);
    put(w, "s.a", 5);
    assert_true(world_counts(w, &spy.changes, 2));
    assert_true(world_counts(w, &r->count, 10));
    assert_int_equal(stolen, 1);

    /* Nothing follows: the heartbeat tells. */
    ask_for_one(w, spy.consumer, "thief");
    world_pass(w, 50);
    put(w, "s.a", 1);
    if (stolen == 1)
        put(w, "s.a", 1);
    assert_true(world_counts(w, &stolen, 2));
    size_t all = (size_t)bus_follow_seq(r->f);
    assert_true(world_counts(w, &spy.changes, 3));
    assert_true(world_counts(w, &r->count, 11));
    assert_in_range(all, 10, 12);

    put(w, "s.a", 5);
    assert_true(world_counts(w, &r->count, 16));
    world_pass(w, 100);
    assert_run(r, 1, r->count);
    assert_int_equal(r->caught_up, 1);
    reader_end(r);
}

/* Somebody else's delivery with the number that we expect next: so one of our own consumer of before
   would look, late. */
static void a_delivery_of_another_consumer_is_not_seen(void **state)
{
    struct world *w     = *state;
    struct reader *r    = reader_new();
    struct spy spy      = {.changes = 0};
    struct bus_sub *sub = NULL;
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    assert_false(failed(
        bus_subscribe(w->bus, "$JS.API.CONSUMER.MSG.NEXT.S.*", NULL, on_pull, &spy, &sub)));
    put(w, "s.a", 2);
    follow(w, r, (struct bus_follow){.from = 3});
    assert_true(world_counts(w, &spy.changes, 1));
    probe_start(w, &p, 0);
    assert_false(failed(bus_consumer_make(&p.op, "S", "other",
                                          bytes_str("{\"ack_policy\":\"none\"}"), probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_NONE);

    ask_for_one(w, "other", spy.inbox);
    world_pass(w, 100);
    assert_int_equal(r->count, 0);
    put(w, "s.a", 3);
    assert_true(world_counts(w, &r->count, 3));
    assert_run(r, 3, 3);
    assert_int_equal(spy.changes, 1);
    reader_end(r);
}

static void a_stream_made_anew_is_noticed(void **state)
{
    struct world *w  = *state;
    struct reader *r = reader_new();
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    put(w, "s.a", 10);
    follow(w, r, (struct bus_follow){0});
    assert_true(world_counts(w, &r->count, 10));

    assert_int_equal(probe_api(w, &p, "STREAM.DELETE.S", ""), ERR_NONE);
    world_stream(w, "S", "s.>", NULL);
    put(w, "s.a", 20); /* more than before: the numbers alone do not tell */
    assert_true(world_counts(w, &r->anew, 1));
    assert_true(world_counts(w, &r->count, 30));
    for (size_t n = 0; n < 20; n++)
        assert_int_equal(r->seqs[10 + n], n + 1);
    assert_int_equal(r->caught_up, 2);

    assert_int_equal(probe_api(w, &p, "STREAM.DELETE.S", ""), ERR_NONE);
    assert_true(world_counts(w, &r->anew, 2));
    world_pass(w, 300);
    assert_int_equal(r->anew, 2);
    world_stream(w, "S", "s.>", NULL);
    put(w, "s.a", 1);
    assert_true(world_counts(w, &r->count, 31));
    assert_int_equal(r->seqs[30], 1);
    reader_end(r);
}

static void purged_messages_are_stepped_over(void **state)
{
    struct world *w  = *state;
    struct reader *r = reader_new();
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    put(w, "s.a", 10);
    put(w, "s.b", 1);
    probe_start(w, &p, 0);
    assert_false(failed(bus_purge(&p.op, "S", "s.a", 5, probe_next)));
    probe_wait(w, &p);
    follow(w, r, (struct bus_follow){.from = 2});
    assert_true(world_counts(w, &r->caught_up, 1));
    assert_run(r, 6, 6);
    reader_end(r);
}

static void what_is_no_stream_is_refused(void **state)
{
    struct world *w         = *state;
    struct bus_follow bad[] = {
        {.stream = "a.b"}, {.stream = ""}, {.stream = NULL}, {.stream = "S", .filter = "a b"}};
    struct bus_follower *f = NULL;

    for (size_t n = 0; n < sizeof(bad) / sizeof(*bad); n++)
        assert_int_equal(bus_follow(w->bus, &bad[n], &f).kind, ERR_REJECT);
    assert_null(f);
    bus_follow_end(&f);
}

static void no_consumer_is_left_behind(void **state)
{
    struct world *w  = *state;
    struct reader *r = reader_new();
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    follow(w, r, (struct bus_follow){0});
    assert_true(world_counts(w, &r->caught_up, 1));
    bus_follow_end(&r->f);
    world_pass(w, 100);
    assert_int_equal(probe_api(w, &p, "CONSUMER.NAMES.S", "{}"), ERR_NONE);
    assert_null(strstr(p.body, "follow-"));
    mem_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_follower_sees_what_is_there_and_what_comes),
        TEST(an_empty_stream_is_caught_up_at_once),
        TEST(a_follower_starts_where_it_is_told),
        TEST(a_follower_may_end_itself_in_its_own_call),
        TEST(a_follower_waits_for_its_stream),
        TEST(a_follower_whose_consumer_is_deleted_goes_on),
        TEST(a_delivery_that_goes_to_a_thief_is_fetched_again),
        TEST(a_delivery_of_another_consumer_is_not_seen),
        TEST(a_stream_made_anew_is_noticed),
        TEST(purged_messages_are_stepped_over),
        TEST(what_is_no_stream_is_refused),
        TEST(no_consumer_is_left_behind),
    };
    return GROUP("bus_follow", tests);
}
