#include "sch_place.h"

#include <string.h>

#include "base/must.h"
#include "sch_index_internal.h"

enum rank { RANK_CLOSING, RANK_YIELD, RANK_AGAIN, RANK_FRESH };

/* ---- counts ------------------------------------------------------------------------------- */

void sch_place_look(struct sch_queue *q, int64_t now)
{
    const struct sch_tenant *t = q->tenant;
    bool wants = q->runs.count > 0 && !t->rule.paused && sch_slot_any(&t->slots, t->rule.cap);

    sch_fair_want(&q->pool->fair, q->lane, &q->share, wants, now);
}

void sch_place_look_all(struct sch_tenant *t, int64_t now)
{
    LIST_EACH(&t->queues, link)
    {
        sch_place_look(LIST_OWNER(link, struct sch_queue, link), now);
    }
}

static uint64_t key_of(int64_t at)
{
    return (uint64_t)(at + (INT64_C(1) << 60)); /* signed instants in unsigned order */
}

static uint64_t rank_of(const struct sch_run *run)
{
    enum rank rank = RANK_FRESH;

    if (run->closing)
        rank = RANK_CLOSING;
    else if (run->cause == CAUSE_YIELD)
        rank = RANK_YIELD;
    else if (run->started)
        rank = RANK_AGAIN;
    /* 2 bits of rank, 42 of time (34 years of ms to either side), 20 of the place in the stream. */
    return (uint64_t)rank << 62 |
           ((uint64_t)(run->due + (INT64_C(1) << 40)) & ((UINT64_C(1) << 42) - 1)) << 20 |
           (run->ticket_seq & ((UINT64_C(1) << 20) - 1));
}

static void count(struct sch_index *ix, struct sch_run *run, int by)
{
    struct sch_queue *q = run->queue;
    size_t *figure      = NULL;

    switch ((enum sch_stage)run->stage) {
    case STAGE_NONE:
        return;
    case STAGE_DORMANT:
        figure = &ix->figures.dormant;
        q->dormant += (uint64_t)(int64_t)by;
        break;
    case STAGE_PARKED:
        figure = &ix->figures.parked;
        q->parked[run->parked_at] += (uint64_t)(int64_t)by;
        break;
    case STAGE_QUEUED:
        figure = &ix->figures.queued;
        break;
    case STAGE_HELD:
        figure = &ix->figures.held;
        break;
    case STAGE_BUSY:
        figure = &ix->figures.busy;
        break;
    }
    *figure += (size_t)(int64_t)by;
}

/* Before its time only who never began: that one is queued, and counts in the quota; others are asleep. */
static bool waits(const struct sch_run *run)
{
    return run->stage == STAGE_QUEUED || run->stage == STAGE_PARKED ||
           (run->stage == STAGE_DORMANT && !run->started);
}

static struct heap *ages(const struct sch_run *run)
{
    return run->stage == STAGE_QUEUED ? &run->queue->ready : &run->queue->kept;
}

void sch_place_stage(struct sch_index *ix, struct sch_run *run, enum sch_stage stage)
{
    count(ix, run, -1);
    heap_remove(ages(run), &run->age);
    run->stage = (uint8_t)stage;
    if (waits(run))
        heap_put(ages(run), &run->age, key_of(run->due));
    count(ix, run, 1);
}

/* ---- gates and queues --------------------------------------------------------------------- */

void sch_place_drain(struct sch_index *ix, struct sch_gate *gate, int64_t now)
{
    bool probe = false;

    if (gate->owner[0]) { /* only one may pass, wherever it stands */
        struct sch_run *run = sch_index_find(ix, gate->owner);

        if (run && run->stage == STAGE_PARKED && run->gates[gate->kind] == gate) {
            sch_place_out(ix, run, now);
            sch_place_put(ix, run, now);
        }
        return;
    }
    for (size_t tries = gate->parked.count; tries > 0; tries--) {
        struct heap_node *first = heap_first(&gate->parked);

        if (!first)
            return;

        struct sch_run *run = HEAP_OWNER(first, struct sch_run, place);

        if (!sch_gate_open(gate, run->run, now, &probe))
            return;
        sch_place_out(ix, run, now);
        sch_place_put(ix, run, now);
    }
}

void sch_place_leave(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    if (!run->passed)
        return;
    run->passed = false;
    for (int kind = 0; kind < GATES; kind++)
        if (run->gates[kind])
            sch_gate_leave(run->gates[kind]);
    for (int kind = 0; kind < GATES; kind++)
        if (run->gates[kind])
            sch_place_drain(ix, run->gates[kind], now);
}

void sch_place_out(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    enum sch_stage stage = (enum sch_stage)run->stage;

    must(stage != STAGE_BUSY);
    sch_place_stage(ix, run, STAGE_NONE);
    if (stage == STAGE_DORMANT)
        heap_remove(&ix->timers, &run->place);
    if (stage == STAGE_PARKED)
        heap_remove(&run->gates[run->parked_at]->parked, &run->place);
    if (stage == STAGE_QUEUED) {
        heap_remove(&run->queue->runs, &run->place);
        sch_place_look(run->queue, now);
        sch_place_leave(ix, run, now);
    }
}

