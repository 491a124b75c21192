#include "sch_lead.h"

#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "sch.h"
#include "sch_claim.h"
#include "sch_journal.h"
#include "sch_on.h"
#include "wire/subject.h"
#include "wire/wire_stream.h"

enum {
    TAKE_MAGIC = 0x53435461,
    LOOK_MAGIC = 0x53434c6f,

    BODY_MAX = 8192,
    PAGE     = 512,
    AGAIN_MS = 250, /* a beginning that failed is tried again */
    OLD_MAX  = 64,  /* consumers of earlier terms deleted in one go */
};

/* ---- a look at JOBS ------------------------------------------------------------------------------------------ */

/*
 * The server's list of taken slots against ours.  A job that we knew when we asked and that is not in the list is
 * gone (its hint was lost, or somebody ate it); a slot that we think free and that is in the list is read.
 */
struct sch_look {
    struct sch_op base;
    void (*then)(struct sch *s);
    size_t offset, pages;
    struct look_slot {
        char tenant[STR_NAME_SIZE];
        uint32_t slot;
    } * unknown;
    size_t count, room, at;
};

static struct err look_ask(struct sch_look *l);

static void look_done(struct bus_op *op, struct err e)
{
    struct sch_look *l           = SELF(struct sch_look, LOOK_MAGIC, op);
    bool live                    = sch_op_live(&l->base);
    struct sch *s                = sch_op_end(&l->base);
    void (*then)(struct sch * s) = l->then;

    mem_free(&l->unknown);
    mem_free(&l);
    if (!live)
        return;
    s->looking = false;
    if (failed(e)) {
        if (e.kind == ERR_ABSENT || (e.kind == ERR_RETRY && bus_connected(s->bus)))
            svc_streams_missing(s->svc);
        if (then)
            sch_lead_begin(s, "JOBS could not be looked at", AGAIN_MS);
        return;
    }
    if (then)
        then(s);
}

static void look_note(struct sch_look *l, const char *tenant, uint32_t slot)
{
    if (l->count == l->room) {
        l->room    = l->room > 0 ? l->room * 2 : 16;
        l->unknown = mem_grow(l->unknown, l->room, sizeof(*l->unknown));
    }
    str_copy(l->unknown[l->count].tenant, STR_NAME_SIZE, tenant);
    l->unknown[l->count++].slot = slot;
}

static void look_subject(struct sch_look *l, const char *subject)
{
    struct sch *s = l->base.s;
    int n         = subject_slot_of(subject);
    char tenant[STR_NAME_SIZE];

    if (n < 0 || n > RUN_CAP_MAX || !str_token(subject, 2, tenant, sizeof(tenant)) ||
        !sch_mine(s, tenant))
        return;

    const struct sch_tenant *t = sch_index_tenant_find(s->index, tenant);
    struct sch_job *job        = t ? sch_slot_holder(&t->slots, (uint32_t)n) : NULL;

    if (job)
        job->seen = true;
    else
        look_note(l, tenant, (uint32_t)n);
}

static void look_drop_gone(struct sch_look *l)
{
    struct sch *s = l->base.s;
    void *value   = NULL;

    for (size_t it = 0; map_next(s->jobs.by_seq, &it, NULL, &value);) {
        struct sch_job *job = value;

        if (!job->asked || job->seen)
            continue;
        log_debug("slot found free", KV("run", job->run), KV("slot", job->slot),
                  KV("job", job->seq));
        s->metrics.scheduler_slots_repaired++;
        sch_claim_job_gone(s->index, &job, sch_now(s)); /* removes the element just visited */
    }
}

static struct err look_read(struct sch_look *l);

