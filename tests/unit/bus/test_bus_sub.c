/* Subscriptions that end: at once, or when all that was on its way is heard. */
#include "bus_world.h"

enum { MANY = 20000 };

static void counts(void *self, struct bus_msg **msg)
{
    (void)msg;
    ++*(size_t *)self;
}

static void sends(struct world *w, size_t count)
{
    for (size_t n = 0; n < count; n++)
        assert_true(bus_send(w->bus, &(struct bus_out){.subject = "work.x"}));
}

/* The server has seen to all that was sent before. */
static void round_trip(struct world *w)
{
    struct probe p;

    assert_int_equal(probe_api(w, &p, "INFO", ""), ERR_NONE);
}

static bool drained(void *self)
{
    return bus_sub_drained(self);
}

static void what_was_sent_before_a_drain_is_heard(void **state)
{
    struct world *w     = *state;
    struct bus_sub *sub = NULL;
    size_t heard        = 0;

    assert_false(failed(bus_subscribe(w->bus, "work.>", "group", counts, &heard, &sub)));
    sends(w, MANY);
    bus_sub_drain(sub);
    assert_false(bus_sub_drained(sub));
    assert_true(world_run(w, drained, sub, WORLD_WAIT_MS));
    assert_int_equal(heard, MANY);

    sends(w, 1);
    round_trip(w);
    bus_sub_drain(sub); /* once more: nothing */
    assert_true(bus_sub_drained(sub));
    assert_int_equal(heard, MANY);
    bus_unsubscribe(&sub);
}

static void who_unsubscribes_hears_no_more_however_much_is_there(void **state)
{
    struct world *w = *state;
    struct bus_sub *sub[2];
    size_t heard = 0;

    for (int n = 0; n < 2; n++)
        assert_false(failed(bus_subscribe(w->bus, "work.>", NULL, counts, &heard, &sub[n])));
    sends(w, MANY);
    bus_sub_drain(sub[1]);
    assert_true(world_counts(w, &heard, 1));
    for (int n = 0; n < 2; n++)
        bus_unsubscribe(&sub[n]);
    size_t then = heard;
    round_trip(w);
    world_pass(w, 50);
    assert_int_equal(heard, then);
}

/* Nothing can come without a connection, and with the next one nobody asks for it. */
static void a_drain_without_a_connection_is_over_at_once(void **state)
{
    struct world *w     = *state;
    struct bus_sub *sub = NULL, *later = NULL;
    size_t heard = 0;

    assert_false(failed(bus_subscribe(w->bus, "work.>", NULL, counts, &heard, &sub)));
    round_trip(w);
    world_server_end(w, SIGKILL);
    assert_true(world_run(w, world_is_lost, w, WORLD_WAIT_MS));
    assert_false(failed(bus_subscribe(w->bus, "work.>", NULL, counts, &heard, &later)));
    bus_sub_drain(sub);
    bus_sub_drain(later);
    assert_true(bus_sub_drained(sub));
    assert_true(bus_sub_drained(later));

    world_server_start(w, NULL);
    assert_true(world_run(w, world_is_connected, w, WORLD_WAIT_MS));
    assert_true(world_run(w, drained, sub, WORLD_WAIT_MS));
    sends(w, 1);
    round_trip(w);
    assert_int_equal(heard, 0);
    bus_unsubscribe(&sub);
    bus_unsubscribe(&later);
}

/* The server does not say that it heard us: it is not waited for as long as a drain may take. */
static void a_drain_ends_though_the_server_sleeps(void **state)
{
    struct world *w     = *state;
    struct bus_sub *sub = NULL;
    size_t heard        = 0;

    assert_false(failed(bus_subscribe(w->bus, "work.>", NULL, counts, &heard, &sub)));
    round_trip(w);
    world_server_stop(w);
    bus_sub_drain(sub);
    assert_false(bus_sub_drained(sub));
    assert_true(world_run(w, drained, sub, WORLD_WAIT_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_sent_before_a_drain_is_heard),
        TEST(who_unsubscribes_hears_no_more_however_much_is_there),
        TEST(a_drain_without_a_connection_is_over_at_once),
        TEST(a_drain_ends_though_the_server_sleeps),
    };
    return GROUP("bus_sub", tests);
}
