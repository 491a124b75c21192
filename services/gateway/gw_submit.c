#include "gw_submit.h"

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "gw_chain.h"
#include "gw_plan.h"
#include "run/run_flow.h"
#include "run/run_view.h"
#include "wire/subject.h"

enum { SUBMIT_MS = 10000, TRIES = 3 };

/* One submit on its way. */
struct gw_submit {
    struct gw_chain chain; /* first */
    struct gw_plan plan;
    uint64_t expect; /* what the PLAN expects: 0, or a REJECTED before it */
    uint64_t plan_seq;
    bool created;
    bool doubt;    /* a PLAN of ours went unanswered: it may be stored */
    bool accepted; /* ours to answer, whatever becomes of the ticket */
    bool answered; /* a dry run */
    bool entered;  /* the book counts it as on its way */
    bool waits;    /* its ticket is stored */
    const char *status;
    unsigned tries;
    struct problem refusal; /* why there may be no new run now; NONE: there may */
};

static struct err plan_stored(struct bus_op *op, const struct bus_reply *reply);
static struct err publish_ticket(struct gw_submit *s);
static struct err read_existing(struct gw_submit *s);

/* ---- entries ------------------------------------------------------------------------------------------------- */

static struct err append_plan(struct gw_submit *s)
{
    const struct entry e = {.kind = ENTRY_PLAN, .worker = "", .plan = s->plan.plan};

    return gw_chain_append(&s->chain, &e, s->expect, plan_stored);
}

static struct err fail(struct gw_submit *s, const char *detail)
{
    gw_request_unavailable(&s->chain.why, detail);
    return err_of(ERR_RETRY, "submit");
}

static struct err unknown(struct gw_submit *s)
{
    return fail(
        s, *s->plan.plan.key
               ? "no answer in time; the run may still run: repeat with the same key"
               : "no answer in time; the run may still run: a repeat is safe only with a key");
}

/* ---- a run that is there already ------------------------------------------------------------------------------- */

static struct err accepted_stored(struct bus_op *op, const struct bus_reply *reply)
{
    struct gw_submit *s = SELF(struct gw_submit, CHAIN_MAGIC, op);

    if (reply->err.kind == ERR_UNKNOWN || reply->err.kind == ERR_RETRY)
        return unknown(s);
    /* A refusal: its own gateway rejected it just now, or somebody went on with it. */
    if (failed(reply->err))
        return ++s->tries > TRIES ? unknown(s) : read_existing(s);
    s->accepted = true;
    return publish_ticket(s);
}

static struct err refuse(struct gw_submit *s)
{
    s->chain.why = s->refusal;
    return err_of(ERR_REJECT, "submit");
}

static struct err meet(struct gw_submit *s)
{
    const struct run_fold *f = &s->chain.fold;
    bool absent              = f->phase == RUN_ABSENT || f->phase == RUN_REJECTED;

    if (absent && s->refusal.code != PROBLEM_NONE)
        return refuse(s);
    if (absent) {
        s->expect = f->last_seq;
        return ++s->tries > TRIES ? unknown(s) : append_plan(s);
    }
    if (!str_equal(f->plan.body_sha, s->plan.plan.body_sha)) {
        problem_set(&s->chain.why, PROBLEM_KEY_CONFLICT, "/key",
                    "key \"%.100s\" was used before with another body", s->plan.plan.key);
        str_copy(s->chain.why.run, sizeof s->chain.why.run, f->plan.run);
        return err_of(ERR_REJECT, "submit");
    }
    s->plan_seq = f->plan_seq;
    s->status   = run_status_text(f);
    s->created  = false;
    if (f->phase != RUN_QUEUED || f->accepted || f->last_seq != f->plan_seq)
        return bus_op_done(&s->chain.op);
    const struct entry e = {.kind = ENTRY_ACCEPTED, .worker = ""};
    return gw_chain_append(&s->chain, &e, f->plan_seq, accepted_stored);
}

static struct err existing_read(struct bus_op *op, const struct bus_reply *reply)
{
    struct gw_submit *s = SELF(struct gw_submit, CHAIN_MAGIC, op);

    if (failed(reply->err))
        return unknown(s);
    return meet(s);
}

/* A follower may be behind what refused the PLAN; and a repeat is refused only where the run is known not to be. */
static struct err read_existing(struct gw_submit *s)
{
    gw_chain_forget(&s->chain);
    s->chain.leader = s->tries > 0 || s->refusal.code != PROBLEM_NONE;
    return gw_chain_read(&s->chain, existing_read);
}

/* ---- PLAN --------------------------------------------------------------------------------------------------------- */

/* This one was certainly not stored. */
static struct err plan_refused(struct gw_submit *s, const char *detail)
{
    return s->doubt ? unknown(s) : fail(s, detail);
}

static struct err plan_again(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return append_plan(SELF(struct gw_submit, CHAIN_MAGIC, op));
}

