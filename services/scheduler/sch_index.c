#include "sch_index.h"

#include <string.h>

#include "base/mem.h"
#include "sch_index_internal.h"
#include "sch_place.h"

enum { BUCKETS_MIN = 1024 };

/* ---- life --------------------------------------------------------------------------------- */

struct sch_index *sch_index_new(struct sch_pools *pools, struct sch_jobs *jobs,
                                const struct run_tenants *book, sch_ack_fn *ack, void *self)
{
    struct sch_index *ix = mem_new(struct sch_index);

    ix->pools   = pools;
    ix->jobs    = jobs;
    ix->book    = book;
    ix->ack     = ack;
    ix->self    = self;
    ix->buckets = mem_array(BUCKETS_MIN, sizeof(struct sch_run *));
    ix->mask    = BUCKETS_MIN - 1;
    ix->tenants = map_new();
    ix->words   = map_new();
    for (int kind = 0; kind < GATES; kind++)
        ix->gates[kind] = map_new();
    heap_init(&ix->timers);
    heap_init(&ix->expiries);
    list_init(&ix->closers);
    list_init(&ix->dirty);
    return ix;
}

static void run_free(struct sch_run *run)
{
    must(!run->ticket.next);
    if (run->closing)
        list_remove(&run->closing->link);
    mem_free(&run->closing);
    mem_free(&run->session);
    mem_free(&run->parent);
    mem_free(&run);
}

/* Nobody is answered, no count is kept: all begins anew. */
static void forget_run(struct sch_run *run)
{
    for (struct sch_ticket *t = run->ticket.next, *next = NULL; t; t = next) {
        next = t->next;
        sch_ticket_forget(t);
        mem_free(&t);
    }
    run->ticket.next = NULL;
    sch_ticket_forget(&run->ticket);
    run_free(run);
}

void sch_index_gate_free(struct sch_gate *gate)
{
    sch_gate_deinit(gate);
    mem_free(&gate);
}

void sch_index_clear(struct sch_index *ix)
{
    void *value = NULL;

    for (size_t it = 0; map_next(ix->jobs->by_seq, &it, NULL, &value);) {
        struct sch_job *job = value;

        sch_pool_job_gone(job);
        sch_slot_out(ix->jobs, &job->tenant->slots, job);
        mem_free(&job);
    }
    for (size_t n = 0; n <= ix->mask; n++)
        while (ix->buckets[n]) {
            struct sch_run *run = ix->buckets[n];

            ix->buckets[n] = run->next;
            forget_run(run);
        }
    heap_deinit(&ix->timers);
    heap_deinit(&ix->expiries);
    ix->figures = (struct sch_figures){.tenants = ix->figures.tenants};
    sch_pool_clear(ix->pools);

    for (size_t it = 0; map_next(ix->tenants, &it, NULL, &value);) {
        struct sch_tenant *t = value;

        t->fresh = 0;
        sch_slot_forget(&t->slots);
        list_remove(&t->closer);
        must(list_empty(&t->closing));
        LIST_EACH(&t->queues, link)
        {
            struct sch_queue *q = LIST_OWNER(link, struct sch_queue, link);

            heap_deinit(&q->runs);
            heap_deinit(&q->ready);
            heap_deinit(&q->kept);
            sch_fair_share(&q->share, t->rule.weight, 0);
            q->dormant = 0;
            memset(q->parked, 0, sizeof(q->parked));
        }
        if (!list_linked(&t->dirty))
            list_push(&ix->dirty, &t->dirty);
    }
    for (int kind = 0; kind < GATES; kind++)
        for (size_t it = 0; map_next(ix->gates[kind], &it, NULL, &value);) {
            struct sch_gate *gate = value;

            heap_deinit(&gate->parked);
            gate->passed = gate->refs = 0;
            if (sch_gate_idle(gate)) {
                map_remove(ix->gates[kind], gate->name);
                sch_index_gate_free(gate);
            }
        }
}

