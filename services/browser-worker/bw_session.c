#include "bw_session.h"

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "bw_end.h"
#include "bw_journal.h"
#include "bw_step.h"

enum { CLOSED_TTL_S = 24 * 3600, RECORD_MAX = 8192 };

/* ---- the record ------------------------------------------------------------------------------------------ */

static void set_time(struct json *doc, const char *key, int64_t ms)
{
    char at[40];

    json_set(doc, key, ms ? json_new_str(str_time_text(ms, at, sizeof at)) : json_new_null());
}

static void print_record(const struct bw_run *run, const char *status, bool is_free,
                         int64_t expires_ms, struct buf *to)
{
    const struct run_fold *f    = &run->fold;
    const struct run_session *s = &f->session;
    struct json *doc = json_new_object(), *owner = json_new_object();
    char token[17];

    json_set(owner, "run", json_new_str(is_free ? "" : f->plan.run));
    json_set(owner, "token", json_new_str(str_hex64(run->token, token)));
    json_set(doc, "v", json_new_int(1));
    json_set(doc, "status", json_new_str(status));
    json_set(doc, "owner", owner);
    json_set(doc, "free", json_new_bool(is_free));
    json_set(doc, "workflow", json_new_str(*f->plan.root ? f->plan.root : f->plan.run));
    json_set(doc, "tenant", json_new_str(f->plan.tenant));
    json_set(doc, "run", json_new_str(f->plan.run));
    json_set(doc, "lock", *f->plan.lock ? json_new_str(f->plan.lock) : json_new_null());
    json_set(doc, "upstream", json_new_str(s->upstream));
    json_set(doc, "endpoint", json_new_str(s->endpoint));
    json_set(doc, "remote_id", json_new_str(s->remote_id));
    json_set(doc, "last_step", f->last ? json_new_str(f->last->id) : json_new_null());
    json_set(doc, "last_error",
             f->last && *f->last->last.code ? json_new_str(f->last->last.code)
                                            : json_new_null());
    set_time(doc, "expires_at", expires_ms);
    set_time(doc, "created_at", s->opened_ms);
    set_time(doc, "last_updated_at", clk_wall_ms());
    json_print(doc, to);
    json_free(&doc);
}

static const char *key_of(const struct bw_run *run, const char *session, char *at, size_t size)
{
    str_format(at, size, "%s.%s", run->fold.plan.tenant, session);
    return at;
}

static struct err put(struct bw_run *run, const char *status, bool is_free, int64_t expires_ms,
                      uint64_t revision, bus_next_fn *next)
{
    bool living                    = str_equal(status, "active");
    const struct bus_expect expect = {.seq = revision, .ttl_s = living ? 0 : CLOSED_TTL_S};
    char key[STR_NAME_SIZE + ID_SIZE + 2];
    struct buf value;

    buf_init(&value, RECORD_MAX);
    print_record(run, status, is_free, expires_ms, &value);
    struct err e = bus_kv_put(&run->op, BUCKET_SESSIONS,
                              key_of(run, run->fold.session.id, key, sizeof key),
                              buf_bytes(&value), &expect, next);
    buf_deinit(&value);
    return e;
}

static struct err get(struct bw_run *run, const char *session, bus_next_fn *next)
{
    char key[STR_NAME_SIZE + ID_SIZE + 2];

    return bus_kv_get(&run->op, BUCKET_SESSIONS, key_of(run, session, key, sizeof key), next);
}

/* ---- writing what the journal already says ------------------------------------------------------------------- */

static struct err write_now(struct bw_run *run);

static struct err write_again(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    (void)reply;
    if (bw_run_left_ms(run) > 0)
        return write_now(run);
    bw_run_drop(run, "past its step's deadline"); /* another may have the session by now */
    return OK;
}

static struct err on_written(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    if (failed(reply->err) && reply->err.kind != ERR_REJECT)
        return bus_wait(op, 100, write_again);
    run->record.then(run);
    return OK;
}

static struct err write_now(struct bw_run *run)
{
    return put(run, run->record.status, false, 0, BUS_ANY, on_written);
}

void bw_session_write(struct bw_run *run, const char *status, bw_then_fn *then)
{
    /* The journal's CAS already decided whose session this is: the record follows it. */
    run->record = (struct bw_recording){.status = status, .then = then};
    (void)write_now(run);
}

/* ---- keeping -------------------------------------------------------------------------------------------------------- */

static struct err on_keep_read(struct bus_op *op, const struct bus_reply *reply);

static struct err keep_again(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    (void)reply;
    return get(run, run->fold.session.id, on_keep_read);
}

static struct err on_kept(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    if (failed(reply->err) && reply->err.kind != ERR_REJECT)
        return bus_wait(op, 50, keep_again); /* refused or not known: read what stands now */
    run->record.then(run);
    return OK;
}

/* The duty is done once. From then on the record is whoever's it says: another run may work there, or the reaper close it. */
static struct err on_keep_read(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run         = SELF(struct bw_run, BW_RUN_MAGIC, op);
    const struct entry_plan *p = &run->fold.plan;
    struct bw_record record    = {0};

    if (failed(reply->err) && reply->err.kind != ERR_ABSENT)
        return bus_wait(op, 200, keep_again);
    bool readable = !failed(reply->err) && !failed(bw_record_read(&record, reply->body));
    bool ours     = str_equal(record.status, "active") && str_equal(record.run, p->run);
    if (readable && (!ours || record.free)) {
        run->record.then(run);
        return OK;
    }
    return put(run, "active", true, run->fold.ended_ms + (int64_t)p->keep_session_ms,
               reply->seq, on_kept);
}

