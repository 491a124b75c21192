/*
 * bus_internal - what the files of this room know of each other.
 *
 * A *call* is what the owner of an op asked for; it ends with one `next`.  A *hop* is one message and
 * its answers; most calls are one hop, some are several.  A *slot* is where the answers of a hop find
 * their op: its number and generation stand in the reply subject.  A *part* is what a call of several
 * hops or answers keeps between them.
 */
#ifndef BUS_BUS_INTERNAL_H
#define BUS_BUS_INTERNAL_H

#include <uv.h>

#include "base/mem.h"
#include "bus/bus.h"
#include "bus/bus_nats.h"

enum {
    BUS_REPLY_MS     = 5000,
    BUS_TEXT_SIZE    = 256, /* of the server's words in a refusal */
    BUS_REPLY_SIZE   = 96,  /* of a reply subject of ours */
    BUS_SUBJECT_SIZE = 512,
};

/* ---- ops (bus_op.c) -------------------------------------------------------------------------- */

enum bus_op_state {
    BUS_OP_NEW = 0,
    BUS_OP_PARKED,
    BUS_OP_RUNNING, /* in its `next` */
    BUS_OP_CALLING, /* a hop is out */
    BUS_OP_WAITING, /* for a time */
    BUS_OP_LATER,   /* its result is there and waits for the next turn */
    BUS_OP_ENDING,  /* so does its end */
    BUS_OP_ENDED,
};

struct bus_ops {
    struct list idle;  /* living, nothing to do in the next turn */
    struct list later; /* LATER and ENDING */
    struct heap timers;
    uv_idle_t turn; /* runs while there is something for the next turn */
    uv_timer_t timer;
    uint64_t timer_at; /* UINT64_MAX: not set */
    size_t count;
};

void bus_op_start_inner(struct bus *bus, struct bus_op *op, uint32_t magic, const char *what,
                        bus_end_fn *end);

/* Its deadline or its call's is sooner than the timer knows. */
void bus_op_arm(struct bus_op *op);
/* Begins a call; must() that none is outstanding. */
void bus_op_call(struct bus_op *op, bus_next_fn *next);
/* The call is over: `next` with this reply, now.  Takes the messages over.  Not from inside a
   caller's call. */
void bus_op_reply(struct bus_op *op, struct bus_reply *reply);
/* The same with nothing but an error. */
void bus_op_reply_err(struct bus_op *op, struct err e);
/* The same in the next turn.  Always OK. */
struct err bus_op_later(struct bus_op *op, struct err e);
/* Drops the outstanding call or wait, if there is one: the op is parked. */
void bus_op_recall(struct bus_op *op);

/* ---- slots and hops (bus_hop.c) -------------------------------------------------------------- */

/* An answer came.  Ends the call, or asks again, or waits for more. */
typedef void bus_hop_fn(struct bus_op *op, struct bus_msg **msg);

/* First member of what a call keeps; freed by its own function when the call ends however. */
struct bus_part {
    void (*free)(struct bus_part *part);
};

struct bus_slot {
    struct bus_op *op; /* NULL: free */
    bus_hop_fn *on_answer;
    uint32_t generation;
    uint32_t next_free; /* 1-based */
};

struct bus_slots {
    struct bus_slot *at;
    uint32_t count, room, first_free;
    uint64_t late;
    struct bus_nats_sub *sub;
};

void bus_hop_init(struct bus *bus);
void bus_hop_deinit(struct bus *bus);

/*
 * Sends one message of the op's call; on_answer hears the answers until the call ends or the next hop
 * begins.  ms 0: the bus's reply_ms.  What cannot be sent ends the call: in the next turn.  Always OK.
 */
struct err bus_hop(struct bus_op *op, const struct bus_out *out, const struct bus_header *more,
                   size_t more_count, uint32_t ms, bus_hop_fn *on_answer);

/* In pieces, for hops of several messages: the reply subject of a fresh slot … */
MUST_USE struct err bus_hop_open(struct bus_op *op, uint32_t ms, bus_hop_fn *on_answer,
                                 char reply[BUS_REPLY_SIZE]);
/* … and a new lease of time for it. */
void bus_hop_extend(struct bus_op *op, uint32_t ms);
/* Gives the slot back: whatever answers from now on is late. */
void bus_hop_close(struct bus_op *op);
/* The connection is gone: every hop that is out ends with UNKNOWN. */
void bus_hop_lost(struct bus *bus);

/* ---- the bus (bus.c) ------------------------------------------------------------------------- */

enum { BUS_MAGIC = 0x62757321, BUS_LISTENERS = 8 };

struct bus_listener {
    bus_state_fn *on_state;
    bus_burst_fn *on_burst;
    void *self;
};

struct bus {
    uint32_t magic;
    uv_loop_t *loop;
    struct bus_nats *nats;
    struct bus_ops ops;
    struct bus_slots slots;
    struct list followers, consumers, subs;
    struct bus_listener listeners[BUS_LISTENERS];
    unsigned listener_count;
    uint32_t reply_ms;
    uint64_t connected_at;
    unsigned handles; /* still open, at the end */
    bool freeing;
};

/* Something happened on the loop: whoever wants to act once on many may do it now. */
void bus_burst(struct bus *bus);

void bus_op_init(struct bus *bus);
void bus_op_end_all(struct bus *bus); /* now, in the caller's turn */
void bus_op_deinit(struct bus *bus);
void bus_handle_closed(uv_handle_t *handle);

void bus_follow_state(struct bus *bus, bool connected);
void bus_consume_state(struct bus *bus, bool connected);

/* ---- JetStream API (bus_api.c) ---------------------------------------------------------------- */

/* One hop to $JS.API.<call>, within a call. */
struct err bus_api_hop(struct bus_op *op, const char *call, struct bytes body,
                       bus_hop_fn *on_answer);
/* What an API answer means; text gets the server's words, "" else.  An answer without error: OK. */
struct err bus_api_error(const struct bus_msg *msg, const char *what, char text[BUS_TEXT_SIZE]);
/* The usual end of a call of one API hop: the answer, or its error, to `next`. */
void bus_api_answer(struct bus_op *op, struct bus_msg **msg);
/* "fmt" as a call name; must() fit. */
const char *bus_api_name(char at[BUS_SUBJECT_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The name of a stream, a consumer, a bucket: a token and no wildcard. */
bool bus_api_token(const char *name);

/* ---- publishing (bus_publish.c) ---------------------------------------------------------------- */

/* The answer to something stored ends the call. */
void bus_publish_answer(struct bus_op *op, struct bus_msg **msg);
/* Reads a PubAck or a status: the error and reply->seq, value; text as above. */
struct err bus_publish_read(const struct bus_msg *msg, struct bus_reply *ret,
                            char text[BUS_TEXT_SIZE]);

/* ---- reading (bus_read.c) ---------------------------------------------------------------------- */

/* The answer to a direct get of one message: taken over if it is one. */
struct err bus_read_one(struct bus_msg **msg, struct bus_reply *ret);

#endif
