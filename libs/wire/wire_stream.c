#include "wire/wire_stream.h"

#include <inttypes.h>
#include <stdbool.h>

#include "base/must.h"
#include "base/str.h"
#include "wire/subject.h"

enum kind { STREAM, QUEUE, BUCKET, OBJECTS };
enum { DISCARD_OLD = 0, DISCARD_NEW = 1 };

enum {
    ALLOW_ATOMIC = 1, /* batches: a spawn writes many journals at once */
    ALLOW_ROLLUP = 2,
    ALLOW_TTL    = 4, /* per message, and a marker where it was */
    AGES         = 8, /* max_age is the retention */
    REPUBLISH    = 16,
    NEVER_AGAIN  = 32, /* made anew it must not count from one again: its sequences are names */
};

struct stream {
    enum kind kind;
    const char *name; /* of a bucket or an object store: the bucket's */
    const char *stream;
    const char *subjects; /* as JSON; of STREAM and QUEUE */
    unsigned flags;
    int discard;
    unsigned history;   /* of a bucket */
    int64_t max_msgs;   /* 0: no limit */
    uint64_t share_mib; /* of WIRE_STORE_BYTES; 0: no limit */
    const char *description;
    const char *look;
};

#define KV(bucket) \
    .kind = BUCKET, .name = (bucket), .stream = "KV_" bucket, .discard = DISCARD_NEW
#define OBJ(bucket) \
    .kind = OBJECTS, .name = (bucket), .stream = "OBJ_" bucket, .discard = DISCARD_NEW
#define S(stream_name) .name = (stream_name), .stream = (stream_name)

/*
 * Who is full refuses (discard new) where a lost message would be a lost run or slot; results, dead
 * letters and alerts have been said once and make room (discard old).
 *
 * Shares: a ticket is some 250 bytes stored, a job 300, a batch of grants 200 (and a snapshot
 * replaces them); a run of ten steps takes 5 to 10 KB of journal.
 */
static const struct stream STREAMS[] = {
    {
        .kind = STREAM,
        S(STREAM_JOURNAL),
        .subjects    = "\"" SUBJECT_JOURNAL_ALL "\"",
        .flags       = ALLOW_ATOMIC | AGES | REPUBLISH,
        .discard     = DISCARD_NEW,
        .share_mib   = 1536,
        .description = "the state: every entry of every run, one subject a run",
        .look        = "nats stream view SLUICE_JOURNAL --translate 'sluice decode'",
    },
    {
        .kind = QUEUE,
        S(STREAM_PENDING),
        .subjects    = "\"" SUBJECT_PENDING_ALL "\"",
        .flags       = NEVER_AGAIN,
        .discard     = DISCARD_NEW,
        .max_msgs    = WIRE_PENDING_MAX,
        .share_mib   = 512,
        .description = "who waits, by shard, lane and tenant; woken runs under again",
        .look        = "nats stream subjects SLUICE_PENDING",
    },
    {
        .kind = QUEUE,
        S(STREAM_JOBS),
        .subjects    = "\"" SUBJECT_JOBS_ALL "\"",
        .flags       = NEVER_AGAIN,
        .discard     = DISCARD_NEW,
        .share_mib   = 64,
        .description = "who is admitted: one subject a slot, tenant.slot.pool",
        .look        = "nats stream subjects SLUICE_JOBS --names",
    },
    {
        .kind = STREAM,
        S(STREAM_RESULTS),
        .subjects    = "\"" SUBJECT_RESULT_ALL "\"",
        .flags       = AGES,
        .discard     = DISCARD_OLD,
        .share_mib   = 384,
        .description = "one JSON message for each run that ended",
        .look        = "nats stream view SLUICE_RESULTS",
    },
    {
        .kind = STREAM,
        S(STREAM_DEAD),
        .subjects    = "\"" SUBJECT_DEAD_ALL "\"",
        .flags       = AGES,
        .discard     = DISCARD_OLD,
        .share_mib   = 64,
        .description = "what a person must look at: lost too often, indeterminate, unreadable",
        .look        = "nats stream subjects SLUICE_DEAD",
    },
    {
        .kind = STREAM,
        S(STREAM_GRANTS),
        .subjects = "\"" SUBJECT_GRANTS_ALL "\"",
        .flags    = ALLOW_ROLLUP,
        .discard  = DISCARD_OLD, /* a full stream that refuses would refuse the snapshot, too */
        .share_mib   = 64,
        .description = "the limiter's memory: what it granted since its last snapshot",
        .look        = "nats stream view SLUICE_GRANTS --translate 'sluice decode'",
    },
    {
        .kind = STREAM,
        S(STREAM_ALERTS),
        .subjects    = "\"" SUBJECT_ALERT_ALL "\"",
        .flags       = AGES,
        .discard     = DISCARD_OLD,
        .share_mib   = 16,
        .description = "one message for each incident, and one when it ends",
        .look        = "nats stream view SLUICE_ALERTS",
    },
    {
        KV(BUCKET_TENANTS),
        .history     = 16,
        .description = "tenants and tiers (JSON)",
        .look        = "nats kv ls sluice_tenants",
    },
    {
        KV(BUCKET_UPSTREAMS),
        .history     = 16,
        .description = "upstreams: where, how fast, how many (JSON)",
        .look        = "nats kv ls sluice_upstreams",
    },
    {
        KV(BUCKET_FLOWS),
        .history     = 64,
        .description = "flows by name, with their versions (JSON)",
        .look        = "nats kv ls sluice_flows",
    },
    {
        KV(BUCKET_SESSIONS),
        .flags       = ALLOW_TTL,
        .history     = 1,
        .description = "browser sessions, tenant.session (JSON); closed ones expire",
        .look        = "nats kv ls sluice_sessions",
    },
    {
        KV(BUCKET_LOCKS),
        .flags       = ALLOW_TTL,
        .history     = 1,
        .description = "who holds a lock, tenant.lock; free ones expire",
        .look        = "nats kv ls sluice_locks",
    },
    {
        KV(BUCKET_POOLS),
        .history     = 16,
        .description = "pools: paused, service level (JSON)",
        .look        = "nats kv ls sluice_pools",
    },
    {
        KV(BUCKET_LEADERS),
        .flags   = ALLOW_TTL | NEVER_AGAIN,
        .history = 1, /* more, and the server raises a key's TTL to that of the marker */
        .description =
            "who leads; the revision is the epoch, the key lives as long as the lead",
        .look = "nats kv ls sluice_leaders",
    },
    {
        OBJ(BUCKET_ARTIFACTS),
        .flags       = AGES,
        .share_mib   = 384,
        .description = "screenshots, bundles of failures, large results",
        .look        = "nats object ls sluice_artifacts",
    },
};

