#include "lim_log.h"

#include <string.h>

#include "base/arena.h"
#include "base/clk.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "bus/bus.h"
#include "wire/subject.h"

enum {
    LOG_MAGIC        = 0x4c474c31,
    COMMIT_MS        = 1,    /* appends are no closer: a batch is what comes meanwhile */
    BATCH_RECORDS    = 2000, /* with BATCH_BYTES: what surely fits in a message */
    BATCH_BYTES      = 600 << 10,
    BODY_MAX         = 1 << 20,
    RECORD_FIXED     = 120, /* of a record, beside its texts */
    READ_PAGE        = 512,
    AGAIN_MS         = 50, /* before what was certainly not done is tried again */
    SNAPSHOT_BATCHES = 2048,
    SNAPSHOT_BYTES   = 4 << 20,
};

struct batch {
    struct list link;
    uint64_t number;
    struct grant_record *records;
    size_t count, room, bytes;
    bool snapshot;
    uint32_t part, parts;
};

/* What the chain does now. */
enum state { READING, FENCING, READY, APPENDING, PURGING, DEAD };

struct lim_log {
    struct bus_op op; /* first: SELF() */
    struct bus *bus;
    struct lim_log_events on;
    char subject[SUBJECT_SIZE];
    uint64_t epoch;
    enum state state;
    bool closed;

    uint64_t seq;      /* of the subject's last message, as we know it */
    uint32_t part;     /* of a snapshot in parts: the last that was read; 0: none */
    struct list parts; /* of it: batches that count when the last is there */
    int64_t offset_ms; /* log time less boot time */
    uint64_t fenced_boot_ms;

    struct list queue; /* batches, the last of them still open */
    struct batch *out; /* under way */
    struct buf body;
    bool again; /* it was sent before, and nobody answered */
    uint64_t numbers, stored;
    uint64_t sent_at;
    uint64_t purge_to; /* 0: nothing */
    size_t since_batches, since_bytes, snapshot_bytes;
    struct lim_log_counts counts;
};

static void pump(struct lim_log *log);

/* ---- batches ----------------------------------------------------------------------- */

static struct batch *batch_new(struct lim_log *log)
{
    struct batch *b = mem_new(struct batch);

    b->number = ++log->numbers;
    list_push(&log->queue, &b->link);
    return b;
}

static void batch_free(struct batch **slot)
{
    struct batch *b = take(slot);

    if (!b)
        return;
    mem_free(&b->records);
    mem_free(&b);
}

static size_t size_of(const struct grant_record *r)
{
    return RECORD_FIXED + strlen(r->id) + strlen(r->name) + strlen(r->tenant) +
           strlen(r->session) + strlen(r->why);
}

static bool has_room(const struct batch *b, const struct grant_record *r)
{
    return b->count < BATCH_RECORDS && b->bytes + size_of(r) <= BATCH_BYTES;
}

static void batch_add(struct batch *b, const struct grant_record *r)
{
    enum { FIRST = 64 };

    if (b->count == b->room) {
        b->room    = b->room > 0 ? 2 * b->room : FIRST;
        b->records = mem_grow(b->records, b->room, sizeof(*b->records));
    }
    b->records[b->count++] = *r;
    b->bytes += size_of(r);
}

static struct batch *last_of(const struct list *list)
{
    return list_empty(list) ? NULL : LIST_OWNER(list->prev, struct batch, link);
}

void lim_log_add(struct lim_log *log, const struct grant_record *r)
{
    struct batch *b = last_of(&log->queue);

    if (!b || b->snapshot || !has_room(b, r))
        b = batch_new(log);
    batch_add(b, r);
    log->counts.records++;
}

uint64_t lim_log_mark(const struct lim_log *log)
{
    return log->numbers;
}

uint64_t lim_log_stored(const struct lim_log *log)
{
    return log->stored;
}

bool lim_log_idle(const struct lim_log *log)
{
    return !log->out && list_empty(&log->queue);
}

