/*
 * What comes in.  Formats that are ours to read, beside those of wire:
 *
 * sluice.state.upstream.<shard>, by the limiter's leader, on change and each second; all of its upstreams, or those
 * that changed (what is not named stays as it was):
 *
 *     {"upstreams":{"multion":{"mode":"limited","until_ms":0,"probe_ms":60000,"limit":0,"why":"402"}}}
 *
 *     mode      open | slowed | closed | limited | ramp
 *     until_ms  wall ms; of closed: nobody is admitted before; 0: a few seconds, until it is said again
 *     probe_ms  of limited: one parked run passes in each such interval (default 60000)
 *     limit     calls that may be in flight; of limited: above 0 the upstream still bears some, and nobody is parked
 *     why       for people
 *     Further fields (used, rate, sessions, waiting, since_ms) are for others.
 *
 * sluice_locks <tenant>.<lock>, by workers: {"run":"<run id>",…}; no run, or "": nobody holds it.
 * sluice_flows <flow>: "paused" and "max_running" (its own, else that of "flow"); keys with a dot are old versions.
 * sluice_upstreams <upstream>: "paused".  sluice_pools <pool>: "paused", "reason", "runnable_age_sla".
 */
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "run/run_setting.h"
#include "run/run_upstream.h"
#include "sch.h"
#include "sch_claim.h"
#include "sch_dead.h"
#include "sch_place.h"
#include "wire/subject.h"

enum { CLOSED_MS = 3000, PROBE_MS = 60000, LATER_MS = 2000 };

/* ---- tickets ------------------------------------------------------------------------------------------ */

void sch_on_ticket(void *self, struct bus_msg **slot)
{
    struct sch *s           = SELF(struct sch, SCH_MAGIC, self);
    const struct bus_msg *m = *slot;
    struct ticket ticket;
    char token[STR_NAME_SIZE];

    if (s->role < ROLE_FILLING)
        return; /* of a consumer that is gone */
    s->metrics.scheduler_tickets++;
    if (m->pending == 0)
        s->filled = true;
    if (failed(wire_read_ticket(&ticket, m->body))) {
        sch_dead_put(s, slot);
        return;
    }
    if (ticket.wake == 0)
        ticket.wake = 1;
    if (sch_reconcile_stale(s->facts, ticket.run, ticket.wake, ticket.plan_seq,
                            bus_follow_seq(s->journal))) {
        s->metrics.scheduler_tickets_stale++;
        bus_ack(s->bus, m->reply);
        return;
    }

    const struct sch_message message = {
        .seq          = m->seq,
        .consumer_seq = m->consumer_seq,
        .acks         = m->reply,
        .deliveries   = m->deliveries,
        .stored       = sch_instant(s, m->stored_ms),
        .fresh = str_token(m->subject, 3, token, sizeof(token)) && !str_equal(token, "again"),
    };
    struct sch_run *run = sch_index_put(s->index, &ticket, &message, sch_now(s));

    log_debug("run waits", KV("run", ticket.run), KV("tenant", ticket.tenant),
              KV("lane", lane_word(ticket.lane)), KV("wake", ticket.wake),
              KV("why", ticket_cause_word(ticket.cause)));
    if (run)
        sch_mend_look(s, run);
}

/* Not from inside the consumer: it is freed with the term. */
void sch_on_gap(void *self, const char *why)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);

    sch_lead_begin(s, why, 0);
}

/* ---- the journal and the results ------------------------------------------------------------------------- */

static const char *header(const void *self, const char *name)
{
    return bus_msg_header(self, name);
}

void sch_on_job(struct sch *s, struct sch_job *job)
{
    const struct sch_fact *fact = sch_reconcile_find(s->facts, job->run);

    if (fact && fact->worker && fact->job == job->seq)
        sch_pool_leased(&s->pools, job, fact->worker);
}

static void act_on(struct sch *s, enum sch_event event, const char *id,
                   const struct sch_fact *fact)
{
    struct sch_run *run = sch_index_find(s->index, id);
    struct sch_job *job = NULL;
    int64_t now         = sch_now(s);

    switch (event) {
    case EVENT_LEASED:
        job = sch_slot_job_seq(&s->jobs, fact->job);
        if (job && str_equal(job->run, id) && fact->worker)
            sch_pool_leased(&s->pools, job, fact->worker);
        if (run)
            sch_index_started(s->index, run, now);
        break;
    case EVENT_WAITING:
        if (run)
            sch_index_drop_below(s->index, run, fact->wake, now);
        break;
    case EVENT_OVER:
        if (run)
            sch_index_drop(s->index, run, now);
        break;
    case EVENT_CANCELLED:
    case EVENT_NONE:
        if (run && (event == EVENT_CANCELLED || (fact && fact->state == FACT_ENDED)))
            sch_mend_look(s, run);
        break;
    }
}