static struct err plan_stored(struct bus_op *op, const struct bus_reply *reply)
{
    struct gw_submit *s = SELF(struct gw_submit, CHAIN_MAGIC, op);

    switch ((enum err_kind)reply->err.kind) {
    case ERR_NONE:
        s->plan_seq = reply->seq;
        s->created  = true;
        return publish_ticket(s);
    case ERR_CONFLICT: /* this key's run, or our own PLAN whose answer was lost */
        return read_existing(s);
    case ERR_UNKNOWN:
        s->doubt = true;
        return ++s->tries > TRIES ? unknown(s) : bus_wait(op, 50, plan_again);
    case ERR_RETRY:
        svc_streams_missing(s->chain.gw->svc);
        return plan_refused(s, "the journal cannot be reached; nothing was stored");
    case ERR_FULL:
        return plan_refused(s, "the journal is full; nothing was stored");
    case ERR_REJECT:
    case ERR_ABSENT:
    case ERR_LOST:
    case ERR_FATAL:
        break;
    }
    log_error("journal refused a plan", KV("run", s->plan.plan.run), KV("err", reply->err),
              KV("why", reply->text));
    return plan_refused(s, "the journal refused the run; nothing was stored");
}

/* ---- the ticket ------------------------------------------------------------------------------------------------------ */

static struct err rejected_stored(struct bus_op *op, const struct bus_reply *reply)
{
    struct gw_submit *s = SELF(struct gw_submit, CHAIN_MAGIC, op);

    if (reply->err.kind == ERR_CONFLICT) /* a repeat accepted it meanwhile: it runs */
        return bus_op_done(op);
    if (failed(reply->err))
        return unknown(s);
    problem_set(&s->chain.why, PROBLEM_QUEUE_FULL, "",
                "the queue is full; nothing of this request is left");
    s->chain.why.retry_after_ms = 5000;
    return err_of(ERR_FULL, "submit");
}

/* queue_full is said only once REJECTED is stored: a refused submit never runs. */
static struct err reject_plan(struct gw_submit *s)
{
    struct entry e = {.kind = ENTRY_REJECTED, .worker = ""};

    e.end = (struct entry_end){
        .code = "queue_full", .reason = "", .detail = "", .step = "", .session = ""};
    return gw_chain_append(&s->chain, &e, s->plan_seq, rejected_stored);
}

static struct err ticket_again(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return publish_ticket(SELF(struct gw_submit, CHAIN_MAGIC, op));
}

static struct err ticket_stored(struct bus_op *op, const struct bus_reply *reply)
{
    struct gw_submit *s = SELF(struct gw_submit, CHAIN_MAGIC, op);

    if (!failed(reply->err)) {
        s->waits = true;
        return bus_op_done(op);
    }
    if (reply->err.kind == ERR_FULL && !s->accepted)
        return reject_plan(s);
    /* The PLAN stands: the reconciler gives it a ticket if ours is lost. */
    if (reply->err.kind != ERR_FULL && ++s->tries <= TRIES)
        return bus_wait(op, 50, ticket_again);
    return bus_op_done(op);
}

static struct err publish_ticket(struct gw_submit *s)
{
    const struct entry_plan *p = s->accepted ? &s->chain.fold.plan : &s->plan.plan;
    char subject[SUBJECT_SIZE];
    struct ticket t = {
        .lane = lane_of(p->lane), .wake = 1, .cause = CAUSE_ACCEPT, .plan_seq = s->plan_seq};
    struct buf body;

    str_copy(t.run, sizeof t.run, p->run);
    str_copy(t.tenant, sizeof t.tenant, p->tenant);
    (void)run_flow_token(p->flow_name, t.flow, sizeof t.flow);
    str_copy(t.pool, sizeof t.pool, p->pool);
    str_copy(t.lock, sizeof t.lock, p->lock);
    str_copy(t.upstream, sizeof t.upstream, p->upstream);
    str_copy(t.session, sizeof t.session, p->session);
    t.due_after_ms      = p->not_before_ms;
    t.start_within_ms   = p->start_within_ms ? p->not_before_ms + p->start_within_ms : 0;
    t.deadline_after_ms = p->timeout_ms ? p->not_before_ms + p->timeout_ms : 0;
    buf_init(&body, 4096);
    wire_write_ticket(&t, &body);
    unsigned shard           = subject_shard(p->tenant, (unsigned)s->chain.gw->config->shards);
    const struct bus_out out = {subject_pending(subject, shard, lane_word(t.lane), p->tenant),
                                buf_bytes(&body), NULL, 0};
    struct err e             = bus_publish(&s->chain.op, &out, NULL, ticket_stored);
    buf_deinit(&body);
    return e;
}

/* ---- beginning and end ---------------------------------------------------------------------------------------------------- */

static struct json *answer(const struct gw_submit *s)
{
    const struct entry_plan *p = &s->plan.plan;
    struct json *doc           = json_new_object();
    char watch[SUBJECT_SIZE];

