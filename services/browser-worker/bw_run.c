#include "bw_run.h"

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "bw_close.h"
#include "bw_end.h"
#include "bw_expand.h"
#include "bw_journal.h"
#include "bw_lock.h"
#include "bw_open.h"
#include "bw_session.h"
#include "bw_step.h"
#include "bw_target.h"
#include "run/run_view.h"

enum {
    SLACK_MS = 10000, /* after a step's timeout (design 5, lease) */
    HOLDS_MS = 1000,  /* how long the last holder is asked */
    HOLDS_AGAIN_MS =
        5000, /* "no responders" is no answer: it may be reconnecting, as we just did */
    RECONNECTED_MS = 10000,
};

/* ---- birth and death --------------------------------------------------------------------------------- */

static void run_end(struct bus_op *op, struct err e);
static void beat_end(struct bus_op *op, struct err e);

static void begin_stretch(struct bw_run *run, uint64_t timeout_ms)
{
    run->deadline_boot_ms = clk_boot_ms() + timeout_ms + SLACK_MS;
}

static struct bw_run *run_new(struct bw *bw, const struct job *job, const struct bus_msg *msg)
{
    struct bw_run *run = mem_new(struct bw_run);

    run->bw      = bw;
    run->job     = *job;
    run->job_seq = msg->seq;
    run->stage   = BW_LEASING;
    run->token   = id_random64() | 1; /* 0 means: nobody */
    str_copy(run->acks, sizeof run->acks, msg->reply);
    (void)subject_journal(run->journal, job->ticket.tenant, job->ticket.run);
    run->read_from = job->ticket.plan_seq;
    run_fold_init(&run->fold);
    run->doing.arena = arena_new();
    bus_op_start(bw->bus, &run->op, BW_RUN_MAGIC, "run", 0, run_end);
    bus_op_start(bw->bus, &run->beat, BW_BEAT_MAGIC, "beat", 0, beat_end);
    (void)map_put(bw->runs, run->job.ticket.run, run);
    list_push(&bw->all, &run->link);
    bw->held++;
    run->server_known = bus_now(bw->bus);
    begin_stretch(run, FLOW_STEP_TIMEOUT_MS);
    return run;
}

static void free_run(struct bw_run *run)
{
    run_fold_deinit(&run->fold);
    bw_journal_forget_left(run);
    flow_free(&run->flow);
    arena_free(&run->doing.arena);
    arena_free(&run->append.arena);
    if (run->append.body.max)
        buf_deinit(&run->append.body);
    mem_free(&run);
}

/* The main chain is over, for whatever reason: so is the run here. */
static void run_end(struct bus_op *op, struct err e)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);
    struct bw *bw      = run->bw;

    if (failed(e))
        log_warn("run left alone", KV("run", run->job.ticket.run), KV("err", e));
    if (map_find(bw->runs, run->job.ticket.run) == run)
        (void)map_remove(bw->runs, run->job.ticket.run);
    list_remove(&run->link);
    bw->held--;
    bw_room(bw);
    run->over = run->chain_over = true;
    bw_step_stop(run);
    bw_expand_stop(run);
    if (run->beat_over)
        free_run(run);
    else
        (void)bus_op_done(&run->beat);
}

/* The last of the two chains to end frees the run. */
static void beat_end(struct bus_op *op, struct err e)
{
    struct bw_run *run = LIST_OWNER(op, struct bw_run, beat);

    (void)e;
    run->beat_over = true;
    if (run->chain_over)
        free_run(run);
}

void bw_run_drop(struct bw_run *run, const char *why)
{
    if (run->over)
        return;
    run->over = true;
    bw_step_stop(run);
    bw_expand_stop(run);
    log_info("run dropped", KV("run", run->job.ticket.run), KV("why", why));
    (void)bus_op_done(&run->op);
}

void bw_run_ack(struct bw_run *run)
{
    char freed[SUBJECT_SIZE];

    (void)subject_freed(freed, run->job.ticket.tenant, run->job.slot, run->job_seq);
    run->over = true;
    bus_lease_ack(run->bw->bus, run->acks, freed);
    (void)bus_op_done(&run->op);
}

/* ---- the stretch: how long others must take us for alive ------------------------------------------------- */