static void on_journal(void *self, struct bus_msg **slot)
{
    struct sch *s               = SELF(struct sch, SCH_MAGIC, self);
    const struct bus_msg *m     = *slot;
    const struct sch_fact *fact = NULL;
    char tenant[STR_NAME_SIZE], run[ID_SIZE];
    struct entry e;

    if (!str_token(m->subject, 2, tenant, sizeof(tenant)) ||
        !str_token(m->subject, 3, run, sizeof(run)) || !sch_mine(s, tenant))
        return;
    wire_entry_from_headers(&e, header, m, s->arena);
    e.seq       = m->seq;
    e.stored_ms = m->stored_ms;

    const char *worker = e.kind == ENTRY_LEASED && e.worker[0] ? sch_word(s, e.worker) : NULL;
    enum sch_event event =
        sch_reconcile_entry(s->facts, sch_word(s, tenant), run, &e, worker, &fact);

    arena_reset(s->arena);
    if (s->role >= ROLE_FILLING)
        act_on(s, event, run, fact);
}

static void on_journal_read(void *self)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);

    s->journal_read = true;
    log_info("journal read", KV("seq", bus_follow_seq(s->journal)),
             KV("n", sch_reconcile_count(s->facts)));
}

static void on_journal_anew(void *self)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);

    log_error("the journal was made anew: the runs in it are lost",
              KV("stream", STREAM_JOURNAL));
    sch_reconcile_clear(s->facts);
}

static void on_result(void *self, struct bus_msg **slot)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);
    char tenant[STR_NAME_SIZE], run[ID_SIZE];

    if (!str_token((*slot)->subject, 2, tenant, sizeof(tenant)) ||
        !str_token((*slot)->subject, 5, run, sizeof(run)) || !sch_mine(s, tenant))
        return;

    enum sch_event event = sch_reconcile_result(s->facts, run);

    if (s->role >= ROLE_FILLING)
        act_on(s, event, run, NULL);
}

static void on_results_read(void *self)
{
    SELF(struct sch, SCH_MAGIC, self)->results_read = true;
}

/* ---- configuration -------------------------------------------------------------------------------------------- */

static void on_tenant_value(void *self, struct bus_msg **slot)
{
    struct sch *s   = SELF(struct sch, SCH_MAGIC, self);
    const char *key = bus_kv_key(*slot);
    struct problem why;

    if (!key)
        return;
    if (bus_kv_gone(*slot)) {
        run_tenant_remove(s->book, key);
        run_good_remove(s->good_tenants, key);
    } else if (failed(run_tenant_put(s->book, key, (*slot)->body, &why))) {
        log_warn("value of a tenant refused, the last good one stays", KV("key", key),
                 KV("at", why.pointer), KV("why", why.detail));
        return;
    } else {
        run_good_put(s->good_tenants, key, (*slot)->body);
    }
    sch_index_rules(s->index, run_tenant_is_tier(key) ? NULL : key, sch_now(s));
}

void sch_on_tenant_taken(void *self, const char *key, struct bytes value)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);

    run_good_put(s->good_tenants, key, value);
    log_info("value of a tenant taken, its tier is known now", KV("key", key));
}

/* Of this and of the others below: a bucket that was made anew is empty, and what it said is said no more. */
static void on_tenants_anew(void *self)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);

    run_tenant_clear(s->book);
    run_good_free(&s->good_tenants);
    s->good_tenants = run_good_new();
    sch_index_rules(s->index, NULL, sch_now(s));
}

static void on_bucket_read(void *self)
{
    svc_poke(SELF(struct sch, SCH_MAGIC, self)->svc);
}

/* The value's document, NULL if it is gone; false: it is none. */
static bool read_value(const struct bus_msg *m, const char *key, struct json **ret)
{
    char why[JSON_WHY_SIZE];

    *ret = NULL;
    if (bus_kv_gone(m) || !failed(json_parse(ret, m->body, why, sizeof(why))))
        return true;
    log_warn("value refused, the last good one stays", KV("subject", m->subject),
             KV("key", key), KV("why", why));
    return false;
}

