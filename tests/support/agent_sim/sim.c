#include "agent_sim/sim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent_sim/sim_base.h"
#include "agent_sim/sim_call.h"
#include "agent_sim/sim_clock.h"
#include "agent_sim/sim_conn.h"
#include "agent_sim/sim_control.h"
#include "agent_sim/sim_http.h"

/* Thousands of clients may connect within one turn of the loop. */
static const int BACKLOG = 4096;

static const double MS_NS = 1e6;

static void on_connect(uv_poll_t *poll, int status, int events)
{
    struct sim *sim = poll->data;
    int on          = 1;

    (void)events;
    if (status < 0)
        sim_base_die("listen", uv_strerror(status));
    for (;;) {
        int fd = accept4(sim->listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            sim_conn_new(sim, fd);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        /* Out of descriptors: a call that waits unseen would be missing in the record. */
        sim_base_die("accept", strerror(errno));
    }
}

static int listen_on(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t len              = sizeof address;
    int fd                     = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on                     = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* Inherited by each connection: receive times from the kernel. */
    (void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        sim_base_die("listen", strerror(errno));
    *port = ntohs(address.sin_port);
    return fd;
}

void sim_init(struct sim *sim, uv_loop_t *loop, int port, const char *record_path)
{
    *sim = (struct sim){.loop = loop, .port = port};
    sim_config_init(&sim->config);
    sim->random = sim_latency_seed(sim->config.seed);
    sim_session_init(&sim->sessions, sim_clock_now().ns);
    sim_record_init(&sim->record, record_path);
    must(uv_timer_init(loop, &sim->idle_timer) == 0);
    sim->idle_timer.data = sim;

    sim->listener_fd = listen_on(&sim->port);
    must(uv_poll_init(loop, &sim->listener, sim->listener_fd) == 0);
    sim->listener.data = sim;
    must(uv_poll_start(&sim->listener, UV_READABLE, on_connect) == 0);
}

static void drop_calls(struct sim *sim)
{
    while (sim->calls)
        sim_call_abort(sim->calls);
}

void sim_close(struct sim *sim)
{
    drop_calls(sim);
    while (sim->conns)
        sim_conn_reset(sim->conns);
    uv_close((uv_handle_t *)&sim->idle_timer, NULL);
    uv_close((uv_handle_t *)&sim->listener, NULL);
    (void)close(sim->listener_fd);
}

static void forget_cmds(struct sim *sim)
{
    sim_table_deinit(&sim->cmds);
    sim_base_free(take(&sim->cmd_times));
    sim->cmd_room = 0;
}

void sim_deinit(struct sim *sim)
{
    forget_cmds(sim);
    sim_session_clear(&sim->sessions);
    sim_fault_deinit(&sim->faults);
    sim_record_deinit(&sim->record);
    sim_window_deinit(&sim->window);
    sim_config_deinit(&sim->config);
}

void sim_reset(struct sim *sim)
{
    drop_calls(sim);
    forget_cmds(sim);
    sim_session_clear(&sim->sessions);
    sim_fault_deinit(&sim->faults);
    sim_window_deinit(&sim->window);
    sim->random = sim_latency_seed(sim->config.seed);
    sim_record_put(&sim->record, &(struct sim_event){.kind = SIM_EVENT_RESET});
}

bool sim_configure(struct sim *sim, const json_t *change, char ret_wrong[64])
{
    json_t *settings  = json_copy(sim_base_mutable(change));
    json_t *faults    = json_incref(json_object_get(change, "faults"));
    const char *wrong = NULL;
    uint64_t seed     = sim->config.seed;

    json_object_del(settings, "faults");

    bool ok = json_is_object(change) && sim_config_merge(&sim->config, settings, ret_wrong);

    if (!json_is_object(change))
        sim_base_copy(ret_wrong, 64, "not an object");
    if (ok && faults && (wrong = sim_control_add_faults(sim, faults, NULL))) {
        sim_base_copy(ret_wrong, 64, wrong);
        ok = false;
    }
    if (sim->config.seed != seed)
        sim->random = sim_latency_seed(sim->config.seed);
    json_decref(faults);
    json_decref(settings);
    uv_timer_stop(&sim->idle_timer);
    sim_watch_idle(sim);
    return ok;
}

void sim_on_request(struct sim *sim, struct sim_conn *conn, const struct sim_http *http)
{
    if (strncmp(http->path, "/_sim/", 6) == 0)
        sim_control_answer(sim, conn, http);
    else
        sim_call_new(sim, conn, http);
}

void sim_expire_session(struct sim *sim, struct sim_session *session, const char *why)
{
    sim_session_move(&sim->sessions, session, SIM_SESSION_EXPIRED);
    if (session->foreign)
        return;
    sim_record_put(&sim->record, &(struct sim_event){.kind    = SIM_EVENT_EXPIRE,
                                                     .session = session->id,
                                                     .tenant  = session->tenant,
                                                     .why     = why});
}

static void on_idle(uv_timer_t *timer)
{
    struct sim *sim = timer->data;
    uint64_t now_ns = sim_clock_now().ns;

    for (;;) {
        struct sim_session *oldest = sim_session_idlest(&sim->sessions);

        if (!oldest ||
            (double)(now_ns - oldest->idle_since_ns) < sim->config.session_idle_ms * MS_NS)
            break;
        sim_expire_session(sim, oldest, "idle");
    }
    sim_watch_idle(sim);
}

void sim_watch_idle(struct sim *sim)
{
    const struct sim_session *oldest = sim_session_idlest(&sim->sessions);

    if (!oldest || uv_is_active((uv_handle_t *)&sim->idle_timer))
        return;

    double idle_ms = (double)(sim_clock_now().ns - oldest->idle_since_ns) / MS_NS;
    double wait_ms = sim->config.session_idle_ms - idle_ms;

    uv_update_time(sim->loop);
    must(uv_timer_start(&sim->idle_timer, on_idle, wait_ms > 0 ? (uint64_t)ceil(wait_ms) : 0,
                        0) == 0);
}

uint32_t sim_count_cmd(struct sim *sim, const char *cmd)
{
    size_t known = sim->cmds.count;
    uint32_t at  = sim_table_put(&sim->cmds, cmd);

    sim->cmd_times = sim_base_grow(sim->cmd_times, at, &sim->cmd_room, sizeof *sim->cmd_times);
    if (at == known)
        sim->cmd_times[at] = 0;
    return ++sim->cmd_times[at];
}
