#include "sch_claim.h"

#include <string.h>

#include "base/mem.h"
#include "sch_index_internal.h"
#include "sch_place.h"

struct sch_run *sch_claim_next(struct sch_index *ix, struct sch_pool *pool, int64_t now)
{
    for (;;) {
        enum lane lane          = LANE_STANDARD;
        struct sch_share *share = sch_fair_next(&pool->fair, &pool->room, now, &lane);

        if (!share)
            return NULL;

        struct sch_queue *q = HEAP_OWNER(share, struct sch_queue, share);
        struct sch_run *run = HEAP_OWNER(heap_first(&q->runs), struct sch_run, place);

        if (sch_place_open(run, now))
            return run;
        sch_place_anew(ix, run, now);
    }
}

struct sch_run *sch_claim_next_closing(struct sch_index *ix)
{
    LIST_EACH(&ix->closers, it)
    {
        struct sch_tenant *tenant = LIST_OWNER(it, struct sch_tenant, closer);

        if (!sch_slot_closing_free(&tenant->slots))
            continue;
        LIST_EACH(&tenant->closing, link)
        {
            struct sch_run *run = LIST_OWNER(link, struct sch_closing, link)->run;

            if (run->stage != STAGE_BUSY && run->stage != STAGE_HELD)
                return run;
        }
    }
    return NULL;
}

static uint64_t since(int64_t stored, int64_t at)
{
    return at == INT64_MAX || at < stored ? 0 : (uint64_t)(at - stored);
}

static void job_of(const struct sch_run *run, uint32_t slot, struct job *ret)
{
    const struct sch_queue *q = run->queue;

    *ret             = (struct job){.slot = slot, .ticket_seq = run->ticket_seq};
    struct ticket *t = &ret->ticket;

    str_copy(t->run, sizeof(t->run), run->run);
    str_copy(t->tenant, sizeof(t->tenant), q->tenant->name);
    str_copy(t->pool, sizeof(t->pool), q->pool->name);
    t->lane              = q->lane;
    t->wake              = run->wake;
    t->cause             = (enum ticket_cause)run->cause;
    t->cause_seq         = run->cause_seq;
    t->plan_seq          = run->plan_seq;
    t->due_after_ms      = since(run->stored, run->due);
    t->start_within_ms   = since(run->stored, run->start_by);
    t->deadline_after_ms = since(run->stored, run->deadline);
    if (run->gates[GATE_LOCK])
        str_copy(t->lock, sizeof(t->lock), strchr(run->gates[GATE_LOCK]->name, '.') + 1);
    if (run->gates[GATE_UPSTREAM])
        str_copy(t->upstream, sizeof(t->upstream), run->gates[GATE_UPSTREAM]->name);
    if (run->gates[GATE_FLOW])
        str_copy(t->flow, sizeof(t->flow), run->gates[GATE_FLOW]->name);
    if (run->session)
        str_copy(t->session, sizeof(t->session), run->session);
    if (run->parent)
        str_copy(t->parent_run, sizeof(t->parent_run), run->parent);
}

void sch_claim_take(struct sch_index *ix, struct sch_run *run, bool closing, int64_t now,
                    struct sch_claim *ret, struct job *ret_job)
{
    struct sch_queue *q       = run->queue;
    struct sch_tenant *tenant = q->tenant;
    struct sch_claim claim    = {.tenant = tenant, .queue = q, .wake = run->wake};

    if (closing) {
        bool asked = sch_slot_ask_closing(&tenant->slots);

        must(asked);
        sch_place_out(ix, run, now);
    } else {
        must(run->stage == STAGE_QUEUED);
        claim.slot = sch_slot_ask(&tenant->slots, tenant->rule.cap);
        must(claim.slot > 0);
        heap_remove(&q->runs, &run->place);
        claim.fee     = sch_fair_start(&q->pool->fair, q->lane, &q->share, now);
        claim.charged = true;
        if (tenant->slots.taken >= tenant->rule.cap)
            sch_place_look_all(tenant, now);
        else
            sch_place_look(q, now);
    }
    q->pool->room.taken[q->lane]++;
    sch_place_stage(ix, run, STAGE_BUSY);
    job_of(run, claim.slot, ret_job);
    *ret = claim;
}

/* What the claim took of the pool, its job takes, or nobody. */
static void unclaim(const struct sch_claim *claim, int64_t now)
{
    struct sch_queue *q = claim->queue;

    must(q->pool->room.taken[q->lane] > 0);
    q->pool->room.taken[q->lane]--;
    if (claim->charged)
        sch_fair_stop(&q->pool->fair, q->lane, &q->share, &claim->fee, now);
}

/* The op is over: the run stands nowhere, or is gone. */
static bool settle_busy(struct sch_index *ix, struct sch_run *run)
{
    must(run->stage == STAGE_BUSY);
    sch_place_stage(ix, run, STAGE_NONE);
    if (run->over)
        sch_ticket_answer_upto(ix, run, UINT32_MAX);
    return !sch_ticket_none(run);
}

