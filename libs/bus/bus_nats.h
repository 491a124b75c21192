/*
 * bus_nats - the only file that knows nats.c: the connection, subscriptions, sending, messages.
 *
 * nats.c is used for core NATS alone; JetStream is spoken by its subjects in the other files (docs/
 * decisions/0002).  No call here blocks the loop: while the connection is away nats.c holds its lock
 * for whole connection attempts, so then it is not called at all; what must be said to it (a new
 * subscription, one that left) waits for the connection.
 *
 * Everything is for the loop thread.
 */
#ifndef BUS_BUS_NATS_H
#define BUS_BUS_NATS_H

#include "bus/bus.h"
#include "bus/bus_inbox.h"

struct bus_nats;
struct bus_nats_sub;

typedef void bus_nats_state_fn(void *self, bool connected);

/* RETRY, REJECT or FATAL (nats.c older than 3.14).  OK: it is connecting; state tells.  `on_burst`
   is called after each burst of messages. */
MUST_USE struct err bus_nats_open(struct bus_nats **ret, uv_loop_t *loop,
                                  const struct bus_config *config, bus_nats_state_fn *on_state,
                                  bus_inbox_burst_fn *on_burst, void *self);

/* Ends the connection: waits, bounded, until no thread of the library knows us.  Subscriptions
   still there go with it.  The memory is freed when the loop runs once more. */
void bus_nats_free(struct bus_nats **nats);

/* Handles what has come in and not been seen by the loop yet. */
void bus_nats_drain(struct bus_nats *nats);

/* True only when the loop has heard of everything the library knows about the connection. */
bool bus_nats_connected(const struct bus_nats *nats);

/* The text under which we are answered: "_INBOX.<22 characters>". */
const char *bus_nats_inbox(const struct bus_nats *nats);

/* Delivers to fn until bus_nats_unsubscribe; stands through reconnects.  The subject must be valid. */
struct bus_nats_sub *bus_nats_subscribe(struct bus_nats *nats, const char *subject,
                                        const char *queue, bus_msg_fn *fn, void *self);
void bus_nats_unsubscribe(struct bus_nats_sub **sub);
void bus_nats_sub_drain(struct bus_nats_sub *sub);
bool bus_nats_sub_drained(const struct bus_nats_sub *sub);

/*
 * OK: handed to the library whole.  RETRY: not connected, nothing was sent.  REJECT: too large or
 * not a subject.  UNKNOWN: the connection broke in the middle.  more: headers besides those of out.
 */
MUST_USE struct err bus_nats_send(struct bus_nats *nats, const struct bus_out *out,
                                  const char *reply, const struct bus_header *more,
                                  size_t more_count);

/* "404" of a message that is a status; NULL of any other. */
const char *bus_nats_status(const struct bus_msg *msg);

/* A message made here from what the server told about one: all are copied; headers is a block of
   "NATS/1.0\r\nName: value\r\n…\r\n" or empty. */
struct bus_msg *bus_nats_msg(const char *subject, struct bytes headers, struct bytes body);

/* Non-empty tokens, no blanks, no control characters; wildcards as tokens only if `wild`. */
bool bus_nats_subject_valid(const char *subject, bool wild);

/* The server answers, and refuses our credentials. */
bool bus_nats_denied(const struct bus_nats *nats);

struct bus_nats_counts {
    uint64_t sent, received;
};
struct bus_nats_counts bus_nats_counts(const struct bus_nats *nats);

#endif
