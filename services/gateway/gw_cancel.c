#include "gw_cancel.h"

#include "base/clk.h"
#include "base/mem.h"
#include "gw_chain.h"
#include "run/run_ticket.h"
#include "run/run_view.h"

enum { CANCEL_MS = 5000, REASON_MAX = 500, TICKET_TRIES = 3 };

struct gw_cancelling {
    struct gw_chain chain; /* first */
    unsigned tries;
};

static void cancel_end(struct bus_op *op, struct err e)
{
    struct gw_cancelling *c = SELF(struct gw_cancelling, CHAIN_MAGIC, op);

    if (!failed(e)) {
        struct json *doc = json_new_object();
        json_set(doc, "run_id", json_new_str(c->chain.run));
        json_set(doc, "status", json_new_str(run_status_text(&c->chain.fold)));
        json_set(doc, "accepted", json_new_bool(true));
        gw_request_answer(&c->chain.request, doc, "Accepted");
    } else {
        gw_chain_why(
            &c->chain,
            "the journal did not answer in time; the cancel may have been taken: repeat it");
        gw_request_problem(&c->chain.request, &c->chain.why);
    }
    gw_chain_forget(&c->chain);
    mem_free(&c);
}

/* ---- the nudge ---------------------------------------------------------------------------------------------- */

static struct err publish_ticket(struct gw_cancelling *c);

static struct err ticket_again(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return publish_ticket(SELF(struct gw_cancelling, CHAIN_MAGIC, op));
}

/* The mail stands; a ticket that is lost is the reconciler's to repair. */
static struct err ticket_stored(struct bus_op *op, const struct bus_reply *reply)
{
    struct gw_cancelling *c = SELF(struct gw_cancelling, CHAIN_MAGIC, op);

    if (failed(reply->err) && ++c->tries < TICKET_TRIES)
        return bus_wait(op, 50, ticket_again);
    return bus_op_done(op);
}

static struct err publish_ticket(struct gw_cancelling *c)
{
    char subject[SUBJECT_SIZE];
    struct ticket t;
    struct buf body;

    run_ticket(&c->chain.fold, CAUSE_MAIL, c->chain.fold.cancel_seq, clk_wall_ms(), &t);
    t.due_after_ms = 0;
    buf_init(&body, 4096);
    wire_write_ticket(&t, &body);
    unsigned shard           = subject_shard(t.tenant, (unsigned)c->chain.gw->config->shards);
    const struct bus_out out = {subject_again(subject, shard, t.tenant, t.run),
                                buf_bytes(&body), NULL, 0};
    struct err e             = bus_publish(&c->chain.op, &out, NULL, ticket_stored);
    buf_deinit(&body);
    return e;
}

static void tell_holder(const struct gw_cancelling *c)
{
    char subject[SUBJECT_SIZE];

    if (!str_is_name(c->chain.fold.lease.worker))
        return;
    const struct bus_out out = {subject_mail(subject, c->chain.fold.lease.worker),
                                bytes_str(c->chain.run), NULL, 0};
    (void)bus_send(c->chain.gw->bus, &out);
}

static struct err nudge(struct bus_op *op, const struct bus_reply *reply)
{
    struct gw_cancelling *c = SELF(struct gw_cancelling, CHAIN_MAGIC, op);

    if (failed(reply->err))
        return bus_op_done(op); /* the mail stands */
    switch (c->chain.fold.phase) {
    case RUN_QUEUED:
    case RUN_WAITING:
    case RUN_RELEASED:
        return publish_ticket(c);
    case RUN_LEASED:
        tell_holder(c);
        return bus_op_done(op);
    case RUN_ABSENT:
    case RUN_REJECTED:
    case RUN_ENDED:
        break;
    }
    return bus_op_done(op);
}

/* ---- the mail ------------------------------------------------------------------------------------------------- */

/* Read where it was written: a follower may not know yet who holds the run. */
static struct err mailed(struct bus_op *op, const struct bus_reply *reply)
{
    struct gw_chain *chain = SELF(struct gw_chain, CHAIN_MAGIC, op);

    if (failed(reply->err))
        return reply->err;
    chain->leader = true;
    return gw_chain_read(chain, nudge);
}

static struct err run_read(struct bus_op *op, const struct bus_reply *reply)
{
    struct gw_cancelling *c  = SELF(struct gw_cancelling, CHAIN_MAGIC, op);
    struct gw_chain *chain   = &c->chain;
    const struct run_fold *f = &chain->fold;
    const char *reason       = json_str(json_get(chain->request.body, "reason"));

    if (failed(reply->err))
        return reply->err;
    if (f->phase == RUN_ABSENT || f->phase == RUN_REJECTED) {
        problem_set(&chain->why, PROBLEM_NOT_FOUND, "", "tenant %s has no such run",
                    chain->request.tenant);
        return err_of(ERR_ABSENT, "cancel");
    }
    if (f->phase == RUN_ENDED) {
        problem_set(&chain->why, PROBLEM_RUN_FINISHED, "", "the run has ended: %s",
                    run_status_text(f));
        str_copy(chain->why.run, sizeof chain->why.run, chain->run);
        return err_of(ERR_REJECT, "cancel");
    }
    if (f->cancelled)
        return nudge(op, reply);
    struct entry e = {.kind = ENTRY_CANCEL, .worker = ""};
    e.mail         = (struct entry_mail){
                .by = "api", .name = "", .id = "", .reason = reason ? reason : "", .child = ""};
    return gw_chain_append(chain, &e, BUS_ANY, mailed);
}

static struct err begin(struct gw_cancelling *c, struct bus_msg **msg)
{
    static const char *const fields[] = {"run_id", "key", "reason", NULL};
    struct gw_chain *chain            = &c->chain;
    struct err e =
        gw_request_read(&chain->request, chain->gw, msg, "cancel", "Cancel", &chain->why);

    if (!failed(e))
        e = gw_request_fields(chain->request.body, fields, &chain->why);
    if (!failed(e))
        e = gw_request_run(&chain->request, chain->run, &chain->why);
    if (failed(e))
        return e;
    const struct json *reason = json_get(chain->request.body, "reason");
    if (reason && json_type(reason) != JSON_NULL &&
        (!json_str(reason) || json_str_len(reason) > REASON_MAX)) {
        problem_set(&chain->why, PROBLEM_INVALID_REQUEST, "/reason",
                    "reason is a string of at most %d bytes", REASON_MAX);
        return err_of(ERR_REJECT, "cancel");
    }
    (void)subject_journal(chain->journal, chain->request.tenant, chain->run);
    return OK;
}

void gw_cancel(struct gw *gw, struct bus_msg **msg)
{
    struct gw_cancelling *c = mem_new(struct gw_cancelling);

    c->chain.gw = gw;
    bus_op_start(gw->bus, &c->chain.op, CHAIN_MAGIC, "cancel", CANCEL_MS, cancel_end);
    struct err e = begin(c, msg);
    if (failed(e))
        (void)bus_op_fail(&c->chain.op, e);
    else
        (void)gw_chain_read(&c->chain, run_read);
}
