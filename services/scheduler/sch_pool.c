#include "sch_pool.h"

#include "base/mem.h"

void sch_pool_init(struct sch_pools *pools, const struct sch_lanes *lanes, uint32_t prefetch)
{
    *pools = (struct sch_pools){map_new(), map_new(), *lanes, prefetch};
}

static void worker_free(struct sch_worker *w)
{
    must(list_empty(&w->jobs));
    list_remove(&w->link);
    mem_free(&w);
}

void sch_pool_deinit(struct sch_pools *pools)
{
    void *value = NULL;

    for (size_t it = 0; map_next(pools->workers, &it, NULL, &value);)
        worker_free(value);
    for (size_t it = 0; map_next(pools->pools, &it, NULL, &value);) {
        struct sch_pool *p = value;

        sch_fair_deinit(&p->fair);
        mem_free(&p);
    }
    map_free(&pools->workers);
    map_free(&pools->pools);
}

struct sch_pool *sch_pool_find(const struct sch_pools *pools, const char *name)
{
    return map_find(pools->pools, name);
}

struct sch_pool *sch_pool_get(struct sch_pools *pools, const char *name)
{
    struct sch_pool *p = sch_pool_find(pools, name);

    if (p)
        return p;
    p = mem_new(struct sch_pool);
    str_copy(p->name, sizeof(p->name), name);
    sch_fair_init(&p->fair, &pools->lanes);
    p->room.prefetch = pools->prefetch;
    list_init(&p->workers);
    map_put(pools->pools, name, p);
    return p;
}

/* ---- jobs and their holders ---------------------------------------------------------------------- */

static void set_orphan(struct sch_job *job, bool orphan)
{
    uint32_t *taken   = &job->pool->room.taken[job->lane];
    uint32_t *orphans = &job->pool->orphans[job->lane];
    uint32_t *from = orphan ? taken : orphans, *to = orphan ? orphans : taken;

    if (job->orphan == orphan)
        return;
    must(*from > 0);
    job->orphan = orphan;
    *from -= 1;
    *to += 1;
}

static void set_live(struct sch_worker *w, bool live)
{
    if (w->live == live)
        return;
    w->live = live;
    if (live)
        w->pool->room.slots += w->slots;
    else
        w->pool->room.slots -= w->slots;
    LIST_EACH(&w->jobs, it)
    {
        set_orphan(LIST_OWNER(it, struct sch_job, of_worker), !live);
    }
}

void sch_pool_job(struct sch_job *job)
{
    list_init(&job->of_worker);
    job->orphan = false;
    job->pool->room.taken[job->lane]++;
}

void sch_pool_job_gone(struct sch_job *job)
{
    set_orphan(job, false);
    list_remove(&job->of_worker);
    job->worker = NULL;
    must(job->pool->room.taken[job->lane] > 0);
    job->pool->room.taken[job->lane]--;
}

/* A worker that we did not hear yet may have leased jobs: it is known, and does not count before it speaks. */
static struct sch_worker *worker_get(struct sch_pools *pools, const char *name,
                                     struct sch_pool *pool)
{
    struct sch_worker *w = map_find(pools->workers, name);

    if (w)
        return w;
    if (map_count(pools->workers) >= SCH_WORKERS_MAX)
        return NULL;
    w       = mem_new(struct sch_worker);
    w->pool = pool;
    str_copy(w->name, sizeof(w->name), name);
    list_init(&w->jobs);
    list_push(&pool->workers, &w->link);
    map_put(pools->workers, name, w);
    return w;
}

void sch_pool_leased(struct sch_pools *pools, struct sch_job *job, const char *worker)
{
    struct sch_worker *w = worker_get(pools, worker, job->pool);

    list_remove(&job->of_worker);
    job->worker = w;
    if (!w)
        return;
    list_push(&w->jobs, &job->of_worker);
    set_orphan(job, !w->live);
}

void sch_pool_clear(struct sch_pools *pools)
{
    void *value = NULL;

    for (size_t it = 0; map_next(pools->pools, &it, NULL, &value);) {
        struct sch_pool *p = value;

        for (int lane = 0; lane < LANES; lane++) {
            must(p->orphans[lane] == 0);
            p->room.taken[lane] =
                0; /* claims whose op is still on its way: they are forgotten too */
            p->room.aged[lane] = false;
        }
        sch_fair_deinit(&p->fair);
        sch_fair_init(&p->fair, &pools->lanes);
        p->lease    = LEASE_UNKNOWN;
        p->lease_at = 0;
    }
}

uint32_t sch_pool_lane_in_flight(const struct sch_pool *pool, enum lane lane)
{
    return pool->room.taken[lane] + pool->orphans[lane];
}

uint32_t sch_pool_in_flight(const struct sch_pool *pool)
{
    uint32_t n = 0;

    for (int lane = 0; lane < LANES; lane++)
        n += sch_pool_lane_in_flight(pool, (enum lane)lane);
    return n;
}

/* ---- what workers say ------------------------------------------------------------------------------ */

bool sch_pool_heard(struct sch_pools *pools, const struct worker_status *status, int64_t now)
{
    if (!str_is_name(status->pool) || !status->worker[0] || status->slots > 1000000)
        return false;

    struct sch_worker *w = worker_get(pools, status->worker, sch_pool_get(pools, status->pool));

    if (!w || !str_equal(w->pool->name, status->pool))
        return false; /* a worker never changes its pool: somebody uses its name */
    if (w->live && w->slots != status->slots)
        w->pool->room.slots += status->slots - w->slots;
    w->slots    = status->slots;
    w->busy     = status->busy;
    w->draining = status->draining;
    w->heard_at = now;
    set_live(w, !status->draining);
    return true;
}

int64_t sch_pool_turn(struct sch_pools *pools, int64_t now)
{
    int64_t next = INT64_MAX;
    void *value  = NULL;

    for (size_t it = 0; map_next(pools->workers, &it, NULL, &value);) {
        struct sch_worker *w = value;

        if (w->live && now - w->heard_at > SCH_WORD_MS)
            set_live(w, false);
        if (w->live && w->heard_at + SCH_WORD_MS + 1 < next)
            next = w->heard_at + SCH_WORD_MS + 1;
        if (!w->live && now - w->heard_at > SCH_FORGET_MS && list_empty(&w->jobs)) {
            map_remove(pools->workers, w->name);
            worker_free(w);
        }
    }
    return next;
}
