/*
 * bus_inbox - the one place where two threads meet.
 *
 * nats.c delivers on threads of its own; everything else in a service runs on the loop thread and
 * needs no lock.  A library thread may call bus_inbox_post() and bus_inbox_lost(), and nothing else
 * of ours.
 */
#ifndef BUS_BUS_INBOX_H
#define BUS_BUS_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct bus_msg;

/* Takes the message over.  Loop thread. */
typedef void bus_inbox_fn(void *self, struct bus_msg *msg);
/* After each burst of messages.  Loop thread. */
typedef void bus_inbox_burst_fn(void *self);

struct bus_inbox {
    uv_async_t wake;
    uv_mutex_t lock; /* guards first and last, for a few instructions */
    uv_cond_t come;  /* only bus_inbox_wait() waits for it */
    struct bus_msg *first, **last;
    atomic_uint losses; /* of the connection; ahead of the letter that tells the loop */
    bus_inbox_fn *on_msg;
    bus_inbox_burst_fn *on_burst;
    void *self;
};

int bus_inbox_init(struct bus_inbox *in, uv_loop_t *loop, bus_inbox_fn *on_msg,
                   bus_inbox_burst_fn *on_burst, void *self);

/* Any thread.  Takes the message over; touches nothing of the box once the lock is given back,
   so that the loop may free it on the last letter. */
void bus_inbox_post(struct bus_inbox *in, struct bus_msg *msg);

/* Any thread: the connection is gone.  The loop sees it at once, the letter comes after. */
void bus_inbox_lost(struct bus_inbox *in);
unsigned bus_inbox_losses(struct bus_inbox *in);

/* Loop thread: empties the box, then tells of the burst if there was anything. */
void bus_inbox_drain(struct bus_inbox *in);

/* Loop thread, only at the end of a bus: sleeps until something is in the box, at most ms. */
void bus_inbox_wait(struct bus_inbox *in, uint64_t ms);

/* Loop thread, when no library thread knows the box any more.  The async handle is the caller's to close. */
void bus_inbox_deinit(struct bus_inbox *in);

#endif
