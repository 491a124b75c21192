#include "bw_reap_internal.h"

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    GRACE_MIN_MS = 10000,
    /* How long somebody may still be making a session for a caller that is gone: a Grid's queue (its
       --session-request-timeout). */
    LOST_MS    = 300 * 1000,
    KEPT_TTL_S = 24 * 3600, /* of an ended record, as bw_session writes it */
    RECORD_MAX = 8192,
};

void bw_reap_session_drop(struct bw_reaper *r)
{
    if (r->folding)
        run_fold_deinit(&r->fold);
    r->folding = r->is_ours = false;
    json_free(&r->doc);
}

static const char *session_id(const struct bw_reaper *r)
{
    return bw_table_session(&r->in_hand);
}

/* ---- rewriting a record ------------------------------------------------------------------ */

static struct err put_status(struct bw_reaper *r, const char *status, uint64_t revision,
                             bus_next_fn *next)
{
    bool closing                   = str_equal(status, "closing");
    const struct bus_expect expect = {.seq = revision, .ttl_s = closing ? 0 : KEPT_TTL_S};
    struct buf value;
    char at[40];

    json_set(r->doc, "status", json_new_str(status));
    json_set(r->doc, "last_updated_at",
             json_new_str(str_time_text(clk_wall_ms(), at, sizeof at)));
    buf_init(&value, RECORD_MAX);
    json_print(r->doc, &value);
    struct err e =
        bus_kv_put(&r->op, BUCKET_SESSIONS, r->in_hand.key, buf_bytes(&value), &expect, next);
    buf_deinit(&value);
    return e;
}

/* Is it still the record that was judged?  Then r->doc is it. */
static bool unchanged(struct bw_reaper *r, const struct bus_reply *reply)
{
    char why[JSON_WHY_SIZE];

    if (failed(reply->err) || reply->seq != r->in_hand.revision)
        return false;
    json_free(&r->doc);
    return !failed(json_parse(&r->doc, reply->body, why, sizeof why)) &&
           json_type(r->doc) == JSON_OBJECT;
}

static struct err read_record(struct bw_reaper *r, bus_next_fn *next)
{
    return bus_kv_get(&r->op, BUCKET_SESSIONS, r->in_hand.key, next);
}

/* ---- it is gone -------------------------------------------------------------------------- */

static struct err on_expired(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r = bw_reap_self(op);

    if (!failed(reply->err)) {
        log_info("session expired at its upstream", KV("session", session_id(r)),
                 KV("upstream", r->in_hand.record.upstream), KV("run", r->in_hand.record.run));
        bw_permit_session_gone(r->bw->permits, r->in_hand.record.upstream, session_id(r));
    }
    return bw_reap_place_next(
        r); /* refused: somebody has it now.  Not known: the next sweep sees */
}

static struct err expire_read(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r = bw_reap_self(op);

    if (!unchanged(r, reply))
        return bw_reap_place_next(r);
    return put_status(r, "expired", reply->seq, on_expired);
}

/* ---- closing it -------------------------------------------------------------------------- */

static const char *why_closed(const struct bw_reaper *r)
{
    if (r->is_stray)
        return "no record names it";
    return r->in_hand.record.free ? "kept long enough" : "nobody's";
}

static struct err on_completed(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply; /* not stored: it stays closing, and the next list lacks it */
    return bw_reap_place_next(bw_reap_self(op));
}

/* Called from outside the chain, which is parked. */
static void on_closed(void *self, const struct bw_answer *a)
{
    struct bw_reaper *r = self;
    bool closed         = a && bw_reap_call_closed(a);

    if (closed)
        log_info("session closed", KV("session", session_id(r)),
                 KV("upstream", r->upstream.name), KV("run", r->in_hand.record.run),
                 KV("why", why_closed(r)));
    else if (a)
        log_warn("session not closed", KV("session", session_id(r)),
                 KV("upstream", r->upstream.name), KV("why", a->detail));
    if (closed && !r->is_stray)
        (void)put_status(r, "completed", r->revision, on_completed);
    else
        (void)bw_reap_place_next(r);
}

static struct err ask_to_close(struct bw_reaper *r)
{
    bw_reap_call_start(&r->call, r, BW_CLOSE, on_closed, r);
    return OK; /* parked */
}

/* From here on no run can take it. */
static struct err on_claimed(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r = bw_reap_self(op);

    if (failed(reply->err))
        return bw_reap_place_next(r);
    r->revision = reply->seq;
    return ask_to_close(r);
}

static struct err close_read(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r = bw_reap_self(op);

    if (!unchanged(r, reply))
        return bw_reap_place_next(r);
    return put_status(r, "closing", reply->seq, on_claimed);
}

/* ---- looking at its run ------------------------------------------------------------------ */

static struct err on_journal(struct bus_op *op, const struct bus_reply *reply);

static struct err read_journal(struct bw_reaper *r)
{
    char subject[SUBJECT_SIZE];
    const struct bus_read read = {
        .stream  = STREAM_JOURNAL,
        .subject = subject_journal(subject, r->in_hand.record.tenant, r->in_hand.record.run),
        .from    = r->fold.last_seq ? r->fold.last_seq + 1 : 0};

