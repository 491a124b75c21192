/* A pool's consumer is kept as the pool needs it, whoever changed it. */
#include "sch_rig.h"

enum { KEPT_MS = 40000, OP_MAGIC = 0x54534343 };

struct look {
    struct bus_op op; /* first: SELF() */
    char text[4096];
    bool over;
};

static void look_end(struct bus_op *op, struct err e)
{
    struct look *l = SELF(struct look, OP_MAGIC, op);

    assert_false(failed(e));
    l->over = true;
}

static struct err look_next(struct bus_op *op, const struct bus_reply *reply)
{
    struct look *l = SELF(struct look, OP_MAGIC, op);

    assert_true(
        str_copy_n(l->text, sizeof(l->text), (const char *)reply->body.at, reply->body.len));
    return bus_op_done(op);
}

/* Has the consumer's config this in it, as the server says it? */
static bool has(struct rig *r, const char *part)
{
    static struct look l;

    l = (struct look){.over = false};
    bus_op_start(r->client, &l.op, OP_MAGIC, "test-look", 0, look_end);
    (void)bus_api(&l.op, "CONSUMER.INFO.SLUICE_JOBS.default", bytes_of(NULL, 0), look_next);
    while (!l.over)
        rig_pass(r, 20);
    return strstr(l.text, part) != NULL;
}

/* What an operator's hand has made of it: the lease is ours, and the rest as it says. */
static void edited(struct rig *r, const char *rest)
{
    char config[1024];

    RIG_WAIT(r, KEPT_MS, has(r, "\"ack_wait\":15000000000"));
    assert_true(str_format(config, sizeof(config),
                           "{\"durable_name\":\"default\",\"ack_policy\":\"explicit\","
                           "\"max_waiting\":512,%s}",
                           rest));
    fake_make_consumer(STREAM_JOBS, "default", bytes_str(config));
}

#define WAIT "\"ack_wait\":15000000000"
#define FILTER "\"filter_subject\":\"sluice.jobs.*.*.default\""
#define ENDLESS "\"max_deliver\":-1"
#define PENDING "\"max_ack_pending\":-1"

static void each_setting_that_is_not_ours_is_made_right(void **state)
{
    static const struct {
        const char *edited, *right;
    } CASES[] = {
        {WAIT "," FILTER "," ENDLESS ",\"max_ack_pending\":1", PENDING},
        {WAIT "," FILTER "," PENDING ",\"max_deliver\":1", ENDLESS},
        {WAIT "," PENDING "," ENDLESS ",\"filter_subject\":\"sluice.jobs.acme.*.default\"",
         FILTER},
        {FILTER "," PENDING "," ENDLESS ",\"ack_wait\":1000000000", WAIT},
    };
    struct rig *r = *state;

    for (size_t n = 0; n < sizeof(CASES) / sizeof(CASES[0]); n++) {
        edited(r, CASES[n].edited);
        assert_false(has(r, CASES[n].right));

        RIG_WAIT(r, KEPT_MS, has(r, CASES[n].right));
        assert_true(has(r, WAIT) && has(r, FILTER) && has(r, PENDING) && has(r, ENDLESS));
        assert_true(has(r, "\"max_waiting\":512")); /* which no server would change */
    }
}

/* A shorter lease would take running ones away: only the rest is made right while there are jobs. */
static void longer_lease_stays_while_there_are_jobs(void **state)
{
    struct rig *r = *state;

    rig_ticket(1, (struct ticket){.lane = LANE_STANDARD});
    RIG_WAIT(r, 1000, rig_jobs() == 1);
    edited(r, FILTER "," ENDLESS ",\"ack_wait\":60000000000,\"max_ack_pending\":1");

    RIG_WAIT(r, KEPT_MS, has(r, PENDING));
    rig_pass(r, KEPT_MS);

    assert_int_equal(rig_jobs(), 1);
    assert_true(has(r, "\"ack_wait\":60000000000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(each_setting_that_is_not_ours_is_made_right),
        WITH(longer_lease_stays_while_there_are_jobs),
    };
    return cmocka_run_group_tests_name("sch_consumer", tests, NULL, NULL);
}
