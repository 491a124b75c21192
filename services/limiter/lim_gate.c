#include "lim_gate.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "lim_gate_internal.h"

#define NS_PER_MS UINT64_C(1000000)

enum {
    GROW_MS =
        100, /* how often it is looked whether a ramp went on, or a slowed one stands still */
    JITTER = 5, /* a fifth */
};

struct ask {
    struct lim_wait wait;
    struct permit_ask ask;
    struct lim_gate_entry *entry; /* in whose queue it waits */
    void *tag;
    uint64_t came_ms;
    struct heap_node deadline;
    bool again;   /* the permit is out already, and granted anew */
    bool foreign; /* what comes back at other entries may let it go, too */
};

/* ---- life -------------------------------------------------------------------------- */

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
uint64_t lim_gate_chance(struct lim_gate *g)
{
    g->chance ^= g->chance << 13;
    g->chance ^= g->chance >> 7;
    g->chance ^= g->chance << 17;
    return g->chance;
}

struct lim_gate_entry *lim_gate_entry(const struct lim_gate *g, const char *name)
{
    return map_find(g->entries, name);
}

struct lim_key *lim_gate_key(struct lim_gate *g, struct lim_gate_entry *e)
{
    if (!e->key)
        e->key = lim_grant_key(g->grants, e->config.name);
    return e->key;
}

static struct ask *ask_of(const struct lim_wait *w)
{
    return (struct ask *)(uintptr_t)LIST_OWNER(w, struct ask, wait);
}

/* Keys that no upstream has are not counted: where browsers visit has no limits in this
   version. */
static bool counts_elsewhere(const struct lim_gate *g, const struct ask *a)
{
    for (size_t i = 0; i < a->ask.key_count; i++) {
        const struct lim_gate_entry *e = lim_gate_entry(g, a->ask.keys[i].name);

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
    a->entry->again -= a->again;
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
        ((struct lim_gate_entry *)value)->key = NULL;
}

static void entry_free(struct lim_gate_entry **slot)
{
    struct lim_gate_entry *e = take(slot);

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
        struct lim_gate_entry *e = value;

        entry_free(&e);
    }
    map_free(&g->entries);
    map_free(&g->asks);
    heap_deinit(&g->deadlines);
    lim_grant_free(&g->grants);
    mem_free(&g);
}

/* ---- saying ------------------------------------------------------------------------ */

void lim_gate_emit(struct lim_gate *g, const struct grant_record *r)
{
    lim_grant_apply(g->grants, r);
    g->out.record(g->out.self, r);
}