    return bus_read(&r->op, &read, on_journal);
}

static void add_entry(struct bw_reaper *r, const struct bus_msg *m, struct arena *arena)
{
    struct entry e;

    if (failed(wire_read_entry(&e, m->body, arena)))
        e = (struct entry){.kind = ENTRY_NONE};
    e.seq       = m->seq;
    e.stored_ms = m->stored_ms;
    if (e.kind == ENTRY_OPENING && str_equal(e.session.session, session_id(r)))
        r->is_ours = true;
    run_fold_add(&r->fold, &e);
}

static struct err on_journal(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r = bw_reap_self(op);
    struct arena *arena = NULL;

    if (failed(reply->err))
        return bw_reap_place_next(r);
    arena = arena_new();
    for (const struct bus_msg *m = reply->msgs; m; m = m->next) {
        add_entry(r, m, arena);
        arena_reset(arena);
    }
    arena_free(&arena);
    return reply->more && reply->count ? read_journal(r) : bw_reap_session_judge(r);
}

/* Most runs are held, and the last entry says so. */
static bool says_living(const struct bus_msg *last)
{
    static const char *const LIVING[] = {"PLAN",   "ACCEPTED", "LEASED",  "OPENING", "OPENED",
                                         "INTENT", "OUTCOME",  "SPAWNED", NULL};
    const char *kind                  = bus_msg_header(last, "Sluice-Kind");

    for (size_t i = 0; kind && LIVING[i]; i++)
        if (str_equal(LIVING[i], kind))
            return true;
    return false;
}

static struct err on_last(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r = bw_reap_self(op);
    bool absent         = reply->err.kind == ERR_ABSENT;

    if (failed(reply->err) && !absent)
        return bw_reap_place_next(r);
    if (!absent && !r->is_stray && says_living(reply->msgs))
        return bw_reap_place_next(r);
    run_fold_init(&r->fold);
    r->folding = true;
    return absent ? bw_reap_session_judge(r) : read_journal(r);
}

static struct err look(struct bw_reaper *r)
{
    const struct bw_record *record = &r->in_hand.record;
    char subject[SUBJECT_SIZE];

    if (!str_is_name(record->tenant) || !id_valid(record->run))
        return bw_reap_place_next(r); /* written by hand */
    return bus_get_last(&r->op, STREAM_JOURNAL,
                        subject_journal(subject, record->tenant, record->run), on_last);
}

/* ---- judging one ------------------------------------------------------------------------- */

static enum bw_reap_listed listed(const struct bw_reaper *r)
{
    const char *id = r->in_hand.record.remote_id;

    if (r->is_gone)
        return BW_REAP_NOT_LISTED;
    if (!r->listed || r->in_hand.mark > r->listed_mark || (!*id && !r->driver->stamps))
        return BW_REAP_UNKNOWN;
    return json_get(r->listed, id) ? BW_REAP_LISTED : BW_REAP_NOT_LISTED;
}

/* The session that its run has, or is about to have. */
static bool is_current(const struct bw_reaper *r)
{
    const struct run_session *s = &r->fold.session;

    return (s->state == SESSION_OPENING || s->state == SESSION_OPEN) &&
           str_equal(s->id, session_id(r));
}

struct err bw_reap_session_judge(struct bw_reaper *r)
{
    uint64_t reap_ms                 = r->bw->config->reap_ms;
    const struct bw_reap_sight sight = {
        .record     = &r->in_hand.record,
        .listed     = listed(r),
        .looked     = r->folding,
        .phase      = r->folding ? r->fold.phase : RUN_ABSENT,
        .due_ms     = r->folding ? run_due_ms(&r->fold) : 0,
        .ended_ms   = r->folding ? r->fold.ended_ms : 0,
        .keep_ms    = r->folding ? r->fold.plan.keep_session_ms : 0,
        .is_ours    = r->is_ours,
        .current    = r->folding && is_current(r),
        .seen_ms    = r->seen_ms,
        .touched_ms = r->touched_ms,
        .idle_ms    = r->upstream.session_idle_ms,
        .lost_ms    = LOST_MS,
        .now_ms     = clk_wall_ms(),
        .grace_ms   = reap_ms > GRACE_MIN_MS ? reap_ms : GRACE_MIN_MS};

    switch (r->is_stray ? bw_reap_judge_stray(&sight) : bw_reap_judge(&sight)) {
    case BW_REAP_LEAVE:
        return bw_reap_place_next(r);
    case BW_REAP_LOOK:
        return look(r);
    case BW_REAP_EXPIRE:
        return read_record(r, expire_read);
    case BW_REAP_CLOSE:
        return r->is_stray ? ask_to_close(r) : read_record(r, close_read);
    case BW_REAP_TOUCH:
        return bw_reap_touch(r);
    }
    must(!"unknown move");
    return bw_reap_place_next(r);
}
