#include "svc_rig.h"

#include "svc/svc_leader.h"
#include "svc/svc_metric.h"
#include "wire/wire_stream.h"

/* ---- the service under test: this program again, when SVC_RIG_ROLE says so -------------------------- */

#define DEMO_METRICS(X) \
    X(COUNTER, pings, "pings heard") \
    X(GAUGE, held, "requests held")
METRIC_STRUCT(demo_metrics, DEMO_METRICS)
METRIC_REGISTER(show_metrics, "demo_", demo_metrics, DEMO_METRICS)

struct demo_config {
    const char *word;
    uint64_t hold_ms;
};

static const struct config_key DEMO_KEYS[] = {
    {"SLUICE_WORD", CONFIG_STRING, CONFIG_FIELD(struct demo_config, word), "yes", NULL, NULL,
     "any word but no"},
    {"SLUICE_HOLD", CONFIG_DURATION, CONFIG_FIELD(struct demo_config, hold_ms), "300ms", "1ms",
     "1h", "how long slow takes"},
    {NULL, CONFIG_STRING, 0, NULL, NULL, NULL, NULL},
};

struct demo {
    struct svc *svc;
    struct demo_config config;
    struct demo_metrics metrics;
    struct bus_msg *held;
    uint64_t held_us, answer_at;
    uint64_t promised;
    bool told_tick;
    bool pokes;
};

static struct err check_demo(void *self, char *why, unsigned long why_size)
{
    const struct demo_config *c = self;

    if (!str_equal(c->word, "no"))
        return OK;
    str_format(why, why_size, "SLUICE_WORD: any word but no");
    return err_of(ERR_REJECT, "check");
}

static void say(const char *text)
{
    printf("%s\n", text);
    fflush(stdout);
}

static void on_ping(void *self, struct bus_msg **msg)
{
    struct demo *d = self;
    uint64_t since = clk_mono_us();

    d->metrics.pings++;
    bus_answer(svc_bus(d->svc), *msg, bytes_str("pong"), NULL, 0);
    svc_answered(d->svc, "ping", since, !bytes_equal((*msg)->body, bytes_str("bad")));
}

static void on_slow(void *self, struct bus_msg **msg)
{
    struct demo *d = self;

    d->held      = take(msg);
    d->held_us   = clk_mono_us();
    d->answer_at = svc_now(d->svc) + d->config.hold_ms;
    say("holds one");
    svc_poke(d->svc);
}

static void on_missing(void *self, struct bus_msg **msg)
{
    struct demo *d = self;

    svc_streams_missing(d->svc);
    bus_answer(svc_bus(d->svc), *msg, bytes_str(svc_ready(d->svc) ? "ready" : "not ready"),
               NULL, 0);
}

static void on_sick(void *self, struct bus_msg **msg)
{
    struct demo *d = self;
    char why[64];

    str_copy_n(why, sizeof(why), (const char *)(*msg)->body.at, (*msg)->body.len);
    svc_health(d->svc, "stomach", why[0] ? why : NULL);
    bus_answer(svc_bus(d->svc), *msg, bytes_str(svc_ready(d->svc) ? "ready" : "not ready"),
               NULL, 0);
}

static void on_die(void *self, struct bus_msg **msg)
{
    struct demo *d = self;

    (void)msg;
    svc_die(d->svc, "somebody asked");
}

static const struct svc_route DEMO_ROUTES[] = {
    {"demo.ping", "ping", false, on_ping},
    {"demo.slow", "slow", false, on_slow},
    {"demo.all", "ping", true, on_ping},
    {"demo.missing", NULL, true, on_missing},
    {"demo.sick", NULL, true, on_sick},
    {"demo.die", NULL, true, on_die},
    {NULL, NULL, false, NULL},
};

static uint64_t demo_tick(void *self, uint64_t now)
{
    struct demo *d = self;

    d->metrics.held = d->held != NULL;
    if (d->promised && now >= d->promised && !d->told_tick) {
        d->told_tick = true;
        say(now < d->promised + 100 ? "tick came in time" : "tick came late");
    }
    if (!d->promised)
        d->promised = now + 200;
    if (d->held && now >= d->answer_at) {
        bus_answer(svc_bus(d->svc), d->held, bytes_str("at last"), NULL, 0);
        bus_msg_free(&d->held);
        svc_answered(d->svc, "slow", d->held_us, true);
    }
    if (d->held)
        return d->answer_at;
    return d->told_tick ? UINT64_MAX : d->promised;
}

