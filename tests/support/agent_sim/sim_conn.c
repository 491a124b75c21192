#include "agent_sim/sim_conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent_sim/sim.h"
#include "agent_sim/sim_base.h"
#include "agent_sim/sim_call.h"
#include "agent_sim/sim_http.h"

/* More than one whole request waiting behind the one in hand is nobody's honest pipelining. */
static const size_t READ_AHEAD_MAX = SIM_HTTP_HEAD_MAX + SIM_HTTP_BODY_MAX;

enum { READ_SIZE = 16 * 1024 };

static void on_poll(uv_poll_t *poll, int status, int events);
static void serve(struct sim_conn *conn);

static void watch(struct sim_conn *conn)
{
    int events = UV_READABLE;

    if (conn->out.len > 0)
        events |= UV_WRITABLE;
    must(uv_poll_start(&conn->poll, events, on_poll) == 0);
}

void sim_conn_new(struct sim *sim, int fd)
{
    struct sim_conn *conn = sim_base_new(struct sim_conn);

    conn->sim     = sim;
    conn->fd      = fd;
    conn->id      = ++sim->conns_ever;
    conn->arrived = sim_clock_now();
    must(uv_poll_init(sim->loop, &conn->poll, fd) == 0);
    conn->poll.data = conn;
    conn->after     = sim->conns;
    if (sim->conns)
        sim->conns->before = conn;
    sim->conns = conn;
    watch(conn);
}

static void on_closed(uv_handle_t *handle)
{
    struct sim_conn *conn = handle->data;

    sim_buf_deinit(&conn->in);
    sim_buf_deinit(&conn->out);
    sim_base_free(conn);
}

static void end(struct sim_conn *conn)
{
    if (conn->closed)
        return;
    conn->closed = true;
    if (conn->before)
        conn->before->after = conn->after;
    else
        conn->sim->conns = conn->after;
    if (conn->after)
        conn->after->before = conn->before;
    uv_close((uv_handle_t *)&conn->poll, on_closed);
    (void)close(conn->fd);

    /* Last: the call may end now, and must find no connection to answer on. */
    struct sim_call *call = take(&conn->call);

    if (call)
        sim_call_gone(call);
}

void sim_conn_reset(struct sim_conn *conn)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    conn->call = NULL;
    end(conn);
}

static void flush(struct sim_conn *conn)
{
    while (conn->out.len > 0) {
        ssize_t put = send(conn->fd, conn->out.data, conn->out.len, MSG_NOSIGNAL);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (put < 0) {
            end(conn);
            return;
        }
        sim_buf_eat(&conn->out, (size_t)put);
    }
    if (conn->out.len == 0 && conn->last)
        end(conn);
    else
        watch(conn);
}

void sim_conn_send(struct sim_conn *conn, const void *bytes, size_t len)
{
    if (conn->closed)
        return;
    sim_buf_put(&conn->out, bytes, len);
    flush(conn);
}

void sim_conn_close(struct sim_conn *conn)
{
    conn->call = NULL;
    conn->last = true;
    if (!conn->closed)
        flush(conn);
}

void sim_conn_done(struct sim_conn *conn)
{
    conn->call = NULL;
    conn->busy = false;
    if (!conn->keep_alive)
        sim_conn_close(conn);
    else if (!conn->serving)
        serve(conn);
}

static void refuse(struct sim_conn *conn, int status)
{
    char head[128];
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 %d Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                       status);

    conn->in.len = 0;
    sim_conn_send(conn, head, (size_t)len);
    sim_conn_close(conn);
}

static void send_continue(struct sim_conn *conn)
{
    static const char CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";

    conn->continued = true;
    sim_conn_send(conn, CONTINUE, sizeof CONTINUE - 1);
}

static void begin(struct sim_conn *conn, struct sim_http *http)
{
    conn->busy       = true;
    conn->continued  = false;
    conn->keep_alive = http->keep_alive;
    conn->nth++;
    sim_on_request(conn->sim, conn, http);
}

/* Whole requests one after the other, as long as no answer is owed. */
static void serve(struct sim_conn *conn)
{
    conn->serving = true;
    while (!conn->busy && !conn->closed && !conn->last && conn->in.len > 0) {
        struct sim_http http;
        enum sim_http_state state = sim_http_read(&http, conn->in.data, conn->in.len);

        if (state == SIM_HTTP_BAD) {
            refuse(conn, http.status);
            break;
        }
        if (state == SIM_HTTP_MORE) {
            if (http.expects_continue && !conn->continued)
                send_continue(conn);
            break;
        }
        begin(conn, &http);
        sim_buf_eat(&conn->in, http.size);
    }
    conn->serving = false;
}

static void read_stamp(struct sim_conn *conn, struct msghdr *message)
{
    conn->arrived = sim_clock_now();
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        struct timespec stamp;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
            continue;
        memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
        conn->arrived = sim_clock_at(stamp);
    }
}

/* false: the client has left.  Half a close (FIN) counts as leaving: HTTP clients that have
   given up look like this, and none that still waits does. */
static bool fill(struct sim_conn *conn)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct timespec))];
    } control;
    struct iovec piece;
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    ssize_t got           = 0;

    sim_buf_reserve(&conn->in, READ_SIZE);
    piece                  = (struct iovec){conn->in.data + conn->in.len, READ_SIZE};
    message.msg_control    = &control;
    message.msg_controllen = sizeof control;

    do {
        got = recvmsg(conn->fd, &message, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK;
    if (got == 0)
        return false;

    conn->in.len += (size_t)got;
    read_stamp(conn, &message);
    return conn->in.len <= READ_AHEAD_MAX;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct sim_conn *conn = poll->data;

    if (status < 0) {
        end(conn);
        return;
    }
    if (events & UV_WRITABLE)
        flush(conn);
    if (!conn->closed && (events & UV_READABLE)) {
        if (!fill(conn))
            end(conn);
        else
            serve(conn);
    }
}