    json_set(doc, "run_id", json_new_str(p->run));
    json_set(doc, "status", json_new_str(s->status));
    json_set(doc, "created", json_new_bool(s->created));
    json_set(doc, "watch", json_new_str(subject_watch(watch, p->tenant, p->run)));
    return doc;
}

static void submit_end(struct bus_op *op, struct err e)
{
    struct gw_submit *s = SELF(struct gw_submit, CHAIN_MAGIC, op);
    struct gw *gw       = s->chain.gw;

    if (s->answered) {
        ;
    } else if (!failed(e)) {
        gw->metrics.submits_accepted += s->created;
        gw->metrics.submits_repeated += !s->created;
        gw_request_answer(&s->chain.request, answer(s), "SubmitAnswer");
    } else {
        gw->metrics.submits_refused++;
        if (s->chain.why.code == PROBLEM_NONE) /* the deadline, or the process ends */
            (void)unknown(s);
        gw_request_problem(&s->chain.request, &s->chain.why);
    }
    if (s->entered && gw->book) /* else the process ends */
        gw_book_leave(gw->book, s->chain.request.tenant, s->waits);
    gw_chain_forget(&s->chain);
    gw_plan_free(&s->plan);
    mem_free(&s);
}

/* However many come at once, those before it are counted. */
static void check_queue(struct gw_submit *s, const struct run_rule *rule)
{
    const char *tenant = s->chain.request.tenant;
    uint64_t depth     = gw_book_depth(s->chain.gw->book, tenant);

    if (depth == UINT64_MAX || depth < rule->queue_max) {
        gw_book_enter(s->chain.gw->book, tenant);
        s->entered = true;
        return;
    }
    problem_set(&s->refusal, PROBLEM_QUEUE_FULL, "",
                "%llu runs wait; at most %llu may (queue_max of %s %s): "
                "sluice tenant set %s --queue-max N",
                (unsigned long long)depth, (unsigned long long)rule->queue_max,
                rule->own_queue_max ? "tenant" : "tier",
                rule->own_queue_max ? tenant : rule->tier, tenant);
    s->refusal.retry_after_ms = 5000;
}

/* A repeat is not refused for what was changed since its run was accepted, nor for want of room: its first answer may
   have been lost. */
static struct err read_plan(struct gw_submit *s, const struct run_rule *rule)
{
    const struct gw_request *r = &s->chain.request;
    struct err e =
        gw_plan_read(&s->plan, s->chain.gw, r->tenant, rule, r->body,
                     bus_msg_header(r->msg, "traceparent"), clk_wall_ms(), &s->chain.why);

    if (!failed(e)) {
        check_queue(s, rule);
        return OK;
    }
    if (!s->plan.plan.run || !*s->plan.plan.key || s->plan.dry_run)
        return e;
    s->refusal   = s->chain.why;
    s->chain.why = (struct problem){.code = PROBLEM_NONE};
    return OK;
}

static struct err dry_run(struct gw_submit *s)
{
    struct json *doc = json_new_object();

    json_set(doc, "run_id", json_new_null());
    json_set(doc, "status", json_new_str("valid"));
    json_set(doc, "created", json_new_bool(false));
    json_set(doc, "flow", json_new_str(s->plan.plan.flow_name));
    gw_request_answer(&s->chain.request, doc, "SubmitAnswer");
    return OK;
}

static struct err begin(struct gw_submit *s, struct bus_msg **msg)
{
    struct gw *gw = s->chain.gw;
    struct run_rule rule;
    struct err e =
        gw_request_read(&s->chain.request, gw, msg, "submit", "Submit", &s->chain.why);

    if (failed(e))
        return e;
    if (!s->chain.request.body) {
        problem_set(&s->chain.why, PROBLEM_INVALID_REQUEST, "",
                    "the body is empty; send {\"flow\":…,\"input\":{…}}");
        return err_of(ERR_REJECT, "submit");
    }
    e = gw_book_tenant(gw->book, s->chain.request.tenant, &rule, &s->chain.why);
    if (!failed(e))
        e = read_plan(s, &rule);
    return e;
}

void gw_submit(struct gw *gw, struct bus_msg **msg)
{
    struct gw_submit *s = mem_new(struct gw_submit);

    s->chain.gw = gw;
    s->status   = "queued";
    bus_op_start(gw->bus, &s->chain.op, CHAIN_MAGIC, "submit", SUBMIT_MS, submit_end);
    struct err e = begin(s, msg);
    if (failed(e)) {
        (void)bus_op_fail(&s->chain.op, e);
        return;
    }
    if (s->plan.dry_run) {
        (void)dry_run(s);
        s->answered = true;
        (void)bus_op_done(&s->chain.op);
        return;
    }
    (void)subject_journal(s->chain.journal, s->chain.request.tenant, s->plan.plan.run);
    e = s->refusal.code == PROBLEM_NONE ? append_plan(s)
        : *s->plan.plan.key             ? read_existing(s)
                                        : refuse(s);
    if (failed(e))
        (void)bus_op_fail(&s->chain.op, e);
}