/* The worst of ticks: it always wants to be called at once, by either way of saying so. */
static uint64_t hasty_tick(void *self, uint64_t now)
{
    const struct demo *d = self;

    if (!d->pokes)
        return now;
    svc_poke(d->svc);
    return UINT64_MAX;
}

static void demo_ready(void *self)
{
    struct demo *d = self;

    say(svc_ready(d->svc) ? "told ready, and is" : "told ready");
}

static void demo_drain(void *self)
{
    (void)self;
    say("begins to drain");
}

static bool demo_drained(void *self)
{
    const struct demo *d = self;

    return !d->held;
}

static int demo_run(const char *role, int argc, char **argv)
{
    struct demo d                = {.svc = NULL};
    const struct svc_about about = {"sluice-demo", "a service to test with", DEMO_KEYS,
                                    &d.config, check_demo};

    d.svc = svc_new(&about, argc, argv);
    svc_serve(d.svc, DEMO_ROUTES, &d);
    show_metrics(d.svc, &d.metrics, NULL, NULL);
    svc_on_ready(d.svc, demo_ready, &d);
    svc_on_drain(d.svc, demo_drain, demo_drained, &d);
    d.pokes = str_equal(role, "poking");
    svc_tick(d.svc, d.pokes || str_equal(role, "hasty") ? hasty_tick : demo_tick, &d);
    if (str_equal(role, "sick"))
        svc_health(d.svc, "stomach", "aches");

    int status = svc_run(d.svc);

    bus_msg_free(&d.held);
    svc_free(&d.svc);
    say("freed");
    return status;
}

/* ---- the rig ---------------------------------------------------------------------------------- */

struct rig {
    struct rig_nats nats;
    struct rig_child a, b;
    struct rig_bus bus;
    struct buf answer;
    bool has_bus;
};

static int set_up_without_nats(void **state)
{
    struct rig *r = mem_new(struct rig);

    r->a.out = r->b.out = -1;
    rig_nats_reserve(&r->nats);
    buf_init(&r->answer, 1 << 20);
    *state = r;
    return 0;
}

static int set_up(void **state)
{
    set_up_without_nats(state);

    struct rig *r = *state;

    rig_nats_run(&r->nats);
    rig_bus_open(&r->bus, r->nats.url);
    r->has_bus = true;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    if (r->has_bus)
        rig_bus_close(&r->bus);
    rig_end(&r->a);
    rig_end(&r->b);
    rig_nats_end(&r->nats);
    buf_deinit(&r->answer);
    mem_free(&r);
    return 0;
}

#define START(child, role, ...) \
    rig_start((child), r->nats.url, (role), (const char *const[]){__VA_ARGS__, NULL})

static unsigned ready_port(struct rig_child *c)
{
    return (unsigned)rig_number(rig_expect(c, "msg=ready "), "port=");
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in \"%s\"", part, text);
}

static struct err stream_info(struct rig *r, const char *name)
{
    char call[128];

    snprintf(call, sizeof(call), "STREAM.INFO.%s", name);
    return rig_api(&r->bus, call, "", &r->answer);
}

/* ---- configuration ---------------------------------------------------------------------------- */

static void check_alone(struct rig *r, const char *setting, int status, const char *says)
{
    START(&r->a, "check", setting);
    assert_int_equal(rig_exit_status(&r->a), status);
    if (rig_count(&r->a, says) != 1)
        fail_msg("%s: %zu lines, the first: %s", setting, r->a.count,
                 r->a.count ? r->a.lines[0] : "");
    assert_int_equal(r->a.count, 1);
    rig_end(&r->a);
}

