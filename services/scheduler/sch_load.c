#include "sch_load.h"

#include <string.h>

#include "sch_index_internal.h"

/* ---- a tenant's ----------------------------------------------------------------------------- */

static int64_t first_due(const struct heap *ages)
{
    struct heap_node *first = heap_first(ages);

    return first ? HEAP_OWNER(first, struct sch_run, age)->due : INT64_MAX;
}

static int64_t oldest_of(const struct sch_queue *q)
{
    int64_t ready = first_due(&q->ready), kept = first_due(&q->kept);

    return ready < kept ? ready : kept;
}

static uint64_t waiting_in(const struct sch_queue *q)
{
    return q->ready.count + q->kept.count;
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

uint64_t sch_load_waiting(const struct sch_tenant *tenant, enum lane lane)
{
    uint64_t waiting = 0;

    LIST_EACH(&tenant->queues, link)
    {
        const struct sch_queue *q = LIST_OWNER(link, struct sch_queue, link);

        if (q->lane == lane)
            waiting += waiting_in(q);
    }
    return waiting;
}

/* ---- a pool's ------------------------------------------------------------------------------- */

static void keep_age(int64_t *slot, int64_t due, int64_t now)
{
    if (due < INT64_MAX && now - due > *slot)
        *slot = now - due;
}

static void load_queue(struct sch_queue *q, uint32_t stamp, int64_t now, int64_t aged)
{
    struct sch_pool *pool = q->pool;
    struct sch_load *load = &pool->load;
    struct sch_tenant *t  = q->tenant;
    uint64_t queued       = q->runs.count;

    if (pool->counting != stamp) { /* the tenant's first queue in this pool */
        pool->counting = stamp;
        pool->headroom = t->slots.taken < t->rule.cap ? t->rule.cap - t->slots.taken : 0;
    }
    load->waiting[q->lane] += waiting_in(q);
    load->blocked.not_due += q->dormant;
    load->blocked.lock += q->parked[GATE_LOCK];
    load->blocked.upstream += q->parked[GATE_UPSTREAM];
    load->blocked.flow_cap += q->parked[GATE_FLOW];
    keep_age(&load->oldest_ms[q->lane], oldest_of(q), now);

    if (t->rule.paused || pool->paused) {
        load->blocked.paused += queued;
        return;
    }

    uint64_t runnable = queued < pool->headroom ? queued : pool->headroom;

    pool->headroom -= runnable;
    load->runnable += runnable;
    load->blocked.tenant_cap += queued - runnable;
    if (sch_slot_any(&t->slots, t->rule.cap)) { /* each of them only lacks a slot, if not all */
        keep_age(&load->runnable_age_ms, first_due(&q->ready), now);
        pool->room.aged[q->lane] |= first_due(&q->ready) < aged;
    }
}

void sch_load_count(struct sch_index *ix, int64_t now, uint64_t age_promote_ms)
{
    void *value    = NULL;
    uint32_t stamp = 0;

    for (size_t it = 0; map_next(ix->pools->pools, &it, NULL, &value);) {
        struct sch_pool *pool = value;

        pool->load     = (struct sch_load){0};
        pool->counting = 0;
        memset(pool->room.aged, 0, sizeof(pool->room.aged));
    }
    for (size_t it = 0; map_next(ix->tenants, &it, NULL, &value);) {
        struct sch_tenant *t = value;

        stamp++;
        LIST_EACH(&t->queues, link)
        {
            load_queue(LIST_OWNER(link, struct sch_queue, link), stamp, now,
                       now - (int64_t)age_promote_ms);
        }
    }
}
