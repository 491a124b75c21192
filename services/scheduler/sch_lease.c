#include "sch_lease.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "sch.h"
#include "wire/subject.h"
#include "wire/wire_stream.h"

enum {
    LEASE_MAGIC = 0x53434c65,

    CONFIG_MAX     = 64 * 1024, /* of a consumer, an operator's own metadata included */
    LEASE_AGAIN_MS = 1000,
    LEASE_LATER_MS = 5000,
    LEASE_SURE_MS  = 30000,
};

struct sch_lease {
    struct sch_op base;
    struct sch_pool *pool; /* pools are never freed before the end */
    char name[STR_NAME_SIZE];
    struct json *config; /* what was read of it, made right; NULL: there is none */
    bool right;
    bool spent; /* jobs may have been given as often as they might be */
};

static void lease_done(struct bus_op *op, struct err e)
{
    struct sch_lease *l = SELF(struct sch_lease, LEASE_MAGIC, op);
    bool live           = sch_op_live(&l->base);
    struct sch *s       = sch_op_end(&l->base);

    if (live) {
        l->pool->lease_at = sch_now(s) + (failed(e)  ? LEASE_AGAIN_MS
                                          : l->right ? LEASE_SURE_MS
                                                     : LEASE_LATER_MS);
        l->pool->lease    = failed(e) ? LEASE_UNKNOWN : l->right ? LEASE_RIGHT : LEASE_TOO_LONG;
        if (failed(e))
            log_warn("consumer of a pool cannot be made, trying on", KV("pool", l->name),
                     KV("err", e));
        if (e.kind == ERR_ABSENT || (e.kind == ERR_RETRY && bus_connected(s->bus)))
            svc_streams_missing(s->svc);
    }
    json_free(&l->config);
    mem_free(&l);
}

static struct err lease_made(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_lease *l = SELF(struct sch_lease, LEASE_MAGIC, op);

    if (failed(r->err))
        return r->err;
    log_info("consumer of a pool made", KV("pool", l->name));
    return bus_op_done(op);
}

static struct err lease_make(struct sch_lease *l)
{
    struct buf config;

    buf_init(&config, CONFIG_MAX);
    if (l->config)
        json_print(l->config, &config);
    else
        wire_consumer_jobs(l->name, l->base.s->config->lease_ms, &config);

    struct err e =
        bus_consumer_make(&l->base.op, STREAM_JOBS, l->name, buf_bytes(&config), lease_made);

    buf_deinit(&config);
    return e;
}

static struct err lease_deleted(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_lease *l = SELF(struct sch_lease, LEASE_MAGIC, op);

    if (!sch_op_live(&l->base))
        return bus_op_done(op); /* whoever leads now makes it */
    return failed(r->err) && r->err.kind != ERR_ABSENT ? r->err : lease_make(l);
}

static bool mend_int(struct json *config, const char *name, int64_t ours)
{
    if (json_int(json_get(config, name)) == ours)
        return false;
    json_set(config, name, json_new_int(ours));
    return true;
}

static bool mend_filter(struct json *config, const char *pool)
{
    char ours[SUBJECT_SIZE];

    if (str_equal(json_str(json_get(config, "filter_subject")), subject_jobs_pool(ours, pool)))
        return false;
    json_unset(config, "filter_subjects");
    json_set(config, "filter_subject", json_new_str(ours));
    return true;
}

/* Everything else stays as it is: an operator's own, or what no server would change.  False: nothing was wrong. */
static bool lease_mend(struct sch_lease *l, bool empty)
{
    struct json *config = l->config;
    int64_t ours        = (int64_t)l->base.s->config->lease_ms * 1000000;
    int64_t have        = json_int(json_get(config, "ack_wait"));
    bool backoff = json_get(config, "backoff") != NULL; /* its first would be the lease */

    l->right = have <= ours || empty;
    json_unset(config, "backoff");

    bool wait    = mend_int(config, "ack_wait", l->right ? ours : have);
    bool pending = mend_int(config, "max_ack_pending", -1);
    bool deliver = mend_int(config, "max_deliver", -1);
    bool filter  = mend_filter(config, l->name);

    l->spent = deliver;
    return backoff || wait || pending || deliver || filter;
}

static struct err lease_read(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_lease *l              = SELF(struct sch_lease, LEASE_MAGIC, op);
    AUTO(json_free) struct json *doc = NULL;
    char why[JSON_WHY_SIZE];

    if (!sch_op_live(&l->base))
        return bus_op_done(op);
    if (r->err.kind == ERR_ABSENT) {
        l->right = true;
        return lease_make(l);
    }
    if (failed(r->err))
        return r->err;

    struct err e = json_parse(&doc, r->body, why, sizeof(why));

    if (failed(e))
        return e;
    if (json_type(json_get(doc, "config")) != JSON_OBJECT)
        return err_of(ERR_REJECT, "read a consumer");

    bool empty = json_int(json_get(doc, "num_ack_pending")) == 0 &&
                 json_int(json_get(doc, "num_pending")) == 0 &&
                 sch_pool_in_flight(l->pool) == 0;

    l->config = json_copy(json_get(doc, "config"));
    if (!lease_mend(l, empty))
        return bus_op_done(op);
    /* It would never again give a job that it gave as often as it might; another of its name gives all of them. */
    return l->spent ? bus_consumer_delete(op, STREAM_JOBS, l->name, lease_deleted)
                    : lease_make(l);
}

static void lease_look(struct sch *s, struct sch_pool *pool)
{
    struct sch_lease *l = mem_new(struct sch_lease);
    char call[SUBJECT_SIZE];

    l->pool     = pool;
    pool->lease = LEASE_ASKING;
    str_copy(l->name, sizeof(l->name), pool->name);
    str_format(call, sizeof(call), "CONSUMER.INFO.%s.%s", STREAM_JOBS, pool->name);
    sch_op_start(s, &l->base, LEASE_MAGIC, "lease", lease_done);
    (void)bus_api(&l->base.op, call, bytes_of(NULL, 0), lease_read);
}

void sch_lease_turn(struct sch *s, uint64_t now)
{
    void *value = NULL;

    for (size_t it = 0; map_next(s->pools.pools, &it, NULL, &value);) {
        struct sch_pool *pool = value;

        if (list_empty(&pool->workers) || pool->lease == LEASE_ASKING ||
            (int64_t)now < pool->lease_at)
            continue;
        lease_look(s, pool);
    }
}