static void check_says_what_is_wrong_in_one_line_and_exits_2(void **state)
{
    struct rig *r = *state;

    check_alone(r, "SLUICE_WORD=fine", 0, "the configuration is good");
    check_alone(r, "SLUICE_WORD=no", 2, "SLUICE_WORD: any word but no");
    check_alone(r, "SLUICE_HTTP=9090", 2, "SLUICE_HTTP");
    check_alone(r, "SLUICE_HTTP=off", 0, "good");
    check_alone(r, "SLUICE_HTTP=[::1]:9090", 0, "good");
    check_alone(r, "NATS_CREDS=/no/such/file", 2, "NATS_CREDS");
    check_alone(r, "SLUICE_STREAMS=myself", 2, "SLUICE_STREAMS");
    check_alone(r, "SLUICE_DRAIN=soon", 2, "SLUICE_DRAIN");
    check_alone(r, "SLUICE_REPLICAS=9", 2, "SLUICE_REPLICAS");
    check_alone(r, "SLUICE_CELL=a b", 2, "SLUICE_CELL");
    check_alone(r, "NATS_URL=foo:bar:baz", 2, "NATS_URL: \"foo:bar:baz\" is no address");
    check_alone(r, "NATS_URL=nats://ann:secret@:4222", 2, "NATS_URL: \":4222\" is no address");
    check_alone(r, "NATS_URL=nats://a:4222,", 2, "NATS_URL");
    check_alone(r, "NATS_URL=tls://ann:p:w@[::1]:4222,b", 0, "good");
    check_alone(r, "NATS_URL=nats://a:4222 , b:4222", 0, "good");
    check_alone(r, "OTEL_RESOURCE_ATTRIBUTES=region", 2, "OTEL_RESOURCE_ATTRIBUTES");
}

static void taken_port_ends_it_with_a_sentence(void **state)
{
    struct rig *r = *state;
    char setting[64];

    snprintf(setting, sizeof(setting), "SLUICE_HTTP=127.0.0.1:%u", r->nats.port);
    START(&r->a, "plain", setting);

    assert_int_equal(rig_exit_status(&r->a), 1);
    assert_int_equal(rig_count(&r->a, "SLUICE_HTTP: cannot listen on 127.0.0.1:"), 1);
}

/* ---- ready and not ---------------------------------------------------------------------------- */

static void without_nats_it_lives_and_becomes_ready_later(void **state)
{
    struct rig *r = *state;
    unsigned port = free_port();
    char setting[64];

    snprintf(setting, sizeof(setting), "SLUICE_HTTP=127.0.0.1:%u", port);
    START(&r->a, "plain", setting);
    rig_expect(&r->a, "msg=\"nats cannot be reached, trying on\"");

    assert_has(rig_get(port, "/livez"), "HTTP/1.1 200");
    assert_has(rig_get(port, "/readyz"), "HTTP/1.1 503");
    assert_has(rig_get(port, "/readyz"), "nats: not connected");

    rig_nats_run(&r->nats);

    assert_int_equal(ready_port(&r->a), port);
    assert_has(rig_get(port, "/readyz"), "HTTP/1.1 200");
}

static void lost_nats_makes_it_not_ready_until_it_is_back(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", NULL);
    unsigned port = ready_port(&r->a);

    rig_nats_kill(&r->nats);
    rig_expect(&r->a, "msg=\"not ready\"");
    assert_has(rig_get(port, "/livez"), "HTTP/1.1 200");
    assert_has(rig_get(port, "/readyz"), "nats: not connected");

    rig_nats_run(&r->nats);
    rig_expect(&r->a, "msg=\"ready again\"");

    assert_has(rig_get(port, "/readyz"), "HTTP/1.1 200");
    kill(r->a.pid, SIGTERM);
    assert_int_equal(rig_exit_status(&r->a), 0);
    assert_int_equal(rig_count(&r->a, "msg=ready "), 1);
    assert_int_equal(rig_count(&r->a, "told ready"), 1); /* the streams are the same */
}

static void part_that_is_not_ready_is_named(void **state)
{
    struct rig *r = *state;
    unsigned port = free_port();
    char setting[64];

    snprintf(setting, sizeof(setting), "SLUICE_HTTP=127.0.0.1:%u", port);
    START(&r->a, "sick", setting);
    rig_expect(&r->a, "told ready");
    assert_has(rig_get(port, "/readyz"), "stomach: aches");
    assert_null(rig_look(&r->a, "msg=ready ", 100));

    assert_false(failed(rig_request(&r->bus, "demo.sick", "", &r->answer)));
    rig_expect(&r->a, "msg=ready ");
    assert_has(rig_get(port, "/readyz"), "HTTP/1.1 200");

    assert_false(failed(rig_request(&r->bus, "demo.sick", "aches anew", &r->answer)));
    assert_string_equal(r->answer.at, "ready"); /* svc_ready: NATS and the streams are there */
    assert_has(rig_get(port, "/readyz"), "stomach: aches anew");
}

