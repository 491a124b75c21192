#include "lim_gate.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "lim_queue.h"

#define NS_PER_MS UINT64_C(1000000)

enum {
    SWEEP_MS        = 500, /* how often silent sessions are looked for */
    GROW_MS         = 100, /* how often those who wait hear that a ramp went on */
    SOON_MS         = 100, /* the least that anybody is told to stay away */
    LATE_MS         = 30000,
    SESSION_MS      = 1000,
    JITTER          = 5, /* a fifth */
    HOLD_UNKNOWN_MS = 1000,
};

/* An upstream that is configured. */
struct entry {
    struct run_upstream config;
    struct lim_key *key; /* NULL: not looked up in this term */
    struct lim_queue queue;
    bool dirty;       /* somebody may fit who did not */
    uint64_t wake_at; /* so will it be then */
};

struct ask {
    struct lim_wait wait;
    struct permit_ask ask;
    struct entry *entry; /* in whose queue it waits */
    void *tag;
    uint64_t came_ms;
    struct heap_node deadline;
    bool again;   /* the permit is out already, and granted anew */
    bool foreign; /* it has keys of other entries, too */
};

struct lim_gate {
    struct lim_gate_settings settings;
    struct lim_gate_out out;
    struct map *entries;
    struct map *asks; /* by id */
    struct heap deadlines;
    struct lim_grants *grants;
    size_t foreign; /* asks that wait with keys of other entries, too */
    uint64_t sweep_at;
    uint64_t chance;
    bool active;
};

/* Why not. */
struct block {
    const char *why; /* NULL: nothing */
    uint64_t ms;     /* how long, at the least */
    bool shut;       /* for all, by the mode or by a person */
    bool brief;      /* but soon over: who may wait so long waits */
};

/* ---- life -------------------------------------------------------------------------------------- */

struct lim_gate *lim_gate_new(const struct lim_gate_settings *settings,
                              const struct lim_gate_out *out)
{
    struct lim_gate *g = mem_new(struct lim_gate);

    g->settings = *settings;
    g->out      = *out;
    g->chance   = settings->seed | 1;
    g->entries  = map_new();
    g->asks     = map_new();
    g->grants   = lim_grant_new();
    heap_init(&g->deadlines);
    return g;
}

struct lim_grants *lim_gate_grants(struct lim_gate *g)
{
    return g->grants;
}

/* xorshift64: the jitter need not be secret. */
static uint64_t chance(struct lim_gate *g)
{
    g->chance ^= g->chance << 13;
    g->chance ^= g->chance >> 7;
    g->chance ^= g->chance << 17;
    return g->chance;
}

static struct entry *entry_find(const struct lim_gate *g, const char *name)
{
    return map_find(g->entries, name);
}

static struct lim_key *key_of(struct lim_gate *g, struct entry *e)
{
    if (!e->key)
        e->key = lim_grant_key(g->grants, e->config.name);
    return e->key;
}

static struct ask *ask_of(const struct lim_wait *w)
{
    return (struct ask *)(uintptr_t)LIST_OWNER(w, struct ask, wait);
}

/* Keys that no upstream has are not counted: where browsers visit has no limits in this version. */
static bool counts_elsewhere(const struct lim_gate *g, const struct ask *a)
{
    for (size_t i = 0; i < a->ask.key_count; i++) {
        const struct entry *e = entry_find(g, a->ask.keys[i].name);

        if (e && e != a->entry)
            return true;
    }
    return false;
}

static void ask_forget(struct lim_gate *g, struct ask **slot)
{
    struct ask *a = take(slot);

    if (map_find(g->asks, a->ask.id) == a)
        map_remove(g->asks, a->ask.id);
    heap_remove(&g->deadlines, &a->deadline);
    g->foreign -= a->foreign;
    mem_free(&a);
}

static void drop_all(struct lim_gate *g)
{
    void *value = NULL;

    for (size_t it = 0; map_next(g->asks, &it, NULL, &value);) {
        struct ask *a = value;

        lim_queue_remove(&a->entry->queue, &a->wait);
        g->out.drop(g->out.self, a->tag);
        ask_forget(g, &a);
    }
}

void lim_gate_begin(struct lim_gate *g, uint64_t now)
{
    lim_grant_clamp(g->grants, now);
    g->active   = true;
    g->sweep_at = now;
}

