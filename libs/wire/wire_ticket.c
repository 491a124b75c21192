#include "wire/wire_ticket.h"

#include "base/must.h"
#include "sluice/v1/ticket.pb.h"
#include "sluice/v1/worker.pb.h"
#include "wire/wire_name.h"
#include "wire/wire_nanopb.h"
#include "wire/wire_stream.h"

const char *lane_word(enum lane lane)
{
    switch (lane) {
    case LANE_REALTIME:
        return "realtime";
    case LANE_STANDARD:
        return "standard";
    case LANE_BULK:
        return "bulk";
    case LANE_NONE:
        return "";
    }
    must(!"unknown lane");
    return "";
}

enum lane lane_of(const char *word)
{
    for (enum lane lane = 0; lane < LANES; lane++)
        if (str_equal(word, lane_word(lane)))
            return lane;
    return LANE_NONE;
}

const char *ticket_cause_word(enum ticket_cause cause)
{
    switch (cause) {
    case CAUSE_NONE:
        return "";
    case CAUSE_ACCEPT:
        return "accept";
    case CAUSE_TIMER:
        return "timer";
    case CAUSE_MAIL:
        return "mail";
    case CAUSE_RECONCILE:
        return "reconcile";
    case CAUSE_RETRY:
        return "retry";
    case CAUSE_UPSTREAM:
        return "upstream";
    case CAUSE_YIELD:
        return "yield";
    case CAUSE_LOCK:
        return "lock";
    }
    must(!"unknown cause");
    return "";
}

static bool may_stand_in_subjects(const struct ticket *t)
{
    return id_valid(t->run) && str_is_name(t->tenant) && str_is_name(t->pool) &&
           t->lane < LANES && wire_name_or_empty(t->flow) && wire_name_or_empty(t->lock) &&
           wire_name_or_empty(t->upstream) && wire_name_or_empty(t->session) &&
           wire_id_or_empty(t->parent_run);
}

static struct err ticket_of(struct ticket *ret, const sluice_v1_Ticket *m)
{
    struct ticket t = {
        .lane = lane_of(m->lane),
        .wake = m->wake,
        .cause =
            m->cause <= sluice_v1_Cause_CAUSE_LOCK ? (enum ticket_cause)m->cause : CAUSE_NONE,
        .cause_seq         = m->cause_seq,
        .plan_seq          = m->plan_seq,
        .due_after_ms      = m->due_after_ms,
        .start_within_ms   = m->start_within_ms,
        .deadline_after_ms = m->deadline_after_ms,
    };

    if (m->schema < 1 || m->schema > WIRE_SCHEMA)
        return err_of(ERR_REJECT, "read a ticket: its schema");
    str_copy(t.run, sizeof(t.run), m->run);
    str_copy(t.tenant, sizeof(t.tenant), m->tenant);
    str_copy(t.flow, sizeof(t.flow), m->flow);
    str_copy(t.pool, sizeof(t.pool), m->pool);
    str_copy(t.lock, sizeof(t.lock), m->lock);
    str_copy(t.upstream, sizeof(t.upstream), m->upstream);
    str_copy(t.session, sizeof(t.session), m->session);
    str_copy(t.parent_run, sizeof(t.parent_run), m->parent_run);
    if (!may_stand_in_subjects(&t))
        return err_of(ERR_REJECT, "read a ticket: its names");
    *ret = t;
    return OK;
}

static sluice_v1_Ticket message_of(const struct ticket *t)
{
    sluice_v1_Ticket m = {
        .schema            = WIRE_SCHEMA,
        .wake              = t->wake,
        .cause             = (sluice_v1_Cause)t->cause,
        .cause_seq         = t->cause_seq,
        .plan_seq          = t->plan_seq,
        .due_after_ms      = t->due_after_ms,
        .start_within_ms   = t->start_within_ms,
        .deadline_after_ms = t->deadline_after_ms,
    };

    must(may_stand_in_subjects(t));
    str_copy(m.run, sizeof(m.run), t->run);
    str_copy(m.tenant, sizeof(m.tenant), t->tenant);
    str_copy(m.flow, sizeof(m.flow), t->flow);
    str_copy(m.pool, sizeof(m.pool), t->pool);
    str_copy(m.lane, sizeof(m.lane), lane_word(t->lane));
    str_copy(m.lock, sizeof(m.lock), t->lock);
    str_copy(m.upstream, sizeof(m.upstream), t->upstream);
    str_copy(m.session, sizeof(m.session), t->session);
    str_copy(m.parent_run, sizeof(m.parent_run), t->parent_run);
    return m;
}

