#include "lim_mode.h"

#include "base/must.h"
#include "base/str.h"

enum { RAMP_FROM = 20, RAMP_BASE = 10, CLOSED_JITTER = 10, PROBE_OUT_MS = 1000 };

static void enter(struct lim_mode *m, enum permit_mode mode, const char *why, uint64_t now)
{
    m->mode     = mode;
    m->since_ms = now;
    m->until_ms = 0;
    m->tries    = false;
    m->failures = 0;
    m->probe[0] = '\0';
    str_copy(m->why, sizeof(m->why), why);
}

static void open_again(struct lim_mode *m, uint64_t now)
{
    bool slowed = m->window.size > 0;

    m->fresh_ms = now;
    enter(m, slowed ? PERMIT_MODE_SLOWED : PERMIT_MODE_OPEN, slowed ? "recovering" : "", now);
}

/* ---- closed ------------------------------------------------------------------------ */

/* Never before it is over; then not all at the same instant: up to a tenth later. */
static uint64_t with_jitter(uint64_t ms, uint64_t chance)
{
    return ms + chance % (ms / CLOSED_JITTER + 1);
}

static uint64_t backoff(struct lim_mode *m)
{
    uint64_t ms = LIM_MODE_BACKOFF_MS;

    for (uint32_t n = 0; n < m->trips && ms < LIM_MODE_BACKOFF_MAX; n++)
        ms *= 2;
    m->trips++;
    return ms < LIM_MODE_BACKOFF_MAX ? ms : LIM_MODE_BACKOFF_MAX;
}

/* Less than a second is no word about when: obeyed, "Retry-After: 0.001" would be a call each few milliseconds for as
   long as the upstream says so. */
static uint64_t told_ms(const struct lim_mode_result *r)
{
    uint64_t ms =
        r->retry_after_ms < LIM_MODE_CLOSED_MAX ? r->retry_after_ms : LIM_MODE_CLOSED_MAX;

    return ms < LIM_MODE_BACKOFF_MS ? 0 : ms;
}

/* A 403 that speaks of rates is a 429. */
static const char *closed_by(uint32_t status)
{
    return status == 402 ? "402" : status == 503 ? "503" : "429";
}

/* Closed for as long as we were told, or for a while that grows.  It is only ever prolonged. */
static bool close_until(struct lim_mode *m, const struct lim_mode_result *r, uint64_t now)
{
    uint64_t told  = told_ms(r);
    bool closed    = m->mode == PERMIT_MODE_CLOSED;
    bool straggler = closed && r->granted_ms < m->since_ms;

    if (told == 0 && straggler)
        return false; /* one of those that were out: they are answered for already */

    uint64_t until = now + with_jitter(told > 0 ? told : backoff(m), r->chance);

    if (closed && until <= m->until_ms)
        return false;
    if (!closed) {
        if (m->mode == PERMIT_MODE_RAMP) /* goes on from where it stood */
            lim_window_set(&m->window, &(struct lim_window_limits){.floor = 1}, r->in_flight,
                           2 * r->in_flight, now);
        enter(m, PERMIT_MODE_CLOSED, closed_by(r->status), now);
    }
    m->until_ms = until;
    return true;
}

static bool trip(struct lim_mode *m, const struct lim_mode_limits *l,
                 const struct lim_mode_result *r, uint64_t now)
{
    uint64_t ms = with_jitter(backoff(m), r->chance);

    lim_window_set(&m->window, &l->window, 0, r->in_flight, now);
    enter(m, PERMIT_MODE_CLOSED,
          r->call_class == CALL_TIMEOUT ? "consecutive time-outs" : "consecutive failures",
          now);
    m->tries    = true;
    m->until_ms = now + ms;
    return true;
}

/* The one that tried did not succeed: its time is over, later than the last. */
static bool trip_again(struct lim_mode *m, const struct lim_mode_result *r, uint64_t now)
{
    m->probe[0] = '\0';
    m->until_ms = now + with_jitter(backoff(m), r->chance);
    return true;
}

/* ---- what became of calls ---------------------------------------------------------- */

static bool heard_good(struct lim_mode *m, const struct lim_mode_limits *l,
                       const struct lim_mode_result *r, uint64_t now)
{
    m->failures = 0;
    switch (m->mode) {
    case PERMIT_MODE_LIMITED:
        return r->probe && lim_mode_resume(m, l, 0, now);
    case PERMIT_MODE_CLOSED:
        if (!m->tries || !r->probe)
            return false;
        open_again(m, now);
        return true;
    case PERMIT_MODE_SLOWED:
        if (!lim_window_good(&m->window))
            return false;
        open_again(m, now);
        return true;
    case PERMIT_MODE_NONE:
    case PERMIT_MODE_OPEN:
        m->trips = 0;
        (void)lim_window_good(&m->window);
        return false;
    case PERMIT_MODE_RAMP:
        return false;
    }
    must(!"unknown mode");
    return false;
}

