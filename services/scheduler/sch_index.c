#include "sch_index.h"

#include <string.h>

#include "base/mem.h"

enum { BUCKETS_MIN = 1024 };

enum rank { RANK_CLOSING, RANK_YIELD, RANK_AGAIN, RANK_FRESH };

struct sch_closing { /* beside a run that is to be ended */
    struct list link;
    struct sch_run *run;
};

struct sch_index {
    struct sch_pools *pools;
    struct sch_jobs *jobs;
    const struct run_tenants *book;
    sch_ack_fn *ack;
    void *self;

    struct sch_run **buckets;
    size_t mask;
    struct map *tenants;
    struct map *gates[GATES];
    struct map *words; /* beginnings of reply subjects */
    struct heap timers, expiries;
    struct list closers, dirty;
    struct sch_figures figures;
};

/* ---- life --------------------------------------------------------------------------------------------- */

struct sch_index *sch_index_new(struct sch_pools *pools, struct sch_jobs *jobs, const struct run_tenants *book,
                                sch_ack_fn *ack, void *self)
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

static void ticket_free_words(struct sch_ticket *t)
{
    if (t->tries == 0 && t->acks) {
        char *owned = (char *)(uintptr_t)t->acks;

        mem_free(&owned);
    }
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
        ticket_free_words(t);
        mem_free(&t);
    }
    run->ticket.next = NULL;
    ticket_free_words(&run->ticket);
    run_free(run);
}

static void gate_free(struct sch_gate *gate)
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
        memset(t->waiting, 0, sizeof(t->waiting));
        sch_slots_deinit(&t->slots);
        list_remove(&t->closer);
        must(list_empty(&t->closing));
        LIST_EACH (&t->queues, link) {
            struct sch_queue *q = LIST_OWNER(link, struct sch_queue, link);

            heap_deinit(&q->runs);
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
                gate_free(gate);
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
            gate_free(value);
        map_free(&ix->gates[kind]);
    }
    for (size_t it = 0; map_next(ix->words, &it, NULL, &value);)
        mem_free(&value);
    map_free(&ix->words);
    mem_free(&ix->buckets);
    mem_free(&ix);
}

/* ---- tenants, queues, gates ------------------------------------------------------------------------------ */

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

static struct sch_queue *queue_get(struct sch_index *ix, struct sch_tenant *tenant, const char *pool_name, enum lane lane,
                                   int64_t now)
{
    struct sch_pool *pool = sch_pool_get(ix->pools, pool_name);

    LIST_EACH (&tenant->queues, link) {
        struct sch_queue *q = LIST_OWNER(link, struct sch_queue, link);

        if (q->pool == pool && q->lane == lane)
            return q;
    }

    struct sch_queue *q = mem_new(struct sch_queue);

    q->tenant = tenant;
    q->pool   = pool;
    q->lane   = lane;
    heap_init(&q->runs);
    sch_fair_share(&q->share, tenant->rule.weight, now);
    list_push(&tenant->queues, &q->link);
    return q;
}

/* Does the queue want a turn? */
static void look(struct sch_queue *q, int64_t now)
{
    const struct sch_tenant *t = q->tenant;
    bool wants = q->runs.count > 0 && !t->rule.paused && sch_slot_any(&t->slots, t->rule.cap);

    sch_fair_want(&q->pool->fair, q->lane, &q->share, wants, now);
}

static void look_all(struct sch_tenant *t, int64_t now)
{
    LIST_EACH (&t->queues, link)
        look(LIST_OWNER(link, struct sch_queue, link), now);
}

