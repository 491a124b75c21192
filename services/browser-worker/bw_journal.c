#include "bw_journal.h"

#include "base/backoff.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"

/* ---- reading -------------------------------------------------------------------------------------- */

static struct err on_read(struct bus_op *op, const struct bus_reply *reply);

static struct err read_more(struct bw_run *run)
{
    const struct bus_read read = {.stream  = STREAM_JOURNAL,
                                  .subject = run->journal,
                                  .from    = run->fold.last_seq ? run->fold.last_seq + 1
                                                                : run->read_from,
                                  .leader  = run->leader_read};

    return bus_read(&run->op, &read, on_read);
}

static struct err read_again(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return read_more(SELF(struct bw_run, BW_RUN_MAGIC, op));
}

static void fold_all(struct bw_run *run, struct run_fold *to, const struct bus_msg *msgs)
{
    struct arena *arena = arena_new();

    for (const struct bus_msg *m = msgs; m; m = m->next) {
        struct entry e;

        if (failed(wire_read_entry(&e, m->body, arena)))
            e = (struct entry){
                .kind = ENTRY_NONE}; /* counted, so that we never write behind its back */
        e.seq       = m->seq;
        e.stored_ms = m->stored_ms;
        run_fold_add(to, &e);
        if (to == &run->fold && run->stage == BW_HOLDING && entry_by_holder(e.kind) &&
            e.token != run->token)
            run->foreign = true;
        arena_reset(arena);
    }
    arena_free(&arena);
}

static struct err on_read(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    if (failed(reply->err)) {
        if (reply->err.kind == ERR_REJECT || reply->err.kind == ERR_FATAL)
            return reply->err;
        return bus_wait(op, 250, read_again);
    }
    fold_all(run, &run->fold, reply->msgs);
    if (reply->more && reply->count)
        return read_more(run);
    run->leader_read = false;
    run->read_then(run);
    return OK;
}

void bw_journal_read(struct bw_run *run, bw_then_fn *then)
{
    run->read_then = then;
    (void)read_more(run);
}

/* ---- appending ------------------------------------------------------------------------------------ */

struct arena *bw_journal_arena(struct bw_run *run)
{
    return run->append.arena;
}

struct entry *bw_journal_entry(struct bw_run *run, enum entry_kind kind)
{
    struct entry *e = &run->append.entry;

    if (!run->append.arena)
        run->append.arena = arena_new();
    arena_reset(run->append.arena);
    entry_init(e, kind);
    e->wake   = run->job.ticket.wake;
    e->token  = run->token;
    e->job    = run->job_seq;
    e->worker = run->bw->worker;
    return e;
}

static void look_what_is_left(struct bw_run *run);
static struct err publish(struct bw_run *run);
static struct err put(struct bw_run *run, const struct entry *entry, uint64_t behind,
                      bus_next_fn *next);

static struct err publish_again(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return publish(SELF(struct bw_run, BW_RUN_MAGIC, op));
}

static struct err later(struct bw_run *run)
{
    return bus_wait(&run->op,
                    20 + backoff_half_ms(run->append.tries++, 50, 2000, id_random64()),
                    publish_again);
}

/* It stands: fold it as the server would hand it back.  A stream that was made anew, or restored, counts from below what
   we know: the entry counts all the same, or what it says was done would be done again. */
static void landed(struct bw_run *run, uint64_t seq)
{
    struct entry e   = run->append.entry;
    bw_then_fn *then = run->append.then;

    if (seq <= run->fold.last_seq)
        run->fold.last_seq = seq - 1;
    e.seq       = seq;
    e.stored_ms = clk_wall_ms();
    run_fold_add(&run->fold, &e);
    then(run);
}

static void lost(struct bw_run *run)
{
    run->bw->metrics.leases_lost++;
    bw_run_drop(run, "another holds it");
}

/* ---- a journal that lost entries ------------------------------------------------------------------- */

static struct err on_left(struct bus_op *op, const struct bus_reply *reply);

static struct err read_left(struct bw_run *run)
{
    const struct bus_read read = {.stream  = STREAM_JOURNAL,
                                  .subject = run->journal,
                                  .from    = run->left->last_seq + 1,
                                  .leader  = true};

    return bus_read(&run->op, &read, on_left);
}

static struct err on_leased_anew(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    if (failed(reply->err))
        return later(run);
    run->append.last = reply->seq;
    return publish(run);
}

/* Without a lease that stands nobody else would believe what we write. */
static struct err lease_anew(struct bw_run *run)
{
    struct entry e;

    entry_init(&e, ENTRY_LEASED);
    e.wake        = run->job.ticket.wake;
    e.token       = run->token;
    e.job         = run->job_seq;
    e.worker      = run->bw->worker;
    e.lease.lost  = run->fold.lost;
    e.lease.tries = run->fold.tries;
    return put(run, &e, run->append.last, on_leased_anew);
}

/* What its holder knows still holds: without it, what it did would be done again.  But whoever leased the run or ended it
   by what is left has it now. */
static struct err left_is_known(struct bw_run *run)
{
    const struct run_fold *left = run->left;
    struct bw_append *a         = &run->append;
    bool others                 = left->lease_stands && left->lease.token != run->token;