static struct err look_answered(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_look *l = SELF(struct sch_look, LOOK_MAGIC, op);
    struct sch *s      = l->base.s;
    struct job job;

    if (!sch_op_live(&l->base))
        return bus_op_done(op);
    if (failed(r->err))
        return r->err;
    if (r->count > 0) {
        const struct look_slot *u  = &l->unknown[l->at];
        const struct sch_tenant *t = sch_index_tenant_find(s->index, u->tenant);
        bool busy                  = t && u->slot < t->slots.room &&
                    t->slots.at[u->slot].state != SLOT_FREE; /* we were faster */

        if (failed(wire_read_job(&job, r->msgs->body))) { /* it holds its slot all the same */
            job = (struct job){.ticket = {.wake = 1, .lane = LANE_STANDARD}};
            str_format(job.ticket.run, sizeof(job.ticket.run), "?%llu",
                       (unsigned long long)r->msgs->seq);
            if (!str_token(r->msgs->subject, 4, job.ticket.pool, sizeof(job.ticket.pool)))
                str_copy(job.ticket.pool, sizeof(job.ticket.pool), "default");
        }
        str_copy(job.ticket.tenant, sizeof(job.ticket.tenant), u->tenant);
        job.slot = u->slot;
        if (!busy) {
            s->metrics.scheduler_slots_repaired++;
            sch_journal_job(s, sch_claim_found(s->index, &job, r->msgs->seq, sch_now(s)));
        }
    }
    l->at++;
    return look_read(l);
}

/* Those we did not know, one by one, from the stream's leader. */
static struct err look_read(struct sch_look *l)
{
    char subject[SUBJECT_SIZE];

    if (l->at == l->count)
        return bus_op_done(&l->base.op);

    const struct bus_read read = {
        .stream  = STREAM_JOBS,
        .subject = subject_slot(subject, l->unknown[l->at].tenant, l->unknown[l->at].slot),
        .max     = 1,
        .leader  = true,
    };

    return bus_read(&l->base.op, &read, look_answered);
}

static struct err look_info(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_look *l               = SELF(struct sch_look, LOOK_MAGIC, op);
    AUTO(json_free) struct json *doc = NULL;
    const struct json *value         = NULL;
    const char *subject              = NULL;
    char why[JSON_WHY_SIZE];

    if (!sch_op_live(&l->base))
        return bus_op_done(op);
    if (failed(r->err))
        return r->err;

    struct err e = json_parse(&doc, r->body, why, sizeof(why));

    if (failed(e))
        return e;

    const struct json *subjects = json_get(json_get(doc, "state"), "subjects");
    int64_t total               = json_int(json_get(json_get(doc, "state"), "num_subjects"));

    for (size_t it = 0; json_each(subjects, &it, &subject, &value);)
        look_subject(l, subject);
    l->offset += json_count(subjects);
    l->pages++;
    if (json_count(subjects) > 0 && (int64_t)l->offset < total)
        return look_ask(l);
    if (l->pages == 1) /* between pages the list shifts: who is missing then is not known */
        look_drop_gone(l);
    return look_read(l);
}

static struct err look_ask(struct sch_look *l)
{
    char body[96];

    str_format(body, sizeof(body), "{\"subjects_filter\":\">\",\"offset\":%zu}", l->offset);
    return bus_api(&l->base.op, "STREAM.INFO." STREAM_JOBS, bytes_str(body), look_info);
}

void sch_lead_look(struct sch *s, void (*then)(struct sch *s))
{
    struct sch_look *l = mem_new(struct sch_look);
    void *value        = NULL;

    l->then    = then;
    s->looking = true;
    for (size_t it = 0; map_next(s->jobs.by_seq, &it, NULL, &value);) {
        struct sch_job *job = value;

        job->asked = true;
        job->seen  = false;
    }
    sch_op_start(s, &l->base, LOOK_MAGIC, "look", look_done);
    (void)look_ask(l);
}

/* ---- the beginning of a term ------------------------------------------------------------------------------------- */

struct sch_take {
    struct sch_op base;
    char old[OLD_MAX][STR_NAME_SIZE];
    size_t old_count, old_at;
    uint64_t from;
};

static void take_consume(struct sch *s);
static struct err take_names(struct sch_take *t);

static void take_done(struct bus_op *op, struct err e)
{
    struct sch_take *t = SELF(struct sch_take, TAKE_MAGIC, op);
    bool live          = sch_op_live(&t->base);
    struct sch *s      = sch_op_end(&t->base);

    mem_free(&t);
    if (!live)
        return;
    if (!failed(e)) {
        sch_lead_look(s, take_consume); /* what changed while the contents were read */
        return;
    }
    log_warn("cannot take over yet", KV("epoch", s->epoch), KV("err", e));
    if (e.kind == ERR_ABSENT || (e.kind == ERR_RETRY && bus_connected(s->bus)))
        svc_streams_missing(s->svc);
    sch_lead_begin(s, "a beginning failed", AGAIN_MS);
}