struct lim_log_counts lim_log_counts(const struct lim_log *log)
{
    return log->counts;
}

bool lim_log_ready(const struct lim_log *log)
{
    return log->state == READY || log->state == APPENDING || log->state == PURGING;
}

uint64_t lim_log_now(const struct lim_log *log)
{
    return (uint64_t)((int64_t)clk_boot_ms() + log->offset_ms);
}

/* ---- the end ----------------------------------------------------------------------- */

static void free_list(struct list *list)
{
    for (struct list *it = NULL; (it = list_shift(list)) != NULL;) {
        struct batch *b = LIST_OWNER(it, struct batch, link);

        batch_free(&b);
    }
}

static void on_end(struct bus_op *op, struct err e)
{
    struct lim_log *log = SELF(struct lim_log, LOG_MAGIC, op);

    (void)e;
    log->state = DEAD;
    if (!log->closed)
        return; /* the bus itself ends: close comes, or never */
    free_list(&log->queue);
    free_list(&log->parts);
    batch_free(&log->out);
    buf_deinit(&log->body);
    mem_free(&log);
}

static void free_now(struct lim_log *log)
{
    log->closed = true;
    if (bus_op_living(&log->op))
        (void)bus_op_done(&log->op);
    else
        on_end(&log->op, OK);
}

void lim_log_close(struct lim_log **slot)
{
    struct lim_log *log = take(slot);

    if (log)
        free_now(log);
}

static struct err lose(struct lim_log *log, const char *why)
{
    if (!log->closed)
        log->on.lost(log->on.self, why);
    return OK;
}

/* ---- folding ----------------------------------------------------------------------- */

/*
 * A record's time is when it was decided; it was stored a little later, and perhaps our
 * clock is behind that of who wrote it.  Taken as decided that much later it errs on the
 * careful side: rates are fuller, permits and sessions live longer.
 */
static void fold_batch(struct lim_log *log, const struct grant_record *records, size_t count,
                       uint64_t late_ms)
{
    for (size_t n = 0; n < count; n++) {
        struct grant_record r = records[n];

        r.at_ms += late_ms;
        if (r.op == GRANT_MODE && r.until_ms > 0)
            r.until_ms += late_ms;
        log->on.fold(log->on.self, &r);
    }
}

/* Parts are kept until the last has come; a snapshot that broke off is none. */
static void fold_part(struct lim_log *log, const struct grant_batch *b, uint64_t late_ms)
{
    if (b->part != log->part + 1) {
        free_list(&log->parts);
        log->part = 0;
        if (b->part != 1)
            return;
    }
    struct batch *kept = mem_new(struct batch);

    list_push(&log->parts, &kept->link);
    for (size_t n = 0; n < b->count; n++)
        batch_add(kept, &b->records[n]);
    log->part = b->part;
    if (b->part < b->parts)
        return;
    log->on.forget(log->on.self);
    LIST_EACH(&log->parts, it)
    {
        const struct batch *p = LIST_OWNER(it, struct batch, link);

        fold_batch(log, p->records, p->count, late_ms);
    }
    free_list(&log->parts);
    log->part = 0;
}

static struct err fold(struct lim_log *log, const struct bus_msg *msg)
{
    AUTO(arena_free) struct arena *arena = arena_new();
    struct grant_batch b;

    struct err e = wire_read_grant_batch(&b, msg->body, arena);
    if (failed(e))
        return e;

    uint64_t stored  = msg->stored_ms > 0 ? (uint64_t)msg->stored_ms : 0;
    uint64_t late_ms = stored > b.at_ms ? stored - b.at_ms : 0;

    if (b.snapshot) {
        fold_part(log, &b, late_ms);
    } else {
        free_list(&log->parts);
        log->part = 0;
        fold_batch(log, b.records, b.count, late_ms);
    }
    log->seq = msg->seq;
    return OK;
}

/* ---- reading, until it is ours ----------------------------------------------------- */

static struct err read_page(struct lim_log *log);
static struct err fence(struct lim_log *log);

