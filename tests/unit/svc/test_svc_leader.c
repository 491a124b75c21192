#include "svc_rig.h"

#include "svc/svc_leader.h"

enum { TTL_MS = 2000, KEY_SIZE = 32 };

/* ---- the candidate: this program again -------------------------------------------------------------- */

struct demo {
    struct svc *svc;
    struct svc_leader *leader;
    bool said;
};

static void say_number(const char *text, uint64_t n)
{
    printf("%s %llu\n", text, (unsigned long long)n);
    fflush(stdout);
}

static void won(void *self, uint64_t epoch)
{
    struct demo *d = self;

    say_number(svc_leader_is(d->leader) ? "won" : "won, but is not", epoch);
}

static void lost(void *self, const char *why)
{
    struct demo *d = self;

    printf("lost %s%s\n", why, svc_leader_is(d->leader) ? ", but still is" : "");
    fflush(stdout);
}

/* Every 20 ms what a scheduler would do: something, if it leads. */
static uint64_t demo_tick(void *self, uint64_t now)
{
    struct demo *d = self;

    if (svc_leader_is(d->leader))
        say_number("acts", svc_leader_epoch(d->leader));
    return now + 20;
}

static void on_depose(void *self, struct bus_msg **msg)
{
    struct demo *d = self;

    (void)msg;
    svc_leader_deposed(d->leader, "the log refused");
}

static const struct svc_route ROUTES[] = {
    {"demo.depose", NULL, true, on_depose},
    {NULL, NULL, false, NULL},
};

static int demo_run(int argc, char **argv)
{
    static const struct svc_about about = {.name = "sluice-demo", .summary = "a candidate"};
    struct demo d                       = {.svc = svc_new(&about, argc, argv)};
    struct svc_leader_events on         = {won, lost, &d};

    const char *ttl = getenv("SVC_RIG_TTL");

    d.leader = svc_leader_new(d.svc, "demo.0", ttl ? strtoull(ttl, NULL, 10) : TTL_MS, &on);
    svc_tick(d.svc, demo_tick, &d);
    svc_serve(d.svc, ROUTES, &d);

    int status = svc_run(d.svc);

    svc_leader_free(&d.leader);
    svc_free(&d.svc);
    return status;
}

/* ---- the rig ---------------------------------------------------------------------------------- */

struct rig {
    struct rig_nats nats;
    struct rig_child a, b;
    struct rig_bus bus;
    struct buf answer;
};

static int set_up(void **state)
{
    struct rig *r = mem_new(struct rig);

    r->a.out = r->b.out = -1;
    rig_nats_start(&r->nats);
    rig_bus_open(&r->bus, r->nats.url);
    buf_init(&r->answer, 1 << 16);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    rig_bus_close(&r->bus);
    rig_end(&r->a);
    rig_end(&r->b);
    rig_nats_end(&r->nats);
    buf_deinit(&r->answer);
    mem_free(&r);
    return 0;
}

static void start_with(struct rig *r, struct rig_child *c, const char *setting)
{
    rig_start(c, r->nats.url, "candidate", (const char *const[]){setting, NULL});
    rig_expect(c, "msg=ready ");
}

static void start(struct rig *r, struct rig_child *c)
{
    start_with(r, c, NULL);
}

static uint64_t epoch_of(const char *line)
{
    return rig_number(line, "won ");
}

/* a leads, b stands by; the epoch. */
static uint64_t one_leads(struct rig *r)
{
    start(r, &r->a);
    uint64_t epoch = epoch_of(rig_expect(&r->a, "won "));

    start(r, &r->b);
    return epoch;
}

