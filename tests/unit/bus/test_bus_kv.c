#include "bus_world.h"

static void make_bucket(struct world *w)
{
    world_stream(w, "KV_b", "$KV.b.>",
                 "\"max_msgs_per_subject\":1,\"discard\":\"new\",\"allow_rollup_hdrs\":true,"
                 "\"deny_delete\":true,"
                 "\"allow_msg_ttl\":true,\"subject_delete_marker_ttl\":2000000000");
}

static int get(struct world *w, struct probe *p, const char *key)
{
    probe_start(w, p, 0);
    assert_false(failed(bus_kv_get(&p->op, "b", key, probe_next)));
    probe_wait(w, p);
    return p->err.kind;
}

static int put(struct world *w, struct probe *p, const char *key, const char *value,
               uint64_t seq, uint32_t ttl_s)
{
    struct bus_expect expect = {.seq = seq, .ttl_s = ttl_s};

    probe_start(w, p, 0);
    assert_false(failed(bus_kv_put(&p->op, "b", key, bytes_str(value), &expect, probe_next)));
    probe_wait(w, p);
    return p->err.kind;
}

static int remove_key(struct world *w, struct probe *p, const char *key, uint64_t seq)
{
    probe_start(w, p, 0);
    assert_false(failed(bus_kv_delete(&p->op, "b", key, seq, probe_next)));
    probe_wait(w, p);
    return p->err.kind;
}

static void what_was_put_is_got(void **state)
{
    struct world *w = *state;
    struct probe p;

    make_bucket(w);
    assert_int_equal(get(w, &p, "k"), ERR_ABSENT);
    assert_int_equal(p.seq, 0);
    assert_int_equal(put(w, &p, "k", "one", BUS_ANY, 0), ERR_NONE);
    assert_int_equal(p.seq, 1);
    assert_int_equal(get(w, &p, "k"), ERR_NONE);
    assert_string_equal(p.body, "one");
    assert_int_equal(p.seq, 1);
    assert_int_equal(put(w, &p, "a.b", "two", BUS_ANY, 0), ERR_NONE);
    assert_int_equal(get(w, &p, "a.b"), ERR_NONE);
}

static void of_two_who_create_one_does(void **state)
{
    struct world *w = *state;
    struct probe p;

    make_bucket(w);
    assert_int_equal(put(w, &p, "k", "mine", 0, 0), ERR_NONE);
    assert_int_equal(put(w, &p, "k", "theirs", 0, 0), ERR_CONFLICT);
    assert_int_equal(put(w, &p, "k", "theirs", 7, 0), ERR_CONFLICT);
    assert_int_equal(put(w, &p, "k", "mine", 1, 0), ERR_NONE);
}

static void a_deleted_key_is_absent_and_tells_what_to_expect(void **state)
{
    struct world *w = *state;
    struct probe p;

    make_bucket(w);
    assert_int_equal(put(w, &p, "k", "one", BUS_ANY, 0), ERR_NONE);
    assert_int_equal(remove_key(w, &p, "k", 9), ERR_CONFLICT);
    assert_int_equal(remove_key(w, &p, "k", 1), ERR_NONE);
    assert_int_equal(get(w, &p, "k"), ERR_ABSENT);
    assert_int_equal(p.seq, 2);
    assert_string_equal(p.body, "");
    assert_int_equal(put(w, &p, "k", "two", 0, 0), ERR_CONFLICT);
    assert_int_equal(put(w, &p, "k", "two", 2, 0), ERR_NONE);
    assert_int_equal(remove_key(w, &p, "k", BUS_ANY), ERR_NONE);
}

static void a_key_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {"", "a b", "a..b", "*", ">"};
    struct world *w                = *state;
    struct probe p;

    make_bucket(w);
    for (size_t n = 0; n < sizeof(bad) / sizeof(*bad); n++) {
        assert_int_equal(get(w, &p, bad[n]), ERR_REJECT);
        assert_int_equal(put(w, &p, bad[n], "x", BUS_ANY, 0), ERR_REJECT);
        assert_int_equal(remove_key(w, &p, bad[n], BUS_ANY), ERR_REJECT);
    }
}

struct watch {
    size_t count, gone;
    char key[64];
    bool caught_up;
};

static void on_caught_up(void *self)
{
    ((struct watch *)self)->caught_up = true;
}

static void on_entry(void *self, struct bus_msg **msg)
{
    struct watch *watch = self;

    watch->count++;
    watch->gone += bus_kv_gone(*msg);
    strcpy(watch->key, bus_kv_key(*msg));
}

/* The key of a leader: it expires, everybody is told, and the next one campaigns on the marker. */
static void a_key_expires_and_the_next_leader_campaigns_at_its_marker(void **state)
{
    struct world *w          = *state;
    struct watch watch       = {0};
    struct bus_follower *f   = NULL;
    struct bus_follow follow = {.stream           = "KV_b",
                                .last_per_subject = true,
                                .on_msg           = on_entry,
                                .on_caught_up     = on_caught_up,
                                .self             = &watch};
    struct probe p;

    make_bucket(w);
    assert_false(failed(bus_follow(w->bus, &follow, &f)));
    assert_true(world_run(w, world_is_set, &watch.caught_up, WORLD_WAIT_MS));
    assert_int_equal(put(w, &p, "leader", "me", 0, 1), ERR_NONE);
    assert_int_equal(put(w, &p, "leader", "me still", 1, 1), ERR_NONE);
    assert_true(world_counts(w, &watch.count, 2));
    assert_string_equal(watch.key, "leader");
    assert_int_equal(watch.gone, 0);

    assert_true(world_counts(w, &watch.gone, 1));
    assert_int_equal(get(w, &p, "leader"), ERR_ABSENT);
    uint64_t marker = p.seq;
    assert_int_equal(marker, 3);
    assert_int_equal(put(w, &p, "leader", "other", 2, 1), ERR_CONFLICT);
    assert_int_equal(put(w, &p, "leader", "you", marker, 1), ERR_NONE);
    assert_int_equal(put(w, &p, "leader", "other", marker, 1), ERR_CONFLICT);
    assert_int_equal(get(w, &p, "leader"), ERR_NONE);
    assert_string_equal(p.body, "you");
    bus_follow_end(&f);
}

static void a_plain_update_drops_the_time_to_live(void **state)
{
    struct world *w = *state;
    struct probe p;

    make_bucket(w);
    assert_int_equal(put(w, &p, "k", "x", 0, 1), ERR_NONE);
    assert_int_equal(put(w, &p, "k", "y", 1, 0), ERR_NONE);
    world_pass(w, 1600);
    assert_int_equal(get(w, &p, "k"), ERR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_put_is_got),
        TEST(of_two_who_create_one_does),
        TEST(a_deleted_key_is_absent_and_tells_what_to_expect),
        TEST(a_key_that_is_none_is_refused),
        TEST(a_key_expires_and_the_next_leader_campaigns_at_its_marker),
        TEST(a_plain_update_drops_the_time_to_live),
    };
    return GROUP("bus_kv", tests);
}