    a->last      = left->last_seq;
    a->cut       = a->last < run->fold.last_seq;
    bool holding = run->stage == BW_HOLDING;
    bool gone    = (others && (a->cut || holding)) || (a->cut && left->phase == RUN_ENDED);
    bool unheld  = a->cut && !left->lease_stands && holding;
    bw_journal_forget_left(run);
    if (gone) {
        lost(run);
        return OK;
    }
    if (a->cut)
        log_error("entries were removed from a journal; its run goes on behind what is left",
                  KV("run", run->job.ticket.run), KV("seq", run->fold.last_seq));
    return unheld ? lease_anew(run) : later(run);
}

static struct err on_left(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    if (failed(reply->err)) {
        bw_journal_forget_left(run);
        return later(run);
    }
    fold_all(run, run->left, reply->msgs);
    return reply->more && reply->count ? read_left(run) : left_is_known(run);
}

static void look_what_is_left(struct bw_run *run)
{
    run->left = mem_new(struct run_fold);
    run_fold_init(run->left);
    (void)read_left(run);
}

void bw_journal_forget_left(struct bw_run *run)
{
    if (run->left)
        run_fold_deinit(run->left);
    mem_free(&run->left);
}

/* ---- after a refusal ---------------------------------------------------------------------------------- */

/* What stands there now? */
static void reread(struct bw_run *run)
{
    bool leasing = run->append.entry.kind == ENTRY_LEASED;
    bool mine    = run->fold.lease.token == run->token;
    bool wrote   = mine && run->fold.last_holder_seq > run->append.entry.seq;

    /* Nothing came, and yet it was refused. */
    if (run->fold.last_seq == run->append.entry.seq) {
        look_what_is_left(run);
        return;
    }
    if (run->append.repeated && wrote) { /* our own try that had no answer, and folded by now */
        run->append.then(run);
        return;
    }
    if (leasing || run->stage == BW_ENDING) {
        bw_run_advance(run);
        return;
    }
    if (run->foreign ||
        (!run_fold_mine(&run->fold, run->token) && run->fold.phase != RUN_ENDED)) {
        lost(run);
        return;
    }
    if (run->append.in_hand && run->fold.phase != RUN_ENDED)
        (void)publish(run);
    else
        bw_run_advance(run);
}

static struct err on_stored(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    switch ((enum err_kind)reply->err.kind) {
    case ERR_NONE:
        landed(run, reply->seq);
        return OK;
    case ERR_CONFLICT:
        run->leader_read = true; /* a follower may not have it yet */
        bw_journal_read(run, reread);
        return OK;
    case ERR_UNKNOWN:
        run->append.repeated = true;
        return later(run);
    case ERR_RETRY:
    case ERR_FULL:
    case ERR_ABSENT:
        return later(run);
    case ERR_REJECT:
    case ERR_LOST:
    case ERR_FATAL:
        log_error("journal refused an entry", KV("run", run->job.ticket.run),
                  KV("err", reply->err), KV("why", reply->text ? reply->text : ""));
        return reply->err;
    }
    return OK;
}

static struct err put(struct bw_run *run, const struct entry *entry, uint64_t behind,
                      bus_next_fn *next)
{
    struct bw_append *a = &run->append;
    struct entry_header headers[ENTRY_HEADERS_MAX];
    struct bus_header out_headers[ENTRY_HEADERS_MAX];
    size_t count = wire_entry_headers(entry, a->arena, headers);

    for (size_t i = 0; i < count; i++)
        out_headers[i] = (struct bus_header){headers[i].name, headers[i].value};
    if (!a->body.max)
        buf_init(&a->body, ENTRY_BODY_MAX);
    buf_clear(&a->body);
    struct err e = wire_write_entry(entry, &a->body);
    if (failed(e))
        return bus_op_fail(&run->op, e);
    const struct bus_out out       = {run->journal, buf_bytes(&a->body), out_headers, count};
    const struct bus_expect expect = {.seq = behind};

    return bus_publish(&run->op, &out, &expect, next);
}

/* A server that came back may be another than the one that went: an older copy of it, say.  There our last number may be that
   of another holder's entry, so what stands there is read once. */
static bool knows_server(struct bw_run *run)
{
    const struct bus *bus = run->bw->bus;
    bool knows = run->stage != BW_HOLDING || bus_connected_at(bus) <= run->server_known;

    run->server_known = bus_now(bus);
    return knows;
}

static struct err publish(struct bw_run *run)
{
    struct bw_append *a = &run->append;
    uint64_t behind     = a->cut ? a->last : run->fold.last_seq;

    if (!knows_server(run)) {
        look_what_is_left(run);
        return OK;
    }
    a->entry.seq = run->fold.last_seq; /* what the refusal is compared with */
    a->cut       = false;
    return put(run, &a->entry, behind, on_stored);
}

static void append(struct bw_run *run, bool in_hand, bw_then_fn *then)
{
    run->append.then     = then;
    run->append.in_hand  = in_hand;
    run->append.repeated = false;
    run->append.cut      = false;
    run->append.tries    = 0;
    (void)publish(run);
}

void bw_journal_fact(struct bw_run *run, bw_then_fn *then)
{
    append(run, true, then);
}

void bw_journal_decision(struct bw_run *run, bw_then_fn *then)
{
    append(run, false, then);
}