void sch_index_free(struct sch_index **slot)
{
    struct sch_index *ix = take(slot);
    void *value          = NULL;

    if (!ix)
        return;
    sch_index_clear(ix);
    for (size_t it = 0; map_next(ix->tenants, &it, NULL, &value);) {
        struct sch_tenant *t = value;
        struct list *link    = NULL;

        while ((link = list_shift(&t->queues)) != NULL) {
            struct sch_queue *q = LIST_OWNER(link, struct sch_queue, link);

            mem_free(&q);
        }
        char *name = (char *)(uintptr_t)t->name;

        mem_free(&name);
        mem_free(&t);
    }
    map_free(&ix->tenants);
    for (int kind = 0; kind < GATES; kind++) {
        for (size_t it = 0; map_next(ix->gates[kind], &it, NULL, &value);)
            sch_index_gate_free(value);
        map_free(&ix->gates[kind]);
    }
    for (size_t it = 0; map_next(ix->words, &it, NULL, &value);)
        mem_free(&value);
    map_free(&ix->words);
    mem_free(&ix->buckets);
    mem_free(&ix);
}

/* ---- tenants, queues, gates --------------------------------------------------------------- */

struct sch_tenant *sch_index_tenant_find(const struct sch_index *ix, const char *name)
{
    return map_find(ix->tenants, name);
}

struct sch_tenant *sch_index_tenant(struct sch_index *ix, const char *name)
{
    struct sch_tenant *t = map_find(ix->tenants, name);

    if (t)
        return t;
    t       = mem_new(struct sch_tenant);
    t->name = mem_strdup(name);
    run_tenant_rule(ix->book, name, &t->rule);
    list_init(&t->queues);
    list_init(&t->closing);
    map_put(ix->tenants, name, t);
    ix->figures.tenants++;
    return t;
}

struct sch_queue *sch_index_queue(struct sch_index *ix, struct sch_tenant *tenant,
                                  const char *pool_name, enum lane lane, int64_t now)
{
    struct sch_pool *pool = sch_pool_get(ix->pools, pool_name);

    LIST_EACH(&tenant->queues, link)
    {
        struct sch_queue *q = LIST_OWNER(link, struct sch_queue, link);

        if (q->pool == pool && q->lane == lane)
            return q;
    }

    struct sch_queue *q = mem_new(struct sch_queue);

    q->tenant = tenant;
    q->pool   = pool;
    q->lane   = lane;
    heap_init(&q->runs);
    heap_init(&q->ready);
    heap_init(&q->kept);
    sch_fair_share(&q->share, tenant->rule.weight, now);
    list_push(&tenant->queues, &q->link);
    return q;
}

struct sch_gate *sch_index_gate_find(const struct sch_index *ix, enum sch_gate_kind kind,
                                     const char *name)
{
    return map_find(ix->gates[kind], name);
}

bool sch_index_gate_next(const struct sch_index *ix, enum sch_gate_kind kind, size_t *it,
                         struct sch_gate **ret)
{
    void *value = NULL;

    if (!map_next(ix->gates[kind], it, NULL, &value))
        return false;
    *ret = value;
    return true;
}

struct sch_gate *sch_index_gate(struct sch_index *ix, enum sch_gate_kind kind, const char *name)
{
    struct sch_gate *gate = map_find(ix->gates[kind], name);

    if (gate)
        return gate;
    gate = mem_new(struct sch_gate);
    sch_gate_init(gate, kind, name);
    map_put(ix->gates[kind], name, gate);
    return gate;
}

void sch_index_gate_unref(struct sch_index *ix, struct sch_gate *gate)
{
    must(gate->refs > 0);
    gate->refs--;
    if (!sch_gate_idle(gate))
        return;
    map_remove(ix->gates[gate->kind], gate->name);
    sch_index_gate_free(gate);
}

/* ---- runs --------------------------------------------------------------------------------- */

static struct sch_run **find_link(const struct sch_index *ix, const char *run)
{
    struct sch_run **link = &ix->buckets[str_hash(run, strlen(run)) & ix->mask];

    while (*link && strcmp((*link)->run, run) != 0)
        link = &(*link)->next;
    return link;
}

struct sch_run *sch_index_find(const struct sch_index *ix, const char *run)
{
    return *find_link(ix, run);
}