static void let_go(struct bw_run *run)
{
    if (!run->over)
        run->bw->metrics.deadlines++;
    bw_run_drop(run, "past its step's deadline");
}

bool bw_run_stretch(struct bw_run *run, uint64_t timeout_ms)
{
    if (!bw_run_alive(run)) {
        let_go(run);
        return false;
    }
    begin_stretch(run, timeout_ms);
    return true;
}

uint64_t bw_run_left_ms(const struct bw_run *run)
{
    uint64_t now = clk_boot_ms();

    return run->deadline_boot_ms > now ? run->deadline_boot_ms - now : 0;
}

bool bw_run_alive(const struct bw_run *run)
{
    return !run->over && bw_run_left_ms(run) > 0;
}

bool bw_run_holds(const struct bw *bw, const struct holds_ask *ask)
{
    const struct bw_run *run = map_find(bw->runs, ask->run);

    return run && run->token == ask->token && run->stage != BW_LEASING && bw_run_alive(run);
}

/* ---- heartbeats --------------------------------------------------------------------------------------------- */

static struct err on_beat(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = LIST_OWNER(op, struct bw_run, beat);

    if (!failed(reply->err))
        run->beat_confirmed_ms = run->beat_sent_ms;
    return OK;
}

/* The server confirms a beat for anything; what it proves is that the server hears us. */
void bw_run_beat(struct bw_run *run, uint64_t now)
{
    if (run->over)
        return;
    if (!bw_run_alive(run)) {
        let_go(run);
        return;
    }
    if (!bus_op_parked(&run->beat))
        return;
    run->beat_sent_ms = now;
    (void)bus_lease_beat(&run->beat, run->acks, on_beat);
}

/* ---- taking the lease ------------------------------------------------------------------------------------------ */

static void consider(struct bw_run *run);

static struct err on_holds_answer(struct bus_op *op, const struct bus_reply *reply);

static struct err ask_holder(struct bw_run *run)
{
    char subject[SUBJECT_SIZE];
    struct holds_ask ask = {.token = run->fold.lease.token, .job = run->fold.lease.job};
    struct buf body;

    str_copy(ask.run, sizeof ask.run, run->job.ticket.run);
    buf_init(&body, 256);
    wire_write_holds_ask(&ask, &body);
    const struct bus_out out = {subject_holds(subject, run->fold.lease.worker),
                                buf_bytes(&body), NULL, 0};
    struct err e             = bus_request(&run->op, &out, HOLDS_MS, on_holds_answer);
    buf_deinit(&body);
    return e;
}

static struct err ask_again(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return ask_holder(SELF(struct bw_run, BW_RUN_MAGIC, op));
}

static void held_by_other(struct bw_run *run);

static struct err ask_anew(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    held_by_other(SELF(struct bw_run, BW_RUN_MAGIC, op));
    return OK;
}

/* Over a connection that broke since, nobody was asked. */
static bool asked_in_vain(const struct bw_run *run)
{
    const struct bus *bus = run->bw->bus;

    return !bus_connected(bus) || bus_connected_at(bus) > run->asking_since;
}

static void take_lease(struct bw_run *run);

/* Nobody holds it any more.  Of an ended run only the duties are left, which need no lease. */
static void take_over(struct bw_run *run)
{
    if (run->fold.phase == RUN_ENDED)
        bw_end_duties(run);
    else
        take_lease(run);
}

static struct err on_holds_answer(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);
    bool alive         = false;

    if (!failed(reply->err) && !failed(wire_read_holds_answer(&alive, reply->body)) && alive) {
        run->bw->metrics.leases_dropped++;
        bw_run_drop(run, "its holder lives");
        return OK;
    }
    if (failed(reply->err) && asked_in_vain(run))
        return bus_wait(op, 50, ask_anew);
    bool answered = !failed(reply->err) || reply->err.kind == ERR_UNKNOWN;
    if (!answered && bus_now(run->bw->bus) < run->holds_until)
        return bus_wait(op, 50, ask_again);
    take_over(run);
    return OK;
}

