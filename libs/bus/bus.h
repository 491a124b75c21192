/*
 * bus - how services talk: JetStream and core NATS as chains of round trips on one loop.
 *
 * Everything is a message with an answer to an inbox of ours, so nothing here blocks: one
 * subscription receives all answers, one thread (nats.c's) posts them to the loop, and an answer
 * finds its op by index and generation; a late or repeated one is dropped.
 *
 * Three outcomes, never mixed: stored (OK), refused (certainly not done: RETRY, CONFLICT, FULL,
 * REJECT, ABSENT), unknown (UNKNOWN: no answer came).  A call never fails in the caller's face: every
 * outcome comes through `next`, in a later turn of the loop.
 *
 * bus moves bytes and does not know what they mean: subjects and codecs are `wire`.
 * Tests link tests/support/fake instead: a second implementation of this header.
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"

struct uv_loop_s;
struct bus;

/* ---- connection ---------------------------------------------------------------------------- */

struct bus_config {
    const char *url;       /* nats://host:port[,…] */
    const char *creds;     /* file; NULL: none */
    const char *user_file; /* file with "user:password" in its first line; NULL: none */
    const char *ca;        /* PEM file; NULL: the system's, when the url says tls */
    const char *name;      /* shown by `nats server report connections` */
    uint32_t reply_ms;     /* how long one hop may wait for its answer; 0: 5000 */
    bool once;             /* who cannot connect at the first attempt gives up */
};

/* Starts connecting and goes on for ever; connected or not is an event and a question, never before the
   loop has run.  The first attempt is made here and may take 2 s a server.  REJECT: the configuration
   cannot be used; RETRY: `once`, and nobody is there; FATAL: nats.c is older than 3.14.  After a failure
   the loop must still run once more. */
MUST_USE struct err bus_open(struct bus **ret, struct uv_loop_s *loop,
                             const struct bus_config *config);

/* Ends every op still there with UNKNOWN, flushes (bounded), frees; followers, consumers and
   subscriptions still there go with it.  The loop must still run once more.  Not from a callback of
   its own; the ends it brings must start nothing (bus_freeing). */
void bus_free(struct bus **bus);
bool bus_freeing(const struct bus *bus);

bool bus_connected(const struct bus *bus);

/* The server is there, and the last attempt ended because it refuses our credentials. */
bool bus_denied(const struct bus *bus);
bool bus_is_denied(struct err opened); /* the same of a bus_open with `once` */

/* Monotonic ms of the last time the connection was (re)established; 0: never. */
uint64_t bus_connected_at(const struct bus *bus);

/* Called on the loop at each change; up to 8 listeners of either kind, each call adds one.  After a loss
   every outstanding hop has ended UNKNOWN when this is called. */
typedef void bus_state_fn(void *self, bool connected);
void bus_on_state(struct bus *bus, bus_state_fn *fn, void *self);

/* Monotonic ms of this turn of the loop. */
uint64_t bus_now(const struct bus *bus);

/* Called after each burst of messages: a service's chance to act once on many. */
typedef void bus_burst_fn(void *self);
void bus_on_burst(struct bus *bus, bus_burst_fn *fn, void *self);

struct bus_counts {
    uint64_t sent, received, late; /* messages; answers whose op was gone */
    size_t ops;                    /* living */
};
struct bus_counts bus_counts(const struct bus *bus);

/* ---- messages ------------------------------------------------------------------------------ */

struct bus_msg {
    uint32_t magic;
    struct bus_msg *next; /* the inbox's; a list of answers */
    const char *subject;  /* where it was stored, for answers of a read */
    const char *reply;    /* "" if none; of a leased message: where its acks go */
    struct bytes body;
    uint64_t seq;          /* in its stream; 0: not from a stream */
    uint64_t consumer_seq; /* of its consumer */
    uint64_t pending;      /* how many more were there behind it */
    uint32_t deliveries;   /* 1 for the first */
    int64_t stored_ms;     /* wall ms of its storing */
    void *raw;             /* the bus's */
};

/* NULL if absent.  Lives as long as the message. */
const char *bus_msg_header(const struct bus_msg *msg, const char *name);
void bus_msg_free(struct bus_msg **msg);

struct bus_header {
    const char *name;
    const char *value;
};

