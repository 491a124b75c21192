/*
 * Moves: a job into a slot, an unreadable ticket into DEAD, a pool's consumer.
 */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "sch.h"
#include "sch_claim.h"
#include "wire/subject.h"
#include "wire/wire_stream.h"

enum {
    ADMIT_MAGIC = 0x53434164,
    DEAD_MAGIC  = 0x53434465,
    LEASE_MAGIC = 0x53434c65,

    BODY_MAX     = 4096,
    CONFIG_MAX   = 64 * 1024, /* of a consumer, an operator's own metadata included */
    REPEAT_MS    = 20,        /* after a publish without an answer */
    BUSY_MS      = 5,         /* somebody else's write to the same slot is in flight */
    EARLY_MS     = 2,         /* a replicated server says "freed" up to 3 ms early */
    EARLY_TRIES  = 25,
    HOLD_MS      = 200, /* NATS refuses: let it recover */
    HOLD_FULL_MS = 1000,
};

/* ---- a job into a slot ----------------------------------------------------------------------------------- */

struct sch_admit {
    struct sch_op base;
    struct sch_run *run; /* busy with us while the term lasts */
    struct sch_claim claim;
    struct job job;
    unsigned tries;
};

static struct err admit_publish(struct sch_admit *a);

static void admit_done(struct bus_op *op, struct err e)
{
    struct sch_admit *a = SELF(struct sch_admit, ADMIT_MAGIC, op);
    bool live           = sch_op_live(&a->base); /* the next term counts only its own */
    struct sch *s       = sch_op_end(&a->base);

    (void)e; /* whatever it was: the slot and the run were given back where it was seen */
    if (live)
        s->admits--;
    mem_free(&a);
}

static struct err admit_stored(struct sch_admit *a, uint64_t seq)
{
    struct sch *s = a->base.s;
    bool over     = false;
    struct sch_job *job =
        sch_claim_admitted(s->index, a->run, &a->claim, seq, sch_now(s), &over);

    s->metrics.scheduler_admitted++;
    s->metrics.scheduler_admitted_closing += a->claim.slot == 0;
    log_debug("run admitted", KV("run", a->job.ticket.run), KV("tenant", a->job.ticket.tenant),
              KV("slot", a->claim.slot), KV("job", seq), KV("pool", a->job.ticket.pool),
              KV("wake", a->claim.wake));
    if (over)
        sch_claim_job_gone(s->index, &job, sch_now(s));
    else
        sch_on_job(s, job);
    return bus_op_done(&a->base.op);
}

static struct err admit_refused(struct sch_admit *a, struct err e, uint64_t hold_ms)
{
    struct sch *s = a->base.s;

    sch_claim_refused(s->index, a->run, &a->claim, sch_now(s));
    sch_mend_missed(s, a->job.ticket.run);
    if (hold_ms > 0) {
        if (s->hold_until <= svc_now(s->svc))
            log_warn("jobs cannot be published, waiting", KV("err", e), KV("ms", hold_ms));
        s->hold_until = svc_now(s->svc) + hold_ms;
    }
    return bus_op_done(&a->base.op);
}

static struct err admit_again(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_admit *a = SELF(struct sch_admit, ADMIT_MAGIC, op);

    (void)r;
    return sch_op_live(&a->base) ? admit_publish(a) : bus_op_done(op);
}

/* Somebody holds the slot: our own job, unanswered; one that is just being acknowledged; or another leader's. */
static struct err admit_meets(struct sch_admit *a, const struct bus_msg *m)
{
    struct sch *s = a->base.s;
    struct job there;
    bool readable = !failed(wire_read_job(&there, m->body));

    if (readable && str_equal(there.ticket.run, a->job.ticket.run) &&
        there.ticket.wake >= a->claim.wake)
        return admit_stored(a, m->seq);
    if (m->seq == sch_slot_gone(&a->claim.tenant->slots, a->claim.slot) &&
        a->tries++ < EARLY_TRIES)
        return bus_wait(&a->base.op, EARLY_MS, admit_again);