void lim_gate_end(struct lim_gate *g)
{
    void *value = NULL;

    drop_all(g);
    lim_grant_free(&g->grants);
    g->grants = lim_grant_new();
    g->active = false;
    for (size_t it = 0; map_next(g->entries, &it, NULL, &value);)
        ((struct entry *)value)->key = NULL;
}

static void entry_free(struct entry **slot)
{
    struct entry *e = take(slot);

    lim_queue_deinit(&e->queue);
    mem_free(&e);
}

void lim_gate_free(struct lim_gate **slot)
{
    struct lim_gate *g = take(slot);
    void *value        = NULL;

    if (!g)
        return;
    drop_all(g);
    for (size_t it = 0; map_next(g->entries, &it, NULL, &value);) {
        struct entry *e = value;

        entry_free(&e);
    }
    map_free(&g->entries);
    map_free(&g->asks);
    heap_deinit(&g->deadlines);
    lim_grant_free(&g->grants);
    mem_free(&g);
}

/* ---- saying ------------------------------------------------------------------------------------ */

static void emit(struct lim_gate *g, const struct grant_record *r)
{
    lim_grant_apply(g->grants, r);
    g->out.record(g->out.self, r);
}

static uint32_t u32(uint64_t n)
{
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static void refuse(struct lim_gate *g, const struct permit_ask *ask, void *tag, uint64_t waited,
                   const struct block *b)
{
    struct permit_grant grant = {.waited_ms = u32(waited)};
    uint64_t ms               = b->ms > SOON_MS ? b->ms : SOON_MS;

    str_copy(grant.id, sizeof(grant.id), ask->id);
    str_copy(grant.why, sizeof(grant.why), b->why ? b->why : "upstream_in_flight");
    grant.retry_after_ms = u32(ms + chance(g) % (ms / JITTER + 1));
    g->out.answer(g->out.self, tag, &grant, false);
}

static void refuse_ask(struct lim_gate *g, struct ask *a, const struct block *b, uint64_t now)
{
    refuse(g, &a->ask, a->tag, now - a->came_ms, b);
    ask_forget(g, &a);
}

/* ---- limits as they are now ---------------------------------------------------------------------- */

static struct lim_mode_limits limits_of(const struct lim_gate *g, const struct run_upstream *u)
{
    return (struct lim_mode_limits){
        .window   = {.floor     = g->settings.window_min > 0 ? g->settings.window_min : 1,
                     .in_flight = u->in_flight},
        .factor   = u->limited_factor,
        .probe_ms = u->limited_probe_ms > 0 ? u->limited_probe_ms : g->settings.probe_ms,
        .ramp_ms  = u->limited_ramp_ms > 0 ? u->limited_ramp_ms : g->settings.ramp_ms,
    };
}

/* What one ask meets at one upstream. */
struct meter {
    enum lim_pass pass;
    struct lim_rate rate;
    uint32_t room; /* calls that may be out */
};

/* Closes and the one that tries meet the limits themselves, all others what the mode leaves of them. */
static struct meter meter_of(struct lim_gate *g, struct entry *e, bool closes, uint64_t now,
                             struct block *b)
{
    const struct run_upstream *u       = &e->config;
    const struct lim_mode *m           = &key_of(g, e)->mode;
    const struct lim_mode_limits limit = limits_of(g, u);
    struct meter meter                 = {.pass = LIM_PASS_YES};

    if (!closes && u->paused)
        *b = (struct block){"paused", LIM_GATE_PAUSED_MS, true, false};
    else if (!closes)
        meter.pass = lim_mode_pass(m, &limit, now, &b->ms, &b->why);
    if (meter.pass != LIM_PASS_NO && !b->shut)
        b->why = NULL;
    b->shut  = b->why != NULL;
    b->brief = m->mode == PERMIT_MODE_CLOSED && !m->tries && b->ms <= LIM_GATE_HOLD_MS;

    bool whole = closes || meter.pass == LIM_PASS_PROBE;

    meter.rate =
        lim_rate_of(u->rate_per_s, u->rate_burst, whole ? 1 : lim_mode_factor(m, &limit, now));
    if (!whole)
        meter.room = lim_mode_room(m, &limit, now);
    else
        meter.room = u->in_flight > 0 ? u->in_flight : UINT32_MAX;
    return meter;
}

static uint32_t share_of(const struct run_upstream *u, uint32_t limit)
{
    uint32_t part = (uint32_t)(limit * u->tenant_share);

    return part > 0 ? part : 1;
}

static bool too_many_calls(const struct entry *e, const struct ask *a, bool closes,
                           const struct meter *m)
{
    const struct lim_key *key = e->key;

    if (a->again || m->room == UINT32_MAX)
        return false;
    if (key->use.in_flight >= m->room)
        return true;
    return !closes && e->config.tenant_share < 1 &&
           lim_grant_use(key, a->ask.tenant).in_flight >= share_of(&e->config, m->room);
}

static bool too_many_sessions(const struct lim_gate *g, const struct entry *e,
                              const struct ask *a)
{
    const struct lim_key *key = e->key;

    if (e->config.sessions == 0 || lim_grant_session(g->grants, key->name, a->ask.session))
        return false;
    if (key->use.sessions >= e->config.sessions)
        return true;
    return e->config.tenant_share < 1 && lim_grant_use(key, a->ask.tenant).sessions >=
                                             share_of(&e->config, e->config.sessions);
}

/* An estimate: how long until one of `limit` is free for the last of those that wait. */
static uint64_t turn_ms(uint64_t each_ms, uint64_t limit, size_t waiting, uint64_t least)
{
    uint64_t ms =
        (each_ms > 0 ? each_ms : HOLD_UNKNOWN_MS) * (waiting + 1) / (limit > 0 ? limit : 1);

    if (ms < least)
        return least;
    return ms < LATE_MS ? ms : LATE_MS;
}

static uint64_t ms_of(uint64_t ns)
{
    return (ns + NS_PER_MS - 1) / NS_PER_MS;
}

/* Who waits there beside it: some of them will go before. */
static size_t others(const struct entry *e, const struct ask *a)
{
    return lim_queue_count(&e->queue) - (a->entry == e && a->wait.turn ? 1 : 0);
}

/* The first thing at this upstream that keeps the ask from going now. */
static struct block block_at(struct lim_gate *g, struct entry *e, const struct ask *a,
                             const struct permit_key *k, uint64_t now)
{
    struct block b      = {NULL, 0, false, false};
    struct meter m      = meter_of(g, e, k->close, now, &b);
    struct lim_key *key = key_of(g, e);
    size_t waiting      = others(e, a);
    uint64_t ns         = 0;

    if (b.shut)
        return b;
    if (k->rate && (ns = lim_rate_wait_ns(&key->bucket, m.rate, now * NS_PER_MS)) > 0)
        return (struct block){"upstream_rate", ms_of(ns + waiting * m.rate.interval_ns), false, false};
    if (k->in_flight && too_many_calls(e, a, k->close, &m))
        return (struct block){"upstream_in_flight",
                              turn_ms(key->hold_ms, m.room, waiting, SOON_MS), false, false};
    if (k->session_open && too_many_sessions(g, e, a))
        return (struct block){"upstream_sessions",
                              turn_ms(key->session_ms, e->config.sessions, waiting, SESSION_MS),
                              false, false};
    return b;
}

static struct block block_of(struct lim_gate *g, const struct ask *a, uint64_t now)
{
    for (size_t i = 0; i < a->ask.key_count; i++) {
        struct entry *e = entry_find(g, a->ask.keys[i].name);
        struct block b  = {NULL, 0, false, false};

        if (e)
            b = block_at(g, e, a, &a->ask.keys[i], now);
        if (b.why)
            return b;
    }
    return (struct block){NULL, 0, false, false};
}

/* ---- granting ------------------------------------------------------------------------------------ */

static void grant_key(struct lim_gate *g, struct entry *e, const struct ask *a,
                      const struct permit_key *k, uint64_t now, bool *ret_probe)
{
    struct block b        = {NULL, 0, false, false};
    struct meter m        = meter_of(g, e, k->close, now, &b);
    struct lim_key *key   = key_of(g, e);
    uint64_t lifetime     = a->ask.lifetime_ms > 0 ? a->ask.lifetime_ms : e->config.timeout_ms;
    struct grant_record r = {
        .op           = GRANT_GRANT,
        .in_flight    = k->in_flight,
        .session_open = k->session_open,
        .session_use  = k->session_use || k->close,
        .rate         = k->rate,
        .lifetime_ms  = u32(lifetime < LIM_GATE_LIFETIME_MS ? lifetime : LIM_GATE_LIFETIME_MS),
        .at_ms        = now,
        .probe        = m.pass == LIM_PASS_PROBE,
    };

    str_copy(r.id, sizeof(r.id), a->ask.id);
    str_copy(r.name, sizeof(r.name), key->name);
    str_copy(r.tenant, sizeof(r.tenant), a->ask.tenant);
    str_copy(r.session, sizeof(r.session), a->ask.session);
    if (k->rate) {
        lim_rate_take(&key->bucket, m.rate, now * NS_PER_MS);
        r.ahead_ns = lim_rate_ahead_ns(&key->bucket, now * NS_PER_MS);
    }
    *ret_probe = *ret_probe || r.probe;
    emit(g, &r);
}

static void grant(struct lim_gate *g, struct ask *a, uint64_t now)
{
    struct permit_grant answer = {.ok = true, .waited_ms = u32(now - a->came_ms)};
    bool probe                 = false;

    for (size_t i = 0; i < a->ask.key_count; i++) {
        struct entry *e = entry_find(g, a->ask.keys[i].name);

        if (e)
            grant_key(g, e, a, &a->ask.keys[i], now, &probe);
    }
    str_copy(answer.id, sizeof(answer.id), a->ask.id);
    answer.probe = probe;
    g->out.answer(g->out.self, a->tag, &answer, true);
    ask_forget(g, &a);
}

/* ---- serving who waits ----------------------------------------------------------------------------- */

struct look {
    struct lim_gate *g;
    uint64_t now;
};

static bool fits(void *self, const struct lim_wait *w)
{
    const struct look *look = self;

    return block_of(look->g, ask_of(w), look->now).why == NULL;
}

/* Whether anyone at all could go; what keeps them, else. */
static struct block block_of_all(struct lim_gate *g, struct entry *e, uint64_t now)
{
    struct block b = {NULL, 0, false, false};
    struct meter m = meter_of(g, e, false, now, &b);
    uint64_t ns    = lim_rate_wait_ns(&key_of(g, e)->bucket, m.rate, now * NS_PER_MS);

    if (b.shut)
        return b;
    if (ns > 0)
        return (struct block){"upstream_rate", ms_of(ns), false, false};
    if (key_of(g, e)->use.in_flight >= m.room)
        return (struct block){"upstream_in_flight", 0, false, false};
    return b;
}

/* Not for a moment only: all that wait are told at once, so that their runs park. */
static void turn_away(struct lim_gate *g, struct entry *e, const struct block *b, uint64_t now)
{
    for (struct lim_wait *w = NULL; (w = lim_queue_any(&e->queue)) != NULL;)
        refuse_ask(g, ask_of(w), b, now);
}

static void wake_in(struct entry *e, uint64_t now, uint64_t ms)
{
    if (e->wake_at > now + ms)
        e->wake_at = now + ms;
}

static void wake_later(struct lim_gate *g, struct entry *e, const struct block *b, uint64_t now)
{
    enum permit_mode mode       = key_of(g, e)->mode.mode;
    const struct lim_rate whole = lim_rate_of(e->config.rate_per_s, e->config.rate_burst, 1);
    uint64_t ns = lim_rate_wait_ns(&key_of(g, e)->bucket, whole, now * NS_PER_MS);

    if (lim_queue_count(&e->queue) + e->queue.close_count == 0)
        return;
    if (b->ms > 0)
        wake_in(e, now, b->ms);
    if (ns > 0 && e->queue.close_count > 0)
        wake_in(e, now, ms_of(ns));
    if (mode == PERMIT_MODE_RAMP || mode == PERMIT_MODE_LIMITED)
        wake_in(e, now, GROW_MS);
}

static void serve(struct lim_gate *g, struct entry *e, uint64_t now)
{
    struct look look   = {g, now};
    struct lim_wait *w = NULL;

    e->dirty   = false;
    e->wake_at = UINT64_MAX;
    while ((w = lim_queue_next_close(&e->queue, fits, &look)) != NULL)
        grant(g, ask_of(w), now);

    struct block b = block_of_all(g, e, now);

    while (e->queue.close_count == 0 && lim_queue_count(&e->queue) > 0 && !b.why &&
           (w = lim_queue_next(&e->queue, fits, &look)) != NULL) {
        grant(g, ask_of(w), now);
        b = block_of_all(g, e, now);
    }
    if (b.shut && !b.brief)
        turn_away(g, e, &b, now);
    wake_later(g, e, &b, now);
}

static void freed(struct lim_gate *g, const char *name)
{
    struct entry *e = entry_find(g, name);
    void *value     = NULL;

    if (e)
        e->dirty = true;
    if (g->foreign > 0)
        for (size_t it = 0; map_next(g->entries, &it, NULL, &value);)
            ((struct entry *)value)->dirty = true;
}

/* ---- asks ------------------------------------------------------------------------------------------ */

static enum lim_wait_kind kind_of(const struct permit_ask *ask)
{
    enum lim_wait_kind kind = LIM_WAIT_CALL;

    for (size_t i = 0; i < ask->key_count; i++) {
        if (ask->keys[i].close)
            return LIM_WAIT_CLOSE;
        if (ask->keys[i].session_open)
            kind = LIM_WAIT_OPEN;
    }
    return kind;
}

static struct ask *ask_new(struct lim_gate *g, const struct permit_ask *ask, void *tag,
                           struct entry *e, uint64_t now)
{
    struct ask *a = mem_new(struct ask);

    a->ask     = *ask;
    a->tag     = tag;
    a->entry   = e;
    a->came_ms = now;
    a->again   = lim_grant_find(g->grants, ask->id) != NULL;
    map_put(g->asks, a->ask.id, a);
    a->foreign = counts_elsewhere(g, a);
    g->foreign += a->foreign;
    return a;
}

/* The asker repeats: what it was told got lost, or it never was told.  True: that was all. */
static bool repeated(struct lim_gate *g, const struct permit_ask *ask, void *tag, uint64_t now)
{
    struct ask *waiting         = map_find(g->asks, ask->id);
    const struct lim_held *held = lim_grant_find(g->grants, ask->id);

    if (waiting) {
        g->out.drop(g->out.self, waiting->tag);
        waiting->tag = tag;
        return true;
    }
    /* An older grant is granted anew, as a call that counts again: its asker may use it only now. */
    if (!held || now - held->at_ms > LIM_GATE_REPEAT_MS)
        return false;

    struct permit_grant answer = {.ok = true, .probe = held->probe};

    str_copy(answer.id, sizeof(answer.id), ask->id);
    g->out.answer(g->out.self, tag, &answer, true);
    return true;
}

static struct entry *first_entry(const struct lim_gate *g, const struct permit_ask *ask)
{
    for (size_t i = 0; i < ask->key_count; i++) {
        struct entry *e = entry_find(g, ask->keys[i].name);

        if (e)
            return e;
    }
    return NULL;
}

/* A closed, limited or paused upstream does not let anybody wait; nor does a full house. */
static bool turned_away(struct lim_gate *g, struct ask *a, uint64_t now)
{
    struct block b = block_of(g, a, now);
    bool full      = map_count(g->asks) > g->settings.waiting_max;

    if (kind_of(&a->ask) == LIM_WAIT_CLOSE && !full)
        return false;
    if (!full && (!b.shut || (b.brief && b.ms <= a->ask.wait_ms)))
        return false;
    refuse_ask(g, a, &b, now);
    return true;
}

void lim_gate_ask(struct lim_gate *g, const struct permit_ask *ask, void *tag, uint64_t now)
{
    struct entry *e = first_entry(g, ask);

    must(g->active);
    if (!e) {
        refuse(g, ask, tag, 0, &(struct block){"unknown_upstream", LIM_GATE_PAUSED_MS, true, false});
        return;
    }
    if (repeated(g, ask, tag, now))
        return;

    struct ask *a = ask_new(g, ask, tag, e, now);

    if (a->ask.lane >= LANES)
        a->ask.lane = LANE_STANDARD;
    if (a->ask.wait_ms > LIM_GATE_WAIT_MAX)
        a->ask.wait_ms = LIM_GATE_WAIT_MAX;
    if (turned_away(g, a, now))
        return;
    lim_queue_put(&e->queue, &a->wait, a->ask.lane, a->ask.tenant, kind_of(&a->ask));
    heap_put(&g->deadlines, &a->deadline, now + a->ask.wait_ms);
    e->dirty = true;
}

static void end_waits(struct lim_gate *g, uint64_t now)
{
    for (;;) {
        struct heap_node *first = heap_first(&g->deadlines);

        if (!first || first->key > now)
            return;

        struct ask *a  = HEAP_OWNER(first, struct ask, deadline);
        struct block b = block_of(g, a, now);

        if (!b.why)
            b.ms = turn_ms(key_of(g, a->entry)->hold_ms, 1, 0, SOON_MS);
        lim_queue_remove(&a->entry->queue, &a->wait);
        refuse_ask(g, a, &b, now);
    }
}

/* ---- modes and incidents ----------------------------------------------------------------------------- */

static void note_incident(struct lim_gate *g, struct lim_key *key, enum lim_incident_kind kind,
                          bool is, uint64_t now)
{
    struct lim_incident *i = &key->incidents[kind];
    bool was               = i->since_ms > 0 && i->until_ms == 0;
    struct grant_record r;

    if (is == was)
        return;
    if (is)
        *i = (struct lim_incident){.since_ms = now};
    else
        i->until_ms = now > i->since_ms ? now : i->since_ms + 1;
    lim_grant_write_incident(key, kind, now, &r);
    g->out.record(g->out.self, &r);
    g->out.changed(g->out.self, key->name, true);
}

static void note_mode(struct lim_gate *g, struct entry *e, uint64_t now)
{
    struct lim_key *key = key_of(g, e);
    bool limited        = key->mode.mode == PERMIT_MODE_LIMITED;
    bool broken         = key->mode.mode == PERMIT_MODE_CLOSED && key->mode.tries;
    struct grant_record r;

    lim_grant_write_mode(key, now, &r);
    g->out.record(g->out.self, &r);
    note_incident(g, key, LIM_INCIDENT_402, limited, now);
    note_incident(g, key, LIM_INCIDENT_BREAKER, broken, now);
    g->out.changed(g->out.self, key->name, false);
    e->dirty = true;
}

bool lim_gate_resume(struct lim_gate *g, const char *name, uint64_t ramp_ms, uint64_t now)
{
    struct entry *e = entry_find(g, name);

    if (!e)
        return false;

    const struct lim_mode_limits limits = limits_of(g, &e->config);

    if (!lim_mode_resume(&key_of(g, e)->mode, &limits, ramp_ms, now))
        return false;
    note_mode(g, e, now);
    return true;
}

void lim_gate_told(struct lim_gate *g, const char *name, enum lim_incident_kind kind,
                   uint32_t told, uint64_t now)
{
    struct lim_key *key = lim_grant_key_find(g->grants, name);
    struct grant_record r;

    if (!key || key->incidents[kind].told >= told)
        return;
    key->incidents[kind].told = told;
    lim_grant_write_incident(key, kind, now, &r);
    g->out.record(g->out.self, &r);
    g->out.changed(g->out.self, name, true);
}

/* ---- returns ----------------------------------------------------------------------------------------- */

/* Not sent, or refused by the upstream: then nothing was opened there.  Not so after a 408, which
   only says that it waited too long. */
static bool opened_nothing(const struct permit_report *r)
{
    if (r->session_opened)
        return false;
    return r->call_class == CALL_UNSENT ||
           (r->status >= 400 && r->status < 500 && r->status != 408);
}

static void end_session(struct lim_gate *g, const char *key, const char *session,
                        const char *why, uint64_t now)
{
    struct grant_record r = {.op = GRANT_SESSION_END, .at_ms = now};

    str_copy(r.name, sizeof(r.name), key);
    str_copy(r.session, sizeof(r.session), session);
    str_copy(r.why, sizeof(r.why), why);
    emit(g, &r);
    freed(g, r.name);
}

static void give_back(struct lim_gate *g, struct lim_held *h, enum call_class call_class,
                      bool opened, const char *why, uint64_t now)
{
    struct grant_record r = {
        .op = GRANT_RETURN, .call_class = call_class, .opened = opened, .at_ms = now};
    struct lim_session *s = h->session;
    struct entry *entries[PERMIT_KEYS_MAX];
    size_t count = h->part_count;

    str_copy(r.id, sizeof(r.id), h->id);
    str_copy(r.why, sizeof(r.why), why);
    for (size_t i = 0; i < count; i++)
        entries[i] = entry_find(g, h->parts[i].key->name);
    emit(g, &r);
    for (size_t i = 0; i < count; i++)
        if (entries[i])
            freed(g, entries[i]->config.name);
    if (s && s->openers == 0 && !s->opened)
        end_session(g, s->key->name, s->name, "never opened", now);
}

/* The upstream the call went to: the one that the report names, else the first. */
static struct lim_key *called(const struct lim_held *h, const char *name)
{
    for (size_t i = 0; i < h->part_count; i++)
        if (str_equal(h->parts[i].key->name, name))
            return h->parts[i].key;
    return h->parts[0].key;
}

static void hear(struct lim_gate *g, struct lim_key *key, const struct lim_mode_result *result,
                 uint64_t now)
{
    struct entry *e = entry_find(g, key->name);

    if (!e)
        return;

    const struct lim_mode_limits limits = limits_of(g, &e->config);

    if (lim_mode_heard(&key->mode, &limits, result, now))
        note_mode(g, e, now);
    else
        e->dirty = true;
}

static bool is_probe(const struct lim_held *h, const struct lim_key *key)
{
    return h->probe && strcmp(key->mode.probe, h->id) == 0;
}

static void report_call(struct lim_gate *g, struct lim_held *h, const struct permit_report *r,
                        uint64_t now)
{
    struct lim_key *key                 = called(h, r->name);
    const struct lim_mode_result result = {.call_class     = r->call_class,
                                           .status         = r->status,
                                           .retry_after_ms = r->retry_after_ms,
                                           .granted_ms     = h->at_ms,
                                           .in_flight      = key->use.in_flight,
                                           .probe          = is_probe(h, key),
                                           .chance         = chance(g)};

    give_back(g, h, r->call_class, !opened_nothing(r), "", now);
    hear(g, key, &result, now);
}

void lim_gate_report(struct lim_gate *g, const struct permit_report *r, uint64_t now)
{
    struct lim_held *h = r->id[0] ? lim_grant_find(g->grants, r->id) : NULL;
    char name[PERMIT_NAME_SIZE], session[ID_SIZE + 1];

    must(g->active);
    str_copy(name, sizeof(name), r->name);
    str_copy(session, sizeof(session), r->session);
    if (h && h->session && !session[0])
        str_copy(session, sizeof(session), h->session->name);
    if (h && !name[0])
        str_copy(name, sizeof(name), h->parts[0].key->name);
    /* Said also of what is not known: whoever is told "confirmed" is told by the writer of the log. */
    if (r->session_closed && session[0])
        end_session(g, name, session, "closed", now);
    if (h)
        report_call(g, h, r, now);
}

/* ---- time passes ------------------------------------------------------------------------------------- */

static void expire(struct lim_gate *g, uint64_t now)
{
    for (struct lim_held *h = NULL;
         (h = lim_grant_first(g->grants)) != NULL && lim_grant_expires_ms(h) <= now;) {
        struct lim_key *key                 = h->parts[0].key;
        const struct lim_mode_result result = {
            .call_class = CALL_NONE, .granted_ms = h->at_ms, .probe = is_probe(h, key)};

        give_back(g, h, CALL_NONE, true, "expired", now);
        hear(g, key, &result, now);
    }
}

/* What the upstream has forgotten by itself. */
static void sweep(struct lim_gate *g, uint64_t now)
{
    struct lim_session *s = NULL;

    if (now < g->sweep_at)
        return;
    g->sweep_at = now + SWEEP_MS;
    for (size_t it = 0; lim_grant_session_next(g->grants, &it, &s);) {
        const struct entry *e = entry_find(g, s->key->name);
        uint64_t idle_ms      = e ? e->config.session_idle_ms : 0;

        if (idle_ms > 0 && list_empty(&s->permits) && now >= s->last_end_ms + idle_ms)
            end_session(g, s->key->name, s->name, "idle", now);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_at(const struct lim_gate *g)
{
    const struct heap_node *deadline = heap_first(&g->deadlines);
    const struct lim_held *held      = lim_grant_first(g->grants);
    uint64_t next                    = g->sweep_at;
    void *value                      = NULL;

    if (deadline)
        next = earlier(next, deadline->key);
    if (held)
        next = earlier(next, lim_grant_expires_ms(held));
    for (size_t it = 0; map_next(g->entries, &it, NULL, &value);) {
        const struct entry *e = value;

        next = earlier(next, e->wake_at);
        if (e->key && !e->key->mode.tries)
            next = earlier(next, lim_mode_next(&e->key->mode));
    }
    return next;
}

uint64_t lim_gate_tick(struct lim_gate *g, uint64_t now)
{
    void *value = NULL;

    if (!g->active)
        return UINT64_MAX;
    expire(g, now);
    sweep(g, now);
    for (size_t it = 0; map_next(g->entries, &it, NULL, &value);) {
        struct entry *e = value;

        if (lim_mode_tick(&key_of(g, e)->mode, now))
            note_mode(g, e, now);
        if (e->dirty || e->wake_at <= now)
            serve(g, e, now);
    }
    end_waits(g, now);
    return next_at(g);
}

/* ---- configuration ------------------------------------------------------------------------------------- */

void lim_gate_configure(struct lim_gate *g, const struct run_upstream *u)
{
    struct entry *e = entry_find(g, u->name);

    if (!e) {
        e          = mem_new(struct entry);
        e->wake_at = UINT64_MAX;
        lim_queue_init(&e->queue);
        map_put(g->entries, u->name, e);
    }
    e->config = *u;
    freed(g, u->name);
}

/* Those who wait with it are turned away; what is out comes back one by one. */
void lim_gate_forget(struct lim_gate *g, const char *name)
{
    struct entry *e      = entry_find(g, name);
    const struct block b = {"unknown_upstream", LIM_GATE_PAUSED_MS, true, false};
    void *value          = NULL;

    if (!e)
        return;
    for (size_t it = 0; map_next(g->asks, &it, NULL, &value);) {
        struct ask *a = value;

        for (size_t i = 0; i < a->ask.key_count; i++) {
            if (!str_equal(a->ask.keys[i].name, name))
                continue;
            lim_queue_remove(&a->entry->queue, &a->wait);
            refuse_ask(g, a, &b, a->came_ms);
            break;
        }
    }
    map_remove(g->entries, name);
    entry_free(&e);
}

const struct run_upstream *lim_gate_upstream(const struct lim_gate *g, const char *name)
{
    const struct entry *e = entry_find(g, name);

    return e ? &e->config : NULL;
}

bool lim_gate_next_name(const struct lim_gate *g, size_t *it, const char **ret)
{
    void *value = NULL;

    return map_next(g->entries, it, ret, &value);
}

/* ---- as it stands ---------------------------------------------------------------------------------------- */

/* Closed until a probe succeeds, and the time for it has come: "not known" while one is out, and in
   the past while nobody tries, so that the scheduler lets one come. */
static uint64_t until_of(const struct lim_mode *m)
{
    bool out = m->mode == PERMIT_MODE_CLOSED && m->tries && m->probe[0] != '\0';

    return out ? 0 : m->until_ms;
}

bool lim_gate_state(const struct lim_gate *g, const char *name, uint64_t now,
                    struct lim_gate_state *ret)
{
    const struct entry *e                 = entry_find(g, name);
    const struct lim_key *key             = lim_grant_key_find(g->grants, name);
    static const struct lim_key untouched = {.mode = {.mode = PERMIT_MODE_OPEN}};

    if (!e)
        return false;
    key = key ? key : &untouched;

    const struct lim_mode_limits limits = limits_of(g, &e->config);

    *ret = (struct lim_gate_state){
        .name           = e->config.name,
        .why            = key->mode.why,
        .mode           = key->mode.mode,
        .since_ms       = key->mode.since_ms,
        .until_ms       = until_of(&key->mode),
        .probe_ms       = limits.probe_ms,
        .rate           = e->config.rate_per_s,
        .used_1s        = lim_grant_used_1s(key, now),
        .in_flight      = lim_mode_room(&key->mode, &limits, now),
        .in_flight_used = key->use.in_flight,
        .sessions       = e->config.sessions,
        .sessions_used  = key->use.sessions,
        .paused         = e->config.paused,
    };
    for (int lane = 0; lane < LANES; lane++)
        ret->waiting[lane] = e->queue.lanes[lane].waiting;
    return true;
}

size_t lim_gate_waiting(const struct lim_gate *g)
{
    return map_count(g->asks);
}