enum { STREAMS_COUNT = sizeof(STREAMS) / sizeof(*STREAMS) };

size_t wire_stream_count(void)
{
    return STREAMS_COUNT;
}

const char *wire_stream_name(size_t n)
{
    must(n < STREAMS_COUNT);
    return STREAMS[n].stream;
}

#define NS_PER_MS UINT64_C(1000000)
#define MINUTE_MS UINT64_C(60000)
#define RETENTION_MS (UINT64_C(7) * 24 * 60 * MINUTE_MS)

static void add_subjects(const struct stream *s, struct buf *to)
{
    switch (s->kind) {
    case STREAM:
    case QUEUE:
        buf_printf(to, ",\"subjects\":[%s]", s->subjects);
        return;
    case BUCKET:
        buf_printf(to, ",\"subjects\":[\"$KV.%s.>\"]", s->name);
        return;
    case OBJECTS:
        buf_printf(to, ",\"subjects\":[\"$O.%s.C.>\",\"$O.%s.M.>\"]", s->name, s->name);
        return;
    }
    must(!"unknown kind of stream");
}

/* -1 is "no limit" to the server. */
static int64_t max_bytes(const struct stream *s, const struct wire_stream_settings *settings)
{
    uint64_t whole = settings->store_bytes > 0 ? settings->store_bytes : WIRE_STORE_BYTES;

    if (s->share_mib == 0)
        return -1;
    return (int64_t)(whole / (WIRE_STORE_BYTES >> 20) * s->share_mib);
}

static void add_limits(const struct stream *s, const struct wire_stream_settings *settings,
                       struct buf *to)
{
    uint64_t retention_ms = settings->retention_ms > 0 ? settings->retention_ms : RETENTION_MS;

    buf_printf(to, ",\"max_consumers\":-1,\"max_msg_size\":-1,\"max_msgs\":%" PRId64,
               s->max_msgs > 0 ? s->max_msgs : INT64_C(-1));
    buf_printf(to, ",\"max_bytes\":%" PRId64, max_bytes(s, settings));
    buf_printf(to, ",\"max_msgs_per_subject\":%d", s->history > 0 ? (int)s->history : -1);
    buf_printf(to, ",\"max_age\":%" PRIu64, s->flags & AGES ? retention_ms * NS_PER_MS : 0);
    buf_printf(to, ",\"discard\":\"%s\"", s->discard == DISCARD_NEW ? "new" : "old");
}

/* Our own streams know no message ids (design 5): the least window a server takes, so that it
   remembers nothing.  Buckets have what clients give them. */
