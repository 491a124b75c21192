#include "sch_reconcile.h"

#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

enum { BUCKETS_MIN = 1024 };

/*
 * A million runs may wait, so this is a chained table of its own: the id stands in the fact once, and
 * nothing is allocated beside it.
 */
struct sch_reconcile {
    struct sch_fact **buckets;
    size_t mask, count;
    size_t at; /* the sweep's bucket */
    /* Results that came before their END was read, as hashes of the run: followers of two streams, two paces. */
    struct map *early, *early_old;
    int64_t results_left_ms; /* of runs that ended before, results may have left */
};

static char HERE; /* a set puts any pointer */

static uint64_t hash_of(const char *run)
{
    return str_hash(run, strlen(run));
}

struct sch_reconcile *sch_reconcile_new(void)
{
    struct sch_reconcile *r = mem_new(struct sch_reconcile);

    r->buckets   = mem_array(BUCKETS_MIN, sizeof(struct sch_fact *));
    r->mask      = BUCKETS_MIN - 1;
    r->early     = map_new();
    r->early_old = map_new();
    return r;
}

void sch_reconcile_clear(struct sch_reconcile *r)
{
    for (size_t n = 0; n <= r->mask; n++)
        while (r->buckets[n]) {
            struct sch_fact *f = r->buckets[n];

            r->buckets[n] = f->next;
            mem_free(&f);
        }
    r->count = 0;
    map_free(&r->early);
    map_free(&r->early_old);
    r->early     = map_new();
    r->early_old = map_new();
}

void sch_reconcile_free(struct sch_reconcile **slot)
{
    struct sch_reconcile *r = take(slot);

    if (!r)
        return;
    sch_reconcile_clear(r);
    map_free(&r->early);
    map_free(&r->early_old);
    mem_free(&r->buckets);
    mem_free(&r);
}

/* The link that points to the run's fact, or to the end of its chain. */
static struct sch_fact **find_link(const struct sch_reconcile *r, const char *run)
{
    struct sch_fact **link = &r->buckets[hash_of(run) & r->mask];

    while (*link && strcmp((*link)->run, run) != 0)
        link = &(*link)->next;
    return link;
}

const struct sch_fact *sch_reconcile_find(const struct sch_reconcile *r, const char *run)
{
    return *find_link(r, run);
}

size_t sch_reconcile_count(const struct sch_reconcile *r)
{
    return r->count;
}

static void grow(struct sch_reconcile *r)
{
    struct sch_fact **old = r->buckets;
    size_t was            = r->mask + 1;

    r->buckets = mem_array(was * 2, sizeof(struct sch_fact *));
    r->mask    = was * 2 - 1;
    r->at      = 0;
    for (size_t n = 0; n < was; n++)
        for (struct sch_fact *f = old[n], *next = NULL; f; f = next) {
            struct sch_fact **link = &r->buckets[hash_of(f->run) & r->mask];

            next    = f->next;
            f->next = *link;
            *link   = f;
        }
    mem_free(&old);
}

static struct sch_fact *add(struct sch_reconcile *r, const char *tenant, const char *run)
{
    if (r->count > r->mask)
        grow(r);

    struct sch_fact *f     = mem_new(struct sch_fact);
    struct sch_fact **link = find_link(r, run);

    str_copy(f->run, sizeof(f->run), run);
    f->tenant = tenant;
    f->wake   = 1;
    *link     = f;
    r->count++;
    return f;
}

static void forget(struct sch_reconcile *r, struct sch_fact **link)
{
    struct sch_fact *f = *link;

    *link = f->next;
    r->count--;
    mem_free(&f);
}

/* ---- what the journal says ----------------------------------------------------------------------------- */

static bool result_came(struct sch_reconcile *r, const char *run)
{
    uint64_t hash = hash_of(run);
    bool there    = map_remove_u64(r->early, hash) != NULL;

    return map_remove_u64(r->early_old, hash) != NULL || there;
}

static void waits(struct sch_fact *f)
{
    f->state = FACT_WAITING;
    f->wake++; /* as run_fold has it: only LEASED says a number */
    f->mail = false;
}

static enum sch_event by_holder(struct sch_fact *f, const struct entry *e, const char *worker)
{
    if (f->state == FACT_WAITING && e->kind != ENTRY_LEASED)
        return EVENT_NONE;
    if (e->kind == ENTRY_LEASED) {
        if (e->wake > f->wake)
            f->wake = e->wake;
        f->state   = FACT_LEASED;
        f->started = true;
        f->job     = e->job;
        f->worker  = worker;
        return EVENT_LEASED;
    }
    if (e->kind == ENTRY_RELEASED)
        f->state = FACT_RELEASED;
    if (e->kind != ENTRY_WAITING)
        return EVENT_NONE;
    waits(f);
    return EVENT_WAITING;
}

