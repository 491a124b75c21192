/*
 * svc_rig - what the tests of svc share: a nats-server, services as processes (this very program, in a
 * role), their lines, and a bus of one's own to look from outside.
 */
#ifndef TESTS_SVC_RIG_H
#define TESTS_SVC_RIG_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "bus/bus.h"
#include "support/free_port.h"
#include "svc/svc.h"

enum { RIG_LINES = 4000, RIG_ENV = 24, RIG_WAIT_MS = 20000 };

extern char **environ;

/* ---- nats-server ------------------------------------------------------------------------------ */

struct rig_nats {
    pid_t pid;
    unsigned port;
    char store[64], url[64];
};

static inline int rig_connect(unsigned port)
{
    struct sockaddr_in at = {.sin_family      = AF_INET,
                             .sin_port        = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd                = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    close(fd);
    return -1;
}

static inline const char *rig_nats_program(void)
{
    const char *at = getenv("SLUICE_NATS_SERVER");

    if (!at)
        at = getenv("NATS_SERVER");
    return at ? at : "build/deps/bin/nats-server";
}

static inline void rig_nats_reserve(struct rig_nats *n)
{
    *n = (struct rig_nats){.port = free_port()};
    snprintf(n->store, sizeof(n->store), "/tmp/svc-rig-XXXXXX");
    assert_non_null(mkdtemp(n->store));
    snprintf(n->url, sizeof(n->url), "nats://127.0.0.1:%u", n->port);
}

static inline void rig_nats_run(struct rig_nats *n)
{
    char port[8], log[96];

    snprintf(port, sizeof(port), "%u", n->port);
    snprintf(log, sizeof(log), "%s/log", n->store);
    n->pid = fork();
    if (n->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(rig_nats_program(), "nats-server", "-a", "127.0.0.1", "-p", port, "-js", "-sd",
              n->store, "-l", log, (char *)NULL);
        _exit(127);
    }
    for (uint64_t end = clk_mono_ms() + RIG_WAIT_MS; clk_mono_ms() < end; usleep(20000)) {
        int fd = rig_connect(n->port);

        if (fd >= 0) {
            close(fd);
            return;
        }
        if (waitpid(n->pid, NULL, WNOHANG) == n->pid)
            break;
    }
    fail_msg("no nats-server at %s: set SLUICE_NATS_SERVER", rig_nats_program());
}

static inline void rig_nats_start(struct rig_nats *n)
{
    rig_nats_reserve(n);
    rig_nats_run(n);
}

static inline void rig_nats_kill(struct rig_nats *n)
{
    if (n->pid <= 0)
        return;
    kill(n->pid, SIGKILL);
    waitpid(n->pid, NULL, 0);
    n->pid = 0;
}

static inline void rig_nats_wipe(struct rig_nats *n)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'/*", n->store);
    assert_int_equal(system(command), 0);
}

static inline void rig_nats_end(struct rig_nats *n)
{
    rig_nats_kill(n);
    rig_nats_wipe(n);
    rmdir(n->store);
}

/* ---- services --------------------------------------------------------------------------------- */

struct rig_child {
    pid_t pid;
    int out;
    char *lines[RIG_LINES];
    size_t count, seen; /* lines that came; lines that an expectation has passed */
    char part[4096];
    size_t part_len;
};

/* settings: "NAME=value", NULL at the end.  The program is this one; SVC_RIG_ROLE makes it a
   service. */
static inline void rig_start(struct rig_child *c, const char *nats_url, const char *role,
                             const char *const *settings)
{
    int pipe_fd[2];

    *c = (struct rig_child){.out = -1};
    assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
    c->pid = fork();
    if (c->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(pipe_fd[1], 1);
        dup2(pipe_fd[1], 2);
        setenv("SVC_RIG_ROLE", role, 1);
        setenv("NATS_URL", nats_url, 1);
        setenv("SLUICE_HTTP", "127.0.0.1:0", 1);
        for (; settings && *settings; settings++)
            putenv((char *)(uintptr_t)*settings);
        execl("/proc/self/exe", "svc-rig", (char *)NULL);
        _exit(127);
    }
    close(pipe_fd[1]);
    c->out = pipe_fd[0];
}

