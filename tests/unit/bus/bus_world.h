/*
 * bus_world - what the tests of the bus share: a real nats-server as a child on a free port with a
 * store of its own, a loop, a bus, and ops that remember what they were told.
 */
#ifndef TESTS_BUS_WORLD_H
#define TESTS_BUS_WORLD_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"
#include "bus/bus.h"
#include "support/free_port.h"

#define UNUSED_OK __attribute__((unused))

enum { WORLD_WAIT_MS = 20000 };

struct world {
    uv_loop_t loop;
    uv_timer_t tick; /* wakes the loop so that conditions are looked at */
    struct bus *bus;
    pid_t server;
    int port;
    char dir[64];
    char url[64];
    unsigned ups, downs; /* state changes heard of */
};

/* ---- the server ---------------------------------------------------------------------------------- */

static UNUSED_OK const char *world_server_path(void)
{
    const char *own = getenv("SLUICE_NATS_SERVER");
    const char *ci  = getenv("NATS_SERVER");

    return own ? own : ci ? ci : "build/deps/bin/nats-server";
}

/* It listens when it greets. */
static UNUSED_OK bool world_greets(int port)
{
    struct sockaddr_in at = {.sin_family      = AF_INET,
                             .sin_port        = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd                = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char greeting[5]      = "";
    bool yes              = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
               recv(fd, greeting, 4, MSG_WAITALL) == 4 && memcmp(greeting, "INFO", 4) == 0;

    close(fd);
    return yes;
}

/* "extra" is more of the server's configuration. */
static UNUSED_OK void world_server_start(struct world *w, const char *extra)
{
    char path[128], log[128];

    snprintf(path, sizeof(path), "%s/nats.conf", w->dir);
    snprintf(log, sizeof(log), "%s/nats.log", w->dir);
    FILE *f = fopen(path, "w");
    fprintf(
        f,
        "listen: \"127.0.0.1:%d\"\njetstream { store_dir: \"%s/js\" }\nlogfile: \"%s\"\n%s\n",
        w->port, w->dir, log, extra ? extra : "");
    fclose(f);
    w->server = fork();
    assert_true(w->server >= 0);
    if (w->server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(world_server_path(), "nats-server", "-c", path, (char *)NULL);
        perror(world_server_path());
        _exit(127);
    }
    for (uint64_t until = clk_mono_ms() + WORLD_WAIT_MS; !world_greets(w->port); usleep(5000))
        assert_true(clk_mono_ms() < until);
}

static UNUSED_OK void world_server_end(struct world *w, int how)
{
    kill(w->server, how); /* a stopped one, too */
    assert_int_equal(waitpid(w->server, NULL, 0), w->server);
    w->server = 0;
}

/* Every thread of it stands still when this returns. */
static UNUSED_OK void world_server_stop(struct world *w)
{
    int status = 0;

    kill(w->server, SIGSTOP);
    assert_int_equal(waitpid(w->server, &status, WUNTRACED), w->server);
    assert_true(WIFSTOPPED(status));
}

static UNUSED_OK int world_unlink(const char *path, const struct stat *st, int type,
                                  struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

/* Microseconds that this thread slept or waited for a lock, up to a constant: what it ran, and what it
   waited for a processor, is not counted, so that a busy machine does not matter. */
static UNUSED_OK int64_t world_blocked_us(void)
{
    long long ran = 0, waited = 0;
    FILE *f = fopen("/proc/thread-self/schedstat", "r");

    if (f) {
        (void)!fscanf(f, "%lld %lld", &ran, &waited);
        fclose(f);
    }
    return (int64_t)clk_mono_us() - (ran + waited) / 1000;
}

/* ---- the loop -------------------------------------------------------------------------------------- */

static UNUSED_OK void world_on_tick(uv_timer_t *tick)
{
    (void)tick;
}

typedef bool world_until_fn(void *self);

/* Runs the loop until it is so; false: it did not become so in time. */
static UNUSED_OK bool world_run(struct world *w, world_until_fn *fn, void *self, uint64_t ms)
{
    for (uint64_t until = clk_mono_ms() + ms; !fn(self);) {
        if (clk_mono_ms() >= until)
            return false;
        uv_run(&w->loop, UV_RUN_ONCE);
    }
    return true;
}

static UNUSED_OK bool world_never(void *self)
{
    (void)self;
    return false;
}

static UNUSED_OK void world_pass(struct world *w, uint64_t ms)
{
    (void)world_run(w, world_never, NULL, ms);
}

static UNUSED_OK bool world_is_set(void *self)
{
    return *(bool *)self;
}

struct world_count {
    const size_t *count;
    size_t want;
};
static UNUSED_OK bool world_has_count(void *self)
{
    struct world_count *c = self;
    return *c->count >= c->want;
}
static UNUSED_OK bool world_counts(struct world *w, const size_t *count, size_t want)
{
    struct world_count c = {count, want};
    return world_run(w, world_has_count, &c, WORLD_WAIT_MS);
}

static UNUSED_OK bool world_is_connected(void *self)
{
    return bus_connected(((struct world *)self)->bus);
}
static UNUSED_OK bool world_is_lost(void *self)
{
    return !bus_connected(((struct world *)self)->bus);
}

static UNUSED_OK void world_on_state(void *self, bool connected)
{
    struct world *w = self;

    w->ups += connected;
    w->downs += !connected;
}

static UNUSED_OK void world_bus_open(struct world *w, uint32_t reply_ms)
{
    struct bus_config config = {.url = w->url, .name = "test", .reply_ms = reply_ms};

    assert_false(failed(bus_open(&w->bus, &w->loop, &config)));
    bus_on_state(w->bus, world_on_state, w);
}

static UNUSED_OK void world_no_ops(struct world *w)
{
    assert_int_equal(bus_counts(w->bus).ops, 0);
}

/* A server, a loop and a bus that is connected. */
static UNUSED_OK struct world *world_new(void)
{
    struct world *w = mem_new(struct world);

    strcpy(w->dir, "/tmp/bus-test-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->port = free_port();
    snprintf(w->url, sizeof(w->url), "nats://127.0.0.1:%d", w->port);
    assert_int_equal(uv_loop_init(&w->loop), 0);
    uv_timer_init(&w->loop, &w->tick);
    uv_timer_start(&w->tick, world_on_tick, 5, 5);
    return w;
}

static UNUSED_OK int world_setup(void **state)
{
    struct world *w = world_new();

    world_server_start(w, NULL);
    world_bus_open(w, 2000);
    assert_true(world_run(w, world_is_connected, w, WORLD_WAIT_MS));
    *state = w;
    return 0;
}

static UNUSED_OK int world_teardown(void **state)
{
    struct world *w = *state;

    bus_free(&w->bus);
    uv_close((uv_handle_t *)&w->tick, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    if (w->server)
        world_server_end(w, SIGKILL);
    (void)nftw(w->dir, world_unlink, 16, FTW_DEPTH | FTW_PHYS);
    mem_free(&w);
    return 0;
}

/* ---- ops that remember ---------------------------------------------------------------------------- */

enum { PROBE_MAGIC = 0x70726f62, PROBE_BODY = 4096, PROBE_MSGS = 1100 };

/* One op of one call: what `next` was told, and how it ended. */
struct probe {
    struct bus_op op;
    struct err err;
    uint64_t seq;
    int64_t value;
    size_t count;
    bool more;
    char body[PROBE_BODY];
    char text[256];
    uint64_t seqs[PROBE_MSGS];
    char subject[128];
    char header[64]; /* "X-Test" of the first message */
    unsigned nexts, ends;
    bool ended;
    struct err end;
};

static UNUSED_OK void probe_on_end(struct bus_op *op, struct err e)
{
    struct probe *p = SELF(struct probe, PROBE_MAGIC, op);

    p->ends++;
    p->ended = true;
    p->end   = e;
}

static UNUSED_OK struct err probe_next(struct bus_op *op, const struct bus_reply *r)
{
    struct probe *p = SELF(struct probe, PROBE_MAGIC, op);

    p->nexts++;
    p->err   = r->err;
    p->seq   = r->seq;
    p->value = r->value;
    p->count = r->count;
    p->more  = r->more;
    snprintf(p->body, sizeof(p->body), "%.*s", (int)r->body.len, (const char *)r->body.at);
    snprintf(p->text, sizeof(p->text), "%s", r->text);
    size_t n = 0;
    for (struct bus_msg *m = r->msgs; m; m = m->next, n++)
        p->seqs[n] = m->seq;
    if (r->msgs) {
        const char *x = bus_msg_header(r->msgs, "X-Test");
        snprintf(p->subject, sizeof(p->subject), "%s", r->msgs->subject);
        snprintf(p->header, sizeof(p->header), "%s", x ? x : "");
    }
    return bus_op_done(op);
}

static UNUSED_OK void probe_start(struct world *w, struct probe *p, uint64_t deadline_ms)
{
    memset(p, 0, sizeof(*p));
    bus_op_start(w->bus, &p->op, PROBE_MAGIC, "probe", deadline_ms, probe_on_end);
}

/* Runs until the op ended; its `next` and its `end` came exactly once. */
static UNUSED_OK void probe_wait(struct world *w, struct probe *p)
{
    assert_true(world_run(w, world_is_set, &p->ended, WORLD_WAIT_MS));
    assert_int_equal(p->nexts, 1);
    assert_int_equal(p->ends, 1);
}

static UNUSED_OK int probe_publish(struct world *w, struct probe *p, const char *subject,
                                   const char *body, const struct bus_expect *expect)
{
    struct bus_out out = {.subject = subject, .body = bytes_str(body)};

    probe_start(w, p, 0);
    assert_false(failed(bus_publish(&p->op, &out, expect, probe_next)));
    assert_int_equal(p->nexts, 0);
    probe_wait(w, p);
    return p->err.kind;
}

static UNUSED_OK int probe_api(struct world *w, struct probe *p, const char *call,
                               const char *body)
{
    probe_start(w, p, 0);
    assert_false(failed(bus_api(&p->op, call, bytes_str(body), probe_next)));
    probe_wait(w, p);
    return p->err.kind;
}

static UNUSED_OK int probe_read(struct world *w, struct probe *p, const struct bus_read *read)
{
    probe_start(w, p, 0);
    assert_false(failed(bus_read(&p->op, read, probe_next)));
    probe_wait(w, p);
    return p->err.kind;
}

/* A stream; what is not said has the server's default. */
static UNUSED_OK void world_stream(struct world *w, const char *name, const char *subjects,
                                   const char *more)
{
    struct probe p;
    char config[1024];

    snprintf(config, sizeof(config),
             "{\"name\":\"%s\",\"subjects\":[\"%s\"],\"storage\":\"file\",\"allow_direct\":"
             "true%s%s}",
             name, subjects, more ? "," : "", more ? more : "");
    probe_start(w, &p, 0);
    assert_false(failed(bus_stream_make(&p.op, name, bytes_str(config), probe_next)));
    probe_wait(w, &p);
    assert_string_equal(p.text, "");
    assert_int_equal(p.err.kind, ERR_NONE);
}

#define GROUP(name, tests) cmocka_run_group_tests_name(name, tests, NULL, NULL)
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)

#endif
