/*
 * bus_pull - asking a consumer for messages and telling what comes back apart.
 *
 * Deliveries keep the subject under which they were stored, so they cannot find their way by the reply
 * subject as answers do; each puller has a subscription of its own.  That it goes away with its puller
 * is of use, too: the server gives nothing more to a request in which nobody has an interest.
 */
#ifndef BUS_BUS_PULL_H
#define BUS_BUS_PULL_H

#include "bus/bus_internal.h"

enum {
    BUS_PULL_OPEN_MAX =
        8, /* requests of one puller at a time: a consumer has 512 places for all */
    BUS_PULL_BEAT_MS  = 2000,
    BUS_PULL_DEAD_MS  = 5000, /* nothing heard for that long: two beats and some */
    BUS_PULL_WATCH_MS = 1000,
};

struct bus_pull {
    struct bus *bus;
    struct bus_nats_sub *sub;
    char inbox[BUS_REPLY_SIZE];
    uint64_t era; /* answers to requests of an earlier one are stale */
    uint64_t open_until[BUS_PULL_OPEN_MAX]; /* monotonic ms; 0: free */
    uint32_t outstanding; /* asked for and not delivered yet, of all requests */
    uint64_t heard_at;    /* monotonic ms */
};

enum bus_pull_kind {
    BUS_PULL_MSG,    /* a delivery */
    BUS_PULL_BEAT,   /* still there; `last` is the sequence last delivered, to anybody */
    BUS_PULL_OVER,   /* a request ended in good order */
    BUS_PULL_GONE,   /* nobody listens, or the consumer was deleted */
    BUS_PULL_BROKEN, /* requests were dropped: ask again */
    BUS_PULL_STALE,
};

struct bus_pull_news {
    enum bus_pull_kind kind;
    uint64_t last;
    const char *why;
};

void bus_pull_init(struct bus_pull *p, struct bus *bus, bus_msg_fn *fn, void *self);
void bus_pull_deinit(struct bus_pull *p);

/* Forgets all requests: a new era. */
void bus_pull_reset(struct bus_pull *p);

/* Asks for `count` more.  False: not connected, or too many requests are open already. */
bool bus_pull_ask(struct bus_pull *p, const char *stream, const char *consumer, uint32_t count,
                  uint32_t expires_ms);

/* What a message is; keeps the accounts. */
struct bus_pull_news bus_pull_read(struct bus_pull *p, const struct bus_msg *msg);

/* Messages are asked for, and nothing at all was heard for too long. */
bool bus_pull_dead(const struct bus_pull *p);

#endif