static void add_window(const struct stream *s, struct buf *to)
{
    uint64_t ms = s->kind == BUCKET || s->kind == OBJECTS ? 2 * MINUTE_MS : 100;

    buf_printf(to, ",\"duplicate_window\":%" PRIu64, ms * NS_PER_MS);
}

static void add_flags(const struct stream *s, struct buf *to)
{
    /* Without it the CLI does not page a work queue. */
    buf_str(to, ",\"allow_direct\":true");
    if (s->kind == BUCKET)
        buf_str(to, ",\"deny_delete\":true");
    if (s->kind == BUCKET || s->kind == OBJECTS || s->flags & ALLOW_ROLLUP)
        buf_str(to, ",\"allow_rollup_hdrs\":true");
    if (s->flags & ALLOW_ATOMIC)
        buf_str(to, ",\"allow_atomic\":true");
    if (s->flags & ALLOW_TTL)
        buf_printf(to, ",\"allow_msg_ttl\":true,\"subject_delete_marker_ttl\":%" PRIu64,
                   MINUTE_MS * NS_PER_MS);
    /* Only what was stored, in order and gap-free: nobody listens to the journal's own subjects,
       where refused entries are heard too. */
    if (s->flags & REPUBLISH)
        buf_str(to, ",\"republish\":{\"src\":\"" SUBJECT_JOURNAL_ALL
                    "\",\"dest\":\"sluice.watch.{{wildcard(1)}}.{{wildcard(2)}}\"}");
}

static void add_metadata(const char *look, struct buf *to)
{
    buf_printf(to, ",\"metadata\":{\"sluice.schema\":\"%d\",\"sluice.look\":\"%s\"}",
               WIRE_SCHEMA, look);
}

static void add_config(size_t n, const struct wire_stream_settings *settings, int64_t first_seq,
                       struct buf *to)
{
    must(n < STREAMS_COUNT);
    const struct stream *s = &STREAMS[n];

    buf_printf(to, "{\"name\":\"%s\",\"description\":\"%s\"", s->stream, s->description);
    add_subjects(s, to);
    buf_printf(to, ",\"retention\":\"%s\"", s->kind == QUEUE ? "workqueue" : "limits");
    buf_printf(to, ",\"storage\":\"file\",\"num_replicas\":%u",
               settings->replicas > 0 ? settings->replicas : 1);
    add_limits(s, settings, to);
    add_window(s, to);
    add_flags(s, to);
    /* An old holder's ack would remove another run's job; an old leader's, in the name of its epoch, a ticket. */
    if (s->flags & NEVER_AGAIN && first_seq > 0)
        buf_printf(to, ",\"first_seq\":%" PRId64, first_seq);
    add_metadata(s->look, to);
    buf_char(to, '}');
}

void wire_stream_config(size_t n, const struct wire_stream_settings *settings, struct buf *to)
{
    add_config(n, settings, settings->wall_us, to);
}

void wire_stream_update(size_t n, const struct wire_stream_settings *settings, struct buf *to)
{
    add_config(n, settings, 0, to);
}

static void add_consumer(const char *name, const char *description, const char *filter,
                         uint64_t wait_ms, long max_ack_pending, struct buf *to)
{
    buf_printf(to, "{\"name\":\"%s\",\"durable_name\":\"%s\",\"description\":\"%s\"", name,
               name, description);
    buf_printf(to, ",\"filter_subject\":\"%s\"", filter);
    buf_str(to, ",\"deliver_policy\":\"all\",\"ack_policy\":\"explicit\",\"replay_policy\":"
                "\"instant\"");
    /* No backoff: it would be the lease. */
    buf_printf(to, ",\"ack_wait\":%" PRIu64 ",\"max_deliver\":-1", wait_ms * NS_PER_MS);
    /* One outstanding pull a worker; it cannot be changed later. */
    buf_printf(to, ",\"max_ack_pending\":%ld,\"max_waiting\":4096", max_ack_pending);
}

void wire_consumer_jobs(const char *pool, uint64_t lease_ms, struct buf *to)
{
    char filter[SUBJECT_SIZE];

    subject_jobs_pool(filter, pool);
    add_consumer(pool, "jobs of this pool; ack_wait is the lease", filter, lease_ms, -1, to);
    add_metadata("nats consumer report SLUICE_JOBS", to);
    buf_char(to, '}');
}

void wire_consumer_pending(unsigned shard, const char *name, struct buf *to)
{
    char filter[SUBJECT_SIZE];

    must(str_is_name(name));
    str_format(filter, sizeof(filter), "sluice.pending.%u.>", shard);
    add_consumer(name, "the scheduler's index holds every ticket of the shard", filter,
                 10 * MINUTE_MS, WIRE_PENDING_MAX, to);
    add_metadata("nats consumer report SLUICE_PENDING", to);
    buf_char(to, '}');
}
