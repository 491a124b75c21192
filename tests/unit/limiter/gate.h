/*
 * gate - a lim_gate whose records and answers are kept, so that a test can look at them, and fold any
 * beginning of the log into another.
 */
#ifndef TESTS_LIMITER_GATE_H
#define TESTS_LIMITER_GATE_H

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "lim_gate.h"

enum { GATE_ASKS = 20000 };

/* What one asker was told; the tag is its address. */
struct told {
    bool any, ok, dropped, logged;
    size_t log_at; /* how long the log was then */
    struct permit_grant grant;
};

struct gate {
    struct lim_gate *gate;
    struct grant_record *log;
    size_t count, room;
    struct told *told;
    size_t asked, answered;
    uint64_t now;
    size_t changes;
    struct lim_gate_tenant may; /* of each tenant */
};

static void gate_record(void *self, const struct grant_record *r)
{
    struct gate *g = self;

    if (g->count == g->room) {
        g->room = 2 * g->room + 64;
        g->log  = mem_grow(g->log, g->room, sizeof(*g->log));
    }
    g->log[g->count++] = *r;
}

static void gate_answer(void *self, void *tag, const struct permit_grant *p, bool logged)
{
    struct gate *g = self;
    struct told *t = tag;

    must(!t->any && !t->dropped); /* exactly once */
    *t = (struct told){
        .any = true, .ok = p->ok, .logged = logged, .log_at = g->count, .grant = *p};
    g->answered++;
}

static void gate_drop(void *self, void *tag)
{
    struct told *t = tag;

    (void)self;
    must(!t->any && !t->dropped);
    t->dropped = true;
}

static void gate_changed(void *self, const char *name, bool incident)
{
    (void)name;
    (void)incident;
    ((struct gate *)self)->changes++;
}

static void gate_tenant(void *self, const char *tenant, struct lim_gate_tenant *ret)
{
    (void)tenant;
    *ret = ((struct gate *)self)->may;
}

static inline struct run_upstream gate_upstream(const char *name)
{
    struct run_upstream u = {.tenant_share = 1, .timeout_ms = 60000};

    str_copy(u.name, sizeof(u.name), name);
    return u;
}

/* Begins to decide on what the first `count` records of a log say. */
static inline struct gate *gate_new(const struct run_upstream *u,
                                    const struct grant_record *log, size_t count, uint64_t now)
{
    struct gate *g                          = mem_new(struct gate);
    const struct lim_gate_settings settings = {
        .probe_ms = 60000, .ramp_ms = 10000, .window_min = 1, .waiting_max = 1000, .seed = 1};
    const struct lim_gate_out out = {.self    = g,
                                     .record  = gate_record,
                                     .answer  = gate_answer,
                                     .drop    = gate_drop,
                                     .changed = gate_changed,
                                     .tenant  = gate_tenant};

    g->told = mem_array(GATE_ASKS, sizeof(*g->told));
    g->now  = now;
    g->gate = lim_gate_new(&settings, &out);
    for (; u && u->name[0]; u++)
        lim_gate_configure(g->gate, u);
    for (size_t n = 0; n < count; n++) {
        lim_grant_apply(lim_gate_grants(g->gate), &log[n]);
        gate_record(g, &log[n]);
    }
    lim_gate_begin(g->gate, now);
    return g;
}

static inline void gate_free(struct gate **slot)
{
    struct gate *g = take(slot);

    lim_gate_free(&g->gate);
    mem_free(&g->log);
    mem_free(&g->told);
    mem_free(&g);
}

static inline uint64_t gate_tick(struct gate *g, uint64_t ms)
{
    g->now += ms;
    return lim_gate_tick(g->gate, g->now);
}

static inline const char *gate_id(size_t n, char at[ID_SIZE])
{
    str_format(at, ID_SIZE, "01KAJ4T0Q8ZP9F4T%010zu", n);
    return at;
}

static inline struct permit_ask gate_want(const char *name, size_t id)
{
    struct permit_ask a = {.lane = LANE_STANDARD, .key_count = 1, .lifetime_ms = 60000};

    gate_id(id, a.id);
    str_copy(a.tenant, sizeof(a.tenant), "acme");
    str_copy(a.keys[0].name, sizeof(a.keys[0].name), name);
    a.keys[0].rate = a.keys[0].in_flight = true;
    return a;
}

/* Asks, and lets it decide. */
static inline struct told *gate_ask(struct gate *g, const struct permit_ask *a)
{
    struct told *t = &g->told[g->asked++];

    must(g->asked < GATE_ASKS);
    lim_gate_ask(g->gate, a, t, g->now);
    (void)gate_tick(g, 0);
    return t;
}

static inline void gate_return(struct gate *g, size_t id, enum call_class call_class,
                               uint32_t status)
{
    struct permit_report r = {.call_class = call_class, .status = status};

    gate_id(id, r.id);
    lim_gate_report(g->gate, &r, g->now);
    (void)gate_tick(g, 0);
}

static inline struct lim_gate_state gate_state(const struct gate *g, const char *name)
{
    struct lim_gate_state s;

    must(lim_gate_state(g->gate, name, g->now, &s));
    return s;
}

#endif
