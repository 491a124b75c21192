#include "sch_admit.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "sch.h"
#include "sch_claim.h"
#include "sch_journal.h"
#include "sch_mend.h"
#include "wire/subject.h"
#include "wire/wire_stream.h"

enum {
    ADMIT_MAGIC = 0x53434164,

    BODY_MAX     = 4096,
    ADMITS_MAX   = 2048, /* publishes on their way; more would only wait in nats-server */
    REPEAT_MS    = 20,   /* after a publish without an answer */
    BUSY_MS      = 5,    /* somebody else's write to the same slot is in flight */
    EARLY_MS     = 2,    /* a replicated server says "freed" up to 3 ms early */
    EARLY_TRIES  = 25,
    HOLD_MS      = 200, /* NATS refuses: let it recover */
    HOLD_FULL_MS = 1000,
};

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
        sch_journal_job(s, job);
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

    sch_journal_job(s, sch_claim_found(s->index, &there, m->seq, sch_now(s)));
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

void sch_admit_turn(struct sch *s)
{
    int64_t now = sch_now(s);
    void *value = NULL;

    if (s->hold_until > svc_now(s->svc))
        return;
    for (struct sch_run *run = NULL;
         s->admits < ADMITS_MAX && (run = sch_claim_next_closing(s->index)) != NULL;)
        admit(s, run, true);
    for (size_t it = 0; map_next(s->pools.pools, &it, NULL, &value);) {
        struct sch_pool *pool = value;

        if (pool->paused)
            continue;
        for (struct sch_run *run = NULL;
             s->admits < ADMITS_MAX && (run = sch_claim_next(s->index, pool, now)) != NULL;)
            admit(s, run, false);
    }
}
