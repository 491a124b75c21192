#include "bus_world.h"

struct worker {
    struct world *w;
    struct bus_consumer *c;
    size_t count, gaps, most;
    size_t held; /* delivered and not settled */
    uint64_t seqs[5000];
    char why[64];
    bool settle;   /* at once */
    uint32_t room; /* given again after each settled one */
    bool free_at_gap;
    uint32_t deliveries;
};

static void on_job(void *self, struct bus_msg **msg)
{
    struct worker *k = self;

    k->seqs[k->count++ % 5000] = (*msg)->seq;
    k->deliveries              = (*msg)->deliveries;
    k->held++;
    k->most = k->held > k->most ? k->held : k->most;
    if (k->settle) {
        bus_settle(k->w->bus, msg, OK);
        k->held--;
        bus_consumer_room(k->c, k->room);
    }
}

static void on_gap(void *self, const char *why)
{
    struct worker *k = self;

    k->gaps++;
    snprintf(k->why, sizeof(k->why), "%s", why);
    if (k->free_at_gap)
        bus_consumer_free(&k->c);
}

static void make_queue_of(struct world *w, const char *consumer, unsigned ack_wait_s)
{
    char config[128];
    struct probe p;

    snprintf(config, sizeof(config),
             "{\"ack_policy\":\"explicit\",\"ack_wait\":%u000000000,\"max_ack_pending\":-1}",
             ack_wait_s);
    world_stream(w, "J", "j.>", "\"retention\":\"workqueue\"");
    probe_start(w, &p, 0);
    assert_false(
        failed(bus_consumer_make(&p.op, "J", consumer, bytes_str(config), probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_NONE);
}

static void make_queue(struct world *w, const char *consumer)
{
    make_queue_of(w, consumer, 2);
}

static void hire(struct world *w, struct worker *k, uint32_t room, bool settle, bool alone)
{
    struct bus_consume consume = {.stream   = "J",
                                  .consumer = "pool",
                                  .on_msg   = on_job,
                                  .on_gap   = on_gap,
                                  .alone    = alone,
                                  .self     = k};

    *k = (struct worker){.w = w, .settle = settle, .room = room};
    assert_false(failed(bus_consume(w->bus, &consume, &k->c)));
    bus_consumer_room(k->c, room);
}

static void put(struct world *w, int count)
{
    struct bus_out out = {.subject = "j.a", .body = bytes_str("job")};
    struct probe p;

    for (int n = 1; n < count; n++)
        assert_true(bus_send(w->bus, &out));
    assert_int_equal(probe_publish(w, &p, "j.a", "job", NULL), ERR_NONE);
}

static void no_more_come_than_there_is_room_for(void **state)
{
    struct world *w = *state;
    struct worker k;

    make_queue(w, "pool");
    put(w, 20);
    hire(w, &k, 3, false, false);
    assert_true(world_counts(w, &k.count, 3));
    world_pass(w, 300);
    assert_int_equal(k.count, 3);
    bus_consumer_room(k.c, 2);
    assert_true(world_counts(w, &k.count, 5));
    world_pass(w, 100);
    assert_int_equal(k.count, 5);
    assert_int_equal(k.gaps, 0);
    bus_consumer_free(&k.c);
    bus_consumer_free(&k.c);
}

static void a_thousand_jobs_pass_through_five_slots(void **state)
{
    struct world *w = *state;
    struct worker k;

    make_queue(w, "pool");
    put(w, 1000);
    hire(w, &k, 5, true, true);
    uint64_t before = clk_mono_ms();
    assert_true(world_counts(w, &k.count, 1000));
    assert_in_range(clk_mono_ms() - before, 0, 10000);
    for (size_t n = 0; n < 1000; n++)
        assert_int_equal(k.seqs[n], n + 1);
    world_pass(w, 50);
    assert_int_equal(k.count, 1000);
    assert_int_equal(k.most, 1);
    assert_int_equal(k.gaps, 0);
    bus_consumer_free(&k.c);
}

static void a_large_room_is_filled_in_portions(void **state)
{
    enum { COUNT = 20000 };
    struct world *w = *state;
    struct worker k;

    make_queue(w, "pool");
    put(w, COUNT);
    hire(w, &k, 1000000, false, true);
    assert_true(world_counts(w, &k.count, COUNT));
    assert_int_equal(k.gaps, 0);
    bus_consumer_free(&k.c);
}

static void room_of_nothing_stops_the_pulling(void **state)
{
    struct world *w = *state;
    struct worker k;

    make_queue(w, "pool");
    hire(w, &k, 0, false, false);
    put(w, 5);
    world_pass(w, 200);
    assert_int_equal(k.count, 0);
    bus_consumer_room(k.c, 1);
    assert_true(world_counts(w, &k.count, 1));
    bus_consumer_free(&k.c);
}

static void two_workers_share_and_nobody_calls_that_a_gap(void **state)
{
    struct world *w = *state;
    struct worker a, b;

    make_queue(w, "pool");
    hire(w, &a, 3, true, false);
    hire(w, &b, 3, true, false);
    world_pass(w, 100);
    put(w, 400);
    for (int n = 0; n < 200 && a.count + b.count < 400; n++)
        world_pass(w, 20);
    assert_int_equal(a.count + b.count, 400);
    assert_true(a.count > 20 && b.count > 20);
    assert_int_equal(a.gaps + b.gaps, 0);
    bus_consumer_free(&a.c);
    bus_consumer_free(&b.c);
}

static void on_stolen(void *self, struct bus_msg **msg)
{
    (void)msg;
    (*(size_t *)self)++;
}

/* Somebody else pulls one and does nothing with it. */
static void steal(struct world *w)
{
    struct bus_out out  = {.subject = "$JS.API.CONSUMER.MSG.NEXT.J.pool"};
    struct bus_sub *sub = NULL;
    size_t stolen       = 0;

    assert_false(failed(bus_subscribe(w->bus, "thief", NULL, on_stolen, &stolen, &sub)));
    assert_true(bus_send_from(w->bus, &out, "thief"));
    assert_true(world_counts(w, &stolen, 1));
    bus_unsubscribe(&sub);
}

/* One who is alone has had so many, and asks for nothing more. */
static void hire_for(struct world *w, struct worker *k, uint32_t count)
{
    put(w, (int)count);
    hire(w, k, count, true, true);
    k->room = 0;
    assert_true(world_counts(w, &k->count, count));
}

/* Somebody else pulls one: to one who is alone that is a delivery that never came. */
static void one_who_is_alone_notices_a_skipped_delivery(void **state)
{
    struct world *w = *state;
    struct worker k;

    make_queue(w, "pool");
    hire_for(w, &k, 2);
    put(w, 1);
    steal(w);
    put(w, 1);
    bus_consumer_room(k.c, 1);
    assert_true(world_counts(w, &k.gaps, 1));
    assert_string_equal(k.why, "delivery skipped");
    assert_true(world_counts(w, &k.count, 3));
    assert_int_equal(k.gaps, 1);
    bus_consumer_free(&k.c);
}

/* The same with nothing after it: the heartbeats tell. */
static void a_skipped_last_delivery_is_noticed_too(void **state)
{
    struct world *w = *state;
    struct worker k;

    make_queue_of(w, "pool", 60); /* the stolen one does not come again */
    hire_for(w, &k, 1);
    put(w, 1);
    steal(w);
    bus_consumer_room(k.c, 1);
    assert_true(world_counts(w, &k.gaps, 1));
    bus_consumer_free(&k.c);
}

static void workers_wait_for_a_consumer_that_is_not_made_yet(void **state)
{
    struct world *w = *state;
    struct worker k;

    hire(w, &k, 5, true, false);
    world_pass(w, 1000);
    assert_int_equal(k.gaps, 0);
    make_queue(w, "pool");
    put(w, 10);
    assert_true(world_counts(w, &k.count, 10));
    assert_int_equal(k.gaps, 0);
    bus_consumer_free(&k.c);
}

/* What was asked for may have been given out, and was lost with the connection. */
static void a_lost_connection_is_a_gap_though_nothing_was_heard_yet(void **state)
{
    struct world *w = *state;
    struct worker k;
    struct probe p;

    make_queue(w, "pool");
    hire(w, &k, 5, false, true);
    assert_int_equal(probe_api(w, &p, "STREAM.INFO.J", ""),
                     ERR_NONE); /* it has heard the pull */
    world_server_end(w, SIGKILL);
    assert_true(world_counts(w, &k.gaps, 1));
    assert_false(bus_connected(w->bus));
    assert_int_equal(k.count, 0);
    assert_string_equal(k.why, "connection lost");

    world_server_start(w, NULL);
    assert_true(world_run(w, world_is_connected, w, WORLD_WAIT_MS));
    put(w, 1);
    assert_true(world_counts(w, &k.count, 1));
    assert_int_equal(k.gaps, 1); /* once an incident */
}

static void a_deleted_consumer_is_a_gap_and_the_next_one_is_used(void **state)
{
    struct world *w = *state;
    struct worker k;
    struct probe p;

    make_queue(w, "pool");
    put(w, 2);
    hire(w, &k, 5, true, true);
    assert_true(world_counts(w, &k.count, 2));
    probe_start(w, &p, 0);
    assert_false(failed(bus_consumer_delete(&p.op, "J", "pool", probe_next)));
    probe_wait(w, &p);
    assert_true(world_counts(w, &k.gaps, 1));
    world_pass(w, 1500);
    assert_int_equal(k.gaps, 1);
    make_queue(w, "pool");
    put(w, 3);
    assert_true(world_counts(w, &k.count, 5));
    assert_int_equal(k.gaps, 1);
    bus_consumer_free(&k.c);
}

static void a_consumer_may_be_freed_in_its_own_gap(void **state)
{
    struct world *w = *state;
    struct worker k;
    struct probe p;

    make_queue(w, "pool");
    put(w, 1);
    hire(w, &k, 5, true, true);
    k.free_at_gap = true;
    assert_true(world_counts(w, &k.count, 1));
    assert_int_equal(probe_api(w, &p, "STREAM.DELETE.J", ""), ERR_NONE);
    assert_true(world_counts(w, &k.gaps, 1));
    assert_null(k.c);
    world_pass(w, 100);
}

/* What was never given to the owner goes to somebody else at once, not after the lease. */
static void a_freed_consumer_takes_nothing_more(void **state)
{
    struct world *w = *state;
    struct worker a, b;

    make_queue(w, "pool");
    hire(w, &a, 100, false, false);
    world_pass(w, 100);
    bus_consumer_free(&a.c);
    world_pass(w, 50);
    put(w, 10);
    hire(w, &b, 100, true, false);
    uint64_t before = clk_mono_ms();
    assert_true(world_counts(w, &b.count, 10));
    assert_in_range(clk_mono_ms() - before, 0, 1900);
    assert_int_equal(a.count, 0);
    assert_int_equal(b.deliveries, 1);
    bus_consumer_free(&b.c);
}

static void an_idle_consumer_stays_quietly_alive(void **state)
{
    struct world *w = *state;
    struct worker k;

    make_queue(w, "pool");
    hire(w, &k, 5, true, true);
    world_pass(w, 7000); /* beats, and a request that ends */
    assert_int_equal(k.gaps, 0);
    put(w, 1);
    assert_true(world_counts(w, &k.count, 1));
    bus_consumer_free(&k.c);
}

static void what_is_no_consumer_is_refused(void **state)
{
    struct world *w          = *state;
    struct bus_consume bad[] = {
        {.stream = "a.b", .consumer = "c"}, {.stream = "S", .consumer = ""}, {.stream = "S"}};
    struct bus_consumer *c = NULL;

    for (size_t n = 0; n < sizeof(bad) / sizeof(*bad); n++)
        assert_int_equal(bus_consume(w->bus, &bad[n], &c).kind, ERR_REJECT);
    assert_null(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_more_come_than_there_is_room_for),
        TEST(a_thousand_jobs_pass_through_five_slots),
        TEST(a_large_room_is_filled_in_portions),
        TEST(room_of_nothing_stops_the_pulling),
        TEST(two_workers_share_and_nobody_calls_that_a_gap),
        TEST(one_who_is_alone_notices_a_skipped_delivery),
        TEST(a_skipped_last_delivery_is_noticed_too),
        TEST(workers_wait_for_a_consumer_that_is_not_made_yet),
        TEST(a_lost_connection_is_a_gap_though_nothing_was_heard_yet),
        TEST(a_deleted_consumer_is_a_gap_and_the_next_one_is_used),
        TEST(a_consumer_may_be_freed_in_its_own_gap),
        TEST(a_freed_consumer_takes_nothing_more),
        TEST(an_idle_consumer_stays_quietly_alive),
        TEST(what_is_no_consumer_is_refused),
    };
    return GROUP("bus_consume", tests);
}