/* One message on its way out; lent for the call. */
struct bus_out {
    const char *subject;
    struct bytes body;
    const struct bus_header *headers;
    size_t header_count;
};

/* ---- ops: chains of round trips -------------------------------------------------------------- */

struct bus_op;

struct bus_reply {
    struct err err;
    uint64_t
        seq; /* of a publish: where it was stored; of a read: the last message's, 0 if none */
    int64_t value;        /* of a counter */
    struct bus_msg *msgs; /* answers, linked by next, freed after `next` returns */
    size_t count;
    bool more;         /* a read was cut by its limit: go on from seq + 1 */
    struct bytes body; /* of a request or of an API call; points into msgs */
    const char *text;  /* of a refusal: the server's words; "" else */
};

/* What comes next.  A failure it returns ends the op with it. */
typedef struct err bus_next_fn(struct bus_op *op, const struct bus_reply *reply);
/* The end of the chain, exactly once; the op's owner may free it here. */
typedef void bus_end_fn(struct bus_op *op, struct err e);

/*
 * An op is a chain with one owner, one deadline, one end; embed it first.  At most one call is
 * outstanding.  `next` is called exactly once per call, on the loop, in a later turn.  A `next` that
 * neither calls, nor ends, leaves the op parked: its owner goes on later by calling again.
 */
struct bus_op {
    uint32_t magic; /* the owner's, for SELF() */
    uint8_t state;  /* from here on the bus's */
    uint8_t inner;  /* not counted: a part of something that stands for ever */
    struct bus *bus;
    bus_end_fn *end;
    bus_next_fn *next;
    const char *what;
    uint64_t deadline; /* monotonic ms; 0: none */
    uint64_t until;    /* the same of the outstanding call */
    struct heap_node timer;
    struct list link;
    uint32_t slot; /* 1-based; 0: none */
    struct err result;
    struct bus_part *part; /* what the outstanding call has gathered so far */
};

/* deadline_ms: from now, 0: none; over it the op ends UNKNOWN, whatever it was doing.  what: a constant
   name of the chain, for logs and lint.  An ended op may be started anew. */
void bus_op_start(struct bus *bus, struct bus_op *op, uint32_t magic, const char *what,
                  uint64_t deadline_ms, bus_end_fn *end);
void bus_op_deadline(struct bus_op *op, uint64_t deadline_ms); /* anew, from now; 0: none */

/* End me: from `next` (return bus_op_done(op)) or, when parked, from anywhere; `end` comes in the
   bus's own turn.  Ending an op with a call outstanding drops that call's answer. */
struct err bus_op_done(struct bus_op *op);
struct err bus_op_fail(struct bus_op *op, struct err e);
bool bus_op_parked(const struct bus_op *op);
bool bus_op_living(const struct bus_op *op);

/* All calls return OK: `return bus_publish(…, next);` reads as "and then". */

/* Nothing to ask: `next` in a later turn, after ms.  Also how an op that is woken from outside goes on. */
struct err bus_wait(struct bus_op *op, uint64_t ms, bus_next_fn *next);

enum { BUS_TTL_NONE = 0 };
#define BUS_ANY UINT64_MAX

struct bus_expect {
    uint64_t seq; /* last sequence of the subject; 0: there is none; BUS_ANY: not asked */
    const char
        *subject;   /* of this subject or wildcard instead of the message's own; NULL: own */
    uint32_t ttl_s; /* the message lives that long; 0: for ever */
};

/*
 * Stores a message in the stream that listens.  OK: reply->seq (and value, for counters).
 * CONFLICT 10071: the expectation is not met (10164: somebody else is in flight: RETRY).
 * FULL 10077 and the like: the stream's or the subject's limit (reply->text tells which).
 * RETRY: not connected, no stream listens.  UNKNOWN: no answer.  expect NULL: none.
 */
struct err bus_publish(struct bus_op *op, const struct bus_out *out,
                       const struct bus_expect *expect, bus_next_fn *next);

/* Core request.  One answer in reply->msgs, reply->body.  ABSENT: nobody listens.  timeout_ms 0: the bus's. */
struct err bus_request(struct bus_op *op, const struct bus_out *out, uint32_t timeout_ms,
                       bus_next_fn *next);

