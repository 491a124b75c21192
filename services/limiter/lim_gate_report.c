#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "lim_gate_internal.h"

enum { SWEEP_MS = 500 }; /* how often silent sessions are looked for */

/* ---- modes and incidents ----------------------------------------------------------- */

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

void lim_gate_report_mode(struct lim_gate *g, struct lim_gate_entry *e, uint64_t now)
{
    struct lim_key *key = lim_gate_key(g, e);
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

/* ---- returns ----------------------------------------------------------------------- */

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
    lim_gate_emit(g, &r);
    lim_gate_freed(g, r.name);
}

static void give_back(struct lim_gate *g, struct lim_held *h, enum call_class call_class,
                      bool opened, const char *why, uint64_t now)
{
    struct grant_record r = {
        .op = GRANT_RETURN, .call_class = call_class, .opened = opened, .at_ms = now};
    struct lim_session *s = h->session;
    struct lim_gate_entry *entries[PERMIT_KEYS_MAX];
    size_t count = h->part_count;

    str_copy(r.id, sizeof(r.id), h->id);
    str_copy(r.why, sizeof(r.why), why);
    for (size_t i = 0; i < count; i++)
        entries[i] = lim_gate_entry(g, h->parts[i].key->name);
    lim_gate_emit(g, &r);
    for (size_t i = 0; i < count; i++)
        if (entries[i])
            lim_gate_freed(g, entries[i]->config.name);
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
    struct lim_gate_entry *e = lim_gate_entry(g, key->name);

    if (!e)
        return;

    const struct lim_mode_limits limits = lim_gate_limits(g, &e->config);

    if (lim_mode_heard(&key->mode, &limits, result, now))
        lim_gate_report_mode(g, e, now);
    else
        e->dirty = true;
}

static bool is_probe(const struct lim_held *h, const struct lim_key *key)
{
    return h->probe && strcmp(key->mode.probe, h->id) == 0;
}

/* Nobody waited for its answer any longer, and it may still run over there: its place is free when its own time is over. */
static bool may_still_run(const struct permit_report *r)
{
    return r->call_class == CALL_TIMEOUT && r->status == 0;
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
                                           .chance         = lim_gate_chance(g)};

    if (h->timed_out && may_still_run(r))
        return; /* it was said before */
    h->timed_out = may_still_run(r);
    if (!h->timed_out)
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
    /* Said also of what is not known: whoever is told "confirmed" is told by the writer
       of the log. */
    if (r->session_closed && session[0])
        end_session(g, name, session, "closed", now);
    if (h)
        report_call(g, h, r, now);
}

void lim_gate_report_unused(struct lim_gate *g, const char *id, uint64_t now)
{
    struct permit_report r = {.call_class = CALL_UNSENT};

    str_copy(r.id, sizeof(r.id), id);
    lim_gate_report(g, &r, now);
}

/* ---- time passes ------------------------------------------------------------------- */

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
        const struct lim_gate_entry *e = lim_gate_entry(g, s->key->name);
        uint64_t idle_ms               = e ? e->config.session_idle_ms : 0;

        if (idle_ms > 0 && list_empty(&s->permits) && now >= s->last_end_ms + idle_ms)
            end_session(g, s->key->name, s->name, "idle", now);
    }
}

void lim_gate_report_due(struct lim_gate *g, uint64_t now)
{
    expire(g, now);
    sweep(g, now);
}