static uint32_t u32(uint64_t n)
{
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static void refuse(struct lim_gate *g, const struct permit_ask *ask, void *tag, uint64_t waited,
                   const struct lim_block *b)
{
    struct permit_grant grant = {.waited_ms = u32(waited)};
    uint64_t ms               = b->ms > LIM_LIMIT_SOON_MS ? b->ms : LIM_LIMIT_SOON_MS;

    str_copy(grant.id, sizeof(grant.id), ask->id);
    str_copy(grant.why, sizeof(grant.why), b->why ? b->why : "upstream_in_flight");
    grant.retry_after_ms = u32(b->turn ? ms : ms + lim_gate_chance(g) % (ms / JITTER + 1));
    g->out.answer(g->out.self, tag, &grant, false);
}

/* It ends the ask, so nobody will use what was granted under its id before and was not heard. */
static void refuse_ask(struct lim_gate *g, struct ask *a, const struct lim_block *b,
                       uint64_t now)
{
    refuse(g, &a->ask, a->tag, now - a->came_ms, b);
    if (a->again)
        lim_gate_report_unused(g, a->ask.id, now);
    ask_forget(g, &a);
}

/* ---- limits as they are now -------------------------------------------------------- */

struct lim_mode_limits lim_gate_limits(const struct lim_gate *g, const struct run_upstream *u)
{
    return (struct lim_mode_limits){
        .window   = {.floor     = g->settings.window_min > 0 ? g->settings.window_min : 1,
                     .in_flight = u->in_flight},
        .factor   = u->limited_factor,
        .probe_ms = u->limited_probe_ms > 0 ? u->limited_probe_ms : g->settings.probe_ms,
        .ramp_ms  = u->limited_ramp_ms > 0 ? u->limited_ramp_ms : g->settings.ramp_ms,
    };
}

static struct lim_limit limit_at(struct lim_gate *g, struct lim_gate_entry *e, uint64_t now)
{
    return (struct lim_limit){.config = &e->config,
                              .key    = lim_gate_key(g, e),
                              .mode   = lim_gate_limits(g, &e->config),
                              .now    = now};
}

/* Who waits there beside it: some of them will go before. */
static size_t others(const struct lim_gate_entry *e, const struct ask *a)
{
    return lim_queue_count(&e->queue) - (a->entry == e && a->wait.turn ? 1 : 0);
}

static struct lim_gate_tenant tenant_of(struct lim_gate *g, const char *tenant)
{
    struct lim_gate_tenant may = {.sessions_max = 0};

    g->out.tenant(g->out.self, tenant, &may);
    return may;
}

/* Of a tenant in all lanes. */
static size_t own_opens(const struct lim_gate_entry *e, const char *tenant)
{
    size_t sum = 0;

    for (enum lane lane = 0; lane < LANES; lane++)
        sum += lim_queue_opens_of(&e->queue, lane, tenant);
    return sum;
}

/* What an ask for a session meets beside. */
static void look_at_sessions(struct lim_gate *g, const struct lim_gate_entry *e,
                             const struct ask *a, const struct permit_key *k,
                             struct lim_limit_ask *ret)
{
    size_t self = a->entry == e && a->wait.turn && a->wait.kind == LIM_WAIT_OPEN ? 1 : 0;

    ret->held         = lim_grant_session(g->grants, k->name, a->ask.session) != NULL;
    ret->opens        = lim_queue_opens(&e->queue) - self;
    ret->own_opens    = own_opens(e, a->ask.tenant) - self;
    ret->sessions_max = tenant_of(g, a->ask.tenant).sessions_max;
    ret->sessions_open =
        ret->sessions_max > 0 ? lim_grant_sessions(g->grants, a->ask.tenant) : 0;
}

static struct lim_block block_at(struct lim_gate *g, struct lim_gate_entry *e,
                                 const struct ask *a, const struct permit_key *k, uint64_t now)
{
    const struct lim_limit limit = limit_at(g, e, now);
    struct lim_limit_ask ask     = {.tenant  = a->ask.tenant,
                                    .key     = k,
                                    .again   = a->again && lim_grant_find(g->grants, a->ask.id),
                                    .waiting = others(e, a)};

    if (k->session_open)
        look_at_sessions(g, e, a, k, &ask);
    return lim_limit_block(&limit, &ask);
}

/* The first thing that keeps the ask from going now. */
static struct lim_block block_of(struct lim_gate *g, const struct ask *a, uint64_t now)
{
    for (size_t i = 0; i < a->ask.key_count; i++) {
        struct lim_gate_entry *e = lim_gate_entry(g, a->ask.keys[i].name);
        struct lim_block b       = {.why = NULL};

        if (e)
            b = block_at(g, e, a, &a->ask.keys[i], now);
        if (b.why)
            return b;
    }
    return (struct lim_block){.why = NULL};
}

/* How long the oldest session there is held. */
static uint64_t oldest_ms(const struct lim_gate *g, const struct lim_key *k, uint64_t now)
{
    struct lim_session *s = NULL;
    uint64_t since        = now;

    for (size_t it = 0; lim_grant_session_next(g->grants, &it, &s);)
        if (s->key == k && s->since_ms < since)
            since = s->since_ms;
    return now - since;
}

/* Enough wait for a session already: it is told when to come, and holds no slot meanwhile. */
static bool crowded_out(struct lim_gate *g, const struct ask *a, struct lim_block *b,
                        uint64_t now)
{
    const struct lim_queue *q = &a->entry->queue;
    const struct lim_key *k   = lim_gate_key(g, a->entry);
    const char *tenant        = a->ask.tenant;
    size_t own                = own_opens(a->entry, tenant);
    struct lim_crowd c        = {.places      = b->places,
                                 .session_ms  = k->session_ms,
                                 .waiting     = b->own ? own : lim_queue_opens(q),
                                 .alike       = lim_queue_opens_of(q, a->ask.lane, tenant),
                                 .own_waiting = own,
                                 .own_held    = b->own ? lim_grant_sessions(g->grants, tenant)
                                                       : lim_grant_use(k, tenant).sessions,
                                 .cap         = tenant_of(g, tenant).cap};

    if (!lim_crowd_full(&c))
        return false;
    if (c.session_ms == 0)
        c.oldest_ms = oldest_ms(g, k, now);
    b->ms   = lim_crowd_turn(&c, &a->entry->turn_ms, now);
    b->turn = b->ms < LIM_CROWD_LATE_MS;
    return true;
}

/* ---- granting ---------------------------------------------------------------------- */

static void grant_key(struct lim_gate *g, struct lim_gate_entry *e, const struct ask *a,
                      const struct permit_key *k, uint64_t now, bool *ret_probe)
{
    const struct lim_limit limit = limit_at(g, e, now);
    struct lim_key *key          = lim_gate_key(g, e);
    bool probe                   = false;
    struct lim_rate rate         = lim_limit_rate(&limit, k->close, &probe);
    uint64_t lifetime     = a->ask.lifetime_ms > 0 ? a->ask.lifetime_ms : e->config.timeout_ms;
    struct grant_record r = {
        .op           = GRANT_GRANT,
        .in_flight    = k->in_flight,
        .session_open = k->session_open,
        .session_use  = k->session_use || k->close,
        .rate         = k->rate,
        .lifetime_ms  = u32(lifetime < LIM_GATE_LIFETIME_MS ? lifetime : LIM_GATE_LIFETIME_MS),
        .at_ms        = now,
        .probe        = probe,
    };

    str_copy(r.id, sizeof(r.id), a->ask.id);
    str_copy(r.name, sizeof(r.name), key->name);
    str_copy(r.tenant, sizeof(r.tenant), a->ask.tenant);
    str_copy(r.session, sizeof(r.session), a->ask.session);
    if (k->rate) {
        lim_rate_take(&key->bucket, rate, now * NS_PER_MS);
        r.ahead_ns = lim_rate_ahead_ns(&key->bucket, now * NS_PER_MS);
    }
    *ret_probe = *ret_probe || probe;
    lim_gate_emit(g, &r);
}

static void grant(struct lim_gate *g, struct ask *a, uint64_t now)
{
    struct permit_grant answer = {.ok = true, .waited_ms = u32(now - a->came_ms)};
    bool probe                 = false;

    for (size_t i = 0; i < a->ask.key_count; i++) {
        struct lim_gate_entry *e = lim_gate_entry(g, a->ask.keys[i].name);

        if (e)
            grant_key(g, e, a, &a->ask.keys[i], now, &probe);
    }
    str_copy(answer.id, sizeof(answer.id), a->ask.id);
    answer.probe = probe;
    g->out.answer(g->out.self, a->tag, &answer, true);
    ask_forget(g, &a);
}

/* ---- serving who waits ------------------------------------------------------------- */

struct look {
    struct lim_gate *g;
    uint64_t now;
};

static bool fits(void *self, const struct lim_wait *w)
{
    const struct look *look = self;

    return block_of(look->g, ask_of(w), look->now).why == NULL;
}

/* Not for a moment only: all that wait are told at once, so that their runs park. */
static void turn_away(struct lim_gate *g, struct lim_gate_entry *e, const struct lim_block *b,
                      uint64_t now)
{
    for (struct lim_wait *w = NULL; (w = lim_queue_any(&e->queue)) != NULL;)
        refuse_ask(g, ask_of(w), b, now);
}

static void wake_in(struct lim_gate_entry *e, uint64_t now, uint64_t ms)
{
    if (e->wake_at > now + ms)
        e->wake_at = now + ms;
}

static void wake_later(struct lim_gate *g, struct lim_gate_entry *e, const struct lim_block *b,
                       uint64_t now)
{
    const struct lim_limit limit = limit_at(g, e, now);
    enum permit_mode mode        = limit.key->mode.mode;
    uint64_t close_ms            = lim_limit_close_ms(&limit);

    if (lim_queue_count(&e->queue) + e->queue.close_count == 0)
        return;
    if (b->ms > 0)
        wake_in(e, now, b->ms);
    if (close_ms > 0 && e->queue.close_count > 0)
        wake_in(e, now, close_ms);
    if (mode == PERMIT_MODE_RAMP || mode == PERMIT_MODE_LIMITED || mode == PERMIT_MODE_SLOWED)
        wake_in(e, now, GROW_MS);
}

static struct lim_block block_of_all(struct lim_gate *g, struct lim_gate_entry *e, uint64_t now)
{
    const struct lim_limit limit = limit_at(g, e, now);

    return lim_limit_block_all(&limit);
}

/* A place is free and nobody waits for it: those who were told to come later leave it empty. */
static void forget_turns(struct lim_gate_entry *e)
{
    uint32_t most = e->config.sessions;

    if (lim_queue_opens(&e->queue) == 0 && (most == 0 || e->key->use.sessions < most))
        e->turn_ms = 0;
}

static void serve(struct lim_gate *g, struct lim_gate_entry *e, uint64_t now)
{
    struct look look   = {g, now};
    struct lim_wait *w = NULL;

    e->dirty   = false;
    e->wake_at = UINT64_MAX;
    while ((w = lim_queue_next_close(&e->queue, fits, &look)) != NULL)
        grant(g, ask_of(w), now);

    struct lim_block b = block_of_all(g, e, now);

    /* Who is granted anew has its place already: a full house does not keep it. */
    while (e->queue.close_count == 0 && lim_queue_count(&e->queue) > 0 &&
           (!b.why || (e->again > 0 && !b.shut)) &&
           (w = lim_queue_next(&e->queue, fits, &look)) != NULL) {
        grant(g, ask_of(w), now);
        b = block_of_all(g, e, now);
    }
    if (b.shut && !b.brief)
        turn_away(g, e, &b, now);
    forget_turns(e);
    wake_later(g, e, &b, now);
}

static void freed_everywhere(struct lim_gate *g)
{
    void *value = NULL;

    for (size_t it = 0; map_next(g->entries, &it, NULL, &value);)
        ((struct lim_gate_entry *)value)->dirty = true;
}

void lim_gate_tenants(struct lim_gate *g)
{
    freed_everywhere(g);
}

void lim_gate_freed(struct lim_gate *g, const char *name)
{
    struct lim_gate_entry *e = lim_gate_entry(g, name);

    if (e)
        e->dirty = true;
    if (g->foreign > 0)
        freed_everywhere(g);
}

/* ---- asks -------------------------------------------------------------------------- */

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
                           struct lim_gate_entry *e, uint64_t now)
{
    struct ask *a = mem_new(struct ask);

