#include "lim.h"

#include "base/clk.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "lim_admin.h"
#include "lim_do.h"
#include "lim_heard.h"
#include "wire/subject.h"

enum { STATE_MS = 1000, WAITING_MAX = 100000, SOON_MS = 50 };

METRIC_REGISTER(show_metrics, "", lim_metrics, LIM_METRICS)

/* ---- small questions --------------------------------------------------------------- */

bool lim_decides(const struct lim *lim)
{
    return lim->deciding && svc_leader_is(lim->leader);
}

uint64_t lim_time(const struct lim *lim)
{
    return lim->log ? lim_log_now(lim->log) : (uint64_t)clk_wall_ms();
}

bool lim_mine(const struct lim *lim, const char *upstream)
{
    return lim->config->shards == 1 ||
           subject_shard(upstream, (unsigned)lim->config->shards) == lim->config->shard;
}

/* ---- leadership -------------------------------------------------------------------- */

static void count_log(struct lim *lim)
{
    struct lim_log_counts c = lim->log ? lim_log_counts(lim->log) : (struct lim_log_counts){0};

    lim->metrics.grant_appends += c.appends - lim->counted.appends;
    lim->metrics.grant_records += c.records - lim->counted.records;
    lim->metrics.grant_repeats += c.repeats - lim->counted.repeats;
    lim->metrics.grant_snapshots += c.snapshots - lim->counted.snapshots;
    lim->counted = c;
}

/* Nothing that was decided and is not stored was ever told to anyone. */
static void stand_down(struct lim *lim)
{
    if (!lim->log)
        return;
    count_log(lim);
    lim->deciding = false;
    lim->counted  = (struct lim_log_counts){0};
    lim_alert_free(&lim->alerts);
    lim_do_forget(lim);
    lim_gate_end(lim->gate);
    lim_log_close(&lim->log);
    lim_on_early(lim);
}

static void on_fold(void *self, const struct grant_record *r)
{
    lim_grant_apply(lim_gate_grants(SELF(struct lim, LIM_MAGIC, self)->gate), r);
}

static void on_forget(void *self)
{
    lim_gate_end(SELF(struct lim, LIM_MAGIC, self)->gate);
}

static void on_ready(void *self)
{
    svc_poke(SELF(struct lim, LIM_MAGIC, self)->svc);
}

static void on_stored(void *self, uint64_t batch, uint64_t seq)
{
    struct lim *lim = SELF(struct lim, LIM_MAGIC, self);

    lim_do_stored(lim, batch, seq);
    lim_heard_stored(lim, batch);
}

static void on_log_lost(void *self, const char *why)
{
    struct lim *lim = SELF(struct lim, LIM_MAGIC, self);

    lim->metrics.limiter_deposed++;
    log_warn("append refused: another leads", KV("epoch", lim->epoch), KV("why", why));
    stand_down(lim);
    svc_leader_deposed(lim->leader, why);
}

static void on_snapshot(void *self, lim_log_emit_fn *emit, void *to)
{
    struct lim *lim = SELF(struct lim, LIM_MAGIC, self);

    lim_grant_each(lim_gate_grants(lim->gate), lim_time(lim), emit, to);
}

static void on_told(void *self, const char *name, enum lim_incident_kind kind, uint32_t told)
{
    struct lim *lim = SELF(struct lim, LIM_MAGIC, self);

    log_info(told == LIM_TOLD_FIRING ? "alert fired" : "alert resolved",
             KV("what", lim_grant_incident_word(kind)), KV("upstream", name));
    if (lim->deciding)
        lim_gate_told(lim->gate, name, kind, told, lim_time(lim));
}

static void on_won(void *self, uint64_t epoch)
{
    struct lim *lim                    = SELF(struct lim, LIM_MAGIC, self);
    const struct lim_log_events events = {.self     = lim,
                                          .fold     = on_fold,
                                          .forget   = on_forget,
                                          .ready    = on_ready,
                                          .stored   = on_stored,
                                          .lost     = on_log_lost,
                                          .snapshot = on_snapshot};

    stand_down(lim);
    lim->epoch = epoch;
    lim->log   = lim_log_open(lim->bus, (unsigned)lim->config->shard, epoch, &events);
}

static void on_lost(void *self, const char *why)
{
    (void)why; /* svc_leader says it */
    stand_down(SELF(struct lim, LIM_MAGIC, self));
}

/* The log is read and the upstreams are known: from now on it decides. */
static void take_over(struct lim *lim)
{
    lim->deciding      = true;
    lim->state_at      = 0;
    lim->incident_mark = 0;
    lim->metrics.limiter_takeovers++;
    lim->alerts = lim_alert_new(lim->bus, on_told, lim);
    lim_gate_begin(lim->gate, lim_time(lim));
    log_info("deciding", KV("epoch", lim->epoch),
             KV("n", lim_grant_count(lim_gate_grants(lim->gate))));
    lim_on_early(lim);
}