enum sch_event sch_reconcile_entry(struct sch_reconcile *r, const char *tenant, const char *run,
                                   const struct entry *e, const char *worker,
                                   const struct sch_fact **ret_fact)
{
    struct sch_fact **link = find_link(r, run);
    struct sch_fact *f     = *link;
    enum sch_event event   = EVENT_NONE;

    *ret_fact = NULL;
    if (f && f->state == FACT_ENDED)
        return EVENT_NONE; /* the first END wins */

    switch (e->kind) {
    case ENTRY_PLAN:
        if (!f)
            f = add(r, tenant, run);
        f->plan_seq = e->seq;
        break;
    case ENTRY_REJECTED:
        if (!f || f->started)
            return EVENT_NONE;
        forget(r, link);
        return EVENT_OVER;
    case ENTRY_LEASED:
    case ENTRY_RELEASED:
    case ENTRY_OPENING:
    case ENTRY_OPENED:
    case ENTRY_INTENT:
    case ENTRY_OUTCOME:
    case ENTRY_SPAWNED:
    case ENTRY_WAITING:
        if (!f) { /* its PLAN is older than what is kept */
            f          = add(r, tenant, run);
            f->started = true;
        }
        event = by_holder(f, e, worker);
        break;
    case ENTRY_END:
        if (!f)
            f = add(r, tenant, run);
        f->state      = FACT_ENDED;
        f->ended_ms   = e->stored_ms;
        f->bare_since = 0;
        if (result_came(r, run)) {
            forget(r, find_link(r, run));
            return EVENT_OVER;
        }
        break;
    case ENTRY_CANCEL:
        if (!f)
            return EVENT_NONE;
        f->cancelled = true;
        f->mail      = f->mail || f->state == FACT_WAITING;
        event        = EVENT_CANCELLED;
        break;
    case ENTRY_COMMAND:
    case ENTRY_SIGNAL:
    case ENTRY_CHILD_DONE:
        if (!f)
            return EVENT_NONE;
        f->mail = f->mail || f->state == FACT_WAITING;
        break;
    case ENTRY_NONE:
    case ENTRY_ACCEPTED:
    case ENTRY_CLOSED: /* may follow END: starts nothing */
    case ENTRY_KINDS:
        break;
    }
    *ret_fact = f;
    return event;
}

enum sch_event sch_reconcile_result(struct sch_reconcile *r, const char *run)
{
    struct sch_fact **link = find_link(r, run);

    if (*link && (*link)->state == FACT_ENDED) {
        forget(r, link);
        return EVENT_OVER;
    }
    map_put_u64(r->early, hash_of(run), &HERE);
    return EVENT_NONE;
}

void sch_reconcile_cut(struct sch_reconcile *r, const char *run, uint32_t wake)
{
    struct sch_fact *f = *find_link(r, run);

    if (f && f->state != FACT_ENDED && wake < f->wake)
        f->wake = wake;
}

void sch_reconcile_results_left(struct sch_reconcile *r, int64_t until_ms)
{
    r->results_left_ms = until_ms;
}

void sch_reconcile_age(struct sch_reconcile *r)
{
    map_free(&r->early_old);
    r->early_old = r->early;
    r->early     = map_new();
}

bool sch_reconcile_stale(const struct sch_reconcile *r, const char *run, uint32_t wake,
                         uint64_t plan_seq, uint64_t read_to)
{
    const struct sch_fact *f = sch_reconcile_find(r, run);

    if (!f)
        return plan_seq > 0 && plan_seq <= read_to;
    return f->state != FACT_ENDED && wake > 0 && wake < f->wake;
}

/* ---- who needs something ------------------------------------------------------------------------------ */

/* What nobody sees to; false: all is well. */
static bool needs(const struct sch_fact *f, unsigned has, enum sch_need *ret)
{
    if (has & HAS_JOB)
        return false;
    if (f->state == FACT_ENDED) {
        *ret = NEED_END;
        return !(has & HAS_TICKET);
    }
    if (f->state == FACT_WAITING && f->mail && has & HAS_TICKET) {
        *ret = NEED_WAKE;
        return !(has & HAS_DUE);
    }
    *ret = NEED_TICKET;
    return !(has & HAS_TICKET);
}

/* With a message it has duties still, and who does them stores the result. */
static bool is_over(const struct sch_reconcile *r, const struct sch_sweep *sweep,
                    const struct sch_fact *f)
{
    return f->state == FACT_ENDED && f->ended_ms < r->results_left_ms &&
           sweep->has(sweep->self, f) == HAS_NOTHING;
}

static void look(const struct sch_sweep *sweep, struct sch_fact *f)
{
    enum sch_need need = NEED_TICKET;

    if (!needs(f, sweep->has(sweep->self, f), &need)) {
        f->bare_since = 0;
        return;
    }
    if (f->bare_since == 0) {
        f->bare_since = sweep->now;
        return;
    }
    if (sweep->now - f->bare_since < sweep->patience_ms)
        return;
    f->bare_since = sweep->now;
    sweep->needs(sweep->self, f, need);
}

void sch_reconcile_sweep(struct sch_reconcile *r, const struct sch_sweep *sweep)
{
    size_t buckets = r->mask + 1;
    size_t looked  = 0;

    for (size_t n = 0; n < buckets && looked < sweep->budget; n++) {
        for (struct sch_fact **link = &r->buckets[r->at & r->mask]; *link; looked++)
            if (is_over(r, sweep, *link)) {
                forget(r, link);
            } else {
                look(sweep, *link);
                link = &(*link)->next;
            }
        r->at = (r->at + 1) & r->mask;
    }
}
