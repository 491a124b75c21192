/* The server is stopped, killed, started again. */
#include "bus_world.h"

/* ---- publishers that go on whatever happens --------------------------------------------------------- */

enum { FLIGHTS = 64, STORED_MAX = 400000 };

struct flight {
    struct bus_op op;
    struct crowd *crowd;
};

struct crowd {
    struct world *w;
    struct flight flights[FLIGHTS];
    size_t size; /* of a body */
    char *body;
    size_t started, ended, by_kind[ERR_FATAL + 1];
    uint64_t *stored; /* sequences that were acknowledged */
    size_t stored_count;
    int64_t slowest_us, blocked_us; /* inside bus_publish */
    uint64_t slowest_unknown_ms;
    bool measures, stop;
};

static void launch(struct flight *f);

static struct err flight_next(struct bus_op *op, const struct bus_reply *r)
{
    struct flight *f = SELF(struct flight, PROBE_MAGIC, op);
    struct crowd *c  = f->crowd;

    if (!failed(r->err) && c->stored_count < STORED_MAX)
        c->stored[c->stored_count++] = r->seq;
    return failed(r->err) ? r->err : bus_op_done(op);
}

static struct err flight_again(struct bus_op *op, const struct bus_reply *r)
{
    struct flight *f = SELF(struct flight, PROBE_MAGIC, op);

    (void)r;
    (void)f;
    return bus_op_done(op);
}

static void flight_end(struct bus_op *op, struct err e)
{
    struct flight *f = SELF(struct flight, PROBE_MAGIC, op);
    struct crowd *c  = f->crowd;

    c->ended++;
    c->by_kind[e.kind]++;
    if (!c->stop && c->w->bus && !bus_freeing(c->w->bus))
        launch(f);
}

/* Refused for now: look again in a moment, else the loop would spin. */
static void launch(struct flight *f)
{
    struct crowd *c    = f->crowd;
    struct bus_out out = {.subject = "s.a", .body = bytes_of(c->body, c->size)};

    c->started++;
    bus_op_start(c->w->bus, &f->op, PROBE_MAGIC, "flight", 0, flight_end);
    if (!bus_connected(c->w->bus)) {
        (void)bus_wait(&f->op, 10, flight_again);
        return;
    }
    int64_t before = c->measures ? world_blocked_us() : 0;
    (void)bus_publish(&f->op, &out, NULL, flight_next);
    int64_t took  = c->measures ? world_blocked_us() - before : 0;
    c->slowest_us = took > c->slowest_us ? took : c->slowest_us;
    c->blocked_us += took;
}

static struct crowd *crowd_new(struct world *w, size_t size)
{
    struct crowd *c = mem_new(struct crowd);

    c->w      = w;
    c->size   = size;
    c->body   = mem_array(size, 1);
    c->stored = mem_array(STORED_MAX, sizeof(*c->stored));
    for (int n = 0; n < FLIGHTS; n++) {
        c->flights[n].crowd = c;
        launch(&c->flights[n]);
    }
    return c;
}

static bool crowd_landed(void *self)
{
    struct crowd *c = self;
    return c->started == c->ended;
}

static bool crowd_goes_on(void *self)
{
    return ((struct crowd *)self)->stored_count > 50;
}

static void crowd_land(struct crowd *c)
{
    c->stop = true;
    assert_true(world_run(c->w, crowd_landed, c, WORLD_WAIT_MS));
}

static void crowd_free(struct crowd *c)
{
    mem_free(&c->body);
    mem_free(&c->stored);
    mem_free(&c);
}

struct reader {
    size_t count, caught_up, anew;
    uint64_t last;
    bool in_order;
};

static void on_msg(void *self, struct bus_msg **msg)
{
    struct reader *r = self;

    r->in_order = r->in_order && (*msg)->seq == r->last + 1;
    r->last     = (*msg)->seq;
    r->count++;
}

static void counts(void *self, struct bus_msg **msg)
{
    (void)msg;
    (*(size_t *)self)++;
}

/* ---- stopped ------------------------------------------------------------------------------------------ */