/* Messages of one subject (or wildcard) of a stream, from sequence `from` (0: the first), at most
   `max` of them (0: 256, at most 1024) and about 16 MiB; reply->msgs in order, reply->more.  An empty
   answer is OK with count 0; one of which a part was lost is UNKNOWN, never short.
   leader: ask the stream's leader one by one, a round trip each, never a follower. */
struct bus_read {
    const char *stream;
    const char *subject;
    uint64_t from;
    uint32_t max;
    bool leader;
};
struct err bus_read(struct bus_op *op, const struct bus_read *read, bus_next_fn *next);

/* The last message of a literal subject; ABSENT if there is none. */
struct err bus_get_last(struct bus_op *op, const char *stream, const char *subject,
                        bus_next_fn *next);

/* The message with this sequence; ABSENT if there is none. */
struct err bus_get_seq(struct bus_op *op, const char *stream, uint64_t seq, bus_next_fn *next);

/* A call of the JetStream API ("STREAM.INFO.SLUICE_JOBS", body or ""), answered with its JSON in reply->body;
   an error in it is translated (404: ABSENT, 10071: CONFLICT, …).  UNKNOWN also if there is no such call. */
struct err bus_api(struct bus_op *op, const char *call, struct bytes body, bus_next_fn *next);

/* Purges a subject up to and including a sequence (0: all). */
struct err bus_purge(struct bus_op *op, const char *stream, const char *subject, uint64_t upto,
                     bus_next_fn *next);

/* Core publish without an answer: hints, status, replies.  False: not connected, nothing was sent. */
bool bus_send(struct bus *bus, const struct bus_out *out);
/* The same with a reply subject. */
bool bus_send_from(struct bus *bus, const struct bus_out *out, const char *reply);

/* ---- streams ------------------------------------------------------------------------------- */

/* Creates the stream or changes it to this configuration (the JSON of STREAM.CREATE, rendered by
   wire_stream); one that is there keeps its first_seq, or none.  REJECT: it cannot be made so; reply->text says why. */
struct err bus_stream_make(struct bus_op *op, const char *name, struct bytes config,
                           bus_next_fn *next);

/* ---- key-value (a bucket is the stream KV_<bucket>) ---------------------------------------------- */

/* reply->body: the value, reply->seq: its revision.  ABSENT: never there, deleted or expired; seq is then
   the marker's revision, or 0: what a create must expect. */
struct err bus_kv_get(struct bus_op *op, const char *bucket, const char *key,
                      bus_next_fn *next);
/* expect.seq: revision read (0: create), BUS_ANY: whatever is there.  expect.ttl_s as given: a plain
   update drops a key's TTL, so say it again.  CONFLICT: somebody wrote since. */
struct err bus_kv_put(struct bus_op *op, const char *bucket, const char *key,
                      struct bytes value, const struct bus_expect *expect, bus_next_fn *next);
/* A delete marker, expecting a revision (BUS_ANY: none). */
struct err bus_kv_delete(struct bus_op *op, const char *bucket, const char *key,
                         uint64_t revision, bus_next_fn *next);
/* From a message of a follow over a bucket: the key, or NULL; whether it is a deletion or expiry. */
const char *bus_kv_key(const struct bus_msg *msg);
bool bus_kv_gone(const struct bus_msg *msg);

/* ---- objects (SLUICE artifacts; the object store's chunk and meta protocol, ADR-20) ---------------- */

/* body must live until `next`; a name of up to 180 bytes replaces what it named before.  RETRY: there
   is no such store. */
struct err bus_object_put(struct bus_op *op, const char *bucket, const char *name,
                          struct bytes body, const char *description, bus_next_fn *next);

/* ---- what comes in --------------------------------------------------------------------------- */

/* Takes *msg over if it nulls it; else the bus frees it after the call. */
typedef void bus_msg_fn(void *self, struct bus_msg **msg);

struct bus_sub;

/* Core subscription; queue NULL: everybody hears it.  Stands for ever, through reconnects. */
MUST_USE struct err bus_subscribe(struct bus *bus, const char *subject, const char *queue,
                                  bus_msg_fn *fn, void *self, struct bus_sub **ret);
/* From now on fn is not called any more: what was delivered and not handled yet is dropped. */
void bus_unsubscribe(struct bus_sub **sub);
/* Asks the server for no more; what it sent before is still handed to fn: of a queue group nobody else would ever
   hear it.  Drained: all that is through, or there is no connection over which it could come. */