struct sch_gate *sch_index_gate_find(const struct sch_index *ix, enum sch_gate_kind kind, const char *name)
{
    return map_find(ix->gates[kind], name);
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

static void gate_unref(struct sch_index *ix, struct sch_gate *gate)
{
    must(gate->refs > 0);
    gate->refs--;
    if (!sch_gate_idle(gate))
        return;
    map_remove(ix->gates[gate->kind], gate->name);
    gate_free(gate);
}

/* ---- tickets ------------------------------------------------------------------------------------------------ */

/*
 * A million reply subjects of ninety bytes would be most of the memory.  "$JS.ACK.<stream>.<consumer>." is the same
 * in all, and of the rest the server reads the delivery count and the two sequences; the stamp and the number
 * behind may be anything (tried on 2.15.1).  A subject of another form is kept whole.
 */
static void ticket_words(struct sch_index *ix, struct sch_ticket *t, const struct sch_message *m)
{
    char begin[256], form[320];
    const char *at = m->acks;

    for (int dots = 0; *at && dots < 4; at++)
        dots += *at == '.';

    size_t len    = (size_t)(at - m->acks);
    unsigned dots = 0;

    for (const char *c = at; *c; c++)
        dots += *c == '.';
    str_format(form, sizeof(form), "%u.%llu.%llu.", m->deliveries, (unsigned long long)m->seq,
               (unsigned long long)m->consumer_seq);
    if (!str_starts(m->acks, "$JS.ACK.") || dots != 4 || !str_starts(at, form) || m->deliveries < 1 ||
        m->deliveries > UINT16_MAX || !str_copy_n(begin, sizeof(begin), m->acks, len)) {
        t->acks  = mem_strdup(m->acks);
        t->tries = 0;
        return;
    }

    char *word = map_find(ix->words, begin);

    if (!word) {
        word = mem_strdup(begin);
        map_put(ix->words, begin, word);
    }
    t->acks  = word;
    t->tries = (uint16_t)m->deliveries;
}

static void answer(struct sch_index *ix, struct sch_tenant *tenant, struct sch_ticket *t)
{
    char acks[400];

    if (t->tries == 0) {
        ix->ack(ix->self, t->acks);
    } else {
        str_format(acks, sizeof(acks), "%s%u.%llu.%llu.0.0", t->acks, (unsigned)t->tries, (unsigned long long)t->seq,
                   (unsigned long long)t->consumer_seq);
        ix->ack(ix->self, acks);
    }
    ticket_free_words(t);
    ix->figures.tickets--;
    if (t->fresh) {
        tenant->fresh--;
        if (!list_linked(&tenant->dirty))
            list_push(&ix->dirty, &tenant->dirty);
    }
}

static void ticket_add(struct sch_index *ix, struct sch_run *run, uint32_t wake, const struct sch_message *m)
{
    struct sch_ticket *t      = &run->ticket;
    struct sch_tenant *tenant = run->queue->tenant;

    if (t->acks) { /* the first place is taken */
        struct sch_ticket *more = mem_new(struct sch_ticket);

        more->next = t->next;
        t->next    = more;
        t          = more;
    }
    t->seq          = m->seq;
    t->consumer_seq = m->consumer_seq;
    t->wake         = wake;
    t->fresh        = m->fresh;
    ticket_words(ix, t, m);
    ix->figures.tickets++;
    if (m->fresh) {
        tenant->fresh++;
        if (!list_linked(&tenant->dirty))
            list_push(&ix->dirty, &tenant->dirty);
    }
}

/* Answers the tickets up to and including a wake. */
static void answer_upto(struct sch_index *ix, struct sch_run *run, uint32_t wake)
{
    struct sch_tenant *tenant = run->queue->tenant;

    for (struct sch_ticket **link = &run->ticket.next; *link;) {
        struct sch_ticket *t = *link;

        if (t->wake > wake) {
            link = &t->next;
            continue;
        }
        *link = t->next;
        answer(ix, tenant, t);
        mem_free(&t);
    }
    if (!run->ticket.acks || run->ticket.wake > wake)
        return;
    answer(ix, tenant, &run->ticket);

    struct sch_ticket *second = run->ticket.next;

    run->ticket = (struct sch_ticket){0};
    if (second) {
        run->ticket = *second;
        mem_free(&second);
    }
}

static void answer_below(struct sch_index *ix, struct sch_run *run, uint32_t wake)
{
    if (wake > 0)
        answer_upto(ix, run, wake - 1);
}

static bool no_tickets(const struct sch_run *run)
{
    return !run->ticket.acks;
}

/* ---- where a run stands ---------------------------------------------------------------------------------------- */

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
    return (uint64_t)rank << 62 | (key_of(run->due) & ((UINT64_C(1) << 62) - 1));
}