static void a_stopped_server_does_not_stop_the_loop(void **state)
{
    struct world *w = *state;

    world_stream(w, "S", "s.>", NULL);
    struct crowd *c = crowd_new(w, 64 * 1024);
    assert_true(world_run(w, crowd_goes_on, c, WORLD_WAIT_MS));
    c->measures = true;

    world_server_stop(w);
    uint64_t since  = clk_mono_ms();
    int64_t longest = 0;
    while (clk_mono_ms() - since < 6000) {
        int64_t before = world_blocked_us();
        uv_run(&w->loop, UV_RUN_ONCE);
        int64_t took = (world_blocked_us() - before) / 1000;
        longest      = took > longest ? took : longest;
    }
    c->measures = false;
    print_message(
        "stopped for 6 s: in publish %lld ms in sum, %lld ms at most; longest turn %lld ms\n",
        (long long)c->blocked_us / 1000, (long long)c->slowest_us / 1000, (long long)longest);
    assert_true(c->blocked_us < 500000);
    assert_true(longest < 600);

    kill(w->server, SIGCONT);
    assert_true(world_run(w, world_is_connected, w, WORLD_WAIT_MS));
    size_t stored = c->stored_count;
    assert_true(world_counts(w, &c->stored_count, stored + 100));
    crowd_land(c);
    world_no_ops(w);
    assert_true(c->by_kind[ERR_UNKNOWN] > 0);
    crowd_free(c);
}

