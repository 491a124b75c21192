/*
 * judge - what the grant log says, counted by somebody else: it follows the stream from its first
 * message, batch by batch, and looks after each record whether a limit was exceeded.
 */
#ifndef TESTS_LIMITER_JUDGE_H
#define TESTS_LIMITER_JUDGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "wire/wire_permit.h"
#include "world.h"

enum { JUDGE_OUT = 4096, JUDGE_SESSIONS = 1024, JUDGE_GRANTS = 1 << 20, JUDGE_SID = 77 };

struct judge_held {
    char id[ID_SIZE];
    bool in_flight;
};

struct judge {
    uint32_t per_s, burst, in_flight, sessions; /* the limits; 0: not looked at */
    struct judge_held out[JUDGE_OUT];
    size_t out_count, in_flight_now, in_flight_most;
    char session[JUDGE_SESSIONS][ID_SIZE + 1];
    size_t session_count, session_most;
    uint64_t *at; /* of each grant of rate */
    size_t grants, returns, most_in_1s;
    uint64_t epochs[64], seq, batches;
    size_t epoch_count, snapshots;
    size_t unseen; /* messages that a rollup removed before they were delivered */
    bool broken, gap;
};

static inline void judge_init(struct judge *j)
{
    memset(j, 0, sizeof(*j));
    j->at = calloc(JUDGE_GRANTS, sizeof(*j->at));
}

static inline struct judge_held *judge_find(struct judge *j, const char *id)
{
    for (size_t n = 0; n < j->out_count; n++)
        if (strcmp(j->out[n].id, id) == 0)
            return &j->out[n];
    return NULL;
}

static inline int judge_session(const struct judge *j, const char *session)
{
    for (size_t n = 0; n < j->session_count; n++)
        if (strcmp(j->session[n], session) == 0)
            return (int)n;
    return -1;
}

static inline void judge_look(struct judge *j, const char *what, size_t now, size_t limit)
{
    if (limit == 0 || now <= limit || j->broken)
        return;
    fprintf(stderr, "judge: %zu %s, %zu are allowed, at seq %llu\n", now, what, limit,
            (unsigned long long)j->seq);
    j->broken = true;
}

static inline void judge_open(struct judge *j, const char *session)
{
    if (session[0] && judge_session(j, session) < 0)
        snprintf(j->session[j->session_count++], sizeof(j->session[0]), "%s", session);
    if (j->session_most < j->session_count)
        j->session_most = j->session_count;
    judge_look(j, "sessions", j->session_count, j->sessions);
}

static inline void judge_grant(struct judge *j, const struct grant_record *r, bool snapshot)
{
    struct judge_held *h = judge_find(j, r->id);

    if (!h) {
        if (j->out_count == JUDGE_OUT)
            fail_now("the judge has no room");
        h = &j->out[j->out_count++];
        snprintf(h->id, sizeof(h->id), "%s", r->id);
        h->in_flight = r->in_flight;
        j->in_flight_now += r->in_flight;
    }
    judge_open(j, r->session_open ? r->session : "");
    if (j->in_flight_most < j->in_flight_now)
        j->in_flight_most = j->in_flight_now;
    judge_look(j, "calls in flight", j->in_flight_now, j->in_flight);
    if (r->rate && !snapshot)
        j->at[j->grants++] = r->at_ms;
}

static inline void judge_record(struct judge *j, const struct grant_record *r, bool snapshot)
{
    struct judge_held *h = NULL;
    int n                = -1;

    switch (r->op) {
    case GRANT_GRANT:
        judge_grant(j, r, snapshot);
        return;
    case GRANT_RETURN:
        h = judge_find(j, r->id);
        if (!h)
            return;
        j->returns++;
        j->in_flight_now -= h->in_flight;
        *h = j->out[--j->out_count];
        return;
    case GRANT_SESSION_END:
        n = judge_session(j, r->session);
        if (n >= 0)
            memcpy(j->session[n], j->session[--j->session_count], sizeof(j->session[0]));
        return;
    case GRANT_SESSION:
        judge_open(j, r->session);
        return;
    case GRANT_NONE:
    case GRANT_MODE:
    case GRANT_INCIDENT:
        return;
    }
}

/* One stored batch, in the order of the stream. */
static inline void judge_batch(struct judge *j, const struct nc_msg *m)
{
    struct arena *arena = arena_new();
    struct grant_batch b;
    unsigned long long seq = 0;

    if (sscanf(m->reply, "$JS.ACK.SLUICE_GRANTS.%*[^.].%*[^.].%llu.", &seq) != 1)
        fail_now("this is no delivery");
    if (failed(wire_read_grant_batch(&b, bytes_of(m->body, m->len), arena)))
        fail_now("a batch cannot be read");
    if (seq != j->seq + 1) {
        j->gap = j->gap || !b.snapshot;
        j->unseen += seq - j->seq - 1;
        j->out_count = j->in_flight_now = j->session_count = 0;
    }
    j->seq = seq;
    if (j->epoch_count == 0 || j->epochs[j->epoch_count - 1] != b.epoch)
        j->epochs[j->epoch_count++] = b.epoch;
    j->batches++;
    j->snapshots += b.snapshot;
    for (size_t n = 0; n < b.count; n++)
        judge_record(j, &b.records[n], b.snapshot);
    arena_free(&arena);
}

/* From the message behind the last that was seen.  The answer is not waited for: deliveries may come
   before it.  An earlier consumer may live on: it has another subject. */
static inline void judge_follow(const struct judge *j, struct nc *nc)
{
    static int count;
    char body[400], subject[64];

    snprintf(subject, sizeof(subject), "judge.grants.%d", ++count);
    snprintf(body, sizeof(body),
             "{\"stream_name\":\"SLUICE_GRANTS\",\"config\":{\"deliver_subject\":\"%s\","
             "\"deliver_policy\":\"by_start_sequence\",\"opt_start_seq\":%llu,"
             "\"ack_policy\":\"none\",\"replay_policy\":\"instant\"}}",
             subject, (unsigned long long)j->seq + 1);
    nc_sub(nc, subject, JUDGE_SID);
    nc_pub(nc, "$JS.API.CONSUMER.CREATE.SLUICE_GRANTS", "judge.created", body, strlen(body));
    nc_flush(nc);
}

static inline int judge_compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* At the end: the rate in every second. */
static inline bool judge_verdict(struct judge *j)
{
    size_t from = 0;

    qsort(j->at, j->grants, sizeof(*j->at), judge_compare);
    for (size_t to = 0; to < j->grants; to++) {
        while (j->at[to] - j->at[from] >= 1000)
            from++;
        if (to - from + 1 > j->most_in_1s)
            j->most_in_1s = to - from + 1;
    }
    if (j->per_s > 0)
        judge_look(j, "grants in a second", j->most_in_1s, j->per_s + j->burst);
    printf("judge: %zu grants, %zu returns in %llu batches (%zu unseen) of %zu leaders, %zu "
           "snapshots; "
           "most in flight %zu, sessions %zu, in a second %zu\n",
           j->grants, j->returns, (unsigned long long)j->batches, j->unseen, j->epoch_count,
           j->snapshots, j->in_flight_most, j->session_most, j->most_in_1s);
    free(j->at);
    return !j->broken;
}

#endif
