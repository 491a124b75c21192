/*
 * subject - every subject, stream and bucket of the system; docs/protocol.md holds the same list
 * (lint compares).  A name becomes a token only if str_is_name() says so.
 */
#ifndef WIRE_SUBJECT_H
#define WIRE_SUBJECT_H

#include <stdint.h>

/* Streams. */
#define STREAM_JOURNAL "SLUICE_JOURNAL"
#define STREAM_PENDING "SLUICE_PENDING"
#define STREAM_JOBS "SLUICE_JOBS"
#define STREAM_RESULTS "SLUICE_RESULTS"
#define STREAM_DEAD "SLUICE_DEAD"
#define STREAM_GRANTS "SLUICE_GRANTS"
#define STREAM_ALERTS "SLUICE_ALERTS"

/* Buckets. */
#define BUCKET_TENANTS "sluice_tenants"
#define BUCKET_UPSTREAMS "sluice_upstreams"
#define BUCKET_FLOWS "sluice_flows"
#define BUCKET_SESSIONS "sluice_sessions"
#define BUCKET_LOCKS "sluice_locks"
#define BUCKET_POOLS "sluice_pools"
#define BUCKET_LEADERS "sluice_leaders"
#define BUCKET_ARTIFACTS "sluice_artifacts" /* an object store */

/* What users and operators ask: <verb>.<tenant>, <noun>[.<name>]. */
#define SUBJECT_API_SUBMIT "sluice.api.submit.*"
#define SUBJECT_API_GET "sluice.api.get.*"
#define SUBJECT_API_WAIT "sluice.api.wait.*"
#define SUBJECT_API_CANCEL "sluice.api.cancel.*"
#define SUBJECT_API_ALL \
    "sluice.api.>" /* answers unknown verbs and odd tenants with a problem */
#define SUBJECT_ADMIN_TENANT "sluice.admin.tenant.*"
#define SUBJECT_ADMIN_UPSTREAM "sluice.admin.upstream.*"
#define SUBJECT_ADMIN_LOAD "sluice.admin.load"
#define SUBJECT_ADMIN_LOAD_POOL "sluice.admin.load.*"

/* What is stored. */
#define SUBJECT_JOURNAL_ALL "sluice.journal.*.*"
#define SUBJECT_PENDING_ALL "sluice.pending.>"
#define SUBJECT_JOBS_ALL "sluice.jobs.*.*.*"
#define SUBJECT_RESULT_ALL "sluice.result.*.*.*.*"
#define SUBJECT_DEAD_ALL "sluice.dead.*.*" /* <tenant>.run-<id>, ticket-<seq>, job-<seq> */
#define SUBJECT_GRANTS_ALL "sluice.grants.*"
#define SUBJECT_ALERT_ALL "sluice.alert.*.*"

/* What is said and not stored. */
#define SUBJECT_PERMIT_ALL \
    "sluice.permit.*" /* <upstream>: ask, return, report; all limiters hear it */
#define SUBJECT_WORKER_STATUS "sluice.worker.*.status"
#define SUBJECT_FREED_ALL "sluice.freed.*.*.*"
#define SUBJECT_STATE_DEPTH "sluice.state.depth.*"       /* <shard> */
#define SUBJECT_STATE_LOAD "sluice.state.load.*"         /* <pool> */
#define SUBJECT_STATE_UPSTREAM "sluice.state.upstream.*" /* <shard> */

enum { SUBJECT_SIZE = 256, SUBJECT_TENANT_AT = 2, SUBJECT_CALL_MAX = 160 };

/* Builders write into `at`, always terminated, and return it.  must(): the parts are names. */
const char *subject_journal(char at[SUBJECT_SIZE], const char *tenant, const char *run);
const char *subject_watch(char at[SUBJECT_SIZE], const char *tenant, const char *run);
const char *subject_pending(char at[SUBJECT_SIZE], unsigned shard, const char *lane,
                            const char *tenant);
const char *subject_again(char at[SUBJECT_SIZE], unsigned shard, const char *tenant,
                          const char *run);
/* slot 0 is the closing slot, the token "c0"; others are their number. */
const char *subject_job(char at[SUBJECT_SIZE], const char *tenant, unsigned slot,
                        const char *pool);
const char *subject_slot(char at[SUBJECT_SIZE], const char *tenant,
                         unsigned slot); /* …<slot>.*: whatever the pool */
const char *subject_jobs_pool(char at[SUBJECT_SIZE],
                              const char *pool); /* sluice.jobs.*.*.<pool> */
const char *subject_freed(char at[SUBJECT_SIZE], const char *tenant, unsigned slot,
                          uint64_t job);
const char *subject_result(char at[SUBJECT_SIZE], const char *tenant, const char *flow,
                           const char *status, const char *run);
const char *subject_dead_run(char at[SUBJECT_SIZE], const char *tenant, const char *run);
/* What cannot be read, by its sequence in its stream. */
const char *subject_dead_ticket(char at[SUBJECT_SIZE], const char *tenant, uint64_t seq);
const char *subject_dead_job(char at[SUBJECT_SIZE], const char *tenant, uint64_t seq);
const char *subject_grants(char at[SUBJECT_SIZE], unsigned shard);
const char *subject_permit(char at[SUBJECT_SIZE], const char *upstream);
const char *subject_holds(char at[SUBJECT_SIZE],
                          const char *worker); /* sluice.worker.<id>.holds */
const char *subject_mail(char at[SUBJECT_SIZE],
                         const char *worker); /* sluice.worker.<id>.mail: "look at this run" */
const char *subject_status(char at[SUBJECT_SIZE], const char *worker);
const char *subject_state_depth(char at[SUBJECT_SIZE], unsigned shard);
const char *subject_state_load(char at[SUBJECT_SIZE], const char *pool);
const char *subject_state_upstream(char at[SUBJECT_SIZE], unsigned shard);
const char *subject_alert(char at[SUBJECT_SIZE], const char *kind, const char *name);
/* name: names with dots between, at most SUBJECT_CALL_MAX bytes; checked by the flow. */
const char *subject_call(char at[SUBJECT_SIZE], const char *tenant, const char *name);
const char *subject_api(char at[SUBJECT_SIZE], const char *verb, const char *tenant);
const char *subject_admin(char at[SUBJECT_SIZE], const char *noun,
                          const char *name); /* name NULL: none */

/* The slot of a sluice.jobs or sluice.freed subject; -1 if it is none. */
int subject_slot_of(const char *subject);

/* Which shard a tenant or upstream belongs to: stable over versions. */
unsigned subject_shard(const char *name, unsigned shards);

#endif
