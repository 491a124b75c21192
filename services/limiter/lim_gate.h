/*
 * lim_gate - who gets a permit now, who waits, who is told to come again.  Pure: told time
 * and chance.
 *
 * It joins what is configured (run_upstream), what is out (lim_grant) and who waits
 * (lim_queue).  What it decides it says in two ways: records, which change its own state and
 * must be in the grant log before anything that followed from them is told; and answers.  An
 * answer with `logged` is a grant or a confirmation: it may go out only when all records so
 * far are stored.
 */
#ifndef LIM_GATE_H
#define LIM_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lim_grant.h"
#include "run/run_upstream.h"
#include "wire/wire_permit.h"

enum {
    LIM_GATE_WAIT_MAX    = 60000, /* nobody waits longer, whatever was asked */
    LIM_GATE_REPEAT_MS   = 100, /* an ask repeated within this is answered by the same grant */
    LIM_GATE_LIFETIME_MS = 24 * 3600 * 1000,
};

struct lim_gate_settings {
    uint64_t probe_ms, ramp_ms; /* where an upstream does not say */
    uint32_t window_min;
    size_t waiting_max;
    uint64_t seed;
};

/* What a tenant may. */
struct lim_gate_tenant {
    uint64_t sessions_max; /* open over all upstreams; 0: no limit */
    uint32_t cap;          /* its runs that have a slot; 0: not known */
};

/* tag: the asker, as given to lim_gate_ask; each is answered or dropped, exactly once. */
struct lim_gate_out {
    void *self;
    void (*record)(void *self, const struct grant_record *r);
    void (*answer)(void *self, void *tag, const struct permit_grant *g, bool logged);
    void (*drop)(void *self, void *tag);
    void (*tenant)(void *self, const char *tenant, struct lim_gate_tenant *ret);
    void (*changed)(void *self, const char *name,
                    bool incident); /* a mode, or an incident of it */
};

struct lim_gate;

struct lim_gate *lim_gate_new(const struct lim_gate_settings *settings,
                              const struct lim_gate_out *out);
void lim_gate_free(struct lim_gate **gate); /* drops all that wait */

/* What is out: filled from the log before lim_gate_begin. */
struct lim_grants *lim_gate_grants(struct lim_gate *g);
/* The log is read: from now on it decides. */
void lim_gate_begin(struct lim_gate *g, uint64_t now);
/* Another decides: all that wait are dropped, all that is out is forgotten. */
void lim_gate_end(struct lim_gate *g);

/* Configuration, at any time.  Who waits with one that is forgotten is turned away; what is out comes back one by one. */
void lim_gate_configure(struct lim_gate *g, const struct run_upstream *u);
void lim_gate_forget(struct lim_gate *g, const char *name);
void lim_gate_tenants(struct lim_gate *g); /* what they may is another now */
const struct run_upstream *lim_gate_upstream(const struct lim_gate *g, const char *name);
bool lim_gate_next_name(const struct lim_gate *g, size_t *it, const char **ret);

/* Between begin and end. */
void lim_gate_ask(struct lim_gate *g, const struct permit_ask *ask, void *tag, uint64_t now);
void lim_gate_report(struct lim_gate *g, const struct permit_report *r, uint64_t now);
/* The operator: true if there was something to resume. */
bool lim_gate_resume(struct lim_gate *g, const char *name, uint64_t ramp_ms, uint64_t now);
/* An alert was stored. */
void lim_gate_told(struct lim_gate *g, const char *name, enum lim_incident_kind kind,
                   uint32_t told, uint64_t now);
/* All that is due; to be called after each burst.  Returns when to call it again. */
uint64_t lim_gate_tick(struct lim_gate *g, uint64_t now);

/* One upstream as it stands. */
struct lim_gate_state {
    const char *name, *why;
    enum permit_mode mode;
    uint64_t since_ms, until_ms, probe_ms; /* until 0: not known */
    double rate;                           /* 0: not limited */
    uint32_t used_1s;
    uint32_t in_flight, in_flight_used; /* limit UINT32_MAX: not limited */
    uint32_t sessions, sessions_used;   /* limit 0: not limited */
    size_t waiting[LANES];
    bool paused;
};
bool lim_gate_state(const struct lim_gate *g, const char *name, uint64_t now,
                    struct lim_gate_state *ret);

size_t lim_gate_waiting(const struct lim_gate *g);

#endif