static bool heard_bad(struct lim_mode *m, const struct lim_mode_limits *l,
                      const struct lim_mode_result *r, uint64_t now)
{
    bool failure = r->call_class != CALL_CONCURRENCY;

    if (m->mode == PERMIT_MODE_LIMITED) {
        if (r->probe)
            m->probe[0] = '\0'; /* nothing was learned about the account: after the interval */
        return false;
    }
    if (m->mode == PERMIT_MODE_CLOSED)
        return m->tries && r->probe && trip_again(m, r, now);
    if (r->granted_ms < m->fresh_ms)
        return false; /* of before: what it tells has been acted upon */
    if (failure && ++m->failures >= LIM_MODE_FAILURES)
        return trip(m, l, r, now);
    if (!lim_window_bad(&m->window, &l->window, r->in_flight, r->granted_ms, now))
        return false;
    if (m->mode != PERMIT_MODE_SLOWED) {
        uint32_t failures = m->failures;

        enter(m, PERMIT_MODE_SLOWED, failure ? "5xx or time-outs" : "too many at once", now);
        m->failures = failures;
    }
    return true;
}

/* The next is an interval later, or when we were told to come again. */
static void probe_refused(struct lim_mode *m, const struct lim_mode_limits *l,
                          const struct lim_mode_result *r, uint64_t now)
{
    m->probe[0]      = '\0';
    m->probe_from_ms = now;
    if (r->retry_after_ms > l->probe_ms)
        m->probe_from_ms += r->retry_after_ms - l->probe_ms;
}

static bool heard_payment(struct lim_mode *m, const struct lim_mode_limits *l,
                          const struct lim_mode_result *r, uint64_t now)
{
    if (m->mode == PERMIT_MODE_LIMITED) {
        if (r->probe)
            probe_refused(m, l, r, now);
        return false;
    }
    if (r->retry_after_ms > 0)
        return close_until(m, r, now);
    if (m->mode == PERMIT_MODE_RAMP && r->granted_ms < m->since_ms)
        return false; /* of before it was paid */
    lim_window_set(&m->window, &l->window, 0, r->in_flight, now);
    enter(m, PERMIT_MODE_LIMITED, "402", now);
    m->probe_from_ms = now;
    return true;
}

static bool heard_rate(struct lim_mode *m, const struct lim_mode_limits *l,
                       const struct lim_mode_result *r, uint64_t now)
{
    if (m->mode != PERMIT_MODE_LIMITED)
        return close_until(m, r, now);
    if (r->probe)
        probe_refused(m, l, r, now);
    return false;
}

/* The probe came to nothing: it was not sent, or failed by its own fault; another may
   try at once. */
static bool heard_nothing(struct lim_mode *m, const struct lim_mode_result *r)
{
    if (r->probe) {
        m->probe[0]      = '\0';
        m->probe_from_ms = 0;
    }
    return false;
}

bool lim_mode_heard(struct lim_mode *m, const struct lim_mode_limits *l,
                    const struct lim_mode_result *r, uint64_t now)
{
    switch (r->call_class) {
    case CALL_OK:
        return heard_good(m, l, r, now);
    case CALL_RATE:
        return heard_rate(m, l, r, now);
    case CALL_PAYMENT:
        return heard_payment(m, l, r, now);
    case CALL_CONCURRENCY:
    case CALL_SERVER:
    case CALL_TIMEOUT:
        return heard_bad(m, l, r, now);
    case CALL_CLIENT:
        /* It answers, so it is not broken; whether it is paid for was perhaps not asked. */
        if (m->mode == PERMIT_MODE_CLOSED)
            return heard_good(m, l, r, now);
        return heard_nothing(m, r);
    case CALL_NONE:
    case CALL_UNSENT:
        return heard_nothing(m, r);
    }
    must(!"unknown class");
    return false;
}

/* ---- by itself, and by the operator ------------------------------------------------ */

bool lim_mode_tick(struct lim_mode *m, uint64_t now)
{
    bool closed = m->mode == PERMIT_MODE_CLOSED && !m->tries;

    if ((!closed && m->mode != PERMIT_MODE_RAMP) || now < m->until_ms)
        return false;
    if (m->mode == PERMIT_MODE_RAMP)
        lim_window_clear(&m->window);
    open_again(m, now);
    return true;
}

bool lim_mode_resume(struct lim_mode *m, const struct lim_mode_limits *l, uint64_t ramp_ms,
                     uint64_t now)
{
    if (m->mode != PERMIT_MODE_LIMITED && m->mode != PERMIT_MODE_CLOSED)
        return false;
    enter(m, PERMIT_MODE_RAMP, "resumed", now);
    m->fresh_ms = now;
    m->trips    = 0;
    m->ramp_ms  = ramp_ms > 0 ? ramp_ms : l->ramp_ms;
    m->until_ms = now + m->ramp_ms;
    return true;
}

uint64_t lim_mode_next(const struct lim_mode *m)
{
    bool ends = m->mode == PERMIT_MODE_CLOSED || m->mode == PERMIT_MODE_RAMP;

    return ends ? m->until_ms : UINT64_MAX;
}

/* ---- who may pass ------------------------------------------------------------------ */