void sch_index_remove(struct sch_index *ix, struct sch_run *run)
{
    struct sch_run **link     = find_link(ix, run->run);
    struct sch_tenant *tenant = run->queue->tenant;

    must(*link == run && sch_ticket_none(run));
    *link = run->next;
    ix->figures.runs--;
    sch_place_stage(ix, run, STAGE_NONE);
    heap_remove(&ix->expiries, &run->expiry);
    for (int kind = 0; kind < GATES; kind++)
        if (run->gates[kind])
            sch_index_gate_unref(ix, run->gates[kind]);
    run_free(run);
    if (list_empty(&tenant->closing))
        list_remove(&tenant->closer);
}

static void grow(struct sch_index *ix)
{
    struct sch_run **old = ix->buckets;
    size_t was           = ix->mask + 1;

    ix->buckets = mem_array(was * 2, sizeof(struct sch_run *));
    ix->mask    = was * 2 - 1;
    for (size_t n = 0; n < was; n++)
        for (struct sch_run *run = old[n], *next = NULL; run; run = next) {
            struct sch_run **link =
                &ix->buckets[str_hash(run->run, strlen(run->run)) & ix->mask];

            next      = run->next;
            run->next = *link;
            *link     = run;
        }
    mem_free(&old);
}

/* ---- a ticket comes ----------------------------------------------------------------------- */

static void set_text(char **slot, const char *text)
{
    mem_free(slot);
    if (text[0])
        *slot = mem_strdup(text);
}

static void set_gate(struct sch_index *ix, struct sch_run *run, enum sch_gate_kind kind,
                     const char *name)
{
    struct sch_gate *gate = name[0] ? sch_index_gate(ix, kind, name) : NULL;

    if (gate == run->gates[kind])
        return;
    if (gate)
        gate->refs++;
    if (run->gates[kind])
        sch_index_gate_unref(ix, run->gates[kind]);
    run->gates[kind] = gate;
}

static int64_t after(int64_t stored, uint64_t ms)
{
    return ms > (UINT64_C(1) << 50) ? INT64_MAX : stored + (int64_t)ms;
}

/* The run is as this ticket says.  It stands nowhere (or is busy: then its gates are let be). */
static void adopt(struct sch_index *ix, struct sch_run *run, const struct ticket *t,
                  const struct sch_message *m, int64_t now)
{
    char lock[2 * STR_NAME_SIZE];
    struct sch_tenant *tenant = sch_index_tenant(ix, t->tenant);

    run->wake       = t->wake;
    run->cause      = (uint8_t)t->cause;
    run->cause_seq  = t->cause_seq;
    run->plan_seq   = t->plan_seq;
    run->ticket_seq = m->seq;
    run->stored     = m->stored;
    run->due        = after(m->stored, t->due_after_ms);
    run->start_by   = t->start_within_ms ? after(m->stored, t->start_within_ms) : INT64_MAX;
    run->deadline   = t->deadline_after_ms ? after(m->stored, t->deadline_after_ms) : INT64_MAX;
    run->started    = run->started || t->wake > 1;
    set_text(&run->session, t->session);
    set_text(&run->parent, t->parent_run);
    if (run->stage == STAGE_BUSY)
        return;
    run->queue = sch_index_queue(ix, tenant, t->pool[0] ? t->pool : "default",
                                 t->lane < LANES ? t->lane : LANE_STANDARD, now);
    lock[0]    = '\0';
    if (t->lock[0])
        str_format(lock, sizeof(lock), "%s.%s", t->tenant, t->lock);
    set_gate(ix, run, GATE_LOCK, lock);
    set_gate(ix, run, GATE_UPSTREAM, t->upstream);
    set_gate(ix, run, GATE_FLOW, t->flow);
}

