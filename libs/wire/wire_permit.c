#include "wire/wire_permit.h"

#include <pb_decode.h>
#include <pb_encode.h>

#include "base/must.h"
#include "sluice/v1/permit.pb.h"
#include "wire/wire_name.h"
#include "wire/wire_nanopb.h"
#include "wire/wire_stream.h"

const char *permit_mode_word(enum permit_mode mode)
{
    switch (mode) {
    case PERMIT_MODE_NONE:
        return "";
    case PERMIT_MODE_OPEN:
        return "open";
    case PERMIT_MODE_SLOWED:
        return "slowed";
    case PERMIT_MODE_CLOSED:
        return "closed";
    case PERMIT_MODE_LIMITED:
        return "limited";
    case PERMIT_MODE_RAMP:
        return "ramp";
    }
    must(!"unknown mode");
    return "";
}

/* ---- ask ----------------------------------------------------------------------------------- */

static bool ask_names_hold(const struct permit_ask *a)
{
    return id_valid(a->id) && wire_name_or_empty(a->tenant) && wire_id_or_empty(a->run) &&
           wire_name_or_empty(a->session);
}

static struct err ask_of(struct permit_ask *ret, const sluice_v1_PermitAsk *m)
{
    struct permit_ask a = {
        .lane        = lane_of(m->lane),
        .key_count   = m->keys_count,
        .wait_ms     = m->wait_ms,
        .lifetime_ms = m->lifetime_ms,
    };

    str_copy(a.id, sizeof(a.id), m->id);
    str_copy(a.tenant, sizeof(a.tenant), m->tenant);
    str_copy(a.run, sizeof(a.run), m->run);
    str_copy(a.step, sizeof(a.step), m->step);
    str_copy(a.session, sizeof(a.session), m->session);
    if (!ask_names_hold(&a) || !wire_lane_or_empty(m->lane))
        return err_of(ERR_REJECT, "read an ask: its names");

    for (size_t i = 0; i < a.key_count; i++) {
        const sluice_v1_PermitKey *k = &m->keys[i];

        if (k->name[0] == '\0')
            return err_of(ERR_REJECT, "read an ask: a key without a name");
        a.keys[i] = (struct permit_key){
            .rate         = k->rate,
            .in_flight    = k->in_flight,
            .session_open = k->session_open,
            .session_use  = k->session_use,
            .close        = k->close,
        };
        str_copy(a.keys[i].name, sizeof(a.keys[i].name), k->name);
    }
    *ret = a;
    return OK;
}

void wire_write_permit_ask(const struct permit_ask *a, struct buf *to)
{
    sluice_v1_PermitRequest envelope = {.has_ask = true};
    sluice_v1_PermitAsk *m           = &envelope.ask;

    must(ask_names_hold(a) && a->key_count <= PERMIT_KEYS_MAX);
    m->keys_count  = (pb_size_t)a->key_count;
    m->wait_ms     = a->wait_ms;
    m->lifetime_ms = a->lifetime_ms;
    str_copy(m->id, sizeof(m->id), a->id);
    str_copy(m->tenant, sizeof(m->tenant), a->tenant);
    str_copy(m->lane, sizeof(m->lane), lane_word(a->lane));
    str_copy(m->run, sizeof(m->run), a->run);
    str_copy(m->step, sizeof(m->step), a->step);
    str_copy(m->session, sizeof(m->session), a->session);
    for (size_t i = 0; i < a->key_count; i++) {
        const struct permit_key *k = &a->keys[i];

        must(k->name[0] != '\0');
        m->keys[i] = (sluice_v1_PermitKey){
            .rate         = k->rate,
            .in_flight    = k->in_flight,
            .session_open = k->session_open,
            .session_use  = k->session_use,
            .close        = k->close,
        };
        str_copy(m->keys[i].name, sizeof(m->keys[i].name), k->name);
    }
    wire_nanopb_write(sluice_v1_PermitRequest_fields, &envelope, to);
}

/* ---- grant --------------------------------------------------------------------------------- */

struct err wire_read_permit_grant(struct permit_grant *ret, struct bytes body)
{
    sluice_v1_PermitGrant m = sluice_v1_PermitGrant_init_zero;

    struct err e = wire_nanopb_read(sluice_v1_PermitGrant_fields, &m, body, "read a grant");
    if (failed(e))
        return e;
    if (!id_valid(m.id))
        return err_of(ERR_REJECT, "read a grant: its id");

    *ret = (struct permit_grant){
        .ok             = m.ok,
        .probe          = m.probe,
        .waited_ms      = m.waited_ms,
        .retry_after_ms = m.retry_after_ms,
        .log_seq        = m.log_seq,
    };
    str_copy(ret->id, sizeof(ret->id), m.id);
    str_copy(ret->why, sizeof(ret->why), m.why);
    return OK;
}