static void refused(const struct bus_msg *m, const struct problem *why)
{
    log_warn("value refused, the last good one stays", KV("subject", m->subject),
             KV("at", why->pointer), KV("why", why->detail));
}

/* Pausing and limits of an upstream or a flow; a gate that says nothing special need not be there. */
static void set_gate(struct sch *s, enum sch_gate_kind kind, const char *name, bool paused,
                     uint32_t limit)
{
    struct sch_gate *gate = sch_index_gate_find(s->index, kind, name);

    if (!gate && !paused && limit == GATE_OPEN)
        return;
    if (!gate)
        gate = sch_index_gate(s->index, kind, name);
    gate->paused = paused;
    gate->limit  = limit;
    gate->known  = paused || limit != GATE_OPEN || gate->shut_until > 0;
    sch_place_gate_changed(s->index, gate, true, sch_now(s));
}

static void reset_gates(struct sch *s, enum sch_gate_kind kind)
{
    struct sch_gate *gate = NULL;

    for (size_t it = 0; sch_index_gate_next(s->index, kind, &it, &gate);)
        set_gate(s, kind, gate->name, false, GATE_OPEN);
}

static void on_upstreams_anew(void *self)
{
    reset_gates(SELF(struct sch, SCH_MAGIC, self), GATE_UPSTREAM);
}

static void on_flows_anew(void *self)
{
    reset_gates(SELF(struct sch, SCH_MAGIC, self), GATE_FLOW);
}

static void on_upstream_value(void *self, struct bus_msg **slot)
{
    struct sch *s                = SELF(struct sch, SCH_MAGIC, self);
    const char *key              = bus_kv_key(*slot);
    struct run_upstream upstream = {.paused = false};
    struct problem why;

    if (!key || !str_is_name(key))
        return;
    if (!bus_kv_gone(*slot) && failed(run_upstream_read(&upstream, key, (*slot)->body, &why))) {
        log_warn("value of an upstream refused, the last good one stays", KV("key", key),
                 KV("at", why.pointer), KV("why", why.detail));
        return;
    }
    set_gate(s, GATE_UPSTREAM, key, upstream.paused, GATE_OPEN);
}

static void on_flow_value(void *self, struct bus_msg **slot)
{
    struct sch *s                    = SELF(struct sch, SCH_MAGIC, self);
    const char *key                  = bus_kv_key(*slot);
    AUTO(json_free) struct json *doc = NULL;
    struct run_flow_setting flow     = {0};
    struct problem why;

    if (!key || !str_is_name(key) || !read_value(*slot, key, &doc))
        return;
    if (doc && failed(run_setting_flow(&flow, key, doc, &why))) {
        refused(*slot, &why);
        return;
    }
    set_gate(s, GATE_FLOW, key, flow.paused,
             flow.max_running > 0 && flow.max_running < GATE_OPEN ? (uint32_t)flow.max_running
                                                                  : GATE_OPEN);
}

static void set_pool(struct sch *s, struct sch_pool *pool, const struct run_pool_setting *says)
{
    pool->paused = says->paused;
    str_copy(pool->reason, sizeof(pool->reason), says->reason);
    pool->sla_ms = says->sla_ms;
    svc_poke(s->svc);
}

static void on_pools_anew(void *self)
{
    static const struct run_pool_setting NOTHING;
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);
    void *value   = NULL;

    for (size_t it = 0; map_next(s->pools.pools, &it, NULL, &value);)
        set_pool(s, value, &NOTHING);
}

static void on_pool_value(void *self, struct bus_msg **slot)
{
    struct sch *s                    = SELF(struct sch, SCH_MAGIC, self);
    const char *key                  = bus_kv_key(*slot);
    AUTO(json_free) struct json *doc = NULL;
    struct run_pool_setting says     = {0};
    struct problem why;

    if (!key || !str_is_name(key) || !read_value(*slot, key, &doc))
        return;
    if (doc && failed(run_setting_pool(&says, key, doc, &why))) {
        refused(*slot, &why);
        return;
    }
    set_pool(s, sch_pool_get(&s->pools, key), &says);
}

/* ---- locks --------------------------------------------------------------------------------------------------------- */

static void set_owner(struct sch *s, struct sch_gate *gate, const char *run)
{
    str_copy(gate->owner, sizeof(gate->owner), run);
    sch_place_gate_changed(s->index, gate, false, sch_now(s));
}

