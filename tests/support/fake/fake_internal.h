/*
 * fake_internal - what the files of the fake bus know of each other.
 *
 * fake_server is JetStream: streams, consumers, acks.  fake_op is the clients' side: ops and their
 * answers.  fake_hurt is the script: which answer is hurt, and how.  fake_bus joins them: connections, subscriptions, followers, consumers.
 */
#ifndef SUPPORT_FAKE_FAKE_INTERNAL_H
#define SUPPORT_FAKE_FAKE_INTERNAL_H

#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/str.h"
#include "fake.h"

enum {
    FAKE_BUS_MAGIC = 0x66616b65,
    FAKE_LISTENERS = 16,
    FAKE_SUBJECT   = 512,
    FAKE_TEXT      = 128,
    FAKE_STANDING  = 7
};

struct bus {
    uint32_t magic;
    struct list link;
    struct bus_config config;
    unsigned id;
    bool connected, freeing, spared;
    bool stirred; /* something came since its last turn */
    uint64_t connected_at,
        back_at; /* back_at: a cut connection returns then; 0: not by itself */
    uint64_t frozen_until, burst_at; /* burst_at: the last turn */
    struct list ops, subs, followers, consumers;
    struct {
        bus_state_fn *on_state;
        bus_burst_fn *on_burst;
        void *self;
    } listeners[FAKE_LISTENERS];
    unsigned listener_count;
    struct bus_counts counts;
};

/* The world. */
struct fake {
    uint64_t now, step_ms;
    uint64_t (*on_time)(const struct bus *bus); /* NULL: every step counts */
    uint64_t changes;                           /* of what is stored */
    int64_t wall_base;
    uint64_t random;
    struct list buses;
    struct list streams;
    struct list events;
    unsigned ids;
    uint32_t generation;
    struct fake_hurt hurt;
    unsigned counted, standing[FAKE_STANDING];
    bool counting, hurt_done;
    char hurt_what[256];
};
extern struct fake fake;

/* ---- fake_server: streams ---------------------------------------------------------------------- */

struct fake_msg {
    char *subject;
    struct bus_header *headers;
    size_t header_count;
    uint8_t *body;
    size_t len;
    uint64_t seq;
    int64_t stored_ms;
    uint64_t expires; /* monotonic ms; 0: never */
};

struct fake_stream {
    struct list link;
    char *name, *config;
    char *subjects[4];
    size_t subject_count;
    bool queue, discard_new, allow_ttl;
    uint64_t max_msgs, history, limit; /* UINT64_MAX: none */
    uint64_t marker_ttl_ms;
    unsigned generation;
    char *republish; /* the destination; NULL: none */
    struct fake_msg **msgs;
    size_t count, room;
    uint64_t last_seq, changed;
    struct list consumers;
};

/* A lease that is out. */
struct fake_lease {
    struct list link;
    uint64_t seq, due;
    uint32_t deliveries;
    bool again; /* to be given again at once, or when due */
};

struct fake_consumer {
    struct list link;
    struct fake_stream *stream;
    char *name, *filter, *config;
    uint64_t ack_wait_ms, next_seq, seq; /* seq: of the consumer */
    struct list leases;
    unsigned last; /* the bus that was given the last delivery */
};

bool fake_match(const char *filter, const char *subject);
struct fake_stream *fake_stream_find(const char *name);
struct fake_stream *fake_stream_of(const char *subject); /* which listens */
struct fake_msg *fake_stream_seq(const struct fake_stream *s, uint64_t seq);
struct fake_msg *fake_stream_last(const struct fake_stream *s, const char *subject);
/* The first with this subject and a sequence of at least `from`. */
struct fake_msg *fake_stream_next(const struct fake_stream *s, const char *subject,
                                  uint64_t from);
/* Checks, stores.  text: of a refusal. */
struct err fake_stream_store(const struct bus_out *out, const struct bus_expect *expect,
                             uint64_t *ret_seq, const char **ret_text);
void fake_stream_remove(struct fake_stream *s, uint64_t seq);
uint64_t fake_stream_purge(struct fake_stream *s, const char *subject, uint64_t upto);
struct fake_consumer *fake_consumer_find(const struct fake_stream *s, const char *name);
/* What is to be delivered next, counted as delivered; NULL: nothing is. */
struct bus_msg *fake_consumer_next(struct fake_consumer *c);
void fake_ack(const char *acks, struct bytes what, const char *reply);
/* STREAM.… and CONSUMER.…: its JSON in *ret (mem_free). */
struct err fake_api(const char *call, struct bytes body, char **ret);
void fake_server_expire(void);
uint64_t
fake_server_due(void); /* when something expires or is given again; UINT64_MAX: never */
void fake_server_free(void);

/* ---- fake_bus: messages and routes ---------------------------------------------------------------- */

struct bus_msg *fake_msg_copy(const struct fake_msg *m, bool headers_only);
struct bus_msg *fake_msg_new(const char *subject, const char *reply, struct bytes body,
                             const struct bus_header *headers, size_t header_count);
/* To everybody who listens.  Returns how many. */
unsigned fake_route(const char *subject, const char *reply, struct bytes body,
                    const struct bus_header *headers, size_t header_count);
bool fake_pump(void); /* followers and consumers; false: nothing to deliver */
void fake_cut(struct bus *bus);
bool fake_frozen(const struct bus *bus);

/* ---- fake_hurt: the script ------------------------------------------------------------------------- */

/* What an answer is to: it decides which ways to hurt it make a difference. */
enum fake_sort {
    FAKE_PUBLISH,
    FAKE_WRITE, /* another that changes something */
    FAKE_READ,
    FAKE_REQUEST, /* of core NATS */
    FAKE_DELIVERY,
    FAKE_SETTLE,
};

/* Counts one more and says how it is to be hurt. */
enum fake_how fake_hurt_next(const struct bus *bus, enum fake_sort sort, const char *chain,
                             const char *what, const char *subject);

/* ---- fake_op ------------------------------------------------------------------------------------- */

bool fake_events_run(void);
void fake_inbox(const char *subject, struct bytes body, const struct bus_header *headers,
                size_t header_count);
/* A message for a subscription, in a later turn. */
void fake_post(unsigned sub, struct bus *bus, struct bus_msg *msg);
void fake_sub_deliver(struct bus *bus, unsigned sub, struct bus_msg *msg);
bool fake_ops_due(struct bus *bus);
uint64_t fake_ops_next(const struct bus *bus); /* when the next one is due; UINT64_MAX: none */
uint64_t fake_events_next(void);
void fake_ops_lost(struct bus *bus);
void fake_ops_end(struct bus *bus);

#endif
