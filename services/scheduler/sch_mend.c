#include "sch_mend.h"

#include <string.h>

#include "base/arena.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "run/run_end.h"
#include "run/run_flow.h"
#include "run/run_fold.h"
#include "run/run_ticket.h"
#include "run/run_view.h"
#include "sch.h"
#include "sch_claim.h"
#include "sch_place.h"
#include "wire/subject.h"
#include "wire/wire_entry.h"
#include "wire/wire_journal.h"

enum {
    MEND_MAGIC = 0x53434d65,

    PAGE        = 256,
    TRIES       = 20,
    TICKET_MAX  = 4096,
    RESULT_MAX  = 1024 * 1024,
    RETRY_MS    = 100,
    END_SOON_MS = 1000, /* an ending that failed is tried again */
};

struct sch_mend {
    struct sch_op base;
    char run[ID_SIZE], tenant[STR_NAME_SIZE];
    bool ending; /* the run is in the index and busy with us; else it has a need */
    enum sch_need need;
    uint64_t from; /* where its journal begins, as far as we know */
    struct run_fold fold;
    unsigned tries;
    bool leader;  /* read there: a follower may be behind */
    bool settled; /* what was to be done is done */
};

static struct err mend_read(struct sch_mend *m);

/* ---- the end of the chain -------------------------------------------------------------------------------------- */

static void mend_done(struct bus_op *op, struct err e)
{
    struct sch_mend *m = SELF(struct sch_mend, MEND_MAGIC, op);
    bool live          = sch_op_live(&m->base);
    struct sch *s      = sch_op_end(&m->base);

    if (live) {
        s->mends--;
        if (failed(e))
            log_warn("run could not be looked after, trying on", KV("run", m->run),
                     KV("tenant", m->tenant), KV("err", e));
        if (e.kind == ERR_RETRY && bus_connected(s->bus))
            svc_streams_missing(s->svc);

        struct sch_run *run = m->ending ? sch_index_find(s->index, m->run) : NULL;

        if (run) {
            must(run->stage == STAGE_BUSY);
            if (m->settled)
                run->over = true;
            else if (failed(e))
                sch_place_expire_again(s->index, run, sch_now(s) + END_SOON_MS);
            sch_claim_back(s->index, run, sch_now(s));
            if (!failed(e) && !m->settled)
                sch_mend_missed(s, m->run);
        }
    }
    run_fold_deinit(&m->fold);
    mem_free(&m);
}

/* Nothing more is to be done for this run: its tickets are worth nothing. */
static struct err over(struct sch_mend *m)
{
    m->settled = true;
    if (!m->ending) {
        struct sch_run *run = sch_index_find(m->base.s->index, m->run);

        if (run)
            sch_index_drop(m->base.s->index, run, sch_now(m->base.s));
    }
    return bus_op_done(&m->base.op);
}

/* ---- the result of a run that ended ---------------------------------------------------------------------------- */

static struct err result_stored(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_mend *m = SELF(struct sch_mend, MEND_MAGIC, op);

    if (failed(r->err) && r->err.kind != ERR_CONFLICT) {
        if (r->err.kind != ERR_UNKNOWN || m->tries++ >= TRIES || !sch_op_live(&m->base))
            return r->err;
        return mend_read(m);
    }
    if (!sch_op_live(&m->base))
        return bus_op_done(op);
    if (r->err.kind == ERR_CONFLICT) /* it was there, and its follower does not say it twice */
        (void)sch_reconcile_result(m->base.s->facts, m->run);
    return over(m);
}

static struct err publish_result(struct sch_mend *m)
{
    const struct run_fold *f         = &m->fold;
    AUTO(json_free) struct json *doc = run_view_result(f);
    char subject[SUBJECT_SIZE], flow[STR_NAME_SIZE];
    struct buf body;

    buf_init(&body, RESULT_MAX);
    json_print(doc, &body);