void wire_write_permit_grant(const struct permit_grant *g, struct buf *to)
{
    sluice_v1_PermitGrant m = {
        .ok             = g->ok,
        .probe          = g->probe,
        .waited_ms      = g->waited_ms,
        .retry_after_ms = g->retry_after_ms,
        .log_seq        = g->log_seq,
    };

    must(id_valid(g->id));
    str_copy(m.id, sizeof(m.id), g->id);
    str_copy(m.why, sizeof(m.why), g->why);
    wire_nanopb_write(sluice_v1_PermitGrant_fields, &m, to);
}

/* ---- report -------------------------------------------------------------------------------- */

static enum call_class class_of(sluice_v1_CallClass n)
{
    return n <= sluice_v1_CallClass_CALL_CLASS_UNSENT ? (enum call_class)n : CALL_NONE;
}

static struct err report_of(struct permit_report *ret, const sluice_v1_PermitReport *m)
{
    if (!wire_id_or_empty(m->id) || !wire_name_or_empty(m->session))
        return err_of(ERR_REJECT, "read a report: its names");

    *ret = (struct permit_report){
        .status         = m->status,
        .retry_after_ms = m->retry_after_ms,
        .ms             = m->ms,
        .call_class     = class_of(m->call_class),
        .session_opened = m->session_opened,
        .session_closed = m->session_closed,
    };
    str_copy(ret->id, sizeof(ret->id), m->id);
    str_copy(ret->name, sizeof(ret->name), m->name);
    str_copy(ret->session, sizeof(ret->session), m->session);
    return OK;
}

void wire_write_permit_report(const struct permit_report *r, struct buf *to)
{
    sluice_v1_PermitRequest envelope = {.has_report = true};
    sluice_v1_PermitReport *m        = &envelope.report;

    must(wire_id_or_empty(r->id) && wire_name_or_empty(r->session));
    m->status         = r->status;
    m->retry_after_ms = r->retry_after_ms;
    m->ms             = r->ms;
    m->call_class     = (sluice_v1_CallClass)r->call_class;
    m->session_opened = r->session_opened;
    m->session_closed = r->session_closed;
    str_copy(m->id, sizeof(m->id), r->id);
    str_copy(m->name, sizeof(m->name), r->name);
    str_copy(m->session, sizeof(m->session), r->session);
    wire_nanopb_write(sluice_v1_PermitRequest_fields, &envelope, to);
}

/* ---- either -------------------------------------------------------------------------------- */

struct err wire_read_permit_request(struct permit_request *ret, struct bytes body)
{
    sluice_v1_PermitRequest m = sluice_v1_PermitRequest_init_zero;

    struct err e =
        wire_nanopb_read(sluice_v1_PermitRequest_fields, &m, body, "read a permit request");
    if (failed(e))
        return e;
    if (m.has_ask == m.has_report)
        return err_of(ERR_REJECT, "read a permit request: neither ask nor report");

    enum permit_what what = m.has_ask ? PERMIT_ASK : PERMIT_REPORT;

    e = m.has_ask ? ask_of(&ret->ask, &m.ask) : report_of(&ret->report, &m.report);
    if (!failed(e))
        ret->what = what;
    return e;
}

/* ---- the grant log ------------------------------------------------------------------------- */

static bool record_names_hold(const struct grant_record *r)
{
    return wire_id_or_empty(r->id) && wire_name_or_empty(r->tenant) &&
           wire_name_or_empty(r->session);
}

static struct err record_of(struct grant_record *ret, const sluice_v1_GrantRecord *m)
{
    struct grant_record r = {
        .op = m->op <= sluice_v1_GrantOp_GRANT_OP_SESSION ? (enum grant_op)m->op : GRANT_NONE,
        .in_flight    = m->in_flight,
        .session_open = m->session_open,
        .session_use  = m->session_use,
        .rate         = m->rate,
        .lifetime_ms  = m->lifetime_ms,
        .mode     = m->mode <= sluice_v1_PermitMode_PERMIT_MODE_RAMP ? (enum permit_mode)m->mode
                                                                     : PERMIT_MODE_NONE,
        .until_ms = m->until_ms,
        .at_ms    = m->at_ms,
        .since_ms = m->since_ms,
        .ahead_ns = m->ahead_ns,
        .probe    = m->probe,
        .opened   = m->opened,
        .call_class = class_of(m->call_class),
        .window     = m->window,
        .ceiling    = m->ceiling,
        .ramp_ms    = m->ramp_ms,
        .trips      = m->trips,
        .told       = m->told,
    };

