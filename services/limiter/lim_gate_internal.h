/*
 * lim_gate_internal - what the files of lim_gate know of each other.  Pure: told the time.
 */
#ifndef LIM_GATE_INTERNAL_H
#define LIM_GATE_INTERNAL_H

#include "lim_crowd.h"
#include "lim_gate.h"
#include "lim_limit.h"
#include "lim_queue.h"

/* An upstream that is configured. */
struct lim_gate_entry {
    struct run_upstream config;
    struct lim_key *key; /* NULL: not looked up in this term */
    struct lim_queue queue;
    size_t again;     /* asks that wait for a permit which is out already */
    uint64_t turn_ms; /* the last that was told when to come for a session (lim_crowd) */
    bool dirty;       /* somebody may fit who did not */
    uint64_t wake_at; /* so will it be then */
};

struct lim_gate {
    struct lim_gate_settings settings;
    struct lim_gate_out out;
    struct map *entries;
    struct map *asks; /* by id */
    struct heap deadlines;
    struct lim_grants *grants;
    size_t
        foreign; /* asks that wait for other entries, too: by their keys, or by their tenant's sessions */
    uint64_t sweep_at;
    uint64_t chance;
    bool active;
};

struct lim_gate_entry *lim_gate_entry(const struct lim_gate *g,
                                      const char *name); /* NULL: not configured */
struct lim_key *lim_gate_key(struct lim_gate *g, struct lim_gate_entry *e);
struct lim_mode_limits lim_gate_limits(const struct lim_gate *g, const struct run_upstream *u);
uint64_t lim_gate_chance(struct lim_gate *g);

/* A record: it changes our state, and goes to the log. */
void lim_gate_emit(struct lim_gate *g, const struct grant_record *r);
/* Something came back at this key: somebody who waits may fit. */
void lim_gate_freed(struct lim_gate *g, const char *name);

/* lim_gate_report.c: the mode of an upstream is another; records, and incidents that
   begin or end. */
void lim_gate_report_mode(struct lim_gate *g, struct lim_gate_entry *e, uint64_t now);
/* What was granted under this id, if anything, was never heard, and will not be used. */
void lim_gate_report_unused(struct lim_gate *g, const char *id, uint64_t now);
/* Permits that are over, sessions that the upstream has forgotten. */
void lim_gate_report_due(struct lim_gate *g, uint64_t now);

#endif