static void metrics_are_prometheus_text(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", "OTEL_RESOURCE_ATTRIBUTES=deployment.environment=prod");
    unsigned port = ready_port(&r->a);

    rig_request(&r->bus, "demo.ping", "", NULL);
    rig_request(&r->bus, "demo.ping", "bad", NULL);
    const char *text = rig_get(port, "/metrics");

    assert_has(text, "Content-Type: text/plain; version=0.0.4");
    assert_has(text, "# TYPE sluice_demo_pings_total counter\nsluice_demo_pings_total 2\n");
    assert_has(text, "# TYPE sluice_demo_held gauge\nsluice_demo_held 0\n");
    assert_has(text, "sluice_ready 1\n");
    assert_has(text, "sluice_nats_connected 1\n");
    assert_has(text, "sluice_requests_total{endpoint=\"ping\"} 2\n");
    assert_has(text, "sluice_request_errors_total{endpoint=\"ping\"} 1\n");
    assert_has(text, "\ntarget_info{deployment_environment=\"prod\"} 1\n");
    assert_has(text, "sluice_build_info{service=\"sluice-demo\"");
    assert_has(rig_get(port, "/nothing"), "HTTP/1.1 404");
}

static void tick_comes_at_the_instant_it_promised(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", NULL);

    rig_expect(&r->a, "tick came in time");
}

static void lives_and_ends_with(struct rig *r, const char *role)
{
    START(&r->a, role, NULL);

    assert_has(rig_get(ready_port(&r->a), "/livez"), "200 OK");
    kill(r->a.pid, SIGTERM);
    assert_int_equal(rig_exit_status(&r->a), 0);
    rig_end(&r->a);
}

/* libuv 1.44 never leaves a timer that is always due: no signal, no request is seen any more. */
static void tick_that_is_never_content_does_not_stop_the_loop(void **state)
{
    lives_and_ends_with(*state, "hasty");
    lives_and_ends_with(*state, "poking");
}

/* ---- streams ---------------------------------------------------------------------------------- */

enum { ROUTINE_WAIT_MS = 40000 }; /* a look that nobody asks for is due by far */

static void streams_are_made_from_the_table(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", "SLUICE_RETENTION=2d");
    rig_expect(&r->a, "told ready, and is");

    for (size_t n = 0; n < wire_stream_count(); n++)
        if (failed(stream_info(r, wire_stream_name(n))))
            fail_msg("%s is not there", wire_stream_name(n));
    assert_false(failed(stream_info(r, "SLUICE_JOURNAL")));
    assert_has(r->answer.at, "\"max_age\":172800000000000");
}

static void two_that_start_together_make_the_same_streams(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", NULL);
    START(&r->b, "plain", NULL);

    ready_port(&r->a);
    ready_port(&r->b);
}

static void streams_are_widened_but_never_narrowed(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", "SLUICE_RETENTION=2d");
    ready_port(&r->a);
    START(&r->b, "plain", "SLUICE_RETENTION=3d");
    ready_port(&r->b);
    assert_false(failed(stream_info(r, "SLUICE_JOURNAL")));
    assert_has(r->answer.at, "\"max_age\":259200000000000");
    rig_end(&r->a);

    START(&r->a, "plain", "SLUICE_RETENTION=1d");
    ready_port(&r->a);

    assert_false(failed(stream_info(r, "SLUICE_JOURNAL")));
    assert_has(r->answer.at, "\"max_age\":259200000000000");
}

/* As it was made before its messages had a time to live. */
static void bucket_that_took_no_ttl_takes_one(void **state)
{
    struct rig *r = *state;

    assert_false(
        failed(rig_api(&r->bus, "STREAM.CREATE.KV_sluice_locks",
                       "{\"name\":\"KV_sluice_locks\",\"subjects\":[\"$KV.sluice_locks.>\"],"
                       "\"storage\":\"file\",\"max_msgs_per_subject\":1,\"discard\":\"new\","
                       "\"allow_direct\":true,\"allow_rollup_hdrs\":true,\"deny_delete\":true,"
                       "\"metadata\":{\"sluice.schema\":\"1\"}}",
                       NULL)));
    START(&r->a, "plain", NULL);
    ready_port(&r->a);

    assert_false(failed(stream_info(r, "KV_sluice_locks")));
    assert_has(r->answer.at, "\"allow_msg_ttl\":true");
    assert_has(r->answer.at, "\"subject_delete_marker_ttl\":60000000000");
    assert_int_equal(rig_count(&r->a, "cannot be widened"), 0);
}