static void park(struct sch_index *ix, struct sch_run *run, enum sch_gate_kind kind)
{
    run->parked_at = (uint8_t)kind;
    sch_place_stage(ix, run, STAGE_PARKED);
    heap_put(&run->gates[kind]->parked, &run->place, rank_of(run));
}

static void enqueue(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    sch_place_stage(ix, run, STAGE_QUEUED);
    heap_put(&run->queue->runs, &run->place, rank_of(run));
    sch_place_look(run->queue, now);
}

void sch_place_put(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    bool probe[GATES] = {false};

    must(run->stage == STAGE_NONE && !run->passed);
    if (sch_slot_job(ix->jobs, run->run)) {
        sch_place_stage(ix, run, STAGE_HELD);
        return;
    }
    if (run->closing) {
        enqueue(ix, run, now);
        return;
    }
    if (run->due > now) {
        sch_place_stage(ix, run, STAGE_DORMANT);
        heap_put(&ix->timers, &run->place, key_of(run->due));
        return;
    }
    for (int kind = 0; kind < GATES; kind++)
        if (run->gates[kind] && !sch_gate_open(run->gates[kind], run->run, now, &probe[kind])) {
            park(ix, run, (enum sch_gate_kind)kind);
            return;
        }
    run->passed  = true;
    run->probing = probe[GATE_UPSTREAM];
    for (int kind = 0; kind < GATES; kind++)
        if (run->gates[kind])
            sch_gate_pass(run->gates[kind], probe[kind], now);
    enqueue(ix, run, now);
}

void sch_place_anew(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    if (run->stage == STAGE_BUSY)
        return; /* its op ends with a sch_place_put() */
    sch_place_out(ix, run, now);
    sch_place_put(ix, run, now);
}

void sch_place_expiry(struct sch_index *ix, struct sch_run *run)
{
    int64_t at = run->deadline;

    if (!run->started && run->start_by < at)
        at = run->start_by;
    if (at == INT64_MAX || run->unrun_refused || run->closing)
        heap_remove(&ix->expiries, &run->expiry);
    else
        heap_put(&ix->expiries, &run->expiry, key_of(at));
}

bool sch_place_open(const struct sch_run *run, int64_t now)
{
    if (!run->passed)
        return true;
    for (int kind = 0; kind < GATES; kind++) {
        const struct sch_gate *gate = run->gates[kind];

        if (!gate)
            continue;
        if (gate->paused || (gate->owner[0] && strcmp(gate->owner, run->run) != 0))
            return false;
        if (gate->shut_until > now && !run->probing)
            return false;
        if (gate->passed > gate->limit)
            return false;
    }
    return true;
}

void sch_place_gate_changed(struct sch_index *ix, struct sch_gate *gate, bool all, int64_t now)
{
    if (all && gate->passed > 0)
        for (size_t n = 0; n <= ix->mask; n++)
            for (struct sch_run *run = ix->buckets[n]; run; run = run->next)
                if (run->stage == STAGE_QUEUED && run->gates[gate->kind] == gate &&
                    !sch_place_open(run, now))
                    sch_place_anew(ix, run, now);
    sch_place_drain(ix, gate, now);
    if (sch_gate_idle(gate)) {
        map_remove(ix->gates[gate->kind], gate->name);
        sch_index_gate_free(gate);
    }
}

/* ---- time --------------------------------------------------------------------------------- */

static int64_t instant(const struct heap_node *node)
{
    return node ? (int64_t)(node->key - (UINT64_C(1) << 60)) : INT64_MAX;
}

int64_t sch_place_turn(struct sch_index *ix, int64_t now)
{
    void *value = NULL;

    for (struct heap_node *node = NULL; instant(node = heap_first(&ix->timers)) <= now;)
        sch_place_anew(ix, HEAP_OWNER(node, struct sch_run, place), now);

    int64_t next = instant(heap_first(&ix->timers));

    for (size_t it = 0; map_next(ix->gates[GATE_UPSTREAM], &it, NULL, &value);) {
        struct sch_gate *gate = value;

        if (gate->parked.count > 0 && sch_gate_next_at(gate, now) <= now)
            sch_place_drain(ix, gate, now);
        else if (gate->parked.count > 0 && !gate->paused && gate->shut_until <= now &&
                 gate->passed < gate->limit)
            sch_place_drain(ix, gate, now);

        int64_t at = sch_gate_next_at(gate, now);

        if (at > now && at < next)
            next = at;
    }
    if (instant(heap_first(&ix->expiries)) < next)
        next = instant(heap_first(&ix->expiries));
    return next;
}

struct sch_run *sch_place_expired(struct sch_index *ix, int64_t now)
{
    for (;;) {
        struct heap_node *node = heap_first(&ix->expiries);

        if (instant(node) > now)
            return NULL;

        struct sch_run *run = HEAP_OWNER(node, struct sch_run, expiry);

        heap_remove(&ix->expiries, node);
        if (run->stage == STAGE_BUSY || run->stage == STAGE_HELD) {
            sch_place_expire_again(ix, run, now + 1000);
            continue;
        }
        return run;
    }
}

void sch_place_expire_again(struct sch_index *ix, struct sch_run *run, int64_t at)
{
    if (at == INT64_MAX) {
        run->unrun_refused = true;
        heap_remove(&ix->expiries, &run->expiry);
    } else {
        heap_put(&ix->expiries, &run->expiry, key_of(at));
    }
}