    const struct bus_out out = {
        .subject = subject_result(subject, m->tenant,
                                  run_flow_token(f->plan.flow_name, flow, sizeof(flow)),
                                  run_status_word(f->end.status), m->run),
        .body    = buf_bytes(&body),
    };
    const struct bus_expect expect = {.seq = 0};
    struct err e                   = bus_publish(&m->base.op, &out, &expect, result_stored);

    buf_deinit(&body);
    return e;
}

/* ---- a ticket for a run that has none ---------------------------------------------------------------------------- */

static struct err ticket_stored(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_mend *m = SELF(struct sch_mend, MEND_MAGIC, op);

    if (failed(r->err))
        return r->err;
    if (sch_op_live(&m->base)) {
        m->base.s->metrics.scheduler_reconciled++;
        log_info("run had no message: given a ticket", KV("run", m->run),
                 KV("tenant", m->tenant), KV("seq", r->seq));
    }
    return bus_op_done(op);
}

static struct err publish_ticket(struct sch_mend *m)
{
    const struct run_fold *f = &m->fold;
    struct sch *s            = m->base.s;
    char subject[SUBJECT_SIZE];
    struct ticket t;
    struct buf body;

    run_ticket(f, m->need == NEED_WAKE ? CAUSE_MAIL : CAUSE_RECONCILE, f->last_seq,
               clk_wall_ms(), &t);
    if (m->need != NEED_TICKET || f->cancelled)
        t.due_after_ms = 0; /* mail is read now, duties are done now */
    if (!t.pool[0])
        str_copy(t.pool, sizeof(t.pool), "default");
    buf_init(&body, TICKET_MAX);
    wire_write_ticket(&t, &body);

    const struct bus_out out = {
        .subject = f->leases > 0
                       ? subject_again(subject, (unsigned)s->config->shard, m->tenant, m->run)
                       : subject_pending(subject, (unsigned)s->config->shard, lane_word(t.lane),
                                         m->tenant),
        .body    = buf_bytes(&body),
    };
    struct err e = bus_publish(&m->base.op, &out, NULL, ticket_stored);

    buf_deinit(&body);
    return e;
}

/* Its headers told of a later wake than was read: who was asked is behind its leader, or the journal was cut. */
static struct err ticket_of_what_stands(struct sch_mend *m)
{
    struct sch_reconcile *facts = m->base.s->facts;
    const struct sch_fact *fact = sch_reconcile_find(facts, m->run);

    if (!fact || m->fold.wake >= fact->wake)
        return publish_ticket(m);
    if (m->leader) {
        log_error("entries were removed from a journal; its run goes on behind what is left",
                  KV("run", m->run), KV("wake", m->fold.wake));
        sch_reconcile_cut(facts, m->run, m->fold.wake);
        return publish_ticket(m);
    }
    m->leader = true;
    return mend_read(m);
}

/* ---- the end of a run that never started -------------------------------------------------------------------------- */

static struct err end_stored(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_mend *m = SELF(struct sch_mend, MEND_MAGIC, op);

    if (!sch_op_live(&m->base))
        return bus_op_done(op);
    if (!failed(r->err)) {
        m->base.s->metrics.scheduler_ended_unrun++;
        return mend_read(m); /* END, with the time of its storing: then the result */
    }
    if (r->err.kind != ERR_CONFLICT && r->err.kind != ERR_UNKNOWN)
        return r->err;
    return m->tries++ < TRIES ? mend_read(m) : r->err;
}

static struct err append_end(struct sch_mend *m, const struct entry_end *end)
{
    AUTO(arena_free) struct arena *arena = arena_new();
    struct entry e = {.kind = ENTRY_END, .wake = m->fold.wake, .worker = "", .end = *end};
    struct entry_header headers[ENTRY_HEADERS_MAX];
    struct bus_header out_headers[ENTRY_HEADERS_MAX];
    char subject[SUBJECT_SIZE];
    struct buf body;

    buf_init(&body, ENTRY_BODY_MAX);
    run_fold_tell_times(&m->fold, clk_wall_ms(), &e.end);

    struct err err = wire_write_entry(&e, &body);
    size_t count   = wire_entry_headers(&e, arena, headers);

