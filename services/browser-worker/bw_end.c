#include "bw_end.h"

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "bw_artifact.h"
#include "bw_close.h"
#include "bw_expand.h"
#include "bw_journal.h"
#include "bw_lock.h"
#include "bw_session.h"
#include "bw_step.h"
#include "problem/problem.h"
#include "run/run_end.h"
#include "run/run_ticket.h"
#include "run/run_view.h"

enum { RESULT_INLINE_MAX = 256 * 1024, RESULT_MAX = 800 * 1024 };

/* ---- END ------------------------------------------------------------------------------------------------- */

static void end_landed(struct bw_run *run)
{
    run->bw->metrics.runs_ended++;
    run->stage = BW_ENDING;
    log_info("run ended", KV("run", run->job.ticket.run), KV("tenant", run->job.ticket.tenant),
             KV("status", run_status_word(run->fold.end.status)),
             KV("why", run->fold.end.code));
    bw_end_duties(run);
}

static struct entry *end_entry(struct bw_run *run, enum run_status status, const char *code,
                               const char *detail, const struct flow_step *step)
{
    struct entry *e     = bw_journal_entry(run, ENTRY_END);
    struct arena *arena = bw_journal_arena(run);

    e->end.status     = status;
    e->end.code       = arena_strdup(arena, code ? code : "");
    e->end.detail     = bw_step_cut(arena, detail);
    e->end.step       = step ? step->id : "";
    e->end.replayable = *e->end.code ? problem_replayable(problem_of_word(e->end.code)) : true;
    e->end.calls      = run->fold.calls;
    run_fold_tell_times(&run->fold, clk_wall_ms(), &e->end);
    if (status == STATUS_CANCELLED && run->fold.cancelled)
        e->end.reason = run->fold.cancel.reason;
    bool keeps = run->fold.plan.keep_session_ms && status == STATUS_DONE &&
                 run->fold.session.state == SESSION_OPEN;
    e->end.session = keeps ? run->fold.session.id : "";
    return e;
}

static void append_end(struct bw_run *run)
{
    if (bw_run_stretch(run, FLOW_STEP_TIMEOUT_MS))
        bw_journal_decision(run, end_landed);
}

/* A large result goes to the artifacts and END names it. */
static void append_end_with(struct bw_run *run, enum run_status status, const char *code,
                            const char *reason, struct json *result,
                            const struct flow_step *step)
{
    struct entry *e = end_entry(run, status, code, "", step);
    struct buf text;

    buf_init(&text, RESULT_MAX);
    if (result && json_type(result) != JSON_NULL)
        json_print(result, &text);
    if (reason && *reason)
        e->end.reason = bw_step_cut(bw_journal_arena(run), reason);
    e->end.result = arena_bytes(bw_journal_arena(run), buf_bytes(&text));
    if (text.full) {
        e->end.status = STATUS_FAILED;
        e->end.code   = problem_word(PROBLEM_RESPONSE_TOO_LARGE);
        e->end.detail = "the flow's result is larger than 800 KiB";
        e->end.result = (struct bytes){0};
        append_end(run);
    } else if (text.len > RESULT_INLINE_MAX) {
        bw_artifact_result(run, e->end.result, append_end);
    } else {
        append_end(run);
    }
    buf_deinit(&text);
    json_free(&result);
}

static void on_result(struct bw_run *run, struct json *value, const char *why)
{
    if (why) {
        (void)end_entry(run, STATUS_FAILED, problem_word(PROBLEM_EXPRESSION_FAILED), why, NULL);
        append_end(run);
        return;
    }
    append_end_with(run, STATUS_DONE, "", NULL, value, NULL);
}

void bw_end_run(struct bw_run *run, const struct run_move *move)
{
    if (move->status == STATUS_DONE && run->flow->result) {
        run->doing.scope = run_scope(&run->fold);
        bw_expand(run, run->flow->result, run->doing.scope, on_result);
        return;
    }
    (void)end_entry(run, move->status, move->code, move->detail, move->step);
    append_end(run);
}

