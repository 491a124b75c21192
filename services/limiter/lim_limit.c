#include "lim_limit.h"

#define NS_PER_MS UINT64_C(1000000)

enum { STILL_MS = 1000, LATE_MS = 30000, SESSION_MS = 1000, HOLD_UNKNOWN_MS = 1000 };

static const struct lim_block NOTHING = {.why = NULL};

/* What the mode leaves of the limits. */
struct meter {
    enum lim_pass pass;
    struct lim_rate rate;
    uint32_t room; /* calls that may be out */
    struct lim_block block;
};

static void look_at_mode(const struct lim_limit *l, struct meter *m)
{
    const struct lim_mode *mode = &l->key->mode;

    if (l->config->paused) {
        m->pass  = LIM_PASS_NO;
        m->block = (struct lim_block){.why = "paused", .ms = LIM_LIMIT_PAUSED_MS, .shut = true};
        return;
    }
    m->pass = lim_mode_pass(mode, &l->mode, l->now, &m->block.ms, &m->block.why);
    if (m->pass != LIM_PASS_NO) {
        m->block = NOTHING;
        return;
    }
    m->block.shut = true;
    m->block.brief =
        mode->mode == PERMIT_MODE_CLOSED && !mode->tries && m->block.ms <= LIM_LIMIT_HOLD_MS;
}

/* Closes and the one that tries meet the limits themselves, all others what the mode leaves. */
static struct meter meter_of(const struct lim_limit *l, bool closes)
{
    const struct run_upstream *u = l->config;
    struct meter m               = {.pass = LIM_PASS_YES};

    if (!closes)
        look_at_mode(l, &m);

    bool whole = closes || m.pass == LIM_PASS_PROBE;

    m.rate = lim_rate_of(u->rate_per_s, u->rate_burst,
                         whole ? 1 : lim_mode_factor(&l->key->mode, &l->mode, l->now));
    if (!whole)
        m.room = lim_mode_room(&l->key->mode, &l->mode, l->now);
    else
        m.room = u->in_flight > 0 ? u->in_flight : UINT32_MAX;
    return m;
}

struct lim_rate lim_limit_rate(const struct lim_limit *l, bool closes, bool *ret_probe)
{
    struct meter m = meter_of(l, closes);

    *ret_probe = m.pass == LIM_PASS_PROBE;
    return m.rate;
}

/* ---- counts ------------------------------------------------------------------------ */

static uint32_t share_of(const struct lim_limit *l, uint32_t limit)
{
    uint32_t part = (uint32_t)(limit * l->config->tenant_share);

    return part > 0 ? part : 1;
}

/* Nothing moves at a slowed upstream for twice as long as calls last: those that are out may be of the dead, and stay
   taken for the whole lifetime of a call.  One more goes, and says how the upstream is. */
static bool stands_still(const struct lim_limit *l)
{
    const struct lim_key *k = l->key;
    uint32_t whole          = l->config->in_flight;
    uint64_t last           = k->hold_ms > STILL_MS ? k->hold_ms : STILL_MS;

    return k->mode.mode == PERMIT_MODE_SLOWED && l->now >= k->moved_ms + 2 * last &&
           (whole == 0 || k->use.in_flight < whole);
}

static bool is_full(const struct lim_limit *l, uint32_t room)
{
    return l->key->use.in_flight >= room && !stands_still(l);
}

static bool too_many_calls(const struct lim_limit *l, const struct lim_limit_ask *a,
                           uint32_t room)
{
    if (a->again || room == UINT32_MAX)
        return false;
    if (is_full(l, room))
        return true;
    return !a->key->close && l->config->tenant_share < 1 &&
           lim_grant_use(l->key, a->tenant).in_flight >= share_of(l, room);
}

/* The limit of sessions that is in its way: how many there may be, and whether of its tenant; 0: none is. */
static uint32_t full_places(const struct lim_limit *l, const struct lim_limit_ask *a,
                            bool *ret_own)
{
    uint32_t limit = l->config->sessions;

    *ret_own = true;
    if (a->held)
        return 0;
    if (a->sessions_max > 0 && a->sessions_open >= a->sessions_max)
        return (uint32_t)a->sessions_max;
    if (limit == 0)
        return 0;
    *ret_own = false;
    if (l->key->use.sessions >= limit)
        return limit;
    *ret_own = true;
    if (l->config->tenant_share < 1 &&
        lim_grant_use(l->key, a->tenant).sessions >= share_of(l, limit))
        return share_of(l, limit);
    return 0;
}

/* ---- how long ---------------------------------------------------------------------- */

static uint64_t ms_of(uint64_t ns)
{
    return (ns + NS_PER_MS - 1) / NS_PER_MS;
}

static uint64_t rate_ns(const struct lim_limit *l, struct lim_rate rate)
{
    return lim_rate_wait_ns(&l->key->bucket, rate, l->now * NS_PER_MS);
}

/* Until one of `limit` is free for the last of those that wait. */
static uint64_t turn_ms(uint64_t each_ms, uint64_t limit, size_t waiting, uint64_t least)
{
    uint64_t each = each_ms > 0 ? each_ms : HOLD_UNKNOWN_MS;
    uint64_t ms   = each * (waiting + 1) / (limit > 0 ? limit : 1);

    if (ms < least)
        return least;
    return ms < LATE_MS ? ms : LATE_MS;
}

/* ---- the first thing in the way ---------------------------------------------------- */

struct lim_block lim_limit_block(const struct lim_limit *l, const struct lim_limit_ask *a)
{
    struct meter m           = meter_of(l, a->key->close);
    uint64_t ns              = a->key->rate ? rate_ns(l, m.rate) : 0;
    const struct lim_key *at = l->key;
    bool own                 = false;
    uint32_t places          = a->key->session_open ? full_places(l, a, &own) : 0;

    if (m.block.shut)
        return m.block;
    if (ns > 0)
        return (struct lim_block){.why = "upstream_rate",
                                  .ms  = ms_of(ns + a->waiting * m.rate.interval_ns)};
    if (a->key->in_flight && too_many_calls(l, a, m.room))
        return (struct lim_block){
            .why = "upstream_in_flight",
            .ms  = turn_ms(at->hold_ms, m.room, a->waiting, LIM_LIMIT_SOON_MS)};
    if (places > 0)
        return (struct lim_block){
            .why = "upstream_sessions",
            .ms  = turn_ms(at->session_ms, places, own ? a->own_opens : a->opens, SESSION_MS),
            .places = places,
            .own    = own};
    return NOTHING;
}

struct lim_block lim_limit_block_all(const struct lim_limit *l)
{
    struct meter m = meter_of(l, false);
    uint64_t ns    = rate_ns(l, m.rate);

    if (m.block.shut)
        return m.block;
    if (ns > 0)
        return (struct lim_block){.why = "upstream_rate", .ms = ms_of(ns)};
    if (is_full(l, m.room))
        return (struct lim_block){.why = "upstream_in_flight"};
    return NOTHING;
}

uint64_t lim_limit_close_ms(const struct lim_limit *l)
{
    return ms_of(rate_ns(l, meter_of(l, true).rate));
}
