#include "lim_do.h"

#include "base/clk.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "lim.h"
#include "lim_body.h"
#include "wire/subject.h"

enum { CALL_MAGIC = 0x4c494d43, ANSWER_MAX = 64 << 10, STATE_MAX = 1 << 20 };

/* What is to be said when a batch is stored. */
enum about { ABOUT_GRANT, ABOUT_RETURN, ABOUT_UPSTREAM };

struct lim_call {
    uint32_t magic;
    struct list link; /* in lim->answers */
    struct bus_msg *msg;
    const char *endpoint;
    uint64_t since_us;
    bool json;

    uint64_t batch;
    enum about about;
    struct permit_grant grant; /* of a return and an upstream: nothing of it */
    char name[PERMIT_NAME_SIZE];
};

struct lim_call *lim_do_call(struct bus_msg **msg, const char *endpoint, bool json)
{
    struct lim_call *call = mem_new(struct lim_call);

    call->magic    = CALL_MAGIC;
    call->endpoint = endpoint;
    call->since_us = clk_mono_us();
    call->json     = json;
    call->msg      = take(msg);
    return call;
}

void lim_do_drop(struct lim_call **slot)
{
    struct lim_call *call = take(slot);

    if (!call)
        return;
    list_remove(&call->link);
    bus_msg_free(&call->msg);
    mem_free(&call);
}

/* ---- answers ----------------------------------------------------------------------- */

void lim_do_problem(struct lim *lim, struct lim_call **slot, const struct problem *why)
{
    const struct lim_call *call = *slot;

    svc_refuse(lim->svc, call->msg, call->endpoint, call->since_us, why, bytes_of(NULL, 0));
    lim_do_drop(slot);
}

static void answer_now(struct lim *lim, struct lim_call **slot)
{
    const struct lim_call *call = *slot;
    struct lim_gate_state state;
    struct buf body;

    buf_init(&body, ANSWER_MAX);
    switch (call->about) {
    case ABOUT_GRANT:
        lim_body_grant(&call->grant, call->json, &body);
        break;
    case ABOUT_RETURN:
        lim_body_returned(call->name, call->json, &body);
        break;
    case ABOUT_UPSTREAM:
        if (lim_gate_state(lim->gate, call->name, lim_time(lim), &state))
            lim_body_upstream(&state, &body);
        break;
    }
    bus_answer(lim->bus, call->msg, buf_bytes(&body), NULL, 0);
    svc_answered(lim->svc, call->endpoint, call->since_us, true);
    lim_do_drop(slot);
    buf_deinit(&body);
}

/* Who must wait for a batch waits behind those that wait for earlier ones. */
static void answer_stored(struct lim *lim, struct lim_call **slot)
{
    struct lim_call *call = *slot;

    call->batch = lim_log_mark(lim->log);
    if (call->batch <= lim_log_stored(lim->log)) {
        answer_now(lim, slot);
        return;
    }
    list_push(&lim->answers, &call->link);
    *slot = NULL;
}

void lim_do_returned(struct lim *lim, struct lim_call **slot, const char *id)
{
    (*slot)->about = ABOUT_RETURN;
    str_copy((*slot)->name, sizeof((*slot)->name), id);
    answer_stored(lim, slot);
}

void lim_do_upstream(struct lim *lim, struct lim_call **slot, const char *name)
{
    (*slot)->about = ABOUT_UPSTREAM;
    str_copy((*slot)->name, sizeof((*slot)->name), name);
    answer_stored(lim, slot);
}

void lim_do_stored(struct lim *lim, uint64_t batch, uint64_t seq)
{
    while (!list_empty(&lim->answers)) {
        struct lim_call *call = LIST_OWNER(lim->answers.next, struct lim_call, link);

        if (call->batch > batch)
            return;
        list_remove(&call->link);
        call->grant.log_seq = seq;
        answer_now(lim, &call);
    }
}

void lim_do_forget(struct lim *lim)
{
    while (!list_empty(&lim->answers)) {
        struct lim_call *call = LIST_OWNER(lim->answers.next, struct lim_call, link);

        lim_do_drop(&call);
    }
}

/* ---- what the gate says ------------------------------------------------------------ */

static void on_record(void *self, const struct grant_record *r)
{
    struct lim *lim = SELF(struct lim, LIM_MAGIC, self);

    lim_log_add(lim->log, r);
}

static void on_answer(void *self, void *tag, const struct permit_grant *g, bool logged)
{
    struct lim *lim       = SELF(struct lim, LIM_MAGIC, self);
    struct lim_call *call = SELF(struct lim_call, CALL_MAGIC, tag);

    call->about = ABOUT_GRANT;
    call->grant = *g;
    if (g->ok)
        lim->metrics.permits_granted++;
    else
        lim->metrics.permits_refused++;
    if (logged)
        answer_stored(lim, &call);
    else
        answer_now(lim, &call);
}

static void on_drop(void *self, void *tag)
{
    struct lim_call *call = SELF(struct lim_call, CALL_MAGIC, tag);

    (void)self;
    lim_do_drop(&call);
}

static void on_changed(void *self, const char *name, bool incident)
{
    struct lim *lim = SELF(struct lim, LIM_MAGIC, self);
    struct lim_gate_state s;

    lim->state_changed = true;
    if (incident) {
        lim->incident_changed = true;
        lim->incident_mark    = lim_log_mark(lim->log);
    }
    svc_poke(lim->svc);
    if (!incident && lim_decides(lim) && lim_gate_state(lim->gate, name, lim_time(lim), &s))
        log_info("upstream changed", KV("upstream", name), KV("to", permit_mode_word(s.mode)),
                 KV("why", s.why));
}

static void on_tenant(void *self, const char *tenant, struct lim_gate_tenant *ret)
{
    struct lim *lim = SELF(struct lim, LIM_MAGIC, self);
    struct run_rule rule;

    run_tenant_rule(lim->book, tenant, &rule);
    *ret = (struct lim_gate_tenant){.sessions_max = rule.sessions, .cap = rule.cap};
}

const struct lim_gate_out lim_do_out = {.record  = on_record,
                                        .answer  = on_answer,
                                        .drop    = on_drop,
                                        .changed = on_changed,
                                        .tenant  = on_tenant};

/* ---- state ------------------------------------------------------------------------- */

void lim_do_state(struct lim *lim)
{
    char subject[SUBJECT_SIZE];
    struct buf body;

    buf_init(&body, STATE_MAX);
    lim_body_state(lim->gate, lim_time(lim), &body);

    const struct bus_out out = {
        .subject = subject_state_upstream(subject, (unsigned)lim->config->shard),
        .body    = buf_bytes(&body)};

    if (!body.full)
        (void)bus_send(lim->bus, &out);
    buf_deinit(&body);
}