    str_copy(r.id, sizeof(r.id), m->id);
    str_copy(r.name, sizeof(r.name), m->name);
    str_copy(r.tenant, sizeof(r.tenant), m->tenant);
    str_copy(r.session, sizeof(r.session), m->session);
    str_copy(r.why, sizeof(r.why), m->why);
    if (!record_names_hold(&r))
        return err_of(ERR_REJECT, "read a grant record: its names");
    *ret = r;
    return OK;
}

static sluice_v1_GrantRecord record_message(const struct grant_record *r)
{
    sluice_v1_GrantRecord m = {
        .op           = (sluice_v1_GrantOp)r->op,
        .in_flight    = r->in_flight,
        .session_open = r->session_open,
        .session_use  = r->session_use,
        .rate         = r->rate,
        .lifetime_ms  = r->lifetime_ms,
        .mode         = (sluice_v1_PermitMode)r->mode,
        .until_ms     = r->until_ms,
        .at_ms        = r->at_ms,
        .since_ms     = r->since_ms,
        .ahead_ns     = r->ahead_ns,
        .probe        = r->probe,
        .opened       = r->opened,
        .call_class   = (sluice_v1_CallClass)r->call_class,
        .window       = r->window,
        .ceiling      = r->ceiling,
        .ramp_ms      = r->ramp_ms,
        .trips        = r->trips,
        .told         = r->told,
    };

    must(record_names_hold(r));
    str_copy(m.id, sizeof(m.id), r->id);
    str_copy(m.name, sizeof(m.name), r->name);
    str_copy(m.tenant, sizeof(m.tenant), r->tenant);
    str_copy(m.session, sizeof(m.session), r->session);
    str_copy(m.why, sizeof(m.why), r->why);
    return m;
}

/* The records as they come; `room` doubles, so what the arena wastes is less than what it keeps. */
struct records {
    struct arena *arena;
    struct grant_record *at;
    size_t count, room;
};

static void make_room(struct records *all)
{
    enum { FIRST = 8 };
    size_t room = all->room == 0 ? FIRST : all->room * 2;

    if (all->count < all->room)
        return;
    struct grant_record *at = arena_array(all->arena, room, sizeof(*at));

    if (all->count > 0)
        memcpy(at, all->at, all->count * sizeof(*at));
    all->at   = at;
    all->room = room;
}

static bool read_record(pb_istream_t *from, const pb_field_t *field, void **arg)
{
    struct records *all     = *arg;
    sluice_v1_GrantRecord m = sluice_v1_GrantRecord_init_zero;

    (void)field;
    if (all->count == GRANT_RECORDS_MAX || !pb_decode(from, sluice_v1_GrantRecord_fields, &m))
        return false;
    make_room(all);
    if (failed(record_of(&all->at[all->count], &m)))
        return false;
    all->count++;
    return true;
}

struct err wire_read_grant_batch(struct grant_batch *ret, struct bytes body,
                                 struct arena *arena)
{
    struct records all     = {.arena = arena};
    sluice_v1_GrantBatch m = {.records = {.funcs.decode = read_record, .arg = &all}};

    struct err e =
        wire_nanopb_read(sluice_v1_GrantBatch_fields, &m, body, "read a grant batch");
    if (failed(e))
        return e;
    if (m.schema < 1 || m.schema > WIRE_SCHEMA)
        return err_of(ERR_REJECT, "read a grant batch: its schema");

    *ret = (struct grant_batch){
        .snapshot = m.snapshot,
        .epoch    = m.epoch,
        .at_ms    = m.at_ms,
        .part     = m.part,
        .parts    = m.parts,
        .records  = all.at,
        .count    = all.count,
    };
    return OK;
}

static bool write_records(pb_ostream_t *to, const pb_field_t *field, void *const *arg)
{
    const struct grant_batch *b = *arg;

    for (size_t i = 0; i < b->count; i++) {
        sluice_v1_GrantRecord m = record_message(&b->records[i]);

        if (!pb_encode_tag_for_field(to, field) ||
            !pb_encode_submessage(to, sluice_v1_GrantRecord_fields, &m))
            return false;
    }
    return true;
}

void wire_write_grant_batch(const struct grant_batch *b, struct buf *to)
{
    struct grant_batch copy = *b; /* nanopb's argument is not const */
    sluice_v1_GrantBatch m  = {
         .schema   = WIRE_SCHEMA,
         .snapshot = b->snapshot,
         .epoch    = b->epoch,
         .at_ms    = b->at_ms,
         .part     = b->part,
         .parts    = b->parts,
         .records  = {.funcs.encode = write_records, .arg = &copy},
    };

    must(b->count <= GRANT_RECORDS_MAX);
    wire_nanopb_write(sluice_v1_GrantBatch_fields, &m, to);
}