void bw_end_by_flow(struct bw_run *run)
{
    struct json *body         = run->doing.value;
    enum run_status status    = run_status_of(json_str(json_get(body, "status")));
    const char *code          = status == STATUS_FAILED ? problem_word(PROBLEM_FLOW_FAILED)
                                : status == STATUS_INDETERMINATE ? problem_word(PROBLEM_INDETERMINATE)
                                                                 : "";
    const struct json *result = json_get(body, "result");

    /* Without a result of its own an `end` as done gives the flow's. */
    if (!result && status == STATUS_DONE && run->flow->result) {
        bw_expand(run, run->flow->result, run->doing.scope, on_result);
        return;
    }
    append_end_with(run, status, code, json_str(json_get(body, "reason")),
                    result ? json_ref(result) : NULL, run->doing.step);
}

void bw_end_broken(struct bw_run *run)
{
    (void)end_entry(run, STATUS_FAILED, problem_word(PROBLEM_FLOW_FAILED),
                    "this version cannot read the flow in its journal", NULL);
    append_end(run);
}

/* ---- end duties --------------------------------------------------------------------------------------------- */

static void next_duty(struct bw_run *run);

static struct err duty_again(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    next_duty(SELF(struct bw_run, BW_RUN_MAGIC, op));
    return OK;
}

/* Stored now or before: either way it is there. */
static struct err stored_once(struct bw_run *run, const struct bus_reply *reply,
                              enum run_duty duty)
{
    if (failed(reply->err) && reply->err.kind != ERR_CONFLICT)
        return bus_wait(&run->op, 300, duty_again);
    run->duties &= ~(unsigned)duty;
    next_duty(run);
    return OK;
}

static struct err on_dead(struct bus_op *op, const struct bus_reply *reply)
{
    return stored_once(SELF(struct bw_run, BW_RUN_MAGIC, op), reply, DUTY_DEAD);
}

static struct err on_result_stored(struct bus_op *op, const struct bus_reply *reply)
{
    return stored_once(SELF(struct bw_run, BW_RUN_MAGIC, op), reply, DUTY_RESULT);
}

static void publish_once(struct bw_run *run, const char *subject, struct json *doc,
                         bus_next_fn *next)
{
    const struct bus_expect expect = {.seq = 0};
    struct buf text;

    buf_init(&text, 1 << 20);
    json_print(doc, &text);
    json_free(&doc);
    const struct bus_out out = {subject, buf_bytes(&text), NULL, 0};
    (void)bus_publish(&run->op, &out, &expect, next);
    buf_deinit(&text);
}

static void duty_done(struct bw_run *run, unsigned duty)
{
    run->duties &= ~duty;
    next_duty(run);
}
static void session_done(struct bw_run *run)
{
    duty_done(run, DUTY_CLOSE_SESSION | DUTY_KEEP_SESSION);
}
static void lock_done(struct bw_run *run)
{
    duty_done(run, DUTY_CLEAR_LOCK);
}

static void publish_dead(struct bw_run *run)
{
    char subject[SUBJECT_SIZE];

    (void)subject_dead_run(subject, run->job.ticket.tenant, run->job.ticket.run);
    publish_once(run, subject, run_end_dead(&run->fold), on_dead);
}

static void publish_result(struct bw_run *run)
{
    const struct run_fold *f = &run->fold;
    char subject[SUBJECT_SIZE], flow[STR_NAME_SIZE];

    (void)subject_result(subject, f->plan.tenant,
                         run_flow_token(f->plan.flow_name, flow, sizeof flow),
                         run_status_word(f->end.status), f->plan.run);
    publish_once(run, subject, run_view_result(f), on_result_stored);
}

static void next_duty(struct bw_run *run)
{
    if (!bw_run_stretch(run, FLOW_STEP_TIMEOUT_MS))
        return;
    if (run->duties & DUTY_CLOSE_SESSION)
        bw_close_end(run, "end", session_done);
    else if (run->duties & DUTY_KEEP_SESSION)
        bw_session_keep(run, session_done);
    else if (run->duties & DUTY_CLEAR_LOCK)
        bw_lock_clear(run, lock_done);
    else if (run->duties & DUTY_DEAD)
        publish_dead(run);
    else if (run->duties & DUTY_RESULT)
        publish_result(run);
    else
        bw_run_ack(run);
}