/* Its owner finds nothing to clear, so nobody else will say that the lock is free; while it has a job it keeps the gate. */
static void on_locks_anew(void *self)
{
    struct sch *s         = SELF(struct sch, SCH_MAGIC, self);
    struct sch_gate *gate = NULL;

    for (size_t it = 0; sch_index_gate_next(s->index, GATE_LOCK, &it, &gate);)
        set_owner(s, gate, "");
}

static void on_lock_value(void *self, struct bus_msg **slot)
{
    struct sch *s                    = SELF(struct sch, SCH_MAGIC, self);
    const char *key                  = bus_kv_key(*slot);
    const char *run                  = NULL;
    AUTO(json_free) struct json *doc = NULL;

    if (!key || !strchr(key, '.') || !read_value(*slot, key, &doc))
        return;
    run = json_str(json_get(doc, "run"));
    if (!run || !id_valid(run))
        run = "";

    struct sch_gate *gate = sch_index_gate_find(s->index, GATE_LOCK, key);

    if (!gate && !run[0])
        return;
    if (!gate)
        gate = sch_index_gate(s->index, GATE_LOCK, key);
    set_owner(s, gate, run);
}

/* ---- upstreams ------------------------------------------------------------------------------------------------------ */

static void hear_upstream(struct sch *s, const char *name, const struct json *doc)
{
    const char *mode      = json_str(json_get(doc, "mode"));
    int64_t now           = sch_now(s);
    int64_t until_wall    = json_int(json_get(doc, "until_ms"));
    int64_t probe_ms      = json_int(json_get(doc, "probe_ms"));
    bool limited          = str_equal(mode, "limited") && json_int(json_get(doc, "limit")) <= 0;
    bool closed           = str_equal(mode, "closed");
    struct sch_gate *gate = sch_index_gate_find(s->index, GATE_UPSTREAM, name);

    if (!mode || !str_is_name(name) || (!gate && !limited && !closed))
        return;
    if (!gate)
        gate = sch_index_gate(s->index, GATE_UPSTREAM, name);

    int64_t was   = gate->shut_until > now ? gate->shut_until : 0;
    int64_t until = limited  ? INT64_MAX
                    : closed ? (until_wall > 0 ? sch_instant(s, until_wall) : now + CLOSED_MS)
                             : 0;

    if (until <= now)
        until = 0;
    if (limited && !gate->limited)
        gate->probe_at = now + (probe_ms > 0 ? probe_ms : PROBE_MS);
    gate->probe_ms   = limited ? (uint64_t)(probe_ms > 0 ? probe_ms : PROBE_MS) : 0;
    gate->limited    = limited;
    gate->shut_until = until;
    gate->known      = gate->paused || gate->limit != GATE_OPEN || until > 0;
    if ((was > 0) == (until > 0))
        return; /* no news for who waits; a new instant is met by the next turn */
    log_info(until > 0 ? "upstream shut: its runs wait" : "upstream open again",
             KV("upstream", name), KV("why", mode));
    /* A look at every run pays only if it stays shut for a while; else each is found shut when its turn comes. */
    sch_place_gate_changed(s->index, gate, until > now + LATER_MS, now);
}

static void on_upstream_state(void *self, struct bus_msg **slot)
{
    struct sch *s                    = SELF(struct sch, SCH_MAGIC, self);
    AUTO(json_free) struct json *doc = NULL;
    const struct json *value         = NULL;
    const char *name                 = NULL;
    char why[JSON_WHY_SIZE];

    if (failed(json_parse(&doc, (*slot)->body, why, sizeof(why)))) {
        log_warn("state of upstreams cannot be read", KV("subject", (*slot)->subject),
                 KV("why", why));
        return;
    }
    for (size_t it = 0; json_each(json_get(doc, "upstreams"), &it, &name, &value);)
        hear_upstream(s, name, value);
}

/* ---- workers ---------------------------------------------------------------------------------------------------------- */

static void on_status(void *self, struct bus_msg **slot)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);
    struct worker_status status;

    if (failed(wire_read_worker_status(&status, (*slot)->body)) ||
        !sch_pool_heard(&s->pools, &status, sch_now(s)))
        log_warn("word of a worker cannot be read", KV("subject", (*slot)->subject));
}