    s->metrics.scheduler_slot_conflicts++;
    log_info("slot was taken by another", KV("tenant", a->claim.tenant->name),
             KV("slot", a->claim.slot), KV("job", m->seq));
    if (!readable) { /* it holds the slot all the same */
        there = (struct job){.ticket = {.wake = 1, .lane = LANE_STANDARD}};
        str_format(there.ticket.run, sizeof(there.ticket.run), "?%llu",
                   (unsigned long long)m->seq);
        str_copy(there.ticket.pool, sizeof(there.ticket.pool), a->job.ticket.pool);
    }
    str_copy(there.ticket.tenant, sizeof(there.ticket.tenant), a->job.ticket.tenant);
    there.slot = a->claim.slot;

    struct err e = admit_refused(a, OK, 0);

    sch_on_job(s, sch_claim_found(s->index, &there, m->seq, sch_now(s)));
    return e;
}

static struct err admit_read(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_admit *a = SELF(struct sch_admit, ADMIT_MAGIC, op);

    if (!sch_op_live(&a->base))
        return bus_op_done(op);
    if (failed(r->err) ||
        r->count == 0) /* free by now, or nobody knows: the publish will tell */
        return bus_wait(op, failed(r->err) ? REPEAT_MS : 0, admit_again);
    return admit_meets(a, r->msgs);
}

static struct err admit_look(struct sch_admit *a)
{
    char subject[SUBJECT_SIZE];
    const struct bus_read read = {
        .stream  = STREAM_JOBS,
        .subject = subject_slot(subject, a->claim.tenant->name, a->claim.slot),
        .max     = 1,
        .leader  = true,
    };

    return bus_read(&a->base.op, &read, admit_read);
}

static struct err admit_answered(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_admit *a = SELF(struct sch_admit, ADMIT_MAGIC, op);
    struct sch *s       = a->base.s;

    if (!sch_op_live(&a->base))
        return bus_op_done(op);

    switch ((enum err_kind)r->err.kind) {
    case ERR_NONE:
        return admit_stored(a, r->seq);
    case ERR_CONFLICT:
        return admit_look(a);
    case ERR_UNKNOWN: /* to the same slot, or the run might stand in two */
        s->metrics.scheduler_unanswered++;
        return bus_wait(op, REPEAT_MS, admit_again);
    case ERR_RETRY:
        if (r->err.code == 10164)
            return bus_wait(op, BUSY_MS, admit_again);
        if (bus_connected(s->bus))
            svc_streams_missing(s->svc);
        return admit_refused(a, r->err, HOLD_MS);
    case ERR_ABSENT:
        svc_streams_missing(s->svc);
        return admit_refused(a, r->err, HOLD_MS);
    case ERR_FULL:
    case ERR_REJECT:
    case ERR_LOST:
    case ERR_FATAL:
        return admit_refused(a, r->err, HOLD_FULL_MS);
    }
    must(!"unknown err_kind");
    return OK;
}

static struct err admit_publish(struct sch_admit *a)
{
    char subject[SUBJECT_SIZE], slot[SUBJECT_SIZE];
    struct buf body;

    buf_init(&body, BODY_MAX);
    wire_write_job(&a->job, &body);
    must(!body.full);

    const struct bus_out out = {
        .subject =
            subject_job(subject, a->job.ticket.tenant, a->claim.slot, a->job.ticket.pool),
        .body = buf_bytes(&body),
    };
    /* Nothing may be in the slot, whatever the pool: the server holds the cap. */
    const struct bus_expect expect = {
        .seq = 0, .subject = subject_slot(slot, a->job.ticket.tenant, a->claim.slot)};
    struct err e = bus_publish(&a->base.op, &out, &expect, admit_answered);

    buf_deinit(&body);
    return e;
}