static void held_by_other(struct bw_run *run)
{
    struct bw *bw = run->bw;
    uint64_t now = bus_now(bw->bus), since = bus_connected_at(bw->bus);

    /* A holder in this very process would be in the map, and then this delivery had gone to it. */
    if (str_equal(run->fold.lease.worker, bw->worker)) {
        take_over(run);
        return;
    }
    run->asking_since = now;
    run->holds_until  = now + (now - since < RECONNECTED_MS ? HOLDS_AGAIN_MS : HOLDS_MS);
    (void)ask_holder(run);
}

static void leased(struct bw_run *run)
{
    struct bw *bw = run->bw;

    run->stage = BW_HOLDING;
    bw->metrics.runs_leased++;
    log_debug("run leased", KV("run", run->job.ticket.run), KV("try", run->fold.tries),
              KV("wake", run->fold.wake));
    if (bw_run_stretch(run, FLOW_STEP_TIMEOUT_MS))
        bw_run_advance(run);
}

static void take_lease(struct bw_run *run)
{
    struct entry *e = bw_journal_entry(run, ENTRY_LEASED);

    e->lease.lost  = run->fold.lost + (run->fold.lease_stands ? 1 : 0);
    e->lease.tries = run->fold.tries + (run->fold.lease_stands ? 1 : 0);
    bw_journal_decision(run, leased);
}

/*
 * A wake's WAITING is stored before the ticket of the next one is published, so its leader knows it; but for a leader
 * that was deposed and has not heard so, and for a journal whose end was lost or removed.  The job goes in either case:
 * to keep it would take its slot for ever, out of reach of cancel and timeout.  The reconciler goes by the journal; it
 * finds a run without a message and gives it a ticket of the wake that stands there.
 */
static void reread_leader(struct bw_run *run)
{
    if (run->fold.phase != RUN_ENDED && run->job.ticket.wake > run->fold.wake) {
        log_error("job of a wake that its journal does not know",
                  KV("run", run->job.ticket.run), KV("wake", run->job.ticket.wake));
        bw_run_ack(run);
        return;
    }
    consider(run);
}

/* The first look at a delivered job: is there anything to do, and may we? */
static void consider(struct bw_run *run)
{
    const struct run_fold *f = &run->fold;

    run->stage = BW_LEASING;
    if (f->phase == RUN_ABSENT || f->phase == RUN_REJECTED) {
        bw_run_ack(run); /* a refused submit never runs */
        return;
    }
    if (f->phase == RUN_ENDED) {
        if (f->lease_stands)
            held_by_other(run); /* who ended it may be at its duties */
        else
            bw_end_duties(run);
        return;
    }
    if (f->wake > run->job.ticket.wake) {
        bw_end_wake(run);
        return;
    }
    if (run->job.ticket.wake > f->wake) { /* a follower that is behind */
        run->leader_read = true;
        bw_journal_read(run, reread_leader);
        return;
    }
    if (f->lease_stands)
        held_by_other(run);
    else
        take_lease(run);
}

/* A delivery whose run is already here: our own job given again, or another job of it. */
static bool known_delivery(struct bw *bw, const struct job *job, const struct bus_msg *msg)
{
    struct bw_run *run = map_find(bw->runs, job->ticket.run);

    if (!run)
        return false;
    if (!bw_run_alive(run)) {
        (void)map_remove(bw->runs, job->ticket.run);
        let_go(run);
        return false;
    }
    if (run->job_seq == msg->seq)
        str_copy(run->acks, sizeof run->acks, msg->reply);
    bw->metrics.leases_dropped++;
    return true;
}

void bw_run_deliver(struct bw *bw, struct bus_msg **slot)
{
    const struct bus_msg *msg = *slot;
    struct job job;

    bw->metrics.jobs_delivered++;
    if (failed(wire_read_job(&job, msg->body))) {
        bw_end_unreadable(bw, take(slot));
        return;
    }
    if (known_delivery(bw, &job, msg))
        return;
    bw_journal_read(run_new(bw, &job, msg), consider);
}

/* ---- deciding --------------------------------------------------------------------------------------------------- */

static void read_flow(struct bw_run *run)
{
    struct json *doc = NULL;
    char why[JSON_WHY_SIZE];
    struct problem problem;

    if (run->flow || failed(json_parse(&doc, run->fold.plan.flow, why, sizeof why)))
        return;
    if (failed(flow_read(&run->flow, doc, "/flow", &problem)))
        log_error("flow in a journal cannot be read", KV("run", run->job.ticket.run),
                  KV("why", problem.detail));
    json_free(&doc);
}