static void newer_schema_is_refused(void **state)
{
    struct rig *r = *state;

    assert_false(
        failed(rig_api(&r->bus, "STREAM.CREATE.SLUICE_JOBS",
                       "{\"name\":\"SLUICE_JOBS\",\"subjects\":[\"sluice.jobs.*.*.*\"],"
                       "\"retention\":\"workqueue\",\"storage\":\"file\","
                       "\"metadata\":{\"sluice.schema\":\"99\"}}",
                       NULL)));
    START(&r->a, "plain", NULL);

    rig_expect(
        &r->a,
        "stream SLUICE_JOBS has schema 99, ours is 1: this binary refuses a newer schema");
    assert_int_equal(rig_exit_status(&r->a), 1);
    assert_int_equal(rig_count(&r->a, "told ready"), 0);
}

static void verify_waits_for_streams_and_makes_none(void **state)
{
    struct rig *r = *state;
    unsigned port = free_port();
    char setting[64];

    snprintf(setting, sizeof(setting), "SLUICE_HTTP=127.0.0.1:%u", port);
    START(&r->a, "plain", "SLUICE_STREAMS=verify", setting);
    rig_expect(&r->a, "SLUICE_JOURNAL: missing, and SLUICE_STREAMS=verify makes none");
    assert_has(rig_get(port, "/readyz"), "streams: SLUICE_JOURNAL: missing");
    assert_int_equal(stream_info(r, "SLUICE_JOURNAL").kind, ERR_ABSENT);

    START(&r->b, "plain", NULL);

    ready_port(&r->b);
    rig_expect(&r->a, "msg=ready ");
}

static void none_trusts(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", "SLUICE_STREAMS=none");

    ready_port(&r->a);
    assert_int_equal(stream_info(r, "SLUICE_JOURNAL").kind, ERR_ABSENT);
}

static void deleted_streams_are_made_again_and_told(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", NULL);
    ready_port(&r->a);
    assert_false(failed(rig_api(&r->bus, "STREAM.DELETE.SLUICE_PENDING", "", NULL)));
    assert_false(failed(rig_api(&r->bus, "STREAM.DELETE.KV_sluice_locks", "", NULL)));

    rig_request(&r->bus, "demo.missing", "", &r->answer);

    assert_string_equal(r->answer.at, "not ready");
    rig_expect(&r->a, "told ready");
    rig_expect(&r->a, "msg=\"ready again\"");
    assert_false(failed(stream_info(r, "SLUICE_PENDING")));
    assert_false(failed(stream_info(r, "KV_sluice_locks")));
}

/* Who uses it cannot always tell: a bucket that nobody writes, a log of few words. */
static void stream_that_nobody_misses_is_made_again(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", NULL);
    ready_port(&r->a);
    assert_false(failed(rig_api(&r->bus, "STREAM.DELETE.SLUICE_DEAD", "", NULL)));

    rig_expect_in(&r->a, "msg=\"stream made anew\"", ROUTINE_WAIT_MS);
    rig_expect(&r->a, "told ready");
    assert_false(failed(stream_info(r, "SLUICE_DEAD")));
}

static void on_look(void *self, struct bus_msg **msg)
{
    (void)msg;
    ++*(size_t *)self;
}

/* Looks at the table's last stream, until there were so many. */
static void await_looks(struct rig *r, const size_t *looks, size_t count)
{
    for (uint64_t end = clk_mono_ms() + ROUTINE_WAIT_MS; *looks < count; usleep(1000)) {
        assert_true(clk_mono_ms() < end);
        uv_run(&r->bus.loop, UV_RUN_NOWAIT);
    }
}