    a->ask     = *ask;
    a->tag     = tag;
    a->entry   = e;
    a->came_ms = now;
    a->again   = lim_grant_find(g->grants, ask->id) != NULL;
    map_put(g->asks, a->ask.id, a);
    a->foreign = counts_elsewhere(g, a) ||
                 (kind_of(ask) == LIM_WAIT_OPEN && tenant_of(g, ask->tenant).sessions_max > 0);
    g->foreign += a->foreign;
    e->again += a->again;
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
    if (!held)
        return false;
    /* An older grant is granted anew, as a call that counts again: its asker may use it
       only now.  One that tries keeps everybody out, also itself: it begins from nothing. */
    if (now - held->at_ms > LIM_GATE_REPEAT_MS) {
        if (held->probe)
            lim_gate_report_unused(g, ask->id, now);
        return false;
    }

    struct permit_grant answer = {.ok = true, .probe = held->probe};

    str_copy(answer.id, sizeof(answer.id), ask->id);
    g->out.answer(g->out.self, tag, &answer, true);
    return true;
}

static struct lim_gate_entry *first_entry(const struct lim_gate *g,
                                          const struct permit_ask *ask)
{
    for (size_t i = 0; i < ask->key_count; i++) {
        struct lim_gate_entry *e = lim_gate_entry(g, ask->keys[i].name);

        if (e)
            return e;
    }
    return NULL;
}

