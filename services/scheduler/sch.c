#include "sch.h"

#include <stdio.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "sch_admit.h"
#include "sch_bucket.h"
#include "sch_journal.h"
#include "sch_lead.h"
#include "sch_lease.h"
#include "sch_mend.h"
#include "sch_on.h"
#include "sch_place.h"
#include "sch_tell.h"
#include "wire/subject.h"

enum {
    LOOK_MS = 5000, /* between two looks at JOBS */
    FILL_MS = 3000, /* a backlog that takes longer is decided upon while it comes */
    AGE_MS  = 60000,
};

METRIC_REGISTER(show_metrics, "", sch_metrics, SCH_METRICS)

/* ---- small questions ------------------------------------------------------------------------------ */

int64_t sch_now(const struct sch *s)
{
    return (int64_t)svc_now(s->svc);
}

/* Both clocks are read at once, not at the beginning of a turn that may be long; and the difference is kept while it
   stands, so that tickets of one millisecond stay in their order. */
int64_t sch_instant(struct sch *s, int64_t wall_ms)
{
    int64_t offset = clk_wall_ms() - (int64_t)clk_mono_ms();

    if (offset > s->wall_offset + 2 || offset < s->wall_offset - 2)
        s->wall_offset = offset;
    return wall_ms - s->wall_offset;
}

bool sch_mine(const struct sch *s, const char *tenant)
{
    return s->config->shards == 1 ||
           subject_shard(tenant, (unsigned)s->config->shards) == s->config->shard;
}

const char *sch_word(struct sch *s, const char *name)
{
    char *word = map_find(s->words, name);

    if (word)
        return word;
    word = mem_strdup(name);
    map_put(s->words, name, word);
    return word;
}

/* ---- chains ----------------------------------------------------------------------------------------- */

void sch_op_start(struct sch *s, struct sch_op *op, uint32_t magic, const char *what,
                  bus_end_fn *end)
{
    op->s    = s;
    op->term = s->term;
    list_push(&s->ops, &op->link);
    bus_op_start(s->bus, &op->op, magic, what, 0, end);
}

bool sch_op_live(const struct sch_op *op)
{
    return op->s && op->term == op->s->term;
}

struct sch *sch_op_end(struct sch_op *op)
{
    list_remove(&op->link);
    return op->s;
}

/* ---- what is followed ------------------------------------------------------------------------------------- */

void sch_follow(struct sch *s, const struct bus_follow *f, struct bus_follower **ret)
{
    char text[128];
    struct err e = bus_follow(s->bus, f, ret);

    if (failed(e))
        svc_die(s->svc, err_text(e, text, sizeof(text)));
}

/* ---- leadership ------------------------------------------------------------------------------------ */

static void won(void *self, uint64_t epoch)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);

    s->epoch = epoch;
    s->round = 0;
    sch_lead_begin(s, "leadership won", 0);
}

static void lost(void *self, const char *why)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);

    (void)why; /* svc_leader says it */
    sch_lead_end(s);
}

/* The streams stand: at first, and again after they were made anew. */
static void ready(void *self)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);

    if (s->following) {
        if (s->role != ROLE_STANDBY)
            sch_lead_begin(s, "streams were made anew", 0);
        return;
    }

    char key[STR_NAME_SIZE];
    const struct svc_leader_events events = {won, lost, s};

    s->following = true;
    sch_bucket_follow(s);
    sch_on_hear(s);
    sch_journal_follow(s);
    str_format(key, sizeof(key), "scheduler-%u", (unsigned)s->config->shard);
    s->leader = svc_leader_new(s->svc, key, s->config->leader_ttl_ms, &events);
}

/* ---- drain ------------------------------------------------------------------------------------------- */

static void drain_begin(void *self)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);

    s->draining = true; /* no more decisions; what is on its way is waited for */
}

static bool drained(void *self)
{
    return SELF(struct sch, SCH_MAGIC, self)->admits == 0;
}

/* ---- figures ------------------------------------------------------------------------------------------ */

static void gauges(void *self)
{
    struct sch *s              = SELF(struct sch, SCH_MAGIC, self);
    const struct sch_figures f = sch_index_figures(s->index);
    void *value                = NULL;

    s->metrics.scheduler_leads         = s->role == ROLE_DECIDING;
    s->metrics.scheduler_runs_waiting  = f.queued + f.parked + f.held;
    s->metrics.scheduler_runs_dormant  = f.dormant;
    s->metrics.scheduler_jobs          = f.jobs;
    s->metrics.scheduler_tenants       = f.tenants;
    s->metrics.scheduler_runs_followed = sch_reconcile_count(s->facts);
    s->metrics.scheduler_slots         = 0;
    for (size_t it = 0; map_next(s->pools.pools, &it, NULL, &value);)
        s->metrics.scheduler_slots += ((struct sch_pool *)value)->room.slots;
}

/* ---- life ------------------------------------------------------------------------------------------------ */

static void ack(void *self, const char *acks)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);

    bus_ack(s->bus, acks);
}

struct sch *sch_new(struct svc *svc, const struct sch_config *config)
{
    struct sch *s = mem_new(struct sch);

    s->magic  = SCH_MAGIC;
    s->svc    = svc;
    s->bus    = svc_bus(svc);
    s->config = config;
    list_init(&s->ops);
    s->book         = run_tenant_new(sch_bucket_tenant_taken, s);
    s->good_tenants = run_good_new();
    s->facts        = sch_reconcile_new();
    s->words        = map_new();
    s->arena        = arena_new();
    sch_pool_init(&s->pools, &config->lanes, (uint32_t)config->prefetch);
    sch_slot_init(&s->jobs);
    s->index = sch_index_new(&s->pools, &s->jobs, s->book, ack, s);
    show_metrics(svc, &s->metrics, gauges, s);
    svc_on_ready(svc, ready, s);
    svc_on_drain(svc, drain_begin, drained, s);
    return s;
}

