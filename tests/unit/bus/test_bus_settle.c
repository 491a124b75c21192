/* What becomes of a delivery: seen from the server, which delivers again or does not. */
#include "bus_world.h"

enum { ACK_WAIT_MS = 1500 };

struct owner {
    struct world *w;
    struct bus_consumer *consumer;
    size_t count;
    uint32_t deliveries;
    uint64_t seq;
    uint64_t at;
    char acks[256];
    struct bus_msg *msg;
};

static void on_job(void *self, struct bus_msg **msg)
{
    struct owner *o = self;

    o->count++;
    o->seq        = (*msg)->seq;
    o->deliveries = (*msg)->deliveries;
    o->at         = clk_mono_ms();
    snprintf(o->acks, sizeof(o->acks), "%s", (*msg)->reply);
    bus_msg_free(&o->msg);
    o->msg = take(msg);
    bus_consumer_room(o->consumer, 1);
}

static void begin(struct world *w, struct owner *o)
{
    struct bus_consume consume = {
        .stream = "J", .consumer = "pool", .on_msg = on_job, .self = o};
    char config[128];
    struct probe p;

    world_stream(w, "J", "j.>", "\"retention\":\"workqueue\"");
    snprintf(config, sizeof(config),
             "{\"ack_policy\":\"explicit\",\"ack_wait\":%d000000,\"max_deliver\":-1}",
             ACK_WAIT_MS);
    probe_start(w, &p, 0);
    assert_false(failed(bus_consumer_make(&p.op, "J", "pool", bytes_str(config), probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_NONE);
    *o = (struct owner){.w = w};
    assert_false(failed(bus_consume(w->bus, &consume, &o->consumer)));
    bus_consumer_room(o->consumer, 1);
    assert_int_equal(probe_publish(w, &p, "j.a", "job", NULL), ERR_NONE);
    assert_true(world_counts(w, &o->count, 1));
    assert_int_equal(o->deliveries, 1);
}

static void end(struct owner *o)
{
    bus_msg_free(&o->msg);
    bus_consumer_free(&o->consumer);
}

static uint64_t left(struct world *w)
{
    struct probe p;

    assert_int_equal(probe_read(w, &p, &(struct bus_read){.stream = "J", .subject = "j.>"}),
                     ERR_NONE);
    return p.count;
}

static void what_went_well_is_acknowledged(void **state)
{
    struct owner o;

    begin(*state, &o);
    bus_settle(o.w->bus, &o.msg, OK);
    assert_null(o.msg);
    world_pass(o.w, 100);
    assert_int_equal(left(o.w), 0);
    end(&o);
}

static void what_may_work_later_comes_again_after_a_while(void **state)
{
    static const enum err_kind kinds[] = {ERR_RETRY, ERR_FULL, ERR_CONFLICT};
    struct owner o;

    begin(*state, &o);
    for (unsigned n = 0; n < 3; n++) {
        uint64_t since = clk_mono_ms();
        bus_settle(o.w->bus, &o.msg, err_of(kinds[n], "test"));
        assert_true(world_counts(o.w, &o.count, n + 2));
        assert_int_equal(o.deliveries, n + 2);
        assert_in_range(o.at - since, (125u << n) - 20,
                        (250u << n) + 5000); /* back-off, half of it jitter */
    }
    end(&o);
}

static void what_never_will_work_is_terminated(void **state)
{
    static const enum err_kind kinds[] = {ERR_REJECT, ERR_ABSENT};

    for (unsigned n = 0; n < 2; n++) {
        struct owner o;

        if (n == 1) {
            (void)world_teardown(state);
            (void)world_setup(state);
        }
        begin(*state, &o);
        bus_settle(o.w->bus, &o.msg, err_of(kinds[n], "test"));
        world_pass(o.w, 100);
        assert_int_equal(left(o.w), 0);
        end(&o);
    }
}

static void what_nobody_knows_is_left_unanswered(void **state)
{
    static const enum err_kind kinds[] = {ERR_UNKNOWN, ERR_LOST, ERR_FATAL};
    struct owner o;

    begin(*state, &o);
    for (unsigned n = 0; n < 3; n++) {
        uint64_t since = o.at;
        bus_settle(o.w->bus, &o.msg, err_of(kinds[n], "test"));
        assert_true(world_counts(o.w, &o.count, n + 2));
        assert_in_range(o.at - since, ACK_WAIT_MS / 2, ACK_WAIT_MS + 10000);
    }
    end(&o);
}

static void on_freed(void *self, struct bus_msg **msg)
{
    (void)msg;
    (*(size_t *)self)++;
}

static void an_ack_of_a_lease_tells_a_third_party(void **state)
{
    struct bus_sub *sub = NULL;
    size_t freed        = 0;
    struct owner o;

    begin(*state, &o);
    assert_false(failed(bus_subscribe(o.w->bus, "freed.>", NULL, on_freed, &freed, &sub)));
    bus_lease_ack(o.w->bus, o.acks, "freed.t.1.1");
    assert_true(world_counts(o.w, &freed, 1));
    assert_int_equal(left(o.w), 0);
    end(&o);
}

static void a_plain_ack_needs_no_third_party(void **state)
{
    struct owner o;

    begin(*state, &o);
    bus_lease_ack(o.w->bus, o.acks, NULL);
    world_pass(o.w, 100);
    assert_int_equal(left(o.w), 0);
    bus_ack(o.w->bus, o.acks);
    bus_ack(o.w->bus, "");
    end(&o);
}

static void a_released_lease_comes_again_when_it_was_said(void **state)
{
    struct owner o;

    begin(*state, &o);
    uint64_t since = clk_mono_ms();
    bus_lease_release(o.w->bus, o.acks, 0);
    assert_true(world_counts(o.w, &o.count, 2));
    assert_in_range(o.at - since, 0, ACK_WAIT_MS - 100);
    since = clk_mono_ms();
    bus_lease_release(o.w->bus, o.acks, 400);
    assert_true(world_counts(o.w, &o.count, 3));
    assert_in_range(o.at - since, 300, 10000);
    end(&o);
}

static void a_lease_that_is_beaten_is_kept(void **state)
{
    struct owner o;
    struct probe p;

    begin(*state, &o);
    for (int n = 0; n < 6; n++) {
        world_pass(o.w, ACK_WAIT_MS / 3);
        probe_start(o.w, &p, 0);
        assert_false(failed(bus_lease_beat(&p.op, o.acks, probe_next)));
        probe_wait(o.w, &p);
        assert_int_equal(p.err.kind, ERR_NONE);
    }
    assert_int_equal(o.count, 1);

    probe_start(o.w, &p, 0);
    assert_false(failed(bus_lease_beat(&p.op, "$JS.ACK.J.nobody.1.1.1.1.1", probe_next)));
    probe_wait(o.w, &p);
    assert_int_equal(p.err.kind, ERR_RETRY);
    end(&o);
}

static void a_queue_item_of_text_only_is_acked_by_its_subject(void **state)
{
    struct owner o;

    begin(*state, &o);
    bus_ack(o.w->bus, o.acks);
    world_pass(o.w, 100);
    assert_int_equal(left(o.w), 0);
    end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_went_well_is_acknowledged),
        TEST(what_may_work_later_comes_again_after_a_while),
        TEST(what_never_will_work_is_terminated),
        TEST(what_nobody_knows_is_left_unanswered),
        TEST(an_ack_of_a_lease_tells_a_third_party),
        TEST(a_plain_ack_needs_no_third_party),
        TEST(a_released_lease_comes_again_when_it_was_said),
        TEST(a_lease_that_is_beaten_is_kept),
        TEST(a_queue_item_of_text_only_is_acked_by_its_subject),
    };
    return GROUP("bus_settle", tests);
}