static enum lim_pass pass_closed(const struct lim_mode *m, uint64_t now, uint64_t *ret_ms,
                                 const char **ret_why)
{
    *ret_why = "upstream_closed";
    if (now < m->until_ms) {
        *ret_ms = m->until_ms - now;
        return LIM_PASS_NO;
    }
    if (m->tries && m->probe[0] == '\0')
        return LIM_PASS_PROBE;
    *ret_ms = PROBE_OUT_MS;
    return m->tries ? LIM_PASS_NO : LIM_PASS_YES;
}

static enum lim_pass pass_limited(const struct lim_mode *m, const struct lim_mode_limits *l,
                                  uint64_t now, uint64_t *ret_ms, const char **ret_why)
{
    uint64_t due = m->probe_from_ms > 0 ? m->probe_from_ms + l->probe_ms : now;

    *ret_why = "upstream_limited";
    if (m->probe[0] == '\0' && now >= due)
        return LIM_PASS_PROBE;
    if (l->factor > 0)
        return LIM_PASS_YES;
    *ret_ms = due > now + PROBE_OUT_MS ? due - now : PROBE_OUT_MS;
    return LIM_PASS_NO;
}

enum lim_pass lim_mode_pass(const struct lim_mode *m, const struct lim_mode_limits *l,
                            uint64_t now, uint64_t *ret_ms, const char **ret_why)
{
    switch (m->mode) {
    case PERMIT_MODE_NONE:
    case PERMIT_MODE_OPEN:
    case PERMIT_MODE_SLOWED:
    case PERMIT_MODE_RAMP:
        return LIM_PASS_YES;
    case PERMIT_MODE_CLOSED:
        return pass_closed(m, now, ret_ms, ret_why);
    case PERMIT_MODE_LIMITED:
        return pass_limited(m, l, now, ret_ms, ret_why);
    }
    must(!"unknown mode");
    return LIM_PASS_NO;
}

void lim_mode_probe(struct lim_mode *m, const char *id, uint64_t now)
{
    str_copy(m->probe, sizeof(m->probe), id);
    m->probe_from_ms = now;
}

/* From a twentieth to the whole. */
static double ramp_factor(const struct lim_mode *m, uint64_t now)
{
    if (now >= m->until_ms || m->ramp_ms == 0)
        return 1;
    uint64_t left = m->until_ms - now < m->ramp_ms ? m->until_ms - now : m->ramp_ms;
    double part   = 1 - (double)left / (double)m->ramp_ms;

    return part < 1.0 / RAMP_FROM ? 1.0 / RAMP_FROM : part;
}

double lim_mode_factor(const struct lim_mode *m, const struct lim_mode_limits *l, uint64_t now)
{
    if (m->mode == PERMIT_MODE_LIMITED)
        return l->factor;
    return m->mode == PERMIT_MODE_RAMP ? ramp_factor(m, now) : 1;
}

/* Of the limit as configured; without one of what was out when it was limited. */
static uint32_t part_of(const struct lim_mode *m, const struct lim_mode_limits *l,
                        double factor)
{
    uint32_t base = l->window.in_flight;

    if (base == 0)
        base = m->window.ceiling > RAMP_BASE ? m->window.ceiling : RAMP_BASE;
    uint32_t room = (uint32_t)(base * factor);

    return room > 0 || factor <= 0 ? room : 1;
}

uint32_t lim_mode_room(const struct lim_mode *m, const struct lim_mode_limits *l, uint64_t now)
{
    uint32_t whole = l->window.in_flight > 0 ? l->window.in_flight : UINT32_MAX;
    uint32_t room  = whole;

    if (m->mode == PERMIT_MODE_SLOWED)
        room = lim_window_room(&m->window);
    else if (m->mode == PERMIT_MODE_LIMITED || m->mode == PERMIT_MODE_RAMP)
        room = part_of(m, l, lim_mode_factor(m, l, now));
    return room < whole ? room : whole;
}

/* ---- the log ----------------------------------------------------------------------- */

void lim_mode_write(const struct lim_mode *m, struct grant_record *ret)
{
    ret->mode     = m->mode == PERMIT_MODE_NONE ? PERMIT_MODE_OPEN : m->mode;
    ret->since_ms = m->since_ms;
    ret->until_ms = m->until_ms;
    ret->ramp_ms  = (uint32_t)m->ramp_ms;
    ret->trips    = m->trips;
    ret->probe    = m->tries;
    ret->window   = (uint32_t)m->window.size;
    ret->ceiling  = m->window.ceiling;
    str_copy(ret->why, sizeof(ret->why), m->why);
}

void lim_mode_read(struct lim_mode *m, const struct grant_record *r)
{
    *m = (struct lim_mode){
        .mode          = r->mode,
        .since_ms      = r->since_ms,
        .until_ms      = r->until_ms,
        .ramp_ms       = r->ramp_ms,
        .trips         = r->trips,
        .tries         = r->probe,
        .fresh_ms      = r->mode == PERMIT_MODE_SLOWED ? 0 : r->since_ms,
        .probe_from_ms = r->since_ms,
        .window        = {.size = r->window, .ceiling = r->ceiling, .cut_ms = r->at_ms},
    };
    str_copy(m->why, sizeof(m->why), r->why);
}