/* After the loop: ops that are still there end with the bus, as strangers of an earlier term. */
void sch_free(struct sch **slot)
{
    struct sch *s = take(slot);
    void *value   = NULL;

    if (!s)
        return;
    sch_lead_end(s);
    for (struct list *link = NULL; (link = list_shift(&s->ops)) != NULL;)
        LIST_OWNER(link, struct sch_op, link)->s = NULL;
    svc_leader_free(&s->leader);
    bus_follow_end(&s->journal);
    bus_follow_end(&s->results);
    bus_follow_end(&s->tenants);
    bus_follow_end(&s->upstreams);
    bus_follow_end(&s->flows);
    bus_follow_end(&s->pool_values);
    bus_follow_end(&s->locks);
    bus_unsubscribe(&s->status);
    bus_unsubscribe(&s->freed);
    bus_unsubscribe(&s->upstream_state);
    sch_index_free(&s->index);
    sch_slot_deinit(&s->jobs);
    sch_pool_deinit(&s->pools);
    sch_reconcile_free(&s->facts);
    run_tenant_free(&s->book);
    run_good_free(&s->good_tenants);
    for (size_t it = 0; map_next(s->words, &it, NULL, &value);)
        mem_free(&value);
    map_free(&s->words);
    arena_free(&s->arena);
    mem_free(&s->needed.at);
    mem_free(&s);
}

/* ---- what it does by itself -------------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static unsigned has(void *self, const struct sch_fact *fact)
{
    struct sch *s             = SELF(struct sch, SCH_MAGIC, self);
    const struct sch_run *run = sch_index_find(s->index, fact->run);
    unsigned ret              = HAS_NOTHING;

    if (run)
        ret |= HAS_TICKET | (run->stage == STAGE_DORMANT ? 0 : HAS_DUE);
    if (sch_slot_job(&s->jobs, fact->run))
        ret |= HAS_JOB;
    return ret;
}

static void needs(void *self, const struct sch_fact *fact, enum sch_need need)
{
    sch_mend_need(SELF(struct sch, SCH_MAGIC, self), fact->run, need);
}

/* Only who has read both streams to their end knows what is missing. */
static void sweep(struct sch *s, uint64_t now)
{
    size_t all                   = sch_reconcile_count(s->facts);
    const struct sch_sweep sweep = {
        .now         = (int64_t)now,
        .patience_ms = (int64_t)s->config->sweep_ms,
        .budget      = 5000 + all / 10,
        .has         = has,
        .needs       = needs,
        .self        = s,
    };

    if (now < s->sweep_at || !s->journal_read || !s->results_read)
        return;
    s->sweep_at = now + 1000;
    sch_reconcile_sweep(s->facts, &sweep);
}

static void expire(struct sch *s, int64_t now)
{
    for (struct sch_run *run = NULL; (run = sch_place_expired(s->index, now)) != NULL;) {
        if (run->started)
            sch_index_close(s->index, run, now);
        else if (s->mends < SCH_MENDS_MAX)
            sch_mend_end(s, run);
        else
            sch_place_expire_again(s->index, run, now + 50);
    }
}

static uint64_t lead(struct sch *s, uint64_t now)
{
    int64_t next = 0;

    /* Not before it is known who is paused, and whose cap is what. */
    if (s->role == ROLE_FILLING && sch_bucket_caught_up(s) &&
        (s->filled || now >= s->fill_since + FILL_MS)) {
        const struct sch_figures f = sch_index_figures(s->index);

        s->role = ROLE_DECIDING;
        log_info("deciding", KV("epoch", s->epoch), KV("n", f.tickets), KV("job", f.jobs),
                 KV("ms", now - s->fill_since));
        s->look_at = now + LOOK_MS;
    }
    if (s->role != ROLE_DECIDING)
        return s->role == ROLE_FILLING && now < s->fill_since + FILL_MS
                   ? s->fill_since + FILL_MS
                   : UINT64_MAX;

    next = sch_place_turn(s->index, (int64_t)now);
    sch_lease_turn(s, now);
    expire(s, (int64_t)now);
    if (!s->draining && !s->begin) {
        sweep(s, now);
        sch_mend_turn(s);
        sch_admit_turn(s);
    }
    if (now >= s->look_at && !s->looking) {
        s->look_at = now + LOOK_MS;
        sch_lead_look(s, NULL);
    }

    uint64_t at =
        next > (int64_t)now ? (next == INT64_MAX ? UINT64_MAX : (uint64_t)next) : now + 1;

    if (s->hold_until > now)
        at = earlier(at, s->hold_until);
    if (!s->looking) /* else the end of that look is what the next one waits for */
        at = earlier(at, s->look_at);
    at = earlier(at, s->sweep_at > now ? s->sweep_at : now + 1000);
    return earlier(at, sch_tell_turn(s, now));
}

uint64_t sch_tick(void *self, uint64_t now)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);
    uint64_t next = sch_lead_turn(s, now);

    if (now >= s->workers_at) {
        sch_pool_turn(&s->pools, (int64_t)now);
        s->workers_at = now + 250;
    }
    if (now >= s->age_at && s->journal_read) {
        sch_reconcile_age(s->facts);
        s->age_at = now + AGE_MS;
    }
    next = earlier(next, lead(s, now));
    return earlier(next, s->workers_at);
}