/* The streams stand: at first, and again after they were made anew. */
static void on_streams(void *self)
{
    struct lim *lim                       = SELF(struct lim, LIM_MAGIC, self);
    const struct svc_leader_events events = {.won = on_won, .lost = on_lost, .self = lim};
    char key[STR_NAME_SIZE];

    if (lim->leader)
        return;
    str_format(key, sizeof(key), "limiter-%u", (unsigned)lim->config->shard);
    lim_on_follow(lim);
    lim->leader = svc_leader_new(lim->svc, key, lim->config->leader_ttl_ms, &events);
}

/* ---- by itself --------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t tell_state(struct lim *lim, uint64_t now)
{
    if (!lim->state_changed && now < lim->state_at)
        return lim->state_at;
    lim_do_state(lim);
    lim->state_changed = false;
    lim->state_at      = now + STATE_MS;
    return lim->state_at;
}

/* What is told of must be stored; with the state, lest one that was being told is forgotten. */
static void tell_incidents(struct lim *lim, uint64_t now)
{
    if (lim_log_stored(lim->log) < lim->incident_mark)
        return;
    if (lim->incident_changed || now >= lim->state_at)
        lim_alert_look(lim->alerts, lim_gate_grants(lim->gate));
    lim->incident_changed = false;
}

uint64_t lim_tick(void *self, uint64_t now)
{
    struct lim *lim = SELF(struct lim, LIM_MAGIC, self);

    if (!lim->log)
        return UINT64_MAX;
    if (!lim->deciding && lim_on_configured(lim) && lim_log_ready(lim->log))
        take_over(lim);
    if (!lim->deciding)
        return UINT64_MAX;
    if (!svc_leader_is(lim->leader))
        return now + SOON_MS; /* `lost` is on its way */

    uint64_t time = lim_time(lim);
    uint64_t due  = lim_gate_tick(lim->gate, time);
    uint64_t next = due == UINT64_MAX ? due : now + (due > time ? due - time : 1);

    tell_incidents(lim, now);
    next = earlier(next, tell_state(lim, now));
    next = earlier(next, lim_log_flush(lim->log, now));
    return next;
}

/* ---- drain ------------------------------------------------------------------------- */

static bool drained(void *self)
{
    const struct lim *lim = SELF(struct lim, LIM_MAGIC, self);

    return !lim->log || lim_log_idle(lim->log);
}

static void gauges(void *self)
{
    struct lim *lim = SELF(struct lim, LIM_MAGIC, self);

    count_log(lim);
    lim->metrics.limiter_leads   = lim->deciding;
    lim->metrics.permits_out     = lim_grant_count(lim_gate_grants(lim->gate));
    lim->metrics.permits_waiting = lim_gate_waiting(lim->gate);
}

/* ---- life -------------------------------------------------------------------------- */

struct lim *lim_new(struct svc *svc, const struct lim_config *config)
{
    struct lim *lim                         = mem_new(struct lim);
    const struct lim_gate_settings settings = {.probe_ms    = config->probe_ms,
                                               .ramp_ms     = config->ramp_ms,
                                               .window_min  = (uint32_t)config->window_min,
                                               .waiting_max = WAITING_MAX,
                                               .seed        = id_random64()};
    struct lim_gate_out out                 = lim_do_out;

    lim->magic  = LIM_MAGIC;
    lim->svc    = svc;
    lim->bus    = svc_bus(svc);
    lim->config = config;
    list_init(&lim->early);
    list_init(&lim->heard);
    list_init(&lim->answers);
    list_init(&lim->admins);
    lim->good_upstreams = run_good_new();
    lim->book           = run_tenant_new(NULL, NULL);
    out.self            = lim;
    lim->gate           = lim_gate_new(&settings, &out);
    show_metrics(svc, &lim->metrics, gauges, lim);
    svc_on_ready(svc, on_streams, lim);
    svc_on_drain(svc, NULL, drained, lim);
    return lim;
}

void lim_stop(struct lim *lim)
{
    lim_admin_drop_all(lim);
    stand_down(lim);
    lim_heard_forget(lim);
    svc_leader_free(&lim->leader);
    bus_follow_end(&lim->upstreams);
    bus_follow_end(&lim->tenants);
}

void lim_free(struct lim **slot)
{
    struct lim *lim = take(slot);

    if (!lim)
        return;
    lim_gate_free(&lim->gate);
    run_good_free(&lim->good_upstreams);
    run_tenant_free(&lim->book);
    mem_free(&lim);
}