/* It looks as often as others, which changes nothing while all stand; what is gone it only says. */
static void verify_looks_and_says_what_is_gone(void **state)
{
    struct rig *r       = *state;
    struct bus_sub *sub = NULL;
    size_t looks        = 0;
    char last[128];

    START(&r->a, "plain", NULL);
    ready_port(&r->a);
    rig_end(&r->a);
    snprintf(last, sizeof(last), "$JS.API.STREAM.INFO.%s",
             wire_stream_name(wire_stream_count() - 1));
    assert_false(failed(bus_subscribe(r->bus.bus, last, NULL, on_look, &looks, &sub)));
    assert_false(failed(rig_request(&r->bus, "$JS.API.INFO", "", NULL))); /* it listens */
    START(&r->b, "plain", "SLUICE_STREAMS=verify");
    unsigned port = ready_port(&r->b);

    await_looks(r, &looks, 2);
    assert_has(rig_get(port, "/readyz"), "HTTP/1.1 200");
    assert_int_equal(rig_count(&r->b, "msg=\"not ready\""), 0);

    assert_false(failed(rig_api(&r->bus, "STREAM.DELETE.SLUICE_DEAD", "", NULL)));
    rig_expect_in(&r->b, "SLUICE_DEAD: missing, and SLUICE_STREAMS=verify makes none",
                  ROUTINE_WAIT_MS);
    assert_has(rig_get(port, "/readyz"), "streams: SLUICE_DEAD: missing");
    assert_int_equal(stream_info(r, "SLUICE_DEAD").kind, ERR_ABSENT);
    assert_int_equal(rig_count(&r->b, "told ready"), 1);

    START(&r->a, "plain", NULL);
    rig_expect(&r->b, "told ready");
    rig_expect(&r->b, "msg=\"ready again\"");
    bus_unsubscribe(&sub);
}

static void standing_streams_are_found_standing_and_nothing_is_told(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", NULL);
    ready_port(&r->a);

    rig_request(&r->bus, "demo.missing", "", &r->answer);

    rig_expect(&r->a, "msg=\"ready again\"");
    assert_int_equal(rig_count(&r->a, "told ready"), 1);
}

static void server_that_forgot_everything_is_made_anew(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", NULL);
    START(&r->b, "plain", NULL);
    ready_port(&r->a);
    ready_port(&r->b);

    rig_nats_kill(&r->nats);
    rig_nats_wipe(&r->nats);
    rig_nats_run(&r->nats);

    rig_expect(&r->a, "told ready");
    rig_expect(&r->b, "told ready");
}

/* ---- $SRV -------------------------------------------------------------------------------------- */

static void srv_answers_ping_info_and_stats(void **state)
{
    struct rig *r = *state;
    char id[32], subject[128];

    START(&r->a, "plain", NULL);
    ready_port(&r->a);
    rig_request(&r->bus, "demo.ping", "", NULL);
    rig_request(&r->bus, "demo.ping", "bad", NULL);
    rig_request(&r->bus, "demo.slow", "", NULL);

    assert_false(failed(rig_request(&r->bus, "$SRV.PING", "", &r->answer)));
    assert_has(r->answer.at, "\"type\":\"io.nats.micro.v1.ping_response\"");
    assert_has(r->answer.at, "\"name\":\"sluice-demo\"");
    assert_has(r->answer.at, "\"version\":\"" SLUICE_VERSION "\"");
    const char *at = strstr(r->answer.at, "\"id\":\"") + 6;
    snprintf(id, sizeof(id), "%.26s", at);

    assert_false(failed(rig_request(&r->bus, "$SRV.INFO.sluice-demo", "", &r->answer)));
    assert_has(r->answer.at, "\"type\":\"io.nats.micro.v1.info_response\"");
    assert_has(r->answer.at, "\"description\":\"a service to test with\"");
    assert_has(r->answer.at, "{\"name\":\"slow\",\"subject\":\"demo.slow\",\"queue_group\":"
                             "\"sluice-demo\"");

    snprintf(subject, sizeof(subject), "$SRV.STATS.sluice-demo.%s", id);
    assert_false(failed(rig_request(&r->bus, subject, "", &r->answer)));
    assert_has(r->answer.at, "\"type\":\"io.nats.micro.v1.stats_response\"");
    assert_has(r->answer.at, "\"name\":\"ping\",\"subject\":\"demo.ping\",\"queue_group\":"
                             "\"sluice-demo\",\"num_requests\":2,\"num_errors\":1");

    /* The slow one is counted with the time until its answer, not with that of its handler. */
    const char *slow = strstr(r->answer.at, "\"name\":\"slow\"");
    assert_non_null(slow);
    assert_int_equal(rig_number(slow, "\"num_requests\":"), 1);
    assert_true(rig_number(slow, "\"processing_time\":") >= 250 * 1000000);
    assert_int_equal(rig_number(slow, "\"processing_time\":"),
                     rig_number(slow, "\"average_processing_time\":"));
    assert_int_equal(rig_request(&r->bus, "$SRV.PING.another", "", NULL).kind, ERR_ABSENT);
}