static void admit(struct sch *s, struct sch_run *run, bool closing)
{
    struct sch_admit *a = mem_new(struct sch_admit);

    a->run = run;
    sch_claim_take(s->index, run, closing, sch_now(s), &a->claim, &a->job);
    s->admits++;
    sch_op_start(s, &a->base, ADMIT_MAGIC, "admit", admit_done);
    (void)admit_publish(a);
}

void sch_do_decide(struct sch *s)
{
    int64_t now = sch_now(s);
    void *value = NULL;

    if (s->hold_until > svc_now(s->svc))
        return;
    for (struct sch_run *run = NULL;
         s->admits < SCH_ADMITS_MAX && (run = sch_claim_next_closing(s->index)) != NULL;)
        admit(s, run, true);
    for (size_t it = 0; map_next(s->pools.pools, &it, NULL, &value);) {
        struct sch_pool *pool = value;

        if (pool->paused)
            continue;
        for (struct sch_run *run = NULL;
             s->admits < SCH_ADMITS_MAX && (run = sch_claim_next(s->index, pool, now)) != NULL;)
            admit(s, run, false);
    }
}

/* ---- what cannot be read ------------------------------------------------------------------------------------ */

struct sch_dead {
    struct sch_op base;
    struct bus_msg *msg;
};

static void dead_done(struct bus_op *op, struct err e)
{
    struct sch_dead *d = SELF(struct sch_dead, DEAD_MAGIC, op);
    struct sch *s      = sch_op_end(&d->base);

    if (s && !failed(e) && d->msg) {
        log_warn("ticket cannot be read: put into SLUICE_DEAD", KV("subject", d->msg->subject),
                 KV("seq", d->msg->seq));
        s->metrics.scheduler_tickets_dead++;
        bus_settle(s->bus, &d->msg, err_of(ERR_REJECT, "read ticket"));
    }
    bus_msg_free(&d->msg); /* not stored: the server gives it again */
    mem_free(&d);
}

static struct err dead_stored(struct bus_op *op, const struct bus_reply *r)
{
    /* There already: it was stored before, and the term was not heard. */
    return failed(r->err) && r->err.kind != ERR_CONFLICT ? r->err : bus_op_done(op);
}

void sch_do_dead(struct sch *s, struct bus_msg **msg)
{
    struct sch_dead *d = mem_new(struct sch_dead);
    char subject[SUBJECT_SIZE], tenant[STR_NAME_SIZE];
    const struct bus_header headers[] = {{"Sluice-Subject", (*msg)->subject},
                                         {"Sluice-Code", "unreadable"}};

    d->msg = take(msg);
    if (!str_token(d->msg->subject, 4, tenant, sizeof(tenant)) || !str_is_name(tenant))
        str_copy(tenant, sizeof(tenant), "unknown");

    const struct bus_out out = {subject_dead_ticket(subject, tenant, d->msg->seq), d->msg->body,
                                headers, 2};
    const struct bus_expect expect = {.seq = 0};

    sch_op_start(s, &d->base, DEAD_MAGIC, "dead", dead_done);
    (void)bus_publish(&d->base.op, &out, &expect, dead_stored);
}

/* ---- the consumers of the pools -------------------------------------------------------------------------------- */

/*
 * Workers wait for their pool's consumer, and read the lease from it.  A longer lease may be set at once; a shorter
 * one takes running leases away, so it waits until the pool is empty.  What else a pool lives by is made right too,
 * whoever changed it: all of its jobs and no others, as many at once as there are slots, and each given again until it
 * is acked.
 */
struct sch_lease {
    struct sch_op base;
    struct sch_pool *pool; /* pools are never freed before the end */
    char name[STR_NAME_SIZE];
    struct json *config; /* what was read of it, made right; NULL: there is none */
    bool right;
    bool spent; /* jobs may have been given as often as they might be */
};

enum { LEASE_AGAIN_MS = 1000, LEASE_LATER_MS = 5000, LEASE_SURE_MS = 30000 };

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

void sch_do_leases(struct sch *s, uint64_t now)
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