static struct err on_again_read(struct bus_op *op, const struct bus_reply *r)
{
    (void)r;
    return read_page(SELF(struct lim_log, LOG_MAGIC, op));
}

static struct err on_page(struct bus_op *op, const struct bus_reply *r)
{
    struct lim_log *log = SELF(struct lim_log, LOG_MAGIC, op);

    if (log->closed)
        return OK;
    if (failed(r->err) && r->err.kind != ERR_ABSENT)
        return bus_wait(op, AGAIN_MS, on_again_read);
    for (const struct bus_msg *m = r->msgs; m; m = m->next) {
        struct err e = fold(log, m);

        if (failed(e)) {
            log_error("the grant log cannot be read", KV("seq", m->seq), KV("err", e));
            return lose(log, "the grant log cannot be read");
        }
    }
    return r->more ? read_page(log) : fence(log);
}

/* Any replica may answer: who is behind is found out by the fence. */
static struct err read_page(struct lim_log *log)
{
    const struct bus_read page = {.stream  = STREAM_GRANTS,
                                  .subject = log->subject,
                                  .from    = log->seq + 1,
                                  .max     = READ_PAGE};

    log->state = READING;
    return bus_read(&log->op, &page, on_page);
}

static struct err on_fence_read(struct bus_op *op, const struct bus_reply *r)
{
    struct lim_log *log = SELF(struct lim_log, LOG_MAGIC, op);

    if (log->closed)
        return OK;
    if (failed(r->err) || !r->msgs || r->msgs->stored_ms <= 0)
        return fence(log); /* another one: its time is as good */
    log->offset_ms = r->msgs->stored_ms - (int64_t)log->fenced_boot_ms;
    log->state     = READY;
    log->on.ready(log->on.self);
    return OK;
}

/* What stands behind, and at, the message that was expected: nothing, and the log was purged or made anew.  Whatever we
   know is in no log then, and waiting brings it back as little as reading on.  Of the stream's leader, which is not
   behind. */
static struct err read_from_expected(struct lim_log *log, bus_next_fn *next)
{
    const struct bus_read page = {.stream  = STREAM_GRANTS,
                                  .subject = log->subject,
                                  .from    = log->seq,
                                  .max     = 3, /* it, ours, another's */
                                  .leader  = true};

    return bus_read(&log->op, &page, next);
}

static struct err lose_anew(struct lim_log *log)
{
    return lose(log, "the grant log was made anew");
}

/* Not the last: read on. */
static struct err on_not_last(struct bus_op *op, const struct bus_reply *r)
{
    struct lim_log *log = SELF(struct lim_log, LOG_MAGIC, op);

    if (log->closed)
        return OK;
    if (!failed(r->err) && !r->msgs && log->seq > 0)
        return lose_anew(log);
    return bus_wait(op, 1, on_again_read);
}

static struct err on_fenced(struct bus_op *op, const struct bus_reply *r)
{
    struct lim_log *log = SELF(struct lim_log, LOG_MAGIC, op);

    if (log->closed)
        return OK;
    if (r->err.kind == ERR_CONFLICT)
        return read_from_expected(log, on_not_last);
    if (failed(r->err))
        return bus_wait(op, AGAIN_MS, on_again_read);
    log->fenced_boot_ms = clk_boot_ms();
    log->seq            = r->seq;
    return bus_get_seq(op, STREAM_GRANTS, r->seq, on_fence_read);
}

static struct err fence(struct lim_log *log)
{
    const struct grant_batch empty = {.epoch = log->epoch, .at_ms = (uint64_t)clk_wall_ms()};
    const struct bus_expect expect = {.seq = log->seq};

    log->state = FENCING;
    buf_clear(&log->body);
    wire_write_grant_batch(&empty, &log->body);

    const struct bus_out out = {.subject = log->subject, .body = buf_bytes(&log->body)};

    return bus_publish(&log->op, &out, &expect, on_fenced);
}