/* Believed only for the job that is in the slot. */
static void on_freed(void *self, struct bus_msg **slot)
{
    struct sch *s       = SELF(struct sch, SCH_MAGIC, self);
    const char *subject = (*slot)->subject;
    int n               = subject_slot_of(subject);
    char tenant[STR_NAME_SIZE], text[24];
    uint64_t seq = 0;
    bool doubt   = false;

    if (s->role < ROLE_FILLING || n < 0 || !str_token(subject, 2, tenant, sizeof(tenant)) ||
        !str_token(subject, 4, text, sizeof(text)) || failed(str_u64(text, &seq)))
        return;

    struct sch_tenant *t = sch_index_tenant_find(s->index, tenant);

    if (!t)
        return;

    struct sch_job *job = sch_slot_freed(&t->slots, (uint32_t)n, seq, &doubt);

    if (job) {
        s->metrics.scheduler_freed++;
        sch_claim_job_gone(s->index, &job, sch_now(s));
    } else if (doubt) {
        s->look_at = svc_now(s->svc);
    }
}

/* ---- where all this comes from ------------------------------------------------------------------------------------- */

const struct svc_route sch_on_routes[] = {
    {SUBJECT_ADMIN_LOAD, "load", true, sch_admin_on_load},
    {SUBJECT_ADMIN_LOAD_POOL, "load", true, sch_admin_on_load},
    {SUBJECT_ADMIN_TENANT, "tenant", true, sch_admin_on_tenant},
    {NULL, NULL, false, NULL},
};

static void follow(struct sch *s, const struct bus_follow *f, struct bus_follower **ret)
{
    char text[128];
    struct err e = bus_follow(s->bus, f, ret);

    if (failed(e))
        svc_die(s->svc, err_text(e, text, sizeof(text)));
}

/* From its oldest value on: behind one that is refused the last good one is found. */
static void follow_bucket(struct sch *s, const char *bucket, bus_msg_fn *on_msg,
                          void (*on_anew)(void *self), struct bus_follower **ret)
{
    char stream[64], filter[64];

    str_format(stream, sizeof(stream), "KV_%s", bucket);
    str_format(filter, sizeof(filter), "$KV.%s.>", bucket);
    follow(s,
           &(struct bus_follow){.stream       = stream,
                                .filter       = filter,
                                .on_msg       = on_msg,
                                .on_caught_up = on_bucket_read,
                                .on_anew      = on_anew,
                                .self         = s},
           ret);
}

bool sch_on_configured(const struct sch *s)
{
    return s->following && bus_follow_caught_up(s->tenants) &&
           bus_follow_caught_up(s->upstreams) && bus_follow_caught_up(s->flows) &&
           bus_follow_caught_up(s->pool_values) && bus_follow_caught_up(s->locks);
}

static void hear(struct sch *s, const char *subject, bus_msg_fn *fn, struct bus_sub **ret)
{
    char text[128];
    struct err e = bus_subscribe(s->bus, subject, NULL, fn, s, ret);

    if (failed(e))
        svc_die(s->svc, err_text(e, text, sizeof(text)));
}

void sch_on_follow(struct sch *s)
{
    follow_bucket(s, BUCKET_TENANTS, on_tenant_value, on_tenants_anew, &s->tenants);
    follow_bucket(s, BUCKET_UPSTREAMS, on_upstream_value, on_upstreams_anew, &s->upstreams);
    follow_bucket(s, BUCKET_FLOWS, on_flow_value, on_flows_anew, &s->flows);
    follow_bucket(s, BUCKET_POOLS, on_pool_value, on_pools_anew, &s->pool_values);
    follow_bucket(s, BUCKET_LOCKS, on_lock_value, on_locks_anew, &s->locks);
    hear(s, SUBJECT_WORKER_STATUS, on_status, &s->status);
    hear(s, SUBJECT_FREED_ALL, on_freed, &s->freed);
    hear(s, SUBJECT_STATE_UPSTREAM, on_upstream_state, &s->upstream_state);
    follow(s,
           &(struct bus_follow){.stream       = STREAM_JOURNAL,
                                .filter       = SUBJECT_JOURNAL_ALL,
                                .headers_only = true,
                                .on_msg       = on_journal,
                                .on_caught_up = on_journal_read,
                                .on_anew      = on_journal_anew,
                                .self         = s},
           &s->journal);
    follow(s,
           &(struct bus_follow){.stream       = STREAM_RESULTS,
                                .filter       = SUBJECT_RESULT_ALL,
                                .headers_only = true,
                                .on_msg       = on_result,
                                .on_caught_up = on_results_read,
                                .self         = s},
           &s->results);
}