static inline void rig_take_line(struct rig_child *c, const char *at, size_t len)
{
    assert_true(c->count < RIG_LINES);
    c->lines[c->count++] = mem_strndup(at, len);
    if (getenv("SVC_RIG_SHOW"))
        print_message("  %d %s\n", (int)c->pid, c->lines[c->count - 1]);
}

/* False: it has ended. */
static inline bool rig_read(struct rig_child *c, int wait_ms)
{
    struct pollfd p = {.fd = c->out, .events = POLLIN};
    char *line;

    if (poll(&p, 1, wait_ms) <= 0)
        return true;

    ssize_t n = read(c->out, c->part + c->part_len, sizeof(c->part) - c->part_len);

    if (n <= 0)
        return false;
    c->part_len += (size_t)n;
    while ((line = memchr(c->part, '\n', c->part_len))) {
        size_t len = (size_t)(line - c->part);

        rig_take_line(c, c->part, len);
        memmove(c->part, line + 1, c->part_len - len - 1);
        c->part_len -= len + 1;
    }
    assert_true(c->part_len < sizeof(c->part));
    return true;
}

/* The next line with this in it, that has not been passed yet; NULL: not in time. */
static inline const char *rig_look(struct rig_child *c, const char *text, uint64_t wait_ms)
{
    uint64_t end = clk_mono_ms() + wait_ms;
    bool open    = true;

    for (;;) {
        while (c->seen < c->count)
            if (strstr(c->lines[c->seen++], text))
                return c->lines[c->seen - 1];
        if (!open || clk_mono_ms() >= end)
            return NULL;
        open = rig_read(c, 20);
    }
}

static inline const char *rig_expect_in(struct rig_child *c, const char *text, uint64_t ms)
{
    const char *line = rig_look(c, text, ms);

    if (!line) {
        for (size_t i = 0; i < c->count; i++)
            print_error("  %s\n", c->lines[i]);
        fail_msg("no line with \"%s\" within %d ms", text, (int)ms);
    }
    return line;
}

static inline const char *rig_expect(struct rig_child *c, const char *text)
{
    return rig_expect_in(c, text, RIG_WAIT_MS);
}

static inline size_t rig_count(const struct rig_child *c, const char *text)
{
    size_t n = 0;

    for (size_t i = 0; i < c->count; i++)
        n += strstr(c->lines[i], text) != NULL;
    return n;
}

/* The number behind "key=" in a line. */
static inline uint64_t rig_number(const char *line, const char *key)
{
    const char *at = strstr(line, key);

    assert_non_null(at);
    return strtoull(at + strlen(key), NULL, 10);
}

/* Reads what is still to come; the status as waitpid has it. */
static inline int rig_wait(struct rig_child *c)
{
    uint64_t end = clk_mono_ms() + RIG_WAIT_MS;
    int status   = 0;

    while (rig_read(c, 20))
        if (clk_mono_ms() > end) {
            for (size_t i = 0; i < c->count; i++)
                print_error("  %s\n", c->lines[i]);
            fail_msg("a service does not end");
        }
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    c->pid = 0;
    return status;
}

