#include "bw_call.h"

#include "base/clk.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "bw_journal.h"
#include "bw_step.h"
#include "problem/problem.h"

enum { SERVICE_MAGIC = 0x62777271, CALL_BODY_MAX = 512 * 1024, SUSPECT_WAIT_MS = 200 };

/* A chain of its own, as a driver's calls have one: the run's own is free to read the mail meanwhile. */
struct bw_service_ask {
    struct bus_op op;   /* first: SELF() */
    struct bw_run *run; /* NULL: nobody waits for the answer any more */
};

static void send_call(struct bw_run *run);

/* The same for every repeat of this step of this run: what the service's author deduplicates by. */
static const char *call_key(struct bw_run *run)
{
    uint8_t digest[32];
    char key[ID_SIZE];
    struct sha256 *sha = sha256_new();

    sha256_add(sha, run->job.ticket.run, ID_LEN);
    sha256_add(sha, run->doing.step->id, strlen(run->doing.step->id));
    sha256_end(&sha, digest);
    id_derive(digest, key);
    return bw_step_keep(run, key);
}

/* ---- the answer ----------------------------------------------------------------------------------------- */

static void refuse(struct bw_run *run, enum call_fate fate, const char *detail)
{
    run->doing.fate           = fate;
    run->doing.outcome.code   = problem_word(PROBLEM_UPSTREAM_FAILED);
    run->doing.outcome.detail = bw_step_keep(run, detail);
}

static void read_answer(struct bw_run *run, const struct bus_reply *reply)
{
    const char *error  = bus_msg_header(reply->msgs, "Nats-Service-Error");
    const char *status = bus_msg_header(reply->msgs, "Nats-Service-Error-Code");
    struct json *body  = NULL;
    char why[JSON_WHY_SIZE];
    uint64_t code = 200;

    if (status && failed(str_u64(status, &code)))
        code = 500;
    run->doing.outcome.status = (uint32_t)code;
    if (error) {
        refuse(run, CALL_REFUSED, error);
        return;
    }
    if (reply->body.len && failed(json_parse(&body, reply->body, why, sizeof why))) {
        refuse(run, CALL_REFUSED, "the service's answer is not JSON");
        return;
    }
    run->doing.fate  = CALL_DONE;
    run->doing.value = json_new_object();
    json_set(run->doing.value, "body", body);
    json_set(run->doing.value, "http_status", json_new_int((int64_t)code));
}

static void request_end(struct bus_op *op, struct err e)
{
    struct bw_service_ask *r = SELF(struct bw_service_ask, SERVICE_MAGIC, op);

    (void)e; /* only the end of the process ends it before its answer */
    if (r->run)
        r->run->requesting = NULL;
    mem_free(&r);
}

void bw_call_cancel(struct bw_service_ask **slot)
{
    struct bw_service_ask *r = take(slot);

    r->run = NULL;
    (void)bus_op_done(&r->op);
}

static struct err on_answer(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_service_ask *r = SELF(struct bw_service_ask, SERVICE_MAGIC, op);
    struct bw_run *run       = take(&r->run);

    run->requesting = NULL;
    run->bw->metrics.calls++;
    run->doing.outcome.ms = bus_now(run->bw->bus) - run->doing.started_ms;
    run->doing.outcome.endpoint =
        bw_step_keep(run, json_str(json_get(run->doing.body, "subject")));
    if (!failed(reply->err))
        read_answer(run, reply);
    else if (reply->err.kind == ERR_ABSENT)
        refuse(run, CALL_NOT_SENT, "nobody answers on this subject");
    else if (reply->err.kind == ERR_RETRY)
        refuse(run, CALL_NOT_SENT, "not connected");
    else if (reply->err.kind == ERR_REJECT)
        refuse(run, CALL_REFUSED, "the request is too large");
    else
        refuse(run, CALL_UNANSWERED, "no answer within the step's timeout");
    if (run->doing.fate != CALL_DONE)
        run->bw->metrics.calls_failed++;
    bw_step_attempted(run);
    return bus_op_done(op);
}

/* ---- the request ------------------------------------------------------------------------------------------ */

static void request(struct bw_run *run)
{
    struct bw_doing *d       = &run->doing;
    struct bw_service_ask *r = mem_new(struct bw_service_ask);
    char subject[SUBJECT_SIZE];
    const struct bus_header headers[] = {{"Sluice-Run", run->job.ticket.run},
                                         {"Sluice-Step", d->step->id},
                                         {"Sluice-Key", call_key(run)},
                                         {"traceparent", run->fold.plan.trace}};
    const struct bus_out out          = {
                 subject_call(subject, run->job.ticket.tenant, json_str(json_get(d->body, "subject"))),
                 d->request, headers, *run->fold.plan.trace ? 4 : 3};
    uint64_t left    = bw_run_left_ms(run),
             timeout = d->step->timeout_ms < left ? d->step->timeout_ms : left;

    r->run          = run;
    run->requesting = r;
    bus_op_start(run->bw->bus, &r->op, SERVICE_MAGIC, "call", 0, request_end);
    (void)bus_request(&r->op, &out, (uint32_t)timeout, on_answer);
}

/* Is the lease suspect: no beat confirmed for nearly as long as the server waits?  Then somebody may hold the run by now. */
static bool suspect(const struct bw_run *run)
{
    uint64_t lease = run->bw->lease_ms, now = bus_now(run->bw->bus);

    return now - run->beat_confirmed_ms > lease - lease / 10;
}

/* The read took its time, and whoever was stopped meanwhile is heard here first: so both are asked again. */
static void journal_read_again(struct bw_run *run)
{
    if (!run_fold_mine(&run->fold, run->token))
        bw_run_drop(run, "another holds it");
    else if (bw_run_left_ms(run) == 0 || suspect(run))
        send_call(run);
    else
        request(run);
}

static struct err suspicion_waited(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    send_call(SELF(struct bw_run, BW_RUN_MAGIC, op));
    return OK;
}

static void send_call(struct bw_run *run)
{
    if (bw_run_left_ms(run) == 0) {
        bw_run_drop(run, "past its step's deadline");
        return;
    }
    if (run->doing.step->effect != EFFECT_UNSAFE) {
        request(run);
        return;
    }
    if (suspect(run)) {
        bw_run_beat(run, bus_now(run->bw->bus));
        (void)bus_wait(&run->op, SUSPECT_WAIT_MS, suspicion_waited);
        return;
    }
    run->leader_read = true;
    bw_journal_read(run, journal_read_again);
}

static void intent_landed(struct bw_run *run)
{
    run->doing.intent = true;
    if (bw_run_stretch(run, run->doing.step->timeout_ms))
        send_call(run);
}

void bw_call_do(struct bw_run *run)
{
    struct bw_doing *d = &run->doing;

    /* Before INTENT: what is too large was certainly not sent. */
    if (!bw_step_print(run, json_get(d->body, "body"), CALL_BODY_MAX, &d->request)) {
        bw_step_refused(run, problem_word(PROBLEM_UPSTREAM_REFUSED),
                        "the call's body is larger than 512 KiB; nothing was sent");
        return;
    }
    if (d->step->effect != EFFECT_UNSAFE) {
        send_call(run);
        return;
    }
    struct entry *e    = bw_journal_entry(run, ENTRY_INTENT);
    e->step.step       = d->step->id;
    e->step.attempt    = d->attempt;
    e->step.effect     = EFFECT_UNSAFE;
    e->step.timeout_ms = d->step->timeout_ms;
    e->step.key        = call_key(run);
    bw_journal_decision(run, intent_landed);
}
