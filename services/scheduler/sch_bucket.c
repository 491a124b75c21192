#include "sch_bucket.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "run/run_setting.h"
#include "run/run_upstream.h"
#include "sch.h"
#include "sch_place.h"
#include "wire/subject.h"

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

void sch_bucket_tenant_taken(void *self, const char *key, struct bytes value)
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

/* ---- where they come from ------------------------------------------------------------------------------------ */

/* From its oldest value on: behind one that is refused the last good one is found. */
static void follow_bucket(struct sch *s, const char *bucket, bus_msg_fn *on_msg,
                          void (*on_anew)(void *self), struct bus_follower **ret)
{
    char stream[64], filter[64];

    str_format(stream, sizeof(stream), "KV_%s", bucket);
    str_format(filter, sizeof(filter), "$KV.%s.>", bucket);
    sch_follow(s,
               &(struct bus_follow){.stream       = stream,
                                    .filter       = filter,
                                    .on_msg       = on_msg,
                                    .on_caught_up = on_bucket_read,
                                    .on_anew      = on_anew,
                                    .self         = s},
               ret);
}

void sch_bucket_follow(struct sch *s)
{
    follow_bucket(s, BUCKET_TENANTS, on_tenant_value, on_tenants_anew, &s->tenants);
    follow_bucket(s, BUCKET_UPSTREAMS, on_upstream_value, on_upstreams_anew, &s->upstreams);
    follow_bucket(s, BUCKET_FLOWS, on_flow_value, on_flows_anew, &s->flows);
    follow_bucket(s, BUCKET_POOLS, on_pool_value, on_pools_anew, &s->pool_values);
    follow_bucket(s, BUCKET_LOCKS, on_lock_value, on_locks_anew, &s->locks);
}

bool sch_bucket_caught_up(const struct sch *s)
{
    return s->following && bus_follow_caught_up(s->tenants) &&
           bus_follow_caught_up(s->upstreams) && bus_follow_caught_up(s->flows) &&
           bus_follow_caught_up(s->pool_values) && bus_follow_caught_up(s->locks);
}