struct sch_run *sch_index_put(struct sch_index *ix, const struct ticket *t,
                              const struct sch_message *m, int64_t now)
{
    struct sch_run *run       = sch_index_find(ix, t->run);
    const struct sch_job *job = sch_slot_job(ix->jobs, t->run);

    if ((job && job->wake >= t->wake) || (run && t->wake < run->wake) ||
        (run && !str_equal(run->queue->tenant->name, t->tenant))) {
        ix->ack(ix->self, m->acks);
        return NULL;
    }
    if (!run) {
        if (ix->figures.runs > ix->mask)
            grow(ix);

        struct sch_run **link = find_link(ix, t->run);

        run   = mem_new(struct sch_run);
        *link = run;
        str_copy(run->run, sizeof(run->run), t->run);
        ix->figures.runs++;
        adopt(ix, run, t, m, now);
        sch_ticket_add(ix, run, t->wake, m);
        sch_place_expiry(ix, run);
        sch_place_put(ix, run, now);
        return run;
    }

    if (sch_ticket_again(ix, run, m))
        return run;

    bool better = t->wake > run->wake || after(m->stored, t->due_after_ms) < run->due;

    if (run->stage != STAGE_BUSY)
        sch_place_out(ix, run, now);
    sch_ticket_add(ix, run, t->wake, m);
    if (better) {
        adopt(ix, run, t, m, now);
        run->unrun_refused = false;
        sch_place_expiry(ix, run);
    }
    if (run->stage != STAGE_BUSY) {
        sch_ticket_answer_below(ix, run, run->wake);
        sch_place_put(ix, run, now);
    }
    return run;
}

void sch_index_started(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    if (run->started)
        return;
    run->started = true;
    sch_place_expiry(ix, run);
    sch_place_anew(ix, run, now);
}

void sch_index_close(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    struct sch_tenant *tenant = run->queue->tenant;

    if (run->closing)
        return;
    if (run->stage != STAGE_BUSY)
        sch_place_out(ix, run, now);
    run->closing      = mem_new(struct sch_closing);
    run->closing->run = run;
    list_push(&tenant->closing, &run->closing->link);
    if (!list_linked(&tenant->closer))
        list_push(&ix->closers, &tenant->closer);
    sch_place_expiry(ix, run);
    if (run->stage != STAGE_BUSY)
        sch_place_put(ix, run, now);
}

void sch_index_drop(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    if (run->stage == STAGE_BUSY) {
        run->over = true;
        return;
    }
    sch_place_out(ix, run, now);
    sch_ticket_answer_upto(ix, run, UINT32_MAX);
    sch_index_remove(ix, run);
}

void sch_index_drop_below(struct sch_index *ix, struct sch_run *run, uint32_t wake, int64_t now)
{
    if (wake == 0 || run->stage == STAGE_BUSY)
        return;
    if (run->wake < wake) {
        sch_index_drop(ix, run, now);
        return;
    }
    sch_ticket_answer_below(ix, run, wake);
}

/* ---- what is told from outside ------------------------------------------------------------ */

static void rule_of(struct sch_index *ix, struct sch_tenant *t, int64_t now)
{
    uint64_t queue_max = t->rule.queue_max;

    run_tenant_rule(ix->book, t->name, &t->rule);
    LIST_EACH(&t->queues, link)
    {
        struct sch_queue *q = LIST_OWNER(link, struct sch_queue, link);

        sch_fair_weight(&q->pool->fair, q->lane, &q->share, t->rule.weight, now);
    }
    sch_place_look_all(t, now);
    if (queue_max != t->rule.queue_max && !list_linked(&t->dirty))
        list_push(&ix->dirty, &t->dirty);
}

void sch_index_rules(struct sch_index *ix, const char *tenant, int64_t now)
{
    void *value = NULL;

    if (tenant) {
        value = map_find(ix->tenants, tenant);
        if (value)
            rule_of(ix, value, now);
        return;
    }
    for (size_t it = 0; map_next(ix->tenants, &it, NULL, &value);)
        rule_of(ix, value, now);
}

struct sch_figures sch_index_figures(const struct sch_index *ix)
{
    return ix->figures;
}

bool sch_index_tenant_next(const struct sch_index *ix, size_t *it, struct sch_tenant **ret)
{
    void *value = NULL;

    if (!map_next(ix->tenants, it, NULL, &value))
        return false;
    *ret = value;
    return true;
}

struct sch_tenant *sch_index_dirty(struct sch_index *ix)
{
    struct list *link = list_shift(&ix->dirty);

    return link ? LIST_OWNER(link, struct sch_tenant, dirty) : NULL;
}