/* A closed, limited or paused upstream does not let anybody wait; nor does a full house, nor a crowd. */
static bool turned_away(struct lim_gate *g, struct ask *a, uint64_t now)
{
    struct lim_block b = block_of(g, a, now);
    bool full          = map_count(g->asks) > g->settings.waiting_max;
    bool waits         = b.places > 0 && a->ask.wait_ms > 0; /* for a session */

    if (kind_of(&a->ask) == LIM_WAIT_CLOSE && !full)
        return false;
    if (!full && !(waits && crowded_out(g, a, &b, now)) &&
        (!b.shut || (b.brief && b.ms <= a->ask.wait_ms)))
        return false;
    refuse_ask(g, a, &b, now);
    return true;
}

void lim_gate_ask(struct lim_gate *g, const struct permit_ask *ask, void *tag, uint64_t now)
{
    struct lim_gate_entry *e = first_entry(g, ask);

    must(g->active);
    if (!e) {
        refuse(g, ask, tag, 0,
               &(struct lim_block){.why = "unknown_upstream", .ms = LIM_LIMIT_PAUSED_MS});
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

        struct ask *a      = HEAP_OWNER(first, struct ask, deadline);
        struct lim_block b = block_of(g, a, now);

        lim_queue_remove(&a->entry->queue, &a->wait);
        refuse_ask(g, a, &b, now);
    }
}