/* ---- the end ----------------------------------------------------------------------------------- */

/* Asks without waiting: the answer is counted by whoever listens to the inbox, here nobody. */
static void ask_slow(struct rig *r)
{
    struct bus_out out = {.subject = "demo.slow"};

    assert_true(bus_send_from(r->bus.bus, &out, "rig.inbox"));
    for (int i = 0; i < 20; i++) {
        uv_run(&r->bus.loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    rig_expect(&r->a, "holds one");
}

static void sigterm_finishes_what_is_in_hand_and_exits_0(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", "SLUICE_HOLD=4s");
    unsigned port = ready_port(&r->a);
    ask_slow(r);

    kill(r->a.pid, SIGTERM);
    rig_expect(&r->a, "begins to drain");
    assert_has(rig_get(port, "/livez"), "HTTP/1.1 200");
    assert_has(rig_get(port, "/readyz"), "process: draining");
    /* What another instance could answer is left to it; what everyone hears goes on. */
    bool left = false;
    for (int i = 0; i < 3 && !left; i++) /* one may meet the unsubscribing on its way */
        left = rig_request(&r->bus, "demo.ping", "", NULL).kind == ERR_ABSENT;
    assert_true(left);
    assert_false(failed(rig_request(&r->bus, "demo.all", "", NULL)));

    assert_int_equal(rig_exit_status(&r->a), 0);
    assert_int_equal(rig_count(&r->a, "freed"), 1);
    assert_int_equal(rig_count(&r->a, "drain cut short"), 0);
    assert_int_equal(rig_count(&r->a, "left open"), 0);
}

static void count(void *self, struct bus_msg **msg)
{
    (void)msg;
    ++*(size_t *)self;
}

/* They came to this instance of two, and nobody else will answer them. */
static void requests_that_came_before_the_drain_are_answered(void **state)
{
    enum { REQUESTS = 20000 };
    const struct bus_out ping = {.subject = "demo.ping"};
    struct rig *r             = *state;
    struct bus_sub *sub       = NULL;
    size_t answers            = 0;
    int status                = 0;

    START(&r->a, "plain", NULL);
    START(&r->b, "plain", NULL);
    ready_port(&r->a);
    ready_port(&r->b);
    assert_false(failed(bus_subscribe(r->bus.bus, "answers", NULL, count, &answers, &sub)));
    kill(r->a.pid, SIGSTOP);
    assert_int_equal(waitpid(r->a.pid, &status, WUNTRACED), r->a.pid);
    for (int i = 0; i < REQUESTS; i++)
        assert_true(bus_send_from(r->bus.bus, &ping, "answers"));
    /* When this is answered, the server has given out all that was sent before. */
    assert_false(failed(rig_request(&r->bus, "demo.all", "", &r->answer)));

    kill(r->a.pid, SIGTERM);
    kill(r->a.pid, SIGCONT);

    assert_int_equal(rig_exit_status(&r->a), 0);
    for (uint64_t end = clk_mono_ms() + 5000; answers < REQUESTS && clk_mono_ms() < end;
         usleep(500))
        uv_run(&r->bus.loop, UV_RUN_NOWAIT);
    assert_int_equal(answers, REQUESTS);
    bus_unsubscribe(&sub);
}

static void sigint_with_nothing_in_hand_ends_at_once(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", NULL);
    ready_port(&r->a);
    uint64_t began = clk_mono_ms();

    kill(r->a.pid, SIGINT);

    assert_int_equal(rig_exit_status(&r->a), 0);
    assert_true(clk_mono_ms() - began < 2000);
}

static void drain_lasts_no_longer_than_it_may(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", "SLUICE_HOLD=1h", "SLUICE_DRAIN=1s");
    ready_port(&r->a);
    ask_slow(r);
    uint64_t began = clk_mono_ms();

    kill(r->a.pid, SIGTERM);

    assert_int_equal(rig_exit_status(&r->a), 0);
    assert_int_equal(rig_count(&r->a, "drain cut short"), 1);
    assert_in_range(clk_mono_ms() - began, 900, 4000);
}

static void second_signal_ends_it_at_once(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", "SLUICE_HOLD=1h");
    ready_port(&r->a);
    ask_slow(r);
    kill(r->a.pid, SIGTERM);
    rig_expect(&r->a, "begins to drain");

    kill(r->a.pid, SIGTERM);

    int status = rig_wait(&r->a);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void drain_ends_without_nats_too(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", NULL);
    ready_port(&r->a);
    rig_nats_kill(&r->nats);
    rig_expect(&r->a, "msg=\"not ready\"");

    kill(r->a.pid, SIGTERM);

    assert_int_equal(rig_exit_status(&r->a), 0);
}

static void giving_up_drains_and_exits_1(void **state)
{
    struct rig *r = *state;

    START(&r->a, "plain", "SLUICE_HOLD=300ms");
    ready_port(&r->a);
    ask_slow(r);
    struct bus_out out = {.subject = "demo.die"};

    assert_true(bus_send(r->bus.bus, &out));
    for (int i = 0; i < 20; i++) {
        uv_run(&r->bus.loop, UV_RUN_NOWAIT);
        usleep(1000);
    }

    rig_expect(&r->a, "somebody asked");
    assert_int_equal(rig_exit_status(&r->a), 1);
    assert_int_equal(rig_count(&r->a, "drain cut short"), 0);
}

static void two_processes_have_two_names(void **state)
{
    struct rig *r = *state;
    char name[128];

    START(&r->a, "plain", NULL);
    START(&r->b, "plain", NULL);
    const char *at = strstr(rig_expect(&r->a, "msg=ready "), "worker=");
    snprintf(name, sizeof(name), "%.*s ", (int)strcspn(at, " "), at);

    assert_null(strstr(rig_expect(&r->b, "msg=ready "), name));
    assert_true(str_is_name_n(name + 7, strlen(name) - 8));
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITHOUT(test) cmocka_unit_test_setup_teardown(test, set_up_without_nats, tear_down)

int main(int argc, char **argv)
{
    const char *role   = getenv("SVC_RIG_ROLE");
    char *check_argv[] = {argv[0], (char[]){"--check"}, NULL};

    if (role)
        return str_equal(role, "check") ? demo_run(role, 2, check_argv)
                                        : demo_run(role, argc, argv);

    const struct CMUnitTest tests[] = {
        WITHOUT(check_says_what_is_wrong_in_one_line_and_exits_2),
        WITH(taken_port_ends_it_with_a_sentence),
        WITHOUT(without_nats_it_lives_and_becomes_ready_later),
        WITH(lost_nats_makes_it_not_ready_until_it_is_back),
        WITH(part_that_is_not_ready_is_named),
        WITH(metrics_are_prometheus_text),
        WITH(tick_comes_at_the_instant_it_promised),
        WITH(tick_that_is_never_content_does_not_stop_the_loop),
        WITH(streams_are_made_from_the_table),
        WITH(two_that_start_together_make_the_same_streams),
        WITH(streams_are_widened_but_never_narrowed),
        WITH(bucket_that_took_no_ttl_takes_one),
        WITH(newer_schema_is_refused),
        WITH(verify_waits_for_streams_and_makes_none),
        WITH(none_trusts),
        WITH(deleted_streams_are_made_again_and_told),
        WITH(stream_that_nobody_misses_is_made_again),
        WITH(verify_looks_and_says_what_is_gone),
        WITH(standing_streams_are_found_standing_and_nothing_is_told),
        WITH(server_that_forgot_everything_is_made_anew),
        WITH(srv_answers_ping_info_and_stats),
        WITH(sigterm_finishes_what_is_in_hand_and_exits_0),
        WITH(requests_that_came_before_the_drain_are_answered),
        WITH(sigint_with_nothing_in_hand_ends_at_once),
        WITH(drain_lasts_no_longer_than_it_may),
        WITH(second_signal_ends_it_at_once),
        WITH(drain_ends_without_nats_too),
        WITH(giving_up_drains_and_exits_1),
        WITH(two_processes_have_two_names),
    };

    signal(SIGPIPE, SIG_IGN);
    cmocka_set_test_filter(getenv("SVC_RIG_ONLY"));
    return cmocka_run_group_tests_name("svc", tests, NULL, NULL);
}
