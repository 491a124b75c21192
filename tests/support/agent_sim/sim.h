/*
 * sim - the upstream as a whole: what its parts share, and the doors in.
 *
 * One thread, one libuv loop.  A request goes to sim_control (/_sim/…) or
 * becomes a sim_call; a call lives on its own, whatever becomes of its
 * connection, until it ends.
 */
#ifndef SIM_H
#define SIM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "agent_sim/sim_config.h"
#include "agent_sim/sim_fault.h"
#include "agent_sim/sim_latency.h"
#include "agent_sim/sim_record.h"
#include "agent_sim/sim_session.h"
#include "agent_sim/sim_table.h"
#include "agent_sim/sim_window.h"

struct sim_call;
struct sim_conn;
struct sim_http;

struct sim {
    uv_loop_t *loop;
    uv_poll_t listener;
    int listener_fd;
    int port;
    uv_timer_t idle_timer; /* when the longest idle session expires */
    struct sim_config config;
    struct sim_faults faults;
    struct sim_record record;
    struct sim_sessions sessions;
    struct sim_window window;
    struct sim_latency_random random;
    struct sim_table cmds; /* those with a counted fault, and how often they came */
    uint32_t *cmd_times;
    size_t cmd_room;
    struct sim_conn *conns;
    struct sim_call *calls;
    uint64_t conns_ever;
    uint64_t calls_ever;
    uint64_t in_flight;
};

/* record_path may be NULL.  Dies if it cannot listen; port 0 takes a free one (sim->port). */
void sim_init(struct sim *sim, uv_loop_t *loop, int port, const char *record_path);

/* Ends everything that is under way; the loop must run until its handles are closed. */
void sim_close(struct sim *sim);

/* After the loop has ended. */
void sim_deinit(struct sim *sim);

/* Resets all connections with calls, forgets sessions, faults and the record; settings stay. */
void sim_reset(struct sim *sim);

/* Merges settings; their "faults" (one or a list) are added.  false: ret_wrong names the
   field. */
bool sim_configure(struct sim *sim, const json_t *change, char ret_wrong[64]);

/* A connection read a whole request; it and its body are lent for this call. */
void sim_on_request(struct sim *sim, struct sim_conn *conn, const struct sim_http *http);

/* The upstream ends this session by itself: idle, lost. */
void sim_expire_session(struct sim *sim, struct sim_session *session, const char *why);

/* A session fell idle, or the idle time changed. */
void sim_watch_idle(struct sim *sim);

/* How often this command text was seen before, counting this time. */
uint32_t sim_count_cmd(struct sim *sim, const char *cmd);

#endif