static inline int rig_exit_status(struct rig_child *c)
{
    int status = rig_wait(c);

    if (!WIFEXITED(status))
        fail_msg("ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

static inline void rig_end(struct rig_child *c)
{
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
    }
    if (c->out >= 0)
        close(c->out);
    for (size_t i = 0; i < c->count; i++)
        mem_free(&c->lines[i]);
    *c = (struct rig_child){.out = -1};
}

/* The whole answer to a GET, status line first. */
static inline const char *rig_get(unsigned port, const char *path)
{
    static char answer[1 << 16];
    char request[200];
    size_t len = 0;
    ssize_t n;
    int fd = rig_connect(port);

    assert_true(fd >= 0);
    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    while ((n = read(fd, answer + len, sizeof(answer) - 1 - len)) > 0)
        len += (size_t)n;
    answer[len] = '\0';
    close(fd);
    return answer;
}

/* ---- a bus of one's own ------------------------------------------------------------------------- */

enum { RIG_OP_MAGIC = 0x5249474f };

struct rig_bus {
    uv_loop_t loop;
    struct bus *bus;
};

struct rig_op {
    struct bus_op op;
    struct err err;
    struct buf *to;
    bool ended;
};

static inline void rig_bus_open(struct rig_bus *b, const char *url)
{
    const struct bus_config config = {.url = url, .name = "svc-rig", .reply_ms = 2000};

    assert_int_equal(uv_loop_init(&b->loop), 0);
    assert_false(failed(bus_open(&b->bus, &b->loop, &config)));
    for (uint64_t end = clk_mono_ms() + RIG_WAIT_MS; !bus_connected(b->bus); usleep(1000)) {
        assert_true(clk_mono_ms() < end);
        uv_run(&b->loop, UV_RUN_NOWAIT);
    }
}

static inline void rig_bus_close(struct rig_bus *b)
{
    bus_free(&b->bus);
    while (uv_run(&b->loop, UV_RUN_NOWAIT))
        ;
    assert_int_equal(uv_loop_close(&b->loop), 0);
}

static inline void rig_op_end(struct bus_op *op, struct err e)
{
    struct rig_op *o = SELF(struct rig_op, RIG_OP_MAGIC, op);

    o->err   = e;
    o->ended = true;
}

static inline struct err rig_op_next(struct bus_op *op, const struct bus_reply *r)
{
    struct rig_op *o = SELF(struct rig_op, RIG_OP_MAGIC, op);

    if (o->to) {
        buf_clear(o->to);
        buf_add(o->to, r->body.at, r->body.len);
    }
    return failed(r->err) ? r->err : bus_op_done(op);
}

/* The loop stood still meanwhile: its clock, too. */
static inline void rig_op_start(struct rig_bus *b, struct rig_op *o)
{
    uv_update_time(&b->loop);
    bus_op_start(b->bus, &o->op, RIG_OP_MAGIC, "rig", 0, rig_op_end);
}

static inline struct err rig_op_run(struct rig_bus *b, struct rig_op *o)
{
    for (uint64_t end = clk_mono_ms() + RIG_WAIT_MS; !o->ended; usleep(500)) {
        assert_true(clk_mono_ms() < end);
        uv_run(&b->loop, UV_RUN_NOWAIT);
    }
    return o->err;
}

/* A call of the JetStream API; to may be NULL. */
static inline struct err rig_api(struct rig_bus *b, const char *call, const char *body,
                                 struct buf *to)
{
    struct rig_op o = {.to = to};

    rig_op_start(b, &o);
    bus_api(&o.op, call, bytes_str(body), rig_op_next);
    return rig_op_run(b, &o);
}

static inline struct err rig_request(struct rig_bus *b, const char *subject, const char *body,
                                     struct buf *to)
{
    struct bus_out out = {.subject = subject, .body = bytes_str(body)};
    struct rig_op o    = {.to = to};

    rig_op_start(b, &o);
    bus_request(&o.op, &out, 3000, rig_op_next);
    return rig_op_run(b, &o);
}

static inline struct err rig_kv_get(struct rig_bus *b, const char *bucket, const char *key,
                                    struct buf *to)
{
    struct rig_op o = {.to = to};

    rig_op_start(b, &o);
    bus_kv_get(&o.op, bucket, key, rig_op_next);
    return rig_op_run(b, &o);
}

static inline struct err rig_kv_delete(struct rig_bus *b, const char *bucket, const char *key)
{
    struct rig_op o = {.to = NULL};

    rig_op_start(b, &o);
    bus_kv_delete(&o.op, bucket, key, BUS_ANY, rig_op_next);
    return rig_op_run(b, &o);
}

#endif