    if (failed(err)) {
        buf_deinit(&body);
        return err;
    }
    for (size_t n = 0; n < count; n++)
        out_headers[n] = (struct bus_header){headers[n].name, headers[n].value};

    const struct bus_out out = {subject_journal(subject, m->tenant, m->run), buf_bytes(&body),
                                out_headers, count};
    const struct bus_expect expect = {.seq = m->fold.last_seq};

    err = bus_publish(&m->base.op, &out, &expect, end_stored);
    log_info("run ends before it started", KV("run", m->run), KV("tenant", m->tenant),
             KV("status", run_status_word(end->status)));
    buf_deinit(&body);
    return err;
}

/* ---- what the journal says ---------------------------------------------------------------------------------------- */

/* When the journal says that it may be ended unrun; never, once it was started. */
static int64_t ends_at(const struct sch_mend *m)
{
    int64_t start_by = run_start_by_ms(&m->fold), deadline = run_deadline_ms(&m->fold);
    int64_t wall = start_by < deadline ? start_by : deadline;

    if (m->fold.leases > 0 || wall == INT64_MAX)
        return INT64_MAX;

    int64_t at = sch_instant(m->base.s, wall) + 2;

    return at > sch_now(m->base.s) ? at : sch_now(m->base.s) + END_SOON_MS;
}

/* It was started after all, or is not to be ended yet: it goes on as others do. */
static struct err goes_on(struct sch_mend *m)
{
    struct sch *s       = m->base.s;
    struct sch_run *run = sch_index_find(s->index, m->run);

    if (run) {
        if (m->fold.leases == 0)
            sch_place_expire_again(s->index, run, ends_at(m));
        if (m->fold.leases > 0 || m->fold.phase == RUN_ENDED) {
            sch_index_started(s->index, run, sch_now(s)); /* its deadline stands */
            if (m->fold.cancelled || m->fold.phase == RUN_ENDED ||
                clk_wall_ms() > run_deadline_ms(&m->fold))
                sch_index_close(s->index, run, sch_now(s));
        }
    }
    return bus_op_done(&m->base.op);
}

static struct err decide(struct sch_mend *m)
{
    struct entry_end end;

    switch (m->fold.phase) {
    case RUN_ABSENT:
    case RUN_REJECTED:
        return over(m);
    case RUN_ENDED:
        if (run_end_duties(&m->fold) == DUTY_RESULT)
            return publish_result(m);
        return m->ending ? goes_on(m) : publish_ticket(m); /* duties are a worker's */
    case RUN_QUEUED:
    case RUN_LEASED:
    case RUN_RELEASED:
    case RUN_WAITING:
        if (run_end_unrun(&m->fold, clk_wall_ms(), &end))
            return append_end(m, &end);
        return m->ending ? goes_on(m) : ticket_of_what_stands(m);
    }
    must(!"phase");
    return OK;
}

static struct err page_read(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_mend *m                   = SELF(struct sch_mend, MEND_MAGIC, op);
    AUTO(arena_free) struct arena *arena = arena_new();
    struct entry e;

    if (!sch_op_live(&m->base))
        return bus_op_done(op);
    if (failed(r->err))
        return r->err;
    for (const struct bus_msg *msg = r->msgs; msg; msg = msg->next) {
        if (failed(wire_read_entry(&e, msg->body, arena)))
            memset(
                &e, 0,
                sizeof(
                    e)); /* of a newer kind, or broken: it counts as an entry, and says nothing */
        e.seq       = msg->seq;
        e.stored_ms = msg->stored_ms;
        run_fold_add(&m->fold, &e);
        m->from = msg->seq + 1;
        arena_reset(arena);
    }
    return r->more ? mend_read(m) : decide(m);
}

static struct err mend_read(struct sch_mend *m)
{
    char subject[SUBJECT_SIZE];
    const struct bus_read read = {
        .stream  = STREAM_JOURNAL,
        .subject = subject_journal(subject, m->tenant, m->run),
        .from    = m->from,
        .max     = PAGE,
        .leader =
            m->leader || m->ending, /* what follows is a CAS: a stale answer costs a round */
    };