static void released(struct bw_run *run)
{
    run->over = true;
    bus_lease_release(run->bw->bus, run->acks, 0);
    (void)bus_op_done(&run->op);
}

static void release(struct bw_run *run)
{
    bw_journal_entry(run, ENTRY_RELEASED)->lease.why = "drain";
    bw_journal_decision(run, released);
}

static struct err waited(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    bw_run_advance(SELF(struct bw_run, BW_RUN_MAGIC, op));
    return OK;
}

static void wait_out(struct bw_run *run, int64_t until_ms)
{
    int64_t left = until_ms - clk_wall_ms();

    if (bw_run_stretch(run, left > 0 ? (uint64_t)left : 0))
        (void)bus_wait(&run->op, left > 0 ? (uint64_t)left : 0, waited);
}

static void do_move(struct bw_run *run, const struct run_move *move)
{
    switch (move->kind) {
    case MOVE_DUTIES:
        bw_end_duties(run);
        return;
    case MOVE_OVER:
        bw_end_wake(run);
        return;
    case MOVE_END:
        bw_end_run(run, move);
        return;
    case MOVE_CLOSE:
        bw_close_do(run, move);
        return;
    case MOVE_SETTLE:
        bw_step_indeterminate(run, move);
        return;
    case MOVE_WAIT_OUT:
        wait_out(run, move->until_ms);
        return;
    case MOVE_LOCK:
        bw_lock_take(run);
        return;
    case MOVE_ADOPT:
        bw_session_adopt(run);
        return;
    case MOVE_OPEN:
        bw_open_do(run, move);
        return;
    case MOVE_STEP:
        bw_step_do(run, move);
        return;
    }
}

static void mail_read(struct bw_run *run)
{
    if (run_fold_mine(&run->fold, run->token) || run->fold.phase == RUN_ENDED)
        bw_run_advance(run);
    else
        bw_run_drop(run, "another holds it");
}

static void read_mail(struct bw_run *run)
{
    run->mailed      = false;
    run->leader_read = true; /* who wrote it was answered by the leader */
    bw_journal_read(run, mail_read);
}

void bw_run_advance(struct bw_run *run)
{
    if (run->over)
        return;
    if (run->stage == BW_LEASING) {
        consider(run);
        return;
    }
    if (run->mailed && run->stage == BW_HOLDING) {
        read_mail(run);
        return;
    }
    read_flow(run);
    if (!run->flow && run->fold.phase != RUN_ENDED) {
        bw_end_broken(run);
        return;
    }
    run->hand.token         = run->token;
    run->hand.now_wall_ms   = clk_wall_ms();
    run->hand.lost_max      = (uint32_t)run->bw->config->deliveries;
    run->hand.sessions_only = bw_target_sessions_only(run);
    bw_step_clear(run);
    struct run_move move = run_next(run->flow, &run->fold, &run->hand);
    bool boundary = move.kind == MOVE_STEP || move.kind == MOVE_OPEN || move.kind == MOVE_LOCK;
    if (run->yielding && boundary) {
        release(run);
        return;
    }
    do_move(run, &move);
}

/* ---- mail and drain ------------------------------------------------------------------------------------------------ */

/* A read in flight is dropped, and it is decided anew: to end, or to give it back. */
static void interrupt(struct bw_run *run)
{
    if (run->stage == BW_HOLDING && !run->over && bus_op_parked(&run->op))
        bw_step_interrupt(run);
}

/* First drop, then read: an answer that came while the journal is read would find the chain busy.
   Was it no cancel, then the read is done again.  What cannot be dropped reads it at the next decision. */
void bw_run_mail(struct bw_run *run)
{
    run->mailed = true;
    interrupt(run);
}

void bw_run_overdue(struct bw_run *run)
{
    if (clk_wall_ms() > run_deadline_ms(&run->fold))
        interrupt(run);
}

/* What was sent would be sent again by whoever comes next. */
void bw_run_yield(struct bw_run *run, bool now)
{
    run->yielding = true;
    if (now || !bw_step_sent(run))
        interrupt(run);
}