/* Jobs, page by page: who holds which slot, which wake. */
static struct err take_jobs(struct sch_take *t);

static struct err take_page(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_take *t = SELF(struct sch_take, TAKE_MAGIC, op);
    struct sch *s      = t->base.s;
    struct job job;

    if (!sch_op_live(&t->base))
        return bus_op_done(op);
    if (failed(r->err))
        return r->err;
    for (const struct bus_msg *m = r->msgs; m; m = m->next) {
        if (failed(wire_read_job(&job, m->body)) || job.slot > RUN_CAP_MAX ||
            !sch_mine(s, job.ticket.tenant))
            continue; /* the look finds what is left */

        const struct sch_tenant *tenant = sch_index_tenant(s->index, job.ticket.tenant);
        struct sch_job *before          = sch_slot_holder(&tenant->slots, job.slot);

        if (before)
            sch_claim_job_gone(s->index, &before, sch_now(s));
        sch_journal_job(s, sch_claim_found(s->index, &job, m->seq, sch_now(s)));
        t->from = m->seq + 1;
    }
    if (r->more && r->seq >= t->from)
        t->from = r->seq + 1;
    return r->more ? take_jobs(t) : bus_op_done(op);
}

static struct err take_jobs(struct sch_take *t)
{
    const struct bus_read read = {
        .stream = STREAM_JOBS, .subject = SUBJECT_JOBS_ALL, .from = t->from, .max = PAGE};

    return bus_read(&t->base.op, &read, take_page);
}

/* When the first of the results that are left was stored; before the first of all: INT64_MIN. */
static int64_t results_left_ms(const struct json *state)
{
    int64_t at = INT64_MIN;

    if (json_int(json_get(state, "first_seq")) <= 1)
        return at;
    if (json_int(json_get(state, "messages")) == 0)
        return clk_wall_ms();
    return failed(str_time_ms(json_str(json_get(state, "first_ts")), &at)) ? INT64_MIN : at;
}

/* A result that is not there was never stored, or has been read and left; the stream tells since when it is whole. */
static struct err take_results(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_take *t               = SELF(struct sch_take, TAKE_MAGIC, op);
    AUTO(json_free) struct json *doc = NULL;
    char why[JSON_WHY_SIZE];

    if (!sch_op_live(&t->base))
        return bus_op_done(op);
    if (failed(r->err))
        return r->err;

    struct err e = json_parse(&doc, r->body, why, sizeof(why));

    if (failed(e))
        return e;
    sch_reconcile_results_left(t->base.s->facts, results_left_ms(json_get(doc, "state")));
    return take_jobs(t);
}

static struct err take_made(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_take *t               = SELF(struct sch_take, TAKE_MAGIC, op);
    AUTO(json_free) struct json *doc = NULL;
    char why[JSON_WHY_SIZE];

    if (!sch_op_live(&t->base))
        return bus_op_done(op);
    if (failed(r->err)) {
        log_debug("consumer refused", KV("why", r->text), KV("err", r->err));
        return r->err;
    }
    if (!failed(json_parse(&doc, r->body, why, sizeof(why))))
        t->base.s->filled =
            json_get(doc, "num_pending") && json_int(json_get(doc, "num_pending")) == 0;
    return bus_api(op, "STREAM.INFO." STREAM_RESULTS, bytes_of(NULL, 0), take_results);
}

static struct err take_make(struct sch_take *t)
{
    struct sch *s = t->base.s;
    struct buf config;

    buf_init(&config, BODY_MAX);
    wire_consumer_pending((unsigned)s->config->shard, s->consumer_name, &config);

    struct err e = bus_consumer_make(&t->base.op, STREAM_PENDING, s->consumer_name,
                                     buf_bytes(&config), take_made);

    buf_deinit(&config);
    return e;
}

static struct err take_deleted(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_take *t = SELF(struct sch_take, TAKE_MAGIC, op);

    if (!sch_op_live(&t->base))
        return bus_op_done(op);
    if (failed(r->err) && r->err.kind != ERR_ABSENT)
        return r->err;
    t->old_at++;
    if (t->old_at < t->old_count)
        return bus_consumer_delete(op, STREAM_PENDING, t->old[t->old_at], take_deleted);
    return t->old_count == OLD_MAX ? take_names(t) : take_make(t);
}

