#include "sch_load.h"

#include "sch_index_internal.h"

static int64_t oldest_of(const struct sch_queue *q)
{
    struct heap_node *first = heap_first(&q->runs);

    return first ? HEAP_OWNER(first, struct sch_run, place)->due : INT64_MAX;
}

int64_t sch_load_oldest(const struct sch_tenant *tenant)
{
    int64_t oldest = INT64_MAX;

    LIST_EACH(&tenant->queues, link)
    {
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

void sch_load_count(struct sch_index *ix, int64_t now, uint64_t age_promote_ms)
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
        LIST_EACH(&t->queues, link)
        {
            load_queue(LIST_OWNER(link, struct sch_queue, link), stamp, now);
        }
    }
    for (int kind = GATE_UPSTREAM; kind < GATES;
         kind++) /* who waits there is old too; locks are too many */
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
            pool->room.aged[lane] = pool->load.oldest_ms[lane] > 0 &&
                                    (uint64_t)pool->load.oldest_ms[lane] > age_promote_ms;
    }
}
