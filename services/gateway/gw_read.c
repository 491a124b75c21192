#include "gw_read.h"

#include "base/clk.h"
#include "base/mem.h"
#include "gw_chain.h"
#include "run/run_view.h"

enum { GET_MS = 5000 };

struct gw_reading {
    struct gw_chain chain; /* first */
    struct bus_sub *watch; /* wait only */
    bool waits, ended;
    bool known; /* the fold is a run's */
    uint64_t wait_ms;
};

static struct err state_read(struct bus_op *op, const struct bus_reply *reply);
static void reading_end(struct bus_op *op, struct err e);

/* A wait whose time is over answers what the run is by now: only its end was watched for. */
static void read_on(struct gw_reading *r)
{
    r->waits = false;
    bus_op_start(r->chain.gw->bus, &r->chain.op, CHAIN_MAGIC, "get", GET_MS, reading_end);
    (void)gw_chain_read(&r->chain, state_read);
}

static void reading_end(struct bus_op *op, struct err e)
{
    struct gw_reading *r = SELF(struct gw_reading, CHAIN_MAGIC, op);

    bus_unsubscribe(&r->watch);
    if (failed(e) && r->waits && r->known && !bus_freeing(r->chain.gw->bus)) {
        read_on(r);
        return;
    }
    if (!failed(e) || r->known) { /* if need be, what it was when we last could read */
        gw_request_answer(&r->chain.request, run_view(&r->chain.fold, clk_wall_ms()), "Run");
    } else {
        gw_chain_why(&r->chain, "the journal did not answer in time; ask again");
        gw_request_problem(&r->chain.request, &r->chain.why);
    }
    gw_chain_forget(&r->chain);
    mem_free(&r);
}

static struct err state_read(struct bus_op *op, const struct bus_reply *reply)
{
    struct gw_reading *r     = SELF(struct gw_reading, CHAIN_MAGIC, op);
    const struct run_fold *f = &r->chain.fold;

    if (failed(reply->err))
        return reply->err;
    if (f->phase == RUN_ABSENT || f->phase == RUN_REJECTED) {
        problem_set(&r->chain.why, PROBLEM_NOT_FOUND, "",
                    "tenant %s has no such run, or it is older than the retention",
                    r->chain.request.tenant);
        return err_of(ERR_ABSENT, "read run");
    }
    if (!r->waits || r->wait_ms == 0 || f->phase == RUN_ENDED)
        return bus_op_done(op); /* a deadline of 0 would be none */
    if (!r->known)
        bus_op_deadline(op, r->wait_ms);
    r->known = true;
    if (r->ended) { /* it ended while we read */
        r->ended = false;
        return gw_chain_read(&r->chain, state_read);
    }
    return OK; /* parked: on_entry goes on, or the deadline ends it */
}

/* Something was stored: of interest is the end only. */
static void on_entry(void *self, struct bus_msg **msg)
{
    struct gw_reading *r = self;
    const char *kind     = bus_msg_header(*msg, "Sluice-Kind");

    if (!kind || !str_equal(kind, entry_kind_word(ENTRY_END)))
        return;
    if (bus_op_parked(&r->chain.op))
        (void)gw_chain_read(&r->chain, state_read);
    else
        r->ended = true;
}

static struct err read_timeout(struct gw_reading *r)
{
    struct gw *gw        = r->chain.gw;
    const struct json *t = json_get(r->chain.request.body, "timeout");
    uint64_t ms          = gw->config->wait_max_ms;

    if (t && (!json_str(t) || failed(str_duration_ms(json_str(t), &ms)))) {
        problem_set(&r->chain.why, PROBLEM_INVALID_REQUEST, "/timeout",
                    "timeout is a duration; write \"20s\"");
        return err_of(ERR_REJECT, "wait");
    }
    if (ms > gw->config->wait_max_ms)
        ms = gw->config->wait_max_ms;
    r->wait_ms = ms;
    return OK;
}

static struct err begin(struct gw_reading *r, struct bus_msg **msg)
{
    static const char *const get_fields[] = {"run_id", "key", NULL}, *const wait_fields[] = {
                                                                         "run_id", "key",
                                                                         "timeout", NULL};
    struct gw_chain *c = &r->chain;
    char subject[SUBJECT_SIZE];
    struct err e =
        gw_request_read(&c->request, c->gw, msg, r->waits ? "wait" : "get", "Which", &c->why);

    if (!failed(e))
        e = gw_request_fields(c->request.body, r->waits ? wait_fields : get_fields, &c->why);
    if (!failed(e))
        e = gw_request_run(&c->request, c->run, &c->why);
    if (!failed(e) && r->waits)
        e = read_timeout(r);
    if (failed(e))
        return e;
    (void)subject_journal(c->journal, c->request.tenant, c->run);
    if (!r->waits)
        return OK;
    return bus_subscribe(c->gw->bus, subject_watch(subject, c->request.tenant, c->run), NULL,
                         on_entry, r, &r->watch);
}

static void start(struct gw *gw, struct bus_msg **msg, bool waits)
{
    struct gw_reading *r = mem_new(struct gw_reading);

    r->chain.gw = gw;
    r->waits    = waits;
    bus_op_start(gw->bus, &r->chain.op, CHAIN_MAGIC, waits ? "wait" : "get", GET_MS,
                 reading_end);
    struct err e = begin(r, msg);
    if (failed(e))
        (void)bus_op_fail(&r->chain.op, e);
    else
        (void)gw_chain_read(&r->chain, state_read);
}

void gw_read_get(struct gw *gw, struct bus_msg **msg)
{
    start(gw, msg, false);
}

void gw_read_wait(struct gw *gw, struct bus_msg **msg)
{
    start(gw, msg, true);
}
