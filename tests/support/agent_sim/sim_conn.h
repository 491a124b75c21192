/*
 * sim_conn - one connection of a client: bytes in and out, and its end.
 *
 * Why libuv and an HTTP reader of our own, not libmicrohttpd: a fault is often
 * *how* bytes do not come (RST before or after acting, half a body, a byte now
 * and then), a client that leaves during a call must be noticed at once while
 * its call goes on, and an arrival is stamped with the kernel's receive time,
 * so that a simulator that was held up for 100 ms by the machine does not see
 * 100 ms of calls in one instant and accuse its client of exceeding a rate.
 * MHD hides all three.
 *
 * One request is answered at a time; what a client sends meanwhile waits.
 */
#ifndef SIM_CONN_H
#define SIM_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "agent_sim/sim_buf.h"
#include "agent_sim/sim_clock.h"

struct sim;
struct sim_call;

struct sim_conn {
    uv_poll_t poll;
    struct sim *sim;
    struct sim_call *call; /* that owes the answer; NULL: none, or the control API's */
    uint64_t id;
    uint64_t nth; /* requests so far */
    int fd;
    bool busy;                /* an answer is owed             */
    bool keep_alive;          /* as the last request asked     */
    bool last;                /* close when all bytes are out  */
    bool continued;           /* "100 Continue" was sent       */
    bool serving;             /* on_request is on the stack    */
    bool closed;              /* waits for libuv's last word   */
    struct sim_clock arrived; /* receive time of the last byte */
    struct sim_buf in;
    struct sim_buf out;
    struct sim_conn *before, *after; /* list of the owner */
};

/* Takes the connected socket over; lives until it closes itself. */
void sim_conn_new(struct sim *sim, int fd);

/* Queues bytes, and sends what the kernel takes. */
void sim_conn_send(struct sim_conn *conn, const void *bytes, size_t len);

/* The answer is complete: the next request may come, or the connection closes. */
void sim_conn_done(struct sim_conn *conn);

/* FIN once all bytes are out. */
void sim_conn_close(struct sim_conn *conn);

/* RST, now. */
void sim_conn_reset(struct sim_conn *conn);

#endif
