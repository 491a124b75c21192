/*
 * wire_stream - the one table of streams, buckets and consumers: data, rendered as the server's JSON.
 *
 * A bucket is a stream made as a key-value (or object) client would make it, so that `nats kv` and
 * `nats object` know it.  Pure: no clock, no I/O.
 */
#ifndef WIRE_STREAM_H
#define WIRE_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct wire_stream_settings {
    unsigned replicas;     /* 0: 1 */
    uint64_t retention_ms; /* of journal, results, alerts, dead, artifacts; 0: 7 days */
    int64_t wall_us; /* first_seq of the work queues and of the leaders, when they are made */
    uint64_t
        store_bytes; /* what the streams may take on a server's disk together; 0: WIRE_STORE_BYTES */
};

enum { WIRE_SCHEMA = 1, WIRE_PENDING_MAX = 2000000 };

/*
 * A server promises each stream its max_bytes: it refuses to make one when the sum is above its
 * max_file_store, which by default is three quarters of what is free on its disk.  So the sum is
 * what a machine with 4.3 GB free can hold, and each stream has a share of it.
 */
#define WIRE_STORE_BYTES (UINT64_C(3) << 30)

size_t wire_stream_count(void);
const char *
wire_stream_name(size_t n); /* "SLUICE_JOURNAL", "KV_sluice_tenants", "OBJ_sluice_artifacts" */

/*
 * The "config" of STREAM.CREATE: description and metadata (sluice.schema, sluice.look) included.
 * Update first, create when there is none (10059), update when somebody was faster (10058): a
 * CREATE of what exists is refused with 10047 where the disk is nearly promised away (measured).
 */
void wire_stream_config(size_t n, const struct wire_stream_settings *settings, struct buf *to);

/*
 * The "config" of STREAM.UPDATE: the same without first_seq, and only this may be sent as an update.
 * nats-server 2.15.1 takes an update with a higher first_seq without a word, and at its next start
 * removes every message below it: the whole queue (measured).
 */
void wire_stream_update(size_t n, const struct wire_stream_settings *settings, struct buf *to);

/* The consumer of SLUICE_JOBS for a pool, and the scheduler's over SLUICE_PENDING: their "config" objects. */
void wire_consumer_jobs(const char *pool, uint64_t lease_ms, struct buf *to);
void wire_consumer_pending(unsigned shard, const char *name, struct buf *to);

#endif