/* ---- time passes ------------------------------------------------------------------- */

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
        const struct lim_gate_entry *e = value;

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
    lim_gate_report_due(g, now);
    for (size_t it = 0; map_next(g->entries, &it, NULL, &value);) {
        struct lim_gate_entry *e = value;

        if (lim_mode_tick(&lim_gate_key(g, e)->mode, now))
            lim_gate_report_mode(g, e, now);
        if (e->dirty || e->wake_at <= now)
            serve(g, e, now);
    }
    end_waits(g, now);
    return next_at(g);
}

/* ---- the operator ------------------------------------------------------------------ */

bool lim_gate_resume(struct lim_gate *g, const char *name, uint64_t ramp_ms, uint64_t now)
{
    struct lim_gate_entry *e = lim_gate_entry(g, name);

    if (!e)
        return false;

    const struct lim_mode_limits limits = lim_gate_limits(g, &e->config);

    if (!lim_mode_resume(&lim_gate_key(g, e)->mode, &limits, ramp_ms, now))
        return false;
    lim_gate_report_mode(g, e, now);
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

/* ---- configuration ----------------------------------------------------------------- */

void lim_gate_configure(struct lim_gate *g, const struct run_upstream *u)
{
    struct lim_gate_entry *e = lim_gate_entry(g, u->name);

    if (!e) {
        e          = mem_new(struct lim_gate_entry);
        e->wake_at = UINT64_MAX;
        lim_queue_init(&e->queue);
        map_put(g->entries, u->name, e);
    }
    e->config = *u;
    lim_gate_freed(g, u->name);
}

void lim_gate_forget(struct lim_gate *g, const char *name)
{
    struct lim_gate_entry *e = lim_gate_entry(g, name);
    const struct lim_block b = {.why = "unknown_upstream", .ms = LIM_LIMIT_PAUSED_MS};
    void *value              = NULL;

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
    const struct lim_gate_entry *e = lim_gate_entry(g, name);

    return e ? &e->config : NULL;
}

bool lim_gate_next_name(const struct lim_gate *g, size_t *it, const char **ret)
{
    void *value = NULL;

    return map_next(g->entries, it, ret, &value);
}

/* ---- as it stands ------------------------------------------------------------------ */

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
    const struct lim_gate_entry *e        = lim_gate_entry(g, name);
    const struct lim_key *key             = lim_grant_key_find(g->grants, name);
    static const struct lim_key untouched = {.mode = {.mode = PERMIT_MODE_OPEN}};

    if (!e)
        return false;
    key = key ? key : &untouched;

    const struct lim_mode_limits limits = lim_gate_limits(g, &e->config);

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