static void drain_lines(struct rig_child *c)
{
    while (rig_look(c, "\x01", 50))
        ;
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void one_of_two_leads_and_stays_with_its_epoch(void **state)
{
    struct rig *r  = *state;
    uint64_t epoch = one_leads(r);
    char acts[KEY_SIZE];

    snprintf(acts, sizeof(acts), "acts %llu", (unsigned long long)epoch);
    for (uint64_t end = clk_mono_ms() + 2 * TTL_MS;
         clk_mono_ms() < end || rig_count(&r->a, acts) <= 150;)
        rig_expect(&r->a, acts); /* on and on */
    drain_lines(&r->b);
    assert_int_equal(rig_count(&r->a, "lost"), 0);
    assert_int_equal(rig_count(&r->a, "won "), 1);
    assert_int_equal(rig_count(&r->b, "won") + rig_count(&r->b, "acts"), 0);

    /* It was renewed, with its term said again: the key still expires. */
    assert_false(failed(rig_kv_get(&r->bus, "sluice_leaders", "demo.0", &r->answer)));
    assert_non_null(strstr(r->answer.at, "\"service\":\"sluice-demo\""));
    rig_end(&r->a);
    rig_end(&r->b);
    for (uint64_t end = clk_mono_ms() + RIG_WAIT_MS;
         rig_kv_get(&r->bus, "sluice_leaders", "demo.0", NULL).kind != ERR_ABSENT;
         usleep(50000))
        assert_true(clk_mono_ms() < end);
}

/* Terms are so long that nobody leads because one is over. */
static void drained_leader_hands_over_at_once(void **state)
{
    struct rig *r = *state;

    start_with(r, &r->a, "SVC_RIG_TTL=60000");
    uint64_t epoch = epoch_of(rig_expect(&r->a, "won "));
    start_with(r, &r->b, "SVC_RIG_TTL=60000");

    kill(r->a.pid, SIGTERM);

    uint64_t next = epoch_of(rig_expect(&r->b, "won "));
    assert_true(next > epoch);
    assert_int_equal(rig_exit_status(&r->a), 0);
    assert_int_equal(rig_count(&r->a, "lost resigned"), 1);
}

static void killed_leader_is_followed_when_its_term_is_over(void **state)
{
    struct rig *r  = *state;
    uint64_t epoch = one_leads(r);

    kill(r->a.pid, SIGKILL);

    uint64_t next = epoch_of(rig_expect(&r->b, "won "));
    assert_true(next > epoch);
}

/* An election of the server may last longer than a term that is this short. */
static void with_replicas_a_term_is_not_short(void **state)
{
    static const char *const REPLICATED[] = {"SLUICE_REPLICAS=3", "SLUICE_STREAMS=none", NULL};
    struct rig *r                         = *state;

    start(r, &r->a); /* makes the streams */
    rig_expect(&r->a, "won ");
    rig_end(&r->a);
    rig_start(&r->b, r->nats.url, "candidate", REPLICATED);
    rig_expect(&r->b, "won ");
    uint64_t died = clk_mono_ms();
    kill(r->b.pid, SIGKILL);
    start(r, &r->a);
    rig_expect_in(&r->a, "won ", 2 * RIG_WAIT_MS);
    assert_true(clk_mono_ms() - died > 3 * TTL_MS);
}

/* All hear at once that the key is gone, and all write it. */
static void of_many_that_campaign_at_once_one_wins(void **state)
{
    enum { MANY = 6 };
    struct rig *r  = *state;
    uint64_t epoch = one_leads(r), began = clk_mono_ms();
    struct rig_child more[MANY];
    const char *line = NULL;
    size_t won       = 0;

    for (int n = 0; n < MANY; n++) {
        more[n] = (struct rig_child){.out = -1};
        start(r, &more[n]);
    }
    kill(r->a.pid, SIGKILL);

    while (!line) {
        assert_true(clk_mono_ms() < began + 30000);
        line = rig_look(&r->b, "won ", 10);
        for (int n = 0; n < MANY && !line; n++)
            line = rig_look(&more[n], "won ", 10);
    }
    uint64_t seen = clk_mono_ms();
    assert_true(epoch_of(line) > epoch);
    drain_lines(&r->b);
    won = rig_count(&r->b, "won ");
    for (int n = 0; n < MANY; n++) {
        drain_lines(&more[n]);
        won += rig_count(&more[n], "won ");
        rig_end(&more[n]);
    }
    /* On a machine that stood still the next term may have begun. */
    assert_true(won == 1 || clk_mono_ms() > seen + TTL_MS / 2);
}

static void frozen_leader_knows_that_it_is_none_before_it_acts(void **state)
{
    struct rig *r  = *state;
    uint64_t epoch = one_leads(r);

    kill(r->a.pid, SIGSTOP);
    uint64_t next = epoch_of(rig_expect(&r->b, "won "));
    assert_true(next > epoch);
    usleep(TTL_MS * 1000 / 2);
    drain_lines(&r->a);
    size_t acted = rig_count(&r->a, "acts");

    kill(r->a.pid, SIGCONT);

    rig_expect(&r->a, "lost ");
    drain_lines(&r->a);
    assert_int_equal(rig_count(&r->a, "acts"), acted);
    assert_int_equal(rig_count(&r->a, "won "), 1);
    drain_lines(&r->b);
    assert_int_equal(rig_count(&r->b, "lost"), 0);
}

static void deleted_key_ends_a_leadership(void **state)
{
    struct rig *r  = *state;
    uint64_t epoch = one_leads(r);
    const char *line;

    assert_false(failed(rig_kv_delete(&r->bus, "sluice_leaders", "demo.0")));

    rig_expect(&r->a, "lost "); /* the key is gone, or the other was faster */
    for (uint64_t end = clk_mono_ms() + RIG_WAIT_MS;;) { /* one of the two */
        line = rig_look(&r->a, "won ", 20);
        line = line ? line : rig_look(&r->b, "won ", 20);
        if (line)
            break;
        assert_true(clk_mono_ms() < end);
    }
    assert_true(epoch_of(line) > epoch);
}

static void deposed_leader_steps_down_and_campaigns_anew(void **state)
{
    struct rig *r      = *state;
    uint64_t epoch     = one_leads(r);
    struct bus_out out = {.subject = "demo.depose"};

    assert_true(bus_send(r->bus.bus, &out));
    assert_false(failed(rig_api(&r->bus, "INFO", "", NULL))); /* a round trip: it is out */

    rig_expect(&r->a, "lost the log refused");
    uint64_t again = epoch_of(rig_expect_in(&r->a, "won ", TTL_MS));
    assert_true(again > epoch);
}

static void leader_without_nats_steps_down_by_itself(void **state)
{
    struct rig *r = *state;

    one_leads(r);
    uint64_t began = clk_mono_ms();
    rig_nats_kill(&r->nats);

    rig_expect_in(&r->a, "lost it could not be renewed in time", TTL_MS);
    assert_true(clk_mono_ms() - began < TTL_MS * 2 / 3 + 300);

    rig_nats_run(&r->nats);
    for (uint64_t end = clk_mono_ms() + RIG_WAIT_MS;;) {
        if (rig_look(&r->a, "won ", 20) || rig_look(&r->b, "won ", 20))
            break;
        assert_true(clk_mono_ms() < end);
    }
}

static void short_outage_costs_no_leadership(void **state)
{
    struct rig *r = *state;

    one_leads(r);
    kill(r->nats.pid, SIGSTOP);
    usleep(TTL_MS / 4 * 1000);
    kill(r->nats.pid, SIGCONT);
    usleep(TTL_MS * 1000);

    drain_lines(&r->a);
    assert_int_equal(rig_count(&r->a, "lost"), 0);
    assert_int_equal(rig_count(&r->a, "won "), 1);
}

/* Consumers are named by their leader's epoch: an old one's acks would be honoured in the name of the new. */
static void bucket_that_was_made_anew_is_campaigned_for_under_a_later_epoch(void **state)
{
    struct rig *r    = *state;
    uint64_t epoch   = one_leads(r);
    const char *line = NULL;

    assert_false(failed(rig_api(&r->bus, "STREAM.DELETE.KV_sluice_leaders", "", NULL)));

    rig_expect_in(&r->a, "lost ", TTL_MS);
    for (uint64_t end = clk_mono_ms() + RIG_WAIT_MS; !line;) {
        assert_true(clk_mono_ms() < end);
        line = rig_look(&r->a, "won ", 20);
        line = line ? line : rig_look(&r->b, "won ", 20);
    }
    assert_true(epoch_of(line) > epoch);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
    if (getenv("SVC_RIG_ROLE"))
        return demo_run(argc, argv);

    const struct CMUnitTest tests[] = {
        WITH(one_of_two_leads_and_stays_with_its_epoch),
        WITH(drained_leader_hands_over_at_once),
        WITH(killed_leader_is_followed_when_its_term_is_over),
        WITH(with_replicas_a_term_is_not_short),
        WITH(of_many_that_campaign_at_once_one_wins),
        WITH(frozen_leader_knows_that_it_is_none_before_it_acts),
        WITH(deleted_key_ends_a_leadership),
        WITH(deposed_leader_steps_down_and_campaigns_anew),
        WITH(leader_without_nats_steps_down_by_itself),
        WITH(short_outage_costs_no_leadership),
        WITH(bucket_that_was_made_anew_is_campaigned_for_under_a_later_epoch),
    };

    signal(SIGPIPE, SIG_IGN);
    cmocka_set_test_filter(getenv("SVC_RIG_ONLY"));
    return cmocka_run_group_tests_name("svc_leader", tests, NULL, NULL);
}