static void count(struct sch_index *ix, struct sch_run *run, int by)
{
    struct sch_queue *q = run->queue;
    size_t *figure      = NULL;
    bool waits          = false;

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
        waits = true;
        break;
    case STAGE_QUEUED:
        figure = &ix->figures.queued;
        waits  = true;
        break;
    case STAGE_HELD:
        figure = &ix->figures.held;
        break;
    case STAGE_BUSY:
        figure = &ix->figures.busy;
        break;
    }
    *figure += (size_t)(int64_t)by;
    if (waits)
        q->tenant->waiting[q->lane] += (uint64_t)(int64_t)by;
}

static void set_stage(struct sch_index *ix, struct sch_run *run, enum sch_stage stage)
{
    count(ix, run, -1);
    run->stage = (uint8_t)stage;
    count(ix, run, 1);
}

static void place(struct sch_index *ix, struct sch_run *run, int64_t now);
static void unplace(struct sch_index *ix, struct sch_run *run, int64_t now);

/* Lets through who may pass now, in order. */
static void drain(struct sch_index *ix, struct sch_gate *gate, int64_t now)
{
    bool probe = false;

    if (gate->owner[0]) { /* only one may pass, wherever it stands */
        struct sch_run *run = sch_index_find(ix, gate->owner);

        if (run && run->stage == STAGE_PARKED && run->gates[gate->kind] == gate) {
            unplace(ix, run, now);
            place(ix, run, now);
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
        unplace(ix, run, now);
        place(ix, run, now);
    }
}

/* The gates that a run passed know it no more; others may go on. */
static void leave_gates(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    if (!run->passed)
        return;
    run->passed = false;
    for (int kind = 0; kind < GATES; kind++)
        if (run->gates[kind])
            sch_gate_leave(run->gates[kind]);
    for (int kind = 0; kind < GATES; kind++)
        if (run->gates[kind])
            drain(ix, run->gates[kind], now);
}

static void unplace(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    enum sch_stage stage = (enum sch_stage)run->stage;

    must(stage != STAGE_BUSY);
    set_stage(ix, run, STAGE_NONE);
    if (stage == STAGE_DORMANT)
        heap_remove(&ix->timers, &run->place);
    if (stage == STAGE_PARKED)
        heap_remove(&run->gates[run->parked_at]->parked, &run->place);
    if (stage == STAGE_QUEUED) {
        heap_remove(&run->queue->runs, &run->place);
        look(run->queue, now);
        leave_gates(ix, run, now);
    }
}

static void park(struct sch_index *ix, struct sch_run *run, enum sch_gate_kind kind)
{
    run->parked_at = (uint8_t)kind;
    set_stage(ix, run, STAGE_PARKED);
    heap_put(&run->gates[kind]->parked, &run->place, rank_of(run));
}

static void enqueue(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    set_stage(ix, run, STAGE_QUEUED);
    heap_put(&run->queue->runs, &run->place, rank_of(run));
    look(run->queue, now);
}

/* The run stands nowhere; here it gets its place.  All gates are looked at before one is passed: who waits for
   an upstream must not keep a lock meanwhile. */
static void place(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    bool probe[GATES] = {false};

    must(run->stage == STAGE_NONE && !run->passed);
    if (sch_slot_job(ix->jobs, run->run)) {
        set_stage(ix, run, STAGE_HELD);
        return;
    }
    if (run->closing) {
        enqueue(ix, run, now);
        return;
    }
    if (run->due > now) {
        set_stage(ix, run, STAGE_DORMANT);
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

static void place_again(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    if (run->stage == STAGE_BUSY)
        return; /* its op ends with a place() */
    unplace(ix, run, now);
    place(ix, run, now);
}

static void set_expiry(struct sch_index *ix, struct sch_run *run)
{
    int64_t at = run->deadline;

    if (!run->started && run->start_by < at)
        at = run->start_by;
    if (at == INT64_MAX || run->unrun_refused || run->closing)
        heap_remove(&ix->expiries, &run->expiry);
    else
        heap_put(&ix->expiries, &run->expiry, key_of(at));
}

static void remove_run(struct sch_index *ix, struct sch_run *run)
{
    struct sch_run **link     = find_link(ix, run->run);
    struct sch_tenant *tenant = run->queue->tenant;

    must(*link == run && no_tickets(run));
    *link = run->next;
    ix->figures.runs--;
    set_stage(ix, run, STAGE_NONE);
    heap_remove(&ix->expiries, &run->expiry);
    for (int kind = 0; kind < GATES; kind++)
        if (run->gates[kind])
            gate_unref(ix, run->gates[kind]);
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
            struct sch_run **link = &ix->buckets[str_hash(run->run, strlen(run->run)) & ix->mask];

            next      = run->next;
            run->next = *link;
            *link     = run;
        }
    mem_free(&old);
}

/* ---- a ticket comes ------------------------------------------------------------------------------------------- */

static void set_text(char **slot, const char *text)
{
    mem_free(slot);
    if (text[0])
        *slot = mem_strdup(text);
}

static void set_gate(struct sch_index *ix, struct sch_run *run, enum sch_gate_kind kind, const char *name)
{
    struct sch_gate *gate = name[0] ? sch_index_gate(ix, kind, name) : NULL;

    if (gate == run->gates[kind])
        return;
    if (gate)
        gate->refs++;
    if (run->gates[kind])
        gate_unref(ix, run->gates[kind]);
    run->gates[kind] = gate;
}

static int64_t after(int64_t stored, uint64_t ms)
{
    return ms > (UINT64_C(1) << 50) ? INT64_MAX : stored + (int64_t)ms;
}

/* The run is as this ticket says.  It stands nowhere (or is busy: then its gates are let be). */
static void adopt(struct sch_index *ix, struct sch_run *run, const struct ticket *t, const struct sch_message *m,
                  int64_t now)
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
    run->queue = queue_get(ix, tenant, t->pool[0] ? t->pool : "default", t->lane < LANES ? t->lane : LANE_STANDARD, now);
    lock[0] = '\0';
    if (t->lock[0])
        str_format(lock, sizeof(lock), "%s.%s", t->tenant, t->lock);
    set_gate(ix, run, GATE_LOCK, lock);
    set_gate(ix, run, GATE_UPSTREAM, t->upstream);
    set_gate(ix, run, GATE_FLOW, t->flow);
}

struct sch_run *sch_index_put(struct sch_index *ix, const struct ticket *t, const struct sch_message *m, int64_t now)
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

        run  = mem_new(struct sch_run);
        *link = run;
        str_copy(run->run, sizeof(run->run), t->run);
        ix->figures.runs++;
        adopt(ix, run, t, m, now);
        ticket_add(ix, run, t->wake, m);
        set_expiry(ix, run);
        place(ix, run, now);
        return run;
    }

    bool better = t->wake > run->wake || after(m->stored, t->due_after_ms) < run->due;

    if (run->stage != STAGE_BUSY)
        unplace(ix, run, now);
    ticket_add(ix, run, t->wake, m);
    if (better) {
        adopt(ix, run, t, m, now);
        run->unrun_refused = false;
        set_expiry(ix, run);
    }
    if (run->stage != STAGE_BUSY) {
        answer_below(ix, run, run->wake);
        place(ix, run, now);
    }
    return run;
}