struct sch_job *sch_claim_admitted(struct sch_index *ix, struct sch_run *run,
                                   const struct sch_claim *claim, uint64_t seq, int64_t now,
                                   bool *ret_over)
{
    struct sch_job *job = mem_new(struct sch_job);

    job->seq     = seq;
    job->wake    = claim->wake;
    job->slot    = claim->slot;
    job->tenant  = claim->tenant;
    job->queue   = claim->queue;
    job->pool    = claim->queue->pool;
    job->lane    = claim->queue->lane;
    job->since   = now;
    job->fee     = claim->fee;
    job->charged = claim->charged;
    job->probing = run->passed && run->probing;
    str_copy(job->run, sizeof(job->run), run->run);
    if (run->passed) /* its places behind the gates are the job's now */
        for (int kind = 0; kind < GATES; kind++)
            if (run->gates[kind]) {
                job->gates[kind] = run->gates[kind];
                job->gates[kind]->refs++;
            }
    run->passed = false;
    claim->queue->pool->room.taken[claim->queue->lane]--;
    sch_pool_job(job);
    *ret_over = sch_slot_put(ix->jobs, &claim->tenant->slots, job);
    ix->figures.jobs++;

    sch_ticket_answer_upto(ix, run, claim->wake);
    if (settle_busy(ix, run))
        sch_place_put(ix, run, now); /* of a higher wake: held until the job is gone */
    else
        sch_index_remove(ix, run);
    return job;
}

static void back(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    sch_place_leave(ix, run, now);
    if (settle_busy(ix, run)) {
        sch_ticket_answer_below(ix, run, run->wake);
        sch_place_put(ix, run, now);
    } else {
        sch_index_remove(ix, run);
    }
}

void sch_claim_refused(struct sch_index *ix, struct sch_run *run, const struct sch_claim *claim,
                       int64_t now)
{
    unclaim(claim, now);
    sch_slot_undo(&claim->tenant->slots, claim->slot);
    sch_place_look_all(claim->tenant, now);
    back(ix, run, now);
}

void sch_claim_busy(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    sch_place_out(ix, run, now);
    sch_place_stage(ix, run, STAGE_BUSY);
}

void sch_claim_back(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    back(ix, run, now);
}

struct sch_job *sch_claim_found(struct sch_index *ix, const struct job *from, uint64_t seq,
                                int64_t now)
{
    const struct ticket *t    = &from->ticket;
    struct sch_tenant *tenant = sch_index_tenant(ix, t->tenant);
    struct sch_job *job       = mem_new(struct sch_job);
    const char *names[GATES]  = {NULL, t->upstream, t->flow};
    char lock[2 * STR_NAME_SIZE];

    job->seq    = seq;
    job->wake   = t->wake;
    job->slot   = from->slot;
    job->tenant = tenant;
    job->queue  = sch_index_queue(ix, tenant, t->pool[0] ? t->pool : "default",
                                 t->lane < LANES ? t->lane : LANE_STANDARD, now);
    job->pool   = job->queue->pool;
    job->lane   = job->queue->lane;
    job->since  = now;
    str_copy(job->run, sizeof(job->run), t->run);
    if (t->lock[0]) {
        str_format(lock, sizeof(lock), "%s.%s", t->tenant, t->lock);
        names[GATE_LOCK] = lock;
    }
    if (from->slot > 0) {
        for (int kind = 0; kind < GATES; kind++)
            if (names[kind] && names[kind][0]) {
                job->gates[kind] = sch_index_gate(ix, (enum sch_gate_kind)kind, names[kind]);
                job->gates[kind]->refs++;
                sch_gate_pass(job->gates[kind], false, now);
            }
        sch_fair_found(&job->pool->fair, job->lane, &job->queue->share, now);
        job->charged = true;
    }
    sch_pool_job(job);
    (void)sch_slot_put(ix->jobs, &tenant->slots, job);
    ix->figures.jobs++;
    sch_place_look_all(tenant, now);

    struct sch_run *run = sch_index_find(ix, t->run);

    if (run && run->stage != STAGE_BUSY) {
        sch_place_out(ix, run, now);
        sch_ticket_answer_upto(ix, run, t->wake);
        if (sch_ticket_none(run))
            sch_index_remove(ix, run);
        else
            sch_place_put(ix, run, now);
    }
    return job;
}

void sch_claim_job_gone(struct sch_index *ix, struct sch_job **slot, int64_t now)
{
    struct sch_job *job       = take(slot);
    struct sch_tenant *tenant = job->tenant;

    if (job->charged)
        sch_fair_stop(&job->pool->fair, job->lane, &job->queue->share, &job->fee, now);
    sch_pool_job_gone(job);
    sch_slot_out(ix->jobs, &tenant->slots, job);
    ix->figures.jobs--;
    for (int kind = 0; kind < GATES; kind++)
        if (job->gates[kind])
            sch_gate_leave(job->gates[kind]);
    if (job->probing)
        sch_gate_probed(job->gates[GATE_UPSTREAM], now);
    sch_place_look_all(tenant, now);

    struct sch_run *run = sch_index_find(ix, job->run);

    if (run && run->stage == STAGE_HELD)
        sch_place_anew(ix, run, now);
    for (int kind = 0; kind < GATES; kind++)
        if (job->gates[kind]) {
            sch_place_drain(ix, job->gates[kind], now);
            sch_index_gate_unref(ix, job->gates[kind]);
        }
    mem_free(&job);
}