struct err wire_read_ticket(struct ticket *ret, struct bytes body)
{
    sluice_v1_Ticket m = sluice_v1_Ticket_init_zero;

    struct err e = wire_nanopb_read(sluice_v1_Ticket_fields, &m, body, "read a ticket");
    if (failed(e))
        return e;
    return ticket_of(ret, &m);
}

void wire_write_ticket(const struct ticket *t, struct buf *to)
{
    sluice_v1_Ticket m = message_of(t);

    wire_nanopb_write(sluice_v1_Ticket_fields, &m, to);
}

struct err wire_read_job(struct job *ret, struct bytes body)
{
    sluice_v1_Job m = sluice_v1_Job_init_zero;
    struct job job  = {0};

    struct err e = wire_nanopb_read(sluice_v1_Job_fields, &m, body, "read a job");
    if (failed(e))
        return e;
    e = ticket_of(&job.ticket, &m.ticket);
    if (failed(e))
        return e;
    job.slot       = m.slot;
    job.ticket_seq = m.ticket_seq;
    *ret           = job;
    return OK;
}

void wire_write_job(const struct job *j, struct buf *to)
{
    sluice_v1_Job m = {.has_ticket = true,
                       .ticket     = message_of(&j->ticket),
                       .slot       = j->slot,
                       .ticket_seq = j->ticket_seq};

    wire_nanopb_write(sluice_v1_Job_fields, &m, to);
}

struct err wire_read_worker_status(struct worker_status *ret, struct bytes body)
{
    sluice_v1_WorkerStatus m = sluice_v1_WorkerStatus_init_zero;

    struct err e = wire_nanopb_read(sluice_v1_WorkerStatus_fields, &m, body, "read a status");
    if (failed(e))
        return e;
    if (m.schema < 1 || m.schema > WIRE_SCHEMA)
        return err_of(ERR_REJECT, "read a status: its schema");
    if (!str_is_name(m.worker) || !str_is_name(m.pool))
        return err_of(ERR_REJECT, "read a status: its names");

    *ret = (struct worker_status){.slots = m.slots, .busy = m.busy, .draining = m.draining};
    str_copy(ret->worker, sizeof(ret->worker), m.worker);
    str_copy(ret->pool, sizeof(ret->pool), m.pool);
    str_copy(ret->version, sizeof(ret->version), m.version);
    return OK;
}

void wire_write_worker_status(const struct worker_status *s, struct buf *to)
{
    sluice_v1_WorkerStatus m = {
        .schema = WIRE_SCHEMA, .slots = s->slots, .busy = s->busy, .draining = s->draining};

    must(str_is_name(s->worker) && str_is_name(s->pool));
    str_copy(m.worker, sizeof(m.worker), s->worker);
    str_copy(m.pool, sizeof(m.pool), s->pool);
    str_copy(m.version, sizeof(m.version), s->version);
    wire_nanopb_write(sluice_v1_WorkerStatus_fields, &m, to);
}

struct err wire_read_holds_ask(struct holds_ask *ret, struct bytes body)
{
    sluice_v1_HoldsAsk m = sluice_v1_HoldsAsk_init_zero;

    struct err e = wire_nanopb_read(sluice_v1_HoldsAsk_fields, &m, body, "read who holds");
    if (failed(e))
        return e;
    if (!id_valid(m.run))
        return err_of(ERR_REJECT, "read who holds: the run");

    *ret = (struct holds_ask){.token = m.token, .job = m.job};
    str_copy(ret->run, sizeof(ret->run), m.run);
    return OK;
}

void wire_write_holds_ask(const struct holds_ask *a, struct buf *to)
{
    sluice_v1_HoldsAsk m = {.token = a->token, .job = a->job};

    must(id_valid(a->run));
    str_copy(m.run, sizeof(m.run), a->run);
    wire_nanopb_write(sluice_v1_HoldsAsk_fields, &m, to);
}

struct err wire_read_holds_answer(bool *ret_alive, struct bytes body)
{
    sluice_v1_HoldsAnswer m = sluice_v1_HoldsAnswer_init_zero;

    struct err e =
        wire_nanopb_read(sluice_v1_HoldsAnswer_fields, &m, body, "read who is alive");
    if (failed(e))
        return e;
    *ret_alive = m.alive;
    return OK;
}

void wire_write_holds_answer(bool alive, struct buf *to)
{
    sluice_v1_HoldsAnswer m = {.alive = alive};

    wire_nanopb_write(sluice_v1_HoldsAnswer_fields, &m, to);
}