/* ---- writing ----------------------------------------------------------------------- */

static struct err publish(struct lim_log *log);

static void landed(struct lim_log *log, uint64_t seq)
{
    AUTO(batch_free) struct batch *b = take(&log->out);

    log->counts.appends++;
    log->counts.bytes += log->body.len;
    if (b->snapshot && b->part == 1)
        log->purge_to = log->seq;
    if (b->snapshot && b->parts == 1)
        log->purge_to = 0; /* by rollup */
    log->seq   = seq;
    log->again = false;
    if (b->snapshot) {
        log->snapshot_bytes = (b->part == 1 ? 0 : log->snapshot_bytes) + log->body.len;
        log->since_batches = log->since_bytes = 0;
    } else {
        log->since_batches++;
        log->since_bytes += log->body.len;
    }
    log->stored = b->number;
    log->state  = READY;
    log->on.stored(log->on.self, b->number, seq);
}

static struct err on_again_publish(struct bus_op *op, const struct bus_reply *r)
{
    (void)r;
    return publish(SELF(struct lim_log, LOG_MAGIC, op));
}

/* Refused, after it had been sent before: is it the first message behind the one expected? */
static struct err on_read_back(struct bus_op *op, const struct bus_reply *r)
{
    struct lim_log *log     = SELF(struct lim_log, LOG_MAGIC, op);
    const struct bus_msg *m = r->msgs;

    if (log->closed)
        return OK;
    if (failed(r->err))
        return bus_wait(op, AGAIN_MS, on_again_publish);
    if (!m)
        return lose_anew(log);
    if (m->seq == log->seq)
        m = m->next;
    if (!m) /* refused for what was on its way, and has not come */
        return bus_wait(op, AGAIN_MS, on_again_publish);
    if (!bytes_equal(m->body, buf_bytes(&log->body)) || m->next || r->more)
        return lose(log, "another wrote to the grant log");
    landed(log, m->seq);
    pump(log);
    return OK;
}

static struct err on_published(struct bus_op *op, const struct bus_reply *r)
{
    struct lim_log *log = SELF(struct lim_log, LOG_MAGIC, op);

    if (log->closed)
        return OK;
    switch ((enum err_kind)r->err.kind) {
    case ERR_NONE:
        landed(log, r->seq);
        pump(log);
        return OK;
    case ERR_CONFLICT:
        return log->again ? read_from_expected(log, on_read_back)
                          : lose(log, "another wrote to the grant log");
    case ERR_UNKNOWN:
        log->again = true;
        log->counts.repeats++;
        return bus_wait(op, AGAIN_MS, on_again_publish);
    case ERR_RETRY:
        log->counts.repeats++;
        return bus_wait(op, AGAIN_MS, on_again_publish);
    case ERR_REJECT:
    case ERR_ABSENT:
    case ERR_FULL:
    case ERR_LOST:
    case ERR_FATAL:
        log_error("the grant log takes nothing", KV("err", r->err), KV("why", r->text));
        return bus_wait(op, 20 * AGAIN_MS, on_again_publish);
    }
    must(!"unknown err_kind");
    return OK;
}

static struct err publish(struct lim_log *log)
{
    static const struct bus_header ROLLUP = {"Nats-Rollup", "sub"};
    const struct bus_expect expect        = {.seq = log->seq};

    if (log->closed)
        return OK;

    bool whole               = log->out->snapshot && log->out->parts == 1;
    const struct bus_out out = {.subject      = log->subject,
                                .body         = buf_bytes(&log->body),
                                .headers      = whole ? &ROLLUP : NULL,
                                .header_count = whole};

    return bus_publish(&log->op, &out, &expect, on_published);
}

static void append(struct lim_log *log)
{
    struct batch *b              = LIST_OWNER(list_shift(&log->queue), struct batch, link);
    const struct grant_batch out = {.snapshot = b->snapshot,
                                    .epoch    = log->epoch,
                                    .at_ms    = lim_log_now(log),
                                    .part     = b->part,
                                    .parts    = b->parts,
                                    .records  = b->records,
                                    .count    = b->count};

    log->out   = b;
    log->state = APPENDING;
    buf_clear(&log->body);
    wire_write_grant_batch(&out, &log->body);
    must(!log->body.full);
    (void)publish(log);
}