void bw_end_duties(struct bw_run *run)
{
    run->stage  = BW_ENDING;
    run->duties = run_end_duties(&run->fold);
    next_duty(run);
}

/* ---- the end of a wake ----------------------------------------------------------------------------------------- */

static struct err on_ticket(struct bus_op *op, const struct bus_reply *reply);

static const enum ticket_cause CAUSES[ONS] = {
    [ON_TIMER] = CAUSE_TIMER,       [ON_CHILDREN] = CAUSE_MAIL, [ON_SIGNAL] = CAUSE_TIMER,
    [ON_UPSTREAM] = CAUSE_UPSTREAM, [ON_RETRY] = CAUSE_RETRY,   [ON_YIELD] = CAUSE_YIELD,
    [ON_LOCK] = CAUSE_LOCK};

static struct err publish_ticket(struct bw_run *run)
{
    const struct run_fold *f = &run->fold;
    char subject[SUBJECT_SIZE];
    struct ticket ticket;
    struct buf body;

    run_ticket(f, CAUSES[f->waiting.on], f->waiting_seq, clk_wall_ms(), &ticket);
    buf_init(&body, 4096);
    wire_write_ticket(&ticket, &body);
    const struct bus_out out = {
        subject_again(subject, subject_shard(ticket.tenant, (unsigned)run->bw->config->shards),
                      ticket.tenant, ticket.run),
        buf_bytes(&body), NULL, 0};
    struct err e = bus_publish(&run->op, &out, NULL, on_ticket);
    buf_deinit(&body);
    return e;
}

static struct err ticket_again(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return publish_ticket(SELF(struct bw_run, BW_RUN_MAGIC, op));
}

/* Without an answer it may be there twice: tickets are merged by run. */
static struct err on_ticket(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    if (failed(reply->err))
        return bus_wait(op, 300, ticket_again);
    bw_run_ack(run);
    return OK;
}

void bw_end_wake(struct bw_run *run)
{
    const struct run_fold *f = &run->fold;

    run->stage = BW_ENDING;
    if (!bw_run_stretch(run, FLOW_STEP_TIMEOUT_MS))
        return;
    if (f->phase == RUN_WAITING && f->wake == run->job.ticket.wake + 1)
        (void)publish_ticket(run);
    else
        bw_run_ack(run);
}

/* ---- what cannot be read ---------------------------------------------------------------------------------------- */

enum { UNREADABLE_MAGIC = 0x62776572 };

struct unreadable {
    struct bus_op op;
    struct bw *bw;
    struct bus_msg *msg;
};

static struct err unreadable_stored(struct bus_op *op, const struct bus_reply *reply)
{
    struct unreadable *u = SELF(struct unreadable, UNREADABLE_MAGIC, op);

    if (failed(reply->err) && reply->err.kind != ERR_CONFLICT)
        return reply->err; /* unanswered: it is delivered again */
    bus_settle(u->bw->bus, &u->msg, err_of(ERR_REJECT, "read job"));
    return bus_op_done(op);
}

static void unreadable_end(struct bus_op *op, struct err e)
{
    struct unreadable *u = SELF(struct unreadable, UNREADABLE_MAGIC, op);

    (void)e;
    bus_msg_free(&u->msg);
    mem_free(&u);
}

void bw_end_unreadable(struct bw *bw, struct bus_msg *msg)
{
    struct unreadable *u           = mem_new(struct unreadable);
    const struct bus_expect expect = {.seq = 0};
    char subject[SUBJECT_SIZE], tenant[STR_NAME_SIZE];

    u->bw  = bw;
    u->msg = msg;
    if (!str_token(msg->subject, SUBJECT_TENANT_AT, tenant, sizeof tenant) ||
        !str_is_name(tenant))
        str_copy(tenant, sizeof tenant, "unknown");
    log_error("job cannot be read; kept in SLUICE_DEAD", KV("job", msg->seq),
              KV("tenant", tenant));
    bus_op_start(bw->bus, &u->op, UNREADABLE_MAGIC, "unreadable", 20000, unreadable_end);
    const struct bus_out out = {subject_dead_job(subject, tenant, msg->seq), msg->body, NULL,
                                0};
    (void)bus_publish(&u->op, &out, &expect, unreadable_stored);
}