void bw_session_keep(struct bw_run *run, bw_then_fn *then)
{
    run->record = (struct bw_recording){.then = then};
    (void)get(run, run->fold.session.id, on_keep_read);
}

/* ---- adopting --------------------------------------------------------------------------------------------------- */

static struct err on_adopt_read(struct bus_op *op, const struct bus_reply *reply);

static const char *wanted(const struct bw_run *run)
{
    return run->fold.session.state == SESSION_OPEN ? run->fold.session.id
                                                   : run->fold.plan.session;
}

static struct err adopt_again(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    (void)reply;
    return get(run, wanted(run), on_adopt_read);
}

static struct err on_adopted(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    if (failed(reply->err))
        return bus_wait(op, 50, adopt_again);
    run->hand.adopted = true;
    bw_run_advance(run);
    return OK;
}

static void named_opened(struct bw_run *run)
{
    run->hand.adopted = true;
    bw_run_advance(run);
}

/* The session of the submit: ours from now on, and the journal says so. */
static void open_named(struct bw_run *run)
{
    struct entry *e     = bw_journal_entry(run, ENTRY_OPENED);
    struct arena *arena = bw_journal_arena(run);

    e->session.session   = run->fold.plan.session;
    e->session.upstream  = arena_strdup(arena, run->named.upstream);
    e->session.endpoint  = arena_strdup(arena, run->named.endpoint);
    e->session.remote_id = arena_strdup(arena, run->named.remote_id);
    e->session.kept      = true;
    e->session.why       = "named";
    bw_journal_fact(run, named_opened);
}

static struct err on_named_taken(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    if (failed(reply->err))
        return bus_wait(op, 50, adopt_again);
    open_named(run);
    return OK;
}

static struct err take_named(struct bw_run *run, uint64_t revision)
{
    const struct bus_expect expect = {.seq = revision};
    char key[STR_NAME_SIZE + ID_SIZE + 2], token[17];
    struct json *doc = json_new_object(), *owner = json_new_object();
    struct buf value;

    buf_init(&value, RECORD_MAX);
    json_set(owner, "run", json_new_str(run->fold.plan.run));
    json_set(owner, "token", json_new_str(str_hex64(run->token, token)));
    json_set(doc, "v", json_new_int(1));
    json_set(doc, "status", json_new_str("active"));
    json_set(doc, "owner", owner);
    json_set(doc, "free", json_new_bool(false));
    json_set(doc, "workflow", json_new_str(run->fold.plan.run));
    json_set(doc, "tenant", json_new_str(run->fold.plan.tenant));
    json_set(doc, "run", json_new_str(run->fold.plan.run));
    json_set(doc, "upstream", json_new_str(run->named.upstream));
    json_set(doc, "endpoint", json_new_str(run->named.endpoint));
    json_set(doc, "remote_id", json_new_str(run->named.remote_id));
    set_time(doc, "last_updated_at", clk_wall_ms());
    json_print(doc, &value);
    json_free(&doc);
    struct err e = bus_kv_put(&run->op, BUCKET_SESSIONS,
                              key_of(run, run->fold.plan.session, key, sizeof key),
                              buf_bytes(&value), &expect, on_named_taken);
    buf_deinit(&value);
    return e;
}

static struct err named_read(struct bw_run *run, const struct bus_reply *reply)
{
    bool readable = !failed(reply->err) && !failed(bw_record_read(&run->named, reply->body));
    bool living   = readable && str_equal(run->named.status, "active");

    if (!living) {
        const struct run_move move = {.kind   = MOVE_END,
                                      .status = STATUS_FAILED,
                                      .code   = "session_lost",
                                      .detail = "the session that was named is not open"};
        run->doing.step            = NULL;
        bw_end_run(run, &move);
        return OK;
    }
    if (str_equal(run->named.run,
                  run->fold.plan.run)) { /* taken before, the entry was not written */
        open_named(run);
        return OK;
    }
    if (run->named.free)
        return take_named(run, reply->seq);
    bw_step_wait(run, ON_LOCK, 2000, "the session is in use");
    return OK;
}

static struct err on_adopt_read(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run      = SELF(struct bw_run, BW_RUN_MAGIC, op);
    struct bw_record record = {0};

    if (failed(reply->err) && reply->err.kind != ERR_ABSENT)
        return bus_wait(op, 200, adopt_again);
    if (run->fold.session.state != SESSION_OPEN)
        return named_read(run, reply);
    bool readable = !failed(reply->err) && !failed(bw_record_read(&record, reply->body));
    if (readable && !str_equal(record.status, "active")) {
        run->hand.session_lost = true; /* an ended one is never used again */
        bw_run_advance(run);
        return OK;
    }
    /* Absent or unreadable (somebody wrote over it by hand): the journal knows it, write it again. */
    return put(run, "active", false, 0, reply->seq, on_adopted);
}

void bw_session_adopt(struct bw_run *run)
{
    (void)get(run, wanted(run), on_adopt_read);
}