    return bus_read(&m->base.op, &read, page_read);
}

static void start(struct sch *s, const char *run, const char *tenant, uint64_t from,
                  bool ending, enum sch_need need)
{
    struct sch_mend *m = mem_new(struct sch_mend);

    str_copy(m->run, sizeof(m->run), run);
    str_copy(m->tenant, sizeof(m->tenant), tenant);
    m->ending = ending;
    m->need   = need;
    m->from   = from;
    run_fold_init(&m->fold);
    s->mends++;
    sch_op_start(s, &m->base, MEND_MAGIC, "mend", mend_done);
    (void)mend_read(m);
}

/* ---- who asks for it ---------------------------------------------------------------------------------------------- */

void sch_mend_end(struct sch *s, struct sch_run *run)
{
    const struct sch_fact *fact = sch_reconcile_find(s->facts, run->run);

    if (run->stage == STAGE_BUSY || run->stage == STAGE_HELD)
        return;
    sch_claim_busy(s->index, run, sch_now(s));
    start(s, run->run, run->queue->tenant->name, fact ? fact->plan_seq : run->plan_seq, true,
          NEED_END);
}

void sch_mend_look(struct sch *s, struct sch_run *run)
{
    const struct sch_fact *fact = sch_reconcile_find(s->facts, run->run);
    int64_t now                 = sch_now(s);

    if (!fact)
        return;
    if (fact->started)
        sch_index_started(s->index, run, now);
    if (fact->state == FACT_ENDED && !fact->started && !run->started)
        sch_mend_need(s, run->run, NEED_END); /* we ended it, so the result is ours, too */
    else if (fact->state == FACT_ENDED)
        sch_index_close(s->index, run, now);
    else if (fact->cancelled && (fact->started || run->started))
        sch_index_close(s->index, run, now);
    else if (fact->cancelled)
        sch_mend_need(s, run->run, NEED_END);
}

void sch_mend_missed(struct sch *s, const char *id)
{
    struct sch_run *run = sch_index_find(s->index, id);

    if (run)
        sch_mend_look(s, run);
}

/* The list is worked off as chains end: after a lost stream all runs stand here. */
void sch_mend_need(struct sch *s, const char *run, enum sch_need need)
{
    struct sch_need_list *l = &s->needed;

    if (l->count == l->room) {
        if (l->first > l->room / 2) {
            l->count -= l->first;
            memmove(l->at, l->at + l->first, l->count * sizeof(*l->at));
            l->first = 0;
        } else {
            l->room = l->room > 0 ? l->room * 2 : 64;
            l->at   = mem_grow(l->at, l->room, sizeof(*l->at));
        }
    }

    struct sch_needed *n = &l->at[l->count++];

    str_copy(n->run, sizeof(n->run), run);
    n->need = (uint8_t)need;
    svc_poke(s->svc);
}

/* What was needed when it was written down may be there by now. */
static void mend_one(struct sch *s, const char *id, enum sch_need need)
{
    const struct sch_fact *fact = sch_reconcile_find(s->facts, id);
    struct sch_run *run         = sch_index_find(s->index, id);

    if (!fact || sch_slot_job(&s->jobs, id))
        return;
    if (run && (need == NEED_END || (fact->cancelled && !run->started))) {
        sch_mend_end(s, run);
        return;
    }
    if (run && (need == NEED_TICKET || run->stage != STAGE_DORMANT))
        return;
    start(s, id, fact->tenant, fact->plan_seq, false, need);
}

void sch_mend_turn(struct sch *s)
{
    struct sch_need_list *l = &s->needed;

    while (l->first < l->count && s->mends < SCH_MENDS_MAX) {
        const struct sch_needed n = l->at[l->first++];

        mend_one(s, n.run, (enum sch_need)n.need);
    }
    if (l->first == l->count)
        l->first = l->count = 0;
}