void bus_sub_drain(struct bus_sub *sub);
bool bus_sub_drained(const struct bus_sub *sub);

/*
 * A follower: an ordered, gap-free reading of a stream, from a sequence or the first, for ever.
 * It makes and remakes its own ephemeral consumer; a message is seen once, in order.
 */
struct bus_follow {
    const char *stream;
    const char *filter; /* subject or wildcard */
    uint64_t from;      /* 0: the first */
    bool headers_only;
    bool last_per_subject; /* start with the last of each subject (buckets) */
    bool only_new;         /* start with what comes after now */
    bus_msg_fn *on_msg;
    void (*on_caught_up)(
        void *self); /* once, when all that was there at first is through; may be NULL */
    /* The stream was made anew (its sequences began again or it vanished): what was learned is void;
       the follow starts over by itself, from its first message, and on_caught_up will come once more.
       May be NULL. */
    void (*on_anew)(void *self);
    void *self;
};
struct bus_follower;
MUST_USE struct err bus_follow(struct bus *bus, const struct bus_follow *follow,
                               struct bus_follower **ret);
void bus_follow_end(struct bus_follower **follower);
uint64_t bus_follow_seq(const struct bus_follower *follower); /* the last sequence seen */
/* All that was there at first (or when it was made anew) is through. */
bool bus_follow_caught_up(const struct bus_follower *follower);

/*
 * A consumer that hands out leases: a durable pull consumer somebody made.  It pulls as many as
 * there is room for; what is delivered must be settled or leased on by the owner.
 */
struct bus_consume {
    const char *stream;
    const char *consumer;
    bus_msg_fn *on_msg;
    /* The connection was lost, a delivery was skipped (consumer sequence), or the consumer is gone:
       what was delivered before may be given again.  Pulling goes on by itself.  May be NULL. */
    void (*on_gap)(void *self, const char *why);
    bool
        alone; /* nobody else pulls from it: a hole in the consumer's sequence is a lost delivery */
    void *self;
};
struct bus_consumer;
MUST_USE struct err bus_consume(struct bus *bus, const struct bus_consume *consume,
                                struct bus_consumer **ret);
/* How many more may come from now on: an absolute number, which each delivery lowers by one.  0: stop
   pulling; the outstanding pull is left to expire (5 s), so a few may still come.  BUS_ROOM_ANY is never
   used up. */
#define BUS_ROOM_ANY UINT32_MAX
void bus_consumer_room(struct bus_consumer *consumer, uint32_t room);
void bus_consumer_free(struct bus_consumer **consumer);

/* Makes or updates a durable pull consumer; config: the JSON of the consumer's "config" object (its
   name is added if it is not in there). */
struct err bus_consumer_make(struct bus_op *op, const char *stream, const char *consumer,
                             struct bytes config, bus_next_fn *next);
struct err bus_consumer_delete(struct bus_op *op, const char *stream, const char *consumer,
                               bus_next_fn *next);

/* ---- settling deliveries --------------------------------------------------------------------- */

/* Tickets, intake, configuration: what became of e decides (ack, nak with delay, term, nothing). */
void bus_settle(struct bus *bus, struct bus_msg **msg, struct err e);

/* Jobs are leases and know two verbs; all else leaves them unanswered.  `acks`: the reply of the
   delivery, copied by the owner.  ack: `freed` (may be NULL) is the subject on which the server tells a third
   party, after processing it.  release: -NAK after RELEASED landed. */
void bus_lease_ack(struct bus *bus, const char *acks, const char *freed);
void bus_lease_release(struct bus *bus, const char *acks, uint64_t delay_ms);
/* +WPI, confirmed: OK means the server heard it, and no more than that. */
struct err bus_lease_beat(struct bus_op *op, const char *acks, bus_next_fn *next);
/* A plain +ACK to a ticket by its reply subject, for those held as text only. */
void bus_ack(struct bus *bus, const char *acks);

/* ---- answering requests ---------------------------------------------------------------------- */

/* Answers a request; nothing if it has no reply subject.  headers may be NULL. */
void bus_answer(struct bus *bus, const struct bus_msg *request, struct bytes body,
                const struct bus_header *headers, size_t header_count);

#endif