/* ---- snapshots --------------------------------------------------------------------- */

static bool snapshot_due(const struct lim_log *log)
{
    size_t bytes =
        4 * log->snapshot_bytes > SNAPSHOT_BYTES ? 4 * log->snapshot_bytes : SNAPSHOT_BYTES;

    return log->since_batches >= SNAPSHOT_BATCHES || log->since_bytes >= bytes;
}

struct taking {
    struct lim_log *log;
    struct list parts;
    uint32_t count;
};

static void take_record(void *self, const struct grant_record *r)
{
    struct taking *t = self;
    struct batch *b  = last_of(&t->parts);

    if (!b || !has_room(b, r)) {
        b           = mem_new(struct batch);
        b->snapshot = true;
        b->part     = ++t->count;
        list_push(&t->parts, &b->link);
    }
    batch_add(b, r);
}

/* The state of now, with what waits in the queue: appended again behind it, that changes
   nothing. */
static void take_snapshot(struct lim_log *log)
{
    struct taking t = {.log = log};
    struct list *it = NULL;

    list_init(&t.parts);
    log->on.snapshot(log->on.self, take_record, &t);
    log->since_batches = log->since_bytes = 0;
    while ((it = t.parts.prev) != &t.parts) {
        struct batch *b = LIST_OWNER(it, struct batch, link);

        list_remove(it);
        b->parts  = t.count;
        b->number = log->stored; /* nobody waits for it */
        list_push_front(&log->queue, it);
    }
    log->counts.snapshots++;
}

static struct err on_purged(struct bus_op *op, const struct bus_reply *r)
{
    struct lim_log *log = SELF(struct lim_log, LOG_MAGIC, op);

    (void)r; /* not done: the next snapshot's does it */
    if (log->closed)
        return OK;
    log->state = READY;
    pump(log);
    return OK;
}

static bool purges(struct lim_log *log)
{
    const struct batch *next =
        list_empty(&log->queue) ? NULL : LIST_OWNER(log->queue.next, struct batch, link);

    if (log->purge_to == 0 || (next && next->snapshot))
        return false;
    log->state = PURGING;
    (void)bus_purge(&log->op, STREAM_GRANTS, log->subject, log->purge_to, on_purged);
    log->purge_to = 0;
    return true;
}

/* ---- what is next ------------------------------------------------------------------ */

/* Parts of a snapshot follow each other at once; all else keeps its distance. */
static void pump(struct lim_log *log)
{
    if (log->closed || log->state != READY || purges(log))
        return;
    if (list_empty(&log->queue) || !LIST_OWNER(log->queue.next, struct batch, link)->snapshot)
        return;
    append(log);
}

uint64_t lim_log_flush(struct lim_log *log, uint64_t now)
{
    if (log->state != READY || !bus_op_parked(&log->op) || list_empty(&log->queue))
        return UINT64_MAX;
    if (now < log->sent_at + COMMIT_MS)
        return log->sent_at + COMMIT_MS;
    if (snapshot_due(log))
        take_snapshot(log);
    log->sent_at = now;
    append(log);
    return UINT64_MAX;
}

struct lim_log *lim_log_open(struct bus *bus, unsigned shard, uint64_t epoch,
                             const struct lim_log_events *events)
{
    struct lim_log *log = mem_new(struct lim_log);

    log->bus   = bus;
    log->on    = *events;
    log->epoch = epoch;
    list_init(&log->queue);
    list_init(&log->parts);
    buf_init(&log->body, BODY_MAX);
    subject_grants(log->subject, shard);
    bus_op_start(bus, &log->op, LOG_MAGIC, "grant-log", 0, on_end);
    (void)read_page(log);
    return log;
}