/* Little is sent, so no buffer fills: only the deadlines and the pings tell. */
static void ops_end_in_time_though_the_server_only_sleeps(void **state)
{
    struct world *w    = *state;
    struct bus_out out = {.subject = "s.a"};
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    world_server_stop(w);
    uint64_t since = clk_mono_ms();
    probe_start(w, &p, 0);
    assert_false(failed(bus_publish(&p.op, &out, NULL, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_UNKNOWN);
    assert_in_range(clk_mono_ms() - since, 1900, 20000);
    probe_start(w, &p, 300);
    assert_false(failed(bus_publish(&p.op, &out, NULL, probe_next)));
    assert_true(world_run(w, world_is_set, &p.ended, WORLD_WAIT_MS));
    assert_int_equal(p.end.kind, ERR_UNKNOWN);
    kill(w->server, SIGCONT);
}

static void a_bus_is_freed_soon_though_the_server_sleeps(void **state)
{
    struct world *w = *state;

    world_server_stop(w);
    uint64_t since = clk_mono_ms();
    bus_free(&w->bus);
    assert_in_range(clk_mono_ms() - since, 0, 6000);
}

/* ---- killed ------------------------------------------------------------------------------------------- */

static void the_loss_of_the_connection_ends_what_is_out_at_once(void **state)
{
    struct world *w    = *state;
    struct bus_out out = {.subject = "s.a"};
    struct probe sent, unsent, waits;

    world_stream(w, "S", "s.>", NULL);
    world_server_stop(w);
    probe_start(w, &sent, 0);
    assert_false(failed(bus_publish(&sent.op, &out, NULL, probe_next)));
    probe_start(w, &waits, 0);
    assert_false(failed(bus_wait(&waits.op, 700, probe_next)));
    uint64_t since = clk_mono_ms();
    world_server_end(w, SIGKILL);
    probe_wait(w, &sent);
    assert_in_range(clk_mono_ms() - since, 0, 1900); /* not after reply_ms */
    assert_int_equal(sent.err.kind, ERR_UNKNOWN);
    assert_false(bus_connected(w->bus));
    assert_int_equal(w->downs, 1);

    probe_start(w, &unsent, 0);
    assert_false(failed(bus_publish(&unsent.op, &out, NULL, probe_next)));
    probe_wait(w, &unsent);
    assert_int_equal(unsent.err.kind, ERR_RETRY);
    assert_false(bus_send(w->bus, &out));
    assert_int_equal(
        probe_read(w, &unsent, &(struct bus_read){.stream = "S", .subject = "s.a"}), ERR_RETRY);
    assert_int_equal(probe_api(w, &unsent, "INFO", ""), ERR_RETRY);
    probe_wait(w, &waits); /* time passes all the same */
    assert_int_equal(waits.err.kind, ERR_NONE);
}

static void what_was_refused_while_away_never_lands(void **state)
{
    struct world *w    = *state;
    struct bus_out out = {.subject = "s.a", .body = bytes_str("refused")};
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    assert_int_equal(probe_publish(w, &p, "s.a", "before", NULL), ERR_NONE);
    for (int round = 0; round < 3; round++) {
        world_server_end(w, SIGKILL);
        for (size_t refused = 0; refused < 50;) {
            refused += !bus_send(w->bus, &out);
            uv_run(&w->loop, UV_RUN_ONCE);
        }
        world_server_start(w, NULL);
        assert_true(world_run(w, world_is_connected, w, WORLD_WAIT_MS));
    }
    world_pass(w, 300);
    assert_int_equal(probe_read(w, &p, &(struct bus_read){.stream = "S", .subject = "s.>"}),
                     ERR_NONE);
    assert_int_equal(p.count, 1);
    assert_int_equal(w->ups, 4);
}

/* Something takes the server's place that lets in and says nothing: nats.c waits for it, with its lock
   held, for 2 s at a time.  The loop has not heard of the loss yet, and must not be held up. */
static void a_library_that_is_busy_connecting_does_not_hold_the_loop(void **state)
{
    struct world *w        = *state;
    struct bus_out out     = {.subject = "s.a"};
    struct bus_sub *sub    = NULL;
    struct sockaddr_in at  = {.sin_family      = AF_INET,
                              .sin_port        = htons((uint16_t)w->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd                 = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes                = 1;
    struct reader r        = {0};
    struct bus_follower *f = NULL;

    world_stream(w, "S", "s.>", NULL);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
    world_server_end(w, SIGKILL);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 16), 0);
    usleep(600000);

    uint64_t since = clk_mono_ms();
    assert_false(bus_send(w->bus, &out));
    assert_false(bus_connected(w->bus));
    assert_false(failed(bus_subscribe(w->bus, "x", NULL, counts, &r.count, &sub)));
    bus_unsubscribe(&sub);
    assert_false(failed(bus_follow(
        w->bus, &(struct bus_follow){.stream = "S", .on_msg = on_msg, .self = &r}, &f)));
    bus_follow_end(&f);
    world_pass(w, 100);
    assert_in_range(clk_mono_ms() - since, 0, 1000);

    close(fd);
    world_server_start(w, NULL);
    assert_true(world_run(w, world_is_connected, w, WORLD_WAIT_MS));
}

/* The library by itself: what the bus builds on, since it may hear of a loss a moment before us. */
int natsOptions_Create(void **options);
int natsOptions_SetURL(void *options, const char *url);
int natsOptions_SetReconnectBufSize(void *options, int size);
int natsOptions_SetReconnectWait(void *options, int64_t ms);
void natsOptions_Destroy(void *options);
int natsConnection_Connect(void **nc, void *options);
bool natsConnection_IsReconnecting(void *nc);
int natsConnection_PublishString(void *nc, const char *subject, const char *text);
void natsConnection_Destroy(void *nc);

static void the_library_refuses_and_keeps_nothing_with_a_buffer_of_0(void **state)
{
    enum { NATS_INSUFFICIENT_BUFFER = 23 };
    struct world *w = *state;
    void *options = NULL, *nc = NULL;
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    assert_int_equal(natsOptions_Create(&options), 0);
    assert_int_equal(natsOptions_SetURL(options, w->url), 0);
    assert_int_equal(natsOptions_SetReconnectBufSize(options, 0), 0);
    assert_int_equal(natsOptions_SetReconnectWait(options, 100), 0);
    assert_int_equal(natsConnection_Connect(&nc, options), 0);
    world_server_end(w, SIGKILL);
    while (!natsConnection_IsReconnecting(nc))
        world_pass(w, 5);
    for (int n = 0; n < 100; n++)
        assert_int_equal(natsConnection_PublishString(nc, "s.a", "late"),
                         NATS_INSUFFICIENT_BUFFER);
    world_server_start(w, NULL);
    while (natsConnection_IsReconnecting(nc))
        world_pass(w, 5);
    assert_int_equal(natsConnection_PublishString(nc, "s.a", "in time"), 0);
    assert_true(world_run(w, world_is_connected, w, WORLD_WAIT_MS));
    world_pass(w, 300);
    assert_int_equal(probe_read(w, &p, &(struct bus_read){.stream = "S", .subject = "s.>"}),
                     ERR_NONE);
    assert_int_equal(p.count, 1);
    natsConnection_Destroy(nc);
    natsOptions_Destroy(options);
}

/* ---- readers through it all ----------------------------------------------------------------------------- */

static void on_anew(void *self)
{
    struct reader *r = self;

    r->anew++;
    r->last = 0;
}

static void on_caught_up(void *self)
{
    ((struct reader *)self)->caught_up++;
}

struct worker {
    struct world *w;
    struct bus_consumer *c;
    size_t count, gaps;
    char why[64];
};

static void on_job(void *self, struct bus_msg **msg)
{
    struct worker *k = self;

    k->count++;
    bus_settle(k->w->bus, msg, OK);
    bus_consumer_room(k->c, 50);
}

static void on_gap(void *self, const char *why)
{
    struct worker *k = self;

    k->gaps++;
    snprintf(k->why, sizeof(k->why), "%s", why);
}

static uint64_t last_of(struct world *w)
{
    struct probe p;
    const char *at = NULL;

    while (probe_api(w, &p, "STREAM.INFO.S", "") != ERR_NONE ||
           !(at = strstr(p.body, "\"last_seq\":")))
        world_pass(w, 50);
    return strtoull(at + 11, NULL, 10);
}

static void followers_see_all_once_in_order_through_kills(void **state)
{
    enum { KILLS = 5 };
    struct world *w            = *state;
    struct reader r            = {.in_order = true};
    struct bus_follower *f     = NULL;
    struct bus_follow follow   = {.stream       = "S",
                                  .on_msg       = on_msg,
                                  .on_anew      = on_anew,
                                  .on_caught_up = on_caught_up,
                                  .self         = &r};
    struct worker k            = {.w = w};
    struct bus_consume consume = {.stream   = "S",
                                  .consumer = "pool",
                                  .on_msg   = on_job,
                                  .on_gap   = on_gap,
                                  .alone    = true,
                                  .self     = &k};
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    probe_start(w, &p, 0);
    assert_false(failed(bus_consumer_make(
        &p.op, "S", "pool", bytes_str("{\"ack_policy\":\"explicit\"}"), probe_next)));
    probe_wait(w, &p);
    assert_false(failed(bus_follow(w->bus, &follow, &f)));
    assert_false(failed(bus_consume(w->bus, &consume, &k.c)));
    bus_consumer_room(k.c, 50);
    struct crowd *c = crowd_new(w, 200);

    for (int n = 0; n < KILLS; n++) {
        world_pass(w, 300);
        assert_true(world_counts(w, &k.count, k.count + 1));
        size_t gaps = k.gaps;
        world_server_stop(w);
        world_pass(w, 50); /* what is out is not answered any more */
        world_server_end(w, SIGKILL);
        assert_true(world_counts(w, &k.gaps, gaps + 1));
        world_pass(w, n * 100);
        assert_false(bus_connected(w->bus));
        assert_int_equal(k.gaps, gaps + 1);
        assert_string_equal(k.why, "connection lost");
        world_server_start(w, NULL);
        size_t seen = r.count;
        assert_true(world_counts(w, &r.count, seen + 100));
    }
    crowd_land(c);
    uint64_t last = last_of(w);
    assert_true(world_counts(w, &r.count, last));
    world_pass(w, 200);
    print_message(
        "%d kills: %llu stored, %zu acknowledged, %zu unknown, %zu refused, %zu late answers\n",
        KILLS, (unsigned long long)last, c->stored_count, c->by_kind[ERR_UNKNOWN],
        c->by_kind[ERR_RETRY], (size_t)bus_counts(w->bus).late);
    assert_true(r.in_order);
    assert_int_equal(r.count, last);
    assert_int_equal(r.anew, 0);
    assert_int_equal(r.caught_up, 1);
    for (size_t n = 0; n < c->stored_count; n++)
        assert_in_range(c->stored[n], 1, last);
    assert_true(last >= c->stored_count);
    assert_true(c->by_kind[ERR_UNKNOWN] > 0);
    assert_true(k.count > 0);
    assert_int_equal(k.gaps, KILLS);
    bus_follow_end(&f);
    bus_consumer_free(&k.c);
    crowd_free(c);
}

static void a_server_that_lost_its_store_is_a_stream_made_anew(void **state)
{
    struct world *w          = *state;
    struct reader r          = {.in_order = true};
    struct bus_follower *f   = NULL;
    struct bus_follow follow = {
        .stream = "S", .on_msg = on_msg, .on_anew = on_anew, .self = &r};
    char store[128];
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    for (int n = 0; n < 5; n++)
        assert_int_equal(probe_publish(w, &p, "s.a", "x", NULL), ERR_NONE);
    assert_false(failed(bus_follow(w->bus, &follow, &f)));
    assert_true(world_counts(w, &r.count, 5));
    world_server_end(w, SIGKILL);
    snprintf(store, sizeof(store), "%s/js", w->dir);
    (void)nftw(store, world_unlink, 16, FTW_DEPTH | FTW_PHYS);
    world_server_start(w, NULL);
    assert_true(world_counts(w, &r.anew, 1));
    assert_true(world_run(w, world_is_connected, w, WORLD_WAIT_MS));
    world_stream(w, "S", "s.>", NULL);
    for (int n = 0; n < 2; n++)
        assert_int_equal(probe_publish(w, &p, "s.a", "x", NULL), ERR_NONE);
    assert_true(world_counts(w, &r.count, 7));
    assert_true(r.in_order);
    bus_follow_end(&f);
}

/* ---- before the first connection ------------------------------------------------------------------------- */

static int setup_without_server(void **state)
{
    *state = world_new();
    return 0;
}

static void all_may_be_set_up_before_there_is_a_server(void **state)
{
    struct world *w          = *state;
    struct reader r          = {.in_order = true};
    struct bus_follower *f   = NULL;
    struct bus_follow follow = {
        .stream = "S", .on_msg = on_msg, .on_caught_up = on_caught_up, .self = &r};
    struct worker k            = {.w = w};
    struct bus_consume consume = {
        .stream = "S", .consumer = "pool", .on_msg = on_job, .on_gap = on_gap, .self = &k};
    struct bus_sub *stays = NULL, *goes = NULL;
    size_t heard = 0, never = 0;
    struct probe p;

    world_bus_open(w, 2000);
    assert_false(bus_connected(w->bus));
    assert_int_equal(bus_connected_at(w->bus), 0);
    assert_false(failed(bus_subscribe(w->bus, "x", NULL, counts, &heard, &stays)));
    assert_false(failed(bus_subscribe(w->bus, "x", NULL, counts, &never, &goes)));
    bus_unsubscribe(&goes);
    assert_false(failed(bus_follow(w->bus, &follow, &f)));
    assert_false(failed(bus_consume(w->bus, &consume, &k.c)));
    bus_consumer_room(k.c, 5);
    assert_int_equal(probe_publish(w, &p, "s.a", "x", NULL), ERR_RETRY);
    world_pass(w, 300);

    world_server_start(w, NULL);
    assert_true(world_run(w, world_is_connected, w, WORLD_WAIT_MS));
    assert_true(bus_connected_at(w->bus) > 0);
    assert_int_equal(w->ups, 1);
    world_stream(w, "S", "s.>", NULL);
    probe_start(w, &p, 0);
    assert_false(failed(bus_consumer_make(
        &p.op, "S", "pool", bytes_str("{\"ack_policy\":\"explicit\"}"), probe_next)));
    probe_wait(w, &p);
    assert_int_equal(probe_publish(w, &p, "s.a", "x", NULL), ERR_NONE);
    assert_true(bus_send(w->bus, &(struct bus_out){.subject = "x"}));
    assert_true(world_counts(w, &heard, 1));
    assert_true(world_counts(w, &r.count, 1));
    assert_true(world_counts(w, &k.count, 1));
    assert_int_equal(k.gaps, 0);
    assert_int_equal(never, 0);
    bus_follow_end(&f);
    bus_consumer_free(&k.c);
}

static void subscriptions_stand_and_fall_while_away(void **state)
{
    struct world *w     = *state;
    struct bus_sub *old = NULL, *gone = NULL, *new = NULL;
    size_t heard[3] = {0};

    assert_false(failed(bus_subscribe(w->bus, "x", NULL, counts, &heard[0], &old)));
    assert_false(failed(bus_subscribe(w->bus, "x", NULL, counts, &heard[1], &gone)));
    world_server_end(w, SIGKILL);
    assert_true(world_run(w, world_is_lost, w, WORLD_WAIT_MS));
    bus_unsubscribe(&gone);
    assert_false(failed(bus_subscribe(w->bus, "x", NULL, counts, &heard[2], &new)));
    world_server_start(w, NULL);
    assert_true(world_run(w, world_is_connected, w, WORLD_WAIT_MS));
    assert_true(bus_send(w->bus, &(struct bus_out){.subject = "x"}));
    assert_true(world_counts(w, &heard[0], 1));
    assert_true(world_counts(w, &heard[2], 1));
    world_pass(w, 50);
    assert_int_equal(heard[1], 0);
}

static void a_bus_is_freed_while_it_looks_for_its_server(void **state)
{
    struct world *w = *state;

    world_bus_open(w, 2000);
    world_pass(w, 250);
    uint64_t since = clk_mono_ms();
    bus_free(&w->bus);
    assert_in_range(clk_mono_ms() - since, 0, 6000);
}

/* ---- who may come in ----------------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    fputs(text, f);
    fclose(f);
}

static void a_user_and_password_come_from_a_file(void **state)
{
    struct world *w          = *state;
    struct bus_config config = {.url = w->url};
    char path[128];

    world_server_start(w, "authorization { user: worker, password: \"pass:word\" }");
    snprintf(path, sizeof(path), "%s/user", w->dir);
    config.user_file = path;
    assert_int_equal(bus_open(&w->bus, &w->loop, &config).kind, ERR_REJECT);
    write_file(path, "nonsense\n");
    assert_int_equal(bus_open(&w->bus, &w->loop, &config).kind, ERR_REJECT);
    write_file(path, "worker:pass:word\n");
    assert_false(failed(bus_open(&w->bus, &w->loop, &config)));
    assert_true(world_run(w, world_is_connected, w, WORLD_WAIT_MS));
}

static void what_cannot_be_opened_is_refused(void **state)
{
    struct world *w         = *state;
    struct bus_config bad[] = {{.url = ""},
                               {.url = "nats://127.0.0.1:1", .creds = "/does/not/exist"},
                               {.url = "nats://127.0.0.1:1", .ca = "/does/not/exist"},
                               {.url = "nats://127.0.0.1:port"}};

    for (size_t n = 0; n < sizeof(bad) / sizeof(*bad); n++)
        assert_int_equal(bus_open(&w->bus, &w->loop, &bad[n]).kind, ERR_REJECT);
    assert_null(w->bus);
}

static bool is_denied(void *self)
{
    const struct world *w = self;

    return bus_denied(w->bus);
}

/* A wrong password is put right on the server: the bus must still be trying. */
static void a_refused_login_is_tried_again_for_ever(void **state)
{
    struct world *w          = *state;
    struct bus_config config = {.url = w->url};
    char path[128];

    world_server_start(w, "authorization { user: worker, password: other }");
    snprintf(path, sizeof(path), "%s/user", w->dir);
    write_file(path, "worker:right\n");
    config.user_file = path;
    assert_false(failed(bus_open(&w->bus, &w->loop, &config)));
    assert_true(world_run(w, is_denied, w, WORLD_WAIT_MS));
    assert_false(bus_connected(w->bus));
    world_server_end(w, SIGKILL);
    world_server_start(w, "authorization { user: worker, password: right }");
    assert_true(world_run(w, world_is_connected, w, WORLD_WAIT_MS));
    assert_false(bus_denied(w->bus));
    world_server_end(w, SIGKILL); /* also one that was in: its password is changed */
    world_server_start(w, "authorization { user: worker, password: other }");
    assert_true(world_run(w, is_denied, w, WORLD_WAIT_MS));
    bus_free(&w->bus);
    world_pass(w, 0);
    config.once = true;
    assert_true(bus_is_denied(bus_open(&w->bus, &w->loop, &config)));
}

int main(void)
{
#define BARE(fn) cmocka_unit_test_setup_teardown(fn, setup_without_server, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_stopped_server_does_not_stop_the_loop),
        TEST(ops_end_in_time_though_the_server_only_sleeps),
        TEST(a_bus_is_freed_soon_though_the_server_sleeps),
        TEST(the_loss_of_the_connection_ends_what_is_out_at_once),
        TEST(what_was_refused_while_away_never_lands),
        TEST(a_library_that_is_busy_connecting_does_not_hold_the_loop),
        TEST(the_library_refuses_and_keeps_nothing_with_a_buffer_of_0),
        TEST(followers_see_all_once_in_order_through_kills),
        TEST(a_server_that_lost_its_store_is_a_stream_made_anew),
        BARE(all_may_be_set_up_before_there_is_a_server),
        TEST(subscriptions_stand_and_fall_while_away),
        BARE(a_bus_is_freed_while_it_looks_for_its_server),
        BARE(a_user_and_password_come_from_a_file),
        BARE(what_cannot_be_opened_is_refused),
        BARE(a_refused_login_is_tried_again_for_ever),
    };
    return GROUP("bus_outage", tests);
}
