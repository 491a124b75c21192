/*
 * nats_rig - a nats-server of one's own, two buses on one loop, and a limiter that does as it
 * is told.
 */
#ifndef TESTS_NATS_RIG_H
#define TESTS_NATS_RIG_H

#include <arpa/inet.h>
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
#include "base/mem.h"
#include "base/str.h"
#include "bus/bus.h"
#include "wire/subject.h"
#include "wire/wire_permit.h"

enum { NATS_RIG_MS = 15000, NATS_RIG_HEARD = 512 };

/* What the limiter of the test does with an ask. */
enum limiter_way { LIMITER_GRANTS, LIMITER_REFUSES, LIMITER_IS_SILENT };

struct nats_rig {
    pid_t pid;
    unsigned port;
    char store[64], url[64];
    uv_loop_t loop;
    struct bus *bus, *other; /* the worker's, the limiter's */
    struct bus_sub *sub;
    enum limiter_way way;
    uint64_t after_ms;  /* it answers that late */
    uint32_t waited_ms; /* and says that it took so long */
    bool confirms;      /* reports */
    unsigned deaf;      /* to that many asks first */
    size_t asks, reports;
    struct permit_ask ask[NATS_RIG_HEARD];
    struct permit_report report[NATS_RIG_HEARD];
};

static inline unsigned nats_rig_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len         = sizeof at;
    int fd                = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

static inline void nats_rig_server(struct nats_rig *r)
{
    const char *program = getenv("NATS_SERVER");
    char port[8];

    str_format(port, sizeof port, "%u", r->port);
    r->pid = fork();
    if (r->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(program ? program : "build/deps/bin/nats-server", "nats-server", "-a",
              "127.0.0.1", "-p", port, "-js", "-sd", r->store, "-l", "/dev/null", (char *)NULL);
        _exit(127);
    }
}

static inline void nats_rig_stop_server(struct nats_rig *r)
{
    kill(r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
}

static inline void nats_rig_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Turns the loop until it is so. */
#define NATS_RIG_UNTIL(r, condition, ms) \
    do { \
        uint64_t end_ = clk_mono_ms() + (ms); \
        uv_timer_t tick_; \
        uv_timer_init(&(r)->loop, &tick_); \
        uv_timer_start(&tick_, nats_rig_tick, 2, 2); \
        while (!(condition) && clk_mono_ms() < end_) \
            uv_run(&(r)->loop, UV_RUN_ONCE); \
        uv_close((uv_handle_t *)&tick_, NULL); \
        uv_run(&(r)->loop, UV_RUN_NOWAIT); \
    } while (0)

#define NATS_RIG_WAIT(r, condition) \
    do { \
        NATS_RIG_UNTIL(r, condition, NATS_RIG_MS); \
        assert_true(condition); \
    } while (0)

/* ---- the limiter ------------------------------------------------------------------------- */

struct nats_rig_late {
    uv_timer_t timer;
    struct nats_rig *r;
    struct bus_msg *msg;
    struct permit_grant grant;
};

static inline void nats_rig_answer(struct nats_rig *r, const struct bus_msg *msg,
                                   const struct permit_grant *grant)
{
    struct buf body;

    buf_init(&body, 1024);
    wire_write_permit_grant(grant, &body);
    bus_answer(r->other, msg, buf_bytes(&body), NULL, 0);
    buf_deinit(&body);
}

static inline void nats_rig_late_closed(uv_handle_t *handle)
{
    struct nats_rig_late *late = handle->data;

    mem_free(&late);
}

static inline void nats_rig_late_due(uv_timer_t *timer)
{
    struct nats_rig_late *late = timer->data;

    if (late->r->other)
        nats_rig_answer(late->r, late->msg, &late->grant);
    bus_msg_free(&late->msg);
    uv_close((uv_handle_t *)timer, nats_rig_late_closed);
}

static inline void nats_rig_on_ask(struct nats_rig *r, struct bus_msg **msg,
                                   const struct permit_ask *ask)
{
    struct permit_grant grant = {.ok = r->way == LIMITER_GRANTS, .waited_ms = r->waited_ms};

    assert_true(r->asks < NATS_RIG_HEARD);
    r->ask[r->asks++] = *ask;
    if (r->way == LIMITER_IS_SILENT)
        return;
    if (r->deaf) {
        r->deaf--;
        return;
    }
    str_copy(grant.id, sizeof grant.id, ask->id);
    if (!grant.ok) {
        grant.retry_after_ms = 1234;
        str_copy(grant.why, sizeof grant.why, "upstream_limited");
    }
    if (!r->after_ms) {
        nats_rig_answer(r, *msg, &grant);
        return;
    }
    struct nats_rig_late *late = mem_new(struct nats_rig_late);
    late->r                    = r;
    late->msg                  = take(msg);
    late->grant                = grant;
    uv_timer_init(&r->loop, &late->timer);
    late->timer.data = late;
    uv_timer_start(&late->timer, nats_rig_late_due, r->after_ms, 0);
}

static inline void nats_rig_on_request(void *self, struct bus_msg **msg)
{
    struct nats_rig *r = self;
    struct permit_request request;

    assert_false(failed(wire_read_permit_request(&request, (*msg)->body)));
    if (request.what == PERMIT_ASK) {
        nats_rig_on_ask(r, msg, &request.ask);
        return;
    }
    assert_int_equal(request.what, PERMIT_REPORT);
    assert_true(r->reports < NATS_RIG_HEARD);
    r->report[r->reports++]       = request.report;
    struct permit_grant confirmed = {.ok = true};
    str_copy(confirmed.id, sizeof confirmed.id, request.report.id);
    if (r->confirms)
        nats_rig_answer(r, *msg, &confirmed);
}

static inline void nats_rig_limiter(struct nats_rig *r)
{
    assert_false(failed(
        bus_subscribe(r->other, SUBJECT_PERMIT_ALL, NULL, nats_rig_on_request, r, &r->sub)));
    NATS_RIG_UNTIL(r, false, 50); /* until the server knows of it */
}

/* ---- life -------------------------------------------------------------------------------- */

static inline void nats_rig_start(struct nats_rig *r)
{
    *r = (struct nats_rig){.port = nats_rig_port(), .confirms = true};
    str_copy(r->store, sizeof r->store, "/tmp/bw-rig-XXXXXX");
    assert_non_null(mkdtemp(r->store));
    str_format(r->url, sizeof r->url, "nats://127.0.0.1:%u", r->port);
    nats_rig_server(r);
    assert_int_equal(uv_loop_init(&r->loop), 0);
    const struct bus_config config = {.url = r->url, .name = "bw-rig"};
    assert_false(failed(bus_open(&r->bus, &r->loop, &config)));
    assert_false(failed(bus_open(&r->other, &r->loop, &config)));
    NATS_RIG_WAIT(r, bus_connected(r->bus) && bus_connected(r->other));
}

static inline void nats_rig_end(struct nats_rig *r)
{
    char command[128];

    if (r->sub)
        bus_unsubscribe(&r->sub);
    if (r->bus)
        bus_free(&r->bus);
    bus_free(&r->other);
    while (uv_run(&r->loop, UV_RUN_NOWAIT))
        ;
    assert_int_equal(uv_loop_close(&r->loop), 0);
    nats_rig_stop_server(r);
    str_format(command, sizeof command, "rm -rf '%s'", r->store);
    assert_int_equal(system(command), 0);
}

#endif