void sch_index_hurry(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    if (run->due <= now)
        return;
    run->due = now;
    place_again(ix, run, now);
}

void sch_index_started(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    if (run->started)
        return;
    run->started = true;
    set_expiry(ix, run);
    place_again(ix, run, now);
}

void sch_index_close(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    struct sch_tenant *tenant = run->queue->tenant;

    if (run->closing)
        return;
    if (run->stage != STAGE_BUSY)
        unplace(ix, run, now);
    run->closing      = mem_new(struct sch_closing);
    run->closing->run = run;
    list_push(&tenant->closing, &run->closing->link);
    if (!list_linked(&tenant->closer))
        list_push(&ix->closers, &tenant->closer);
    set_expiry(ix, run);
    if (run->stage != STAGE_BUSY)
        place(ix, run, now);
}

void sch_index_drop(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    if (run->stage == STAGE_BUSY) {
        run->over = true;
        return;
    }
    unplace(ix, run, now);
    answer_upto(ix, run, UINT32_MAX);
    remove_run(ix, run);
}

void sch_index_drop_below(struct sch_index *ix, struct sch_run *run, uint32_t wake, int64_t now)
{
    if (wake == 0 || run->stage == STAGE_BUSY)
        return;
    if (run->wake < wake) {
        sch_index_drop(ix, run, now);
        return;
    }
    answer_below(ix, run, wake);
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

static int64_t instant(const struct heap_node *node)
{
    return node ? (int64_t)(node->key - (UINT64_C(1) << 60)) : INT64_MAX;
}

int64_t sch_index_turn(struct sch_index *ix, int64_t now)
{
    void *value = NULL;

    for (struct heap_node *node = NULL; instant(node = heap_first(&ix->timers)) <= now;)
        place_again(ix, HEAP_OWNER(node, struct sch_run, place), now);

    int64_t next = instant(heap_first(&ix->timers));

    for (size_t it = 0; map_next(ix->gates[GATE_UPSTREAM], &it, NULL, &value);) {
        struct sch_gate *gate = value;

        if (gate->parked.count > 0 && sch_gate_next_at(gate, now) <= now)
            drain(ix, gate, now);
        else if (gate->parked.count > 0 && !gate->paused && gate->shut_until <= now && gate->passed < gate->limit)
            drain(ix, gate, now);

        int64_t at = sch_gate_next_at(gate, now);

        if (at > now && at < next)
            next = at;
    }
    if (instant(heap_first(&ix->expiries)) < next)
        next = instant(heap_first(&ix->expiries));
    return next;
}

struct sch_run *sch_index_expired(struct sch_index *ix, int64_t now)
{
    for (;;) {
        struct heap_node *node = heap_first(&ix->expiries);

        if (instant(node) > now)
            return NULL;

        struct sch_run *run = HEAP_OWNER(node, struct sch_run, expiry);

        heap_remove(&ix->expiries, node);
        if (run->stage == STAGE_BUSY || run->stage == STAGE_HELD) {
            sch_index_again(ix, run, now + 1000);
            continue;
        }
        return run;
    }
}

void sch_index_again(struct sch_index *ix, struct sch_run *run, int64_t at)
{
    if (at == INT64_MAX) {
        run->unrun_refused = true;
        heap_remove(&ix->expiries, &run->expiry);
    } else {
        heap_put(&ix->expiries, &run->expiry, key_of(at));
    }
}

/* ---- decisions ------------------------------------------------------------------------------------------------------ */

/* A gate may have shut since the run passed it. */
static bool still_open(const struct sch_run *run, int64_t now)
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

struct sch_run *sch_index_next(struct sch_index *ix, struct sch_pool *pool, int64_t now)
{
    for (;;) {
        enum lane lane          = LANE_STANDARD;
        struct sch_share *share = sch_fair_next(&pool->fair, &pool->room, now, &lane);

        if (!share)
            return NULL;

        struct sch_queue *q = HEAP_OWNER(share, struct sch_queue, share);
        struct sch_run *run = HEAP_OWNER(heap_first(&q->runs), struct sch_run, place);

        if (still_open(run, now))
            return run;
        place_again(ix, run, now);
    }
}

struct sch_run *sch_index_next_closing(struct sch_index *ix)
{
    LIST_EACH (&ix->closers, it) {
        struct sch_tenant *tenant = LIST_OWNER(it, struct sch_tenant, closer);

        if (!sch_slot_closing_free(&tenant->slots))
            continue;
        LIST_EACH (&tenant->closing, link) {
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

    *ret           = (struct job){.slot = slot, .ticket_seq = run->ticket_seq};
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

void sch_index_claim(struct sch_index *ix, struct sch_run *run, bool closing, int64_t now, struct sch_claim *ret,
                     struct job *ret_job)
{
    struct sch_queue *q       = run->queue;
    struct sch_tenant *tenant = q->tenant;
    struct sch_claim claim    = {.tenant = tenant, .queue = q, .wake = run->wake};

    if (closing) {
        bool asked = sch_slot_ask_closing(&tenant->slots);

        must(asked);
        unplace(ix, run, now);
    } else {
        must(run->stage == STAGE_QUEUED);
        claim.slot = sch_slot_ask(&tenant->slots, tenant->rule.cap);
        must(claim.slot > 0);
        heap_remove(&q->runs, &run->place);
        claim.fee     = sch_fair_start(&q->pool->fair, q->lane, &q->share, now);
        claim.charged = true;
        if (tenant->slots.taken >= tenant->rule.cap)
            look_all(tenant, now);
        else
            look(q, now);
    }
    q->pool->room.taken[q->lane]++;
    set_stage(ix, run, STAGE_BUSY);
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
    set_stage(ix, run, STAGE_NONE);
    if (run->over)
        answer_upto(ix, run, UINT32_MAX);
    return !no_tickets(run);
}

struct sch_job *sch_index_admitted(struct sch_index *ix, struct sch_run *run, const struct sch_claim *claim, uint64_t seq,
                                   int64_t now, bool *ret_over)
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

    answer_upto(ix, run, claim->wake);
    if (settle_busy(ix, run))
        place(ix, run, now); /* of a higher wake: held until the job is gone */
    else
        remove_run(ix, run);
    return job;
}

static void back(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    leave_gates(ix, run, now);
    if (settle_busy(ix, run)) {
        answer_below(ix, run, run->wake);
        place(ix, run, now);
    } else {
        remove_run(ix, run);
    }
}

void sch_index_refused(struct sch_index *ix, struct sch_run *run, const struct sch_claim *claim, int64_t now)
{
    unclaim(claim, now);
    sch_slot_undo(&claim->tenant->slots, claim->slot);
    look_all(claim->tenant, now);
    back(ix, run, now);
}

void sch_index_busy(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    unplace(ix, run, now);
    set_stage(ix, run, STAGE_BUSY);
}

void sch_index_back(struct sch_index *ix, struct sch_run *run, int64_t now)
{
    back(ix, run, now);
}

struct sch_job *sch_index_found(struct sch_index *ix, const struct job *from, uint64_t seq, int64_t now)
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
    job->queue  = queue_get(ix, tenant, t->pool[0] ? t->pool : "default", t->lane < LANES ? t->lane : LANE_STANDARD, now);
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
    look_all(tenant, now);

    struct sch_run *run = sch_index_find(ix, t->run);

    if (run && run->stage != STAGE_BUSY) {
        unplace(ix, run, now);
        answer_upto(ix, run, t->wake);
        if (no_tickets(run))
            remove_run(ix, run);
        else
            place(ix, run, now);
    }
    return job;
}

void sch_index_job_gone(struct sch_index *ix, struct sch_job **slot, int64_t now)
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
    look_all(tenant, now);

    struct sch_run *run = sch_index_find(ix, job->run);

    if (run && run->stage == STAGE_HELD)
        place_again(ix, run, now);
    for (int kind = 0; kind < GATES; kind++)
        if (job->gates[kind]) {
            drain(ix, job->gates[kind], now);
            gate_unref(ix, job->gates[kind]);
        }
    mem_free(&job);
}

/* ---- what is told from outside ------------------------------------------------------------------------------------- */

static void rule_of(struct sch_index *ix, struct sch_tenant *t, int64_t now)
{
    uint64_t queue_max = t->rule.queue_max;

    run_tenant_rule(ix->book, t->name, &t->rule);
    LIST_EACH (&t->queues, link) {
        struct sch_queue *q = LIST_OWNER(link, struct sch_queue, link);

        sch_fair_weight(&q->pool->fair, q->lane, &q->share, t->rule.weight, now);
    }
    look_all(t, now);
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

void sch_index_gate_changed(struct sch_index *ix, struct sch_gate *gate, bool all, int64_t now)
{
    if (all && gate->passed > 0)
        for (size_t n = 0; n <= ix->mask; n++)
            for (struct sch_run *run = ix->buckets[n]; run; run = run->next)
                if (run->stage == STAGE_QUEUED && run->gates[gate->kind] == gate && !still_open(run, now))
                    place_again(ix, run, now);
    drain(ix, gate, now);
    if (sch_gate_idle(gate)) {
        map_remove(ix->gates[gate->kind], gate->name);
        gate_free(gate);
    }
}

/* ---- figures ----------------------------------------------------------------------------------------------------------- */

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

static int64_t oldest_of(const struct sch_queue *q)
{
    struct heap_node *first = heap_first(&q->runs);

    return first ? HEAP_OWNER(first, struct sch_run, place)->due : INT64_MAX;
}

int64_t sch_index_oldest(const struct sch_index *ix, const struct sch_tenant *tenant)
{
    int64_t oldest = INT64_MAX;

    (void)ix;
    LIST_EACH (&tenant->queues, link) {
        int64_t at = oldest_of(LIST_OWNER(link, struct sch_queue, link));

        oldest = at < oldest ? at : oldest;
    }
    return oldest;
}

static void keep_age(int64_t *slot, int64_t due, int64_t now)
{
    if (due < INT64_MAX && now - due > *slot)
        *slot = now - due;
}

static void load_queue(struct sch_queue *q, uint32_t stamp, int64_t now)
{
    struct sch_pool *pool = q->pool;
    struct sch_load *load = &pool->load;
    struct sch_tenant *t  = q->tenant;
    uint64_t queued       = q->runs.count;

    if (pool->counting != stamp) { /* the tenant's first queue in this pool */
        pool->counting = stamp;
        pool->headroom = t->slots.taken < t->rule.cap ? t->rule.cap - t->slots.taken : 0;
    }
    load->waiting[q->lane] += queued;
    load->blocked.not_due += q->dormant;
    load->blocked.lock += q->parked[GATE_LOCK];
    load->blocked.upstream += q->parked[GATE_UPSTREAM];
    load->blocked.flow_cap += q->parked[GATE_FLOW];
    for (int kind = 0; kind < GATES; kind++)
        load->waiting[q->lane] += q->parked[kind];
    keep_age(&load->oldest_ms[q->lane], oldest_of(q), now);

    if (t->rule.paused || pool->paused) {
        load->blocked.paused += queued;
        return;
    }

    uint64_t runnable = queued < pool->headroom ? queued : pool->headroom;

    pool->headroom -= runnable;
    load->runnable += runnable;
    load->blocked.tenant_cap += queued - runnable;
    if (runnable > 0)
        keep_age(&load->runnable_age_ms, oldest_of(q), now);
}

void sch_index_load(struct sch_index *ix, int64_t now, uint64_t age_promote_ms)
{
    void *value    = NULL;
    uint32_t stamp = 0;

    for (size_t it = 0; map_next(ix->pools->pools, &it, NULL, &value);) {
        struct sch_pool *pool = value;

        pool->load     = (struct sch_load){0};
        pool->counting = 0;
    }
    for (size_t it = 0; map_next(ix->tenants, &it, NULL, &value);) {
        struct sch_tenant *t = value;

        stamp++;
        LIST_EACH (&t->queues, link)
            load_queue(LIST_OWNER(link, struct sch_queue, link), stamp, now);
    }
    for (int kind = 0; kind < GATES; kind++) /* who waits at a gate is old too */
        for (size_t it = 0; map_next(ix->gates[kind], &it, NULL, &value);) {
            const struct sch_gate *gate = value;
            struct heap_node *first     = heap_first(&gate->parked);

            if (first) {
                const struct sch_run *run = HEAP_OWNER(first, struct sch_run, place);

                keep_age(&run->queue->pool->load.oldest_ms[run->queue->lane], run->due, now);
            }
        }
    for (size_t it = 0; map_next(ix->pools->pools, &it, NULL, &value);) {
        struct sch_pool *pool = value;

        for (int lane = 0; lane < LANES; lane++)
            pool->room.aged[lane] = pool->load.oldest_ms[lane] > 0 && (uint64_t)pool->load.oldest_ms[lane] > age_promote_ms;
    }
}