/* A work queue bears one consumer a subject: those of earlier terms go first. */
static struct err take_named(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_take *t               = SELF(struct sch_take, TAKE_MAGIC, op);
    AUTO(json_free) struct json *doc = NULL;
    char prefix[32], why[JSON_WHY_SIZE];

    if (!sch_op_live(&t->base))
        return bus_op_done(op);
    if (failed(r->err))
        return r->err;

    struct err e = json_parse(&doc, r->body, why, sizeof(why));

    if (failed(e))
        return e;
    str_format(prefix, sizeof(prefix), "sched-%u-", (unsigned)t->base.s->config->shard);
    t->old_count = t->old_at = 0;
    for (size_t n = 0; n < json_count(json_get(doc, "consumers")) && t->old_count < OLD_MAX;
         n++) {
        const char *name = json_str(json_at(json_get(doc, "consumers"), n));

        if (name && str_starts(name, prefix) &&
            str_copy(t->old[t->old_count], STR_NAME_SIZE, name))
            t->old_count++;
    }
    return t->old_count > 0 ? bus_consumer_delete(op, STREAM_PENDING, t->old[0], take_deleted)
                            : take_make(t);
}

static struct err take_names(struct sch_take *t)
{
    return bus_api(&t->base.op, "CONSUMER.NAMES." STREAM_PENDING, bytes_of(NULL, 0),
                   take_named);
}

static void take_consume(struct sch *s)
{
    const struct bus_consume consume = {
        .stream   = STREAM_PENDING,
        .consumer = s->consumer_name,
        .on_msg   = sch_on_ticket,
        .on_gap   = sch_on_gap,
        .alone    = true, /* a hole in its sequence is a ticket that never came */
        .self     = s,
    };
    struct err e = bus_consume(s->bus, &consume, &s->consumer);

    if (failed(e)) {
        log_warn("cannot consume tickets yet", KV("epoch", s->epoch), KV("err", e));
        sch_lead_begin(s, "tickets cannot be consumed", AGAIN_MS);
        return;
    }
    s->role       = ROLE_FILLING;
    s->fill_since = svc_now(s->svc);
    bus_consumer_room(s->consumer, BUS_ROOM_ANY);
    svc_poke(s->svc);
}

/* ---- from outside ----------------------------------------------------------------------------------------------------- */

void sch_lead_begin(struct sch *s, const char *why, uint64_t in_ms)
{
    if (s->begin)
        return;
    s->begin     = true;
    s->begin_at  = svc_now(s->svc) + in_ms;
    s->begin_why = why;
    svc_poke(s->svc);
}

void sch_lead_end(struct sch *s)
{
    s->term++;
    s->role         = ROLE_STANDBY;
    s->begin        = false;
    s->filled       = false;
    s->looking      = false;
    s->admits       = 0; /* theirs end as strangers */
    s->mends        = 0;
    s->needed.first = s->needed.count = 0;
    bus_consumer_free(&s->consumer);
    sch_index_clear(s->index);
}

static void begin(struct sch *s)
{
    struct sch_take *t = NULL;
    const char *why    = s->begin_why;

    sch_lead_end(s);
    s->role = ROLE_TAKING;
    s->metrics.scheduler_terms++;
    if (s->round == 0)
        str_format(s->consumer_name, sizeof(s->consumer_name), "sched-%u-%llu",
                   (unsigned)s->config->shard, (unsigned long long)s->epoch);
    else
        str_format(s->consumer_name, sizeof(s->consumer_name), "sched-%u-%llu-%u",
                   (unsigned)s->config->shard, (unsigned long long)s->epoch, s->round);
    s->round++;
    log_info("taking over", KV("epoch", s->epoch), KV("n", s->round), KV("why", why));
    t = mem_new(struct sch_take);
    sch_op_start(s, &t->base, TAKE_MAGIC, "take", take_done);
    (void)take_names(t);
}

uint64_t sch_lead_turn(struct sch *s, uint64_t now)
{
    if (!s->begin)
        return UINT64_MAX;
    if (!s->leader || !svc_leader_is(s->leader)) {
        sch_lead_end(s);
        return UINT64_MAX;
    }
    if (!bus_connected(s->bus))
        return now + AGAIN_MS;
    if (now < s->begin_at)
        return s->begin_at;
    begin(s);
    return UINT64_MAX;
}
