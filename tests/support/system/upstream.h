/*
 * upstream - an agent_sim beside the services of a world, and what its record proves.
 *
 * The record file is read event by event after everything has happened, and maxima are computed from
 * it here; upstream_read() also asks the simulator's own judge and fails when the two disagree.
 * Nothing is ever asked of Sluice.
 */
#ifndef SUPPORT_SYSTEM_UPSTREAM_H
#define SUPPORT_SYSTEM_UPSTREAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/system/proc.h"

struct record;
struct world;

struct upstream {
    struct world *world;
    struct proc *proc;
    char name[32]; /* of the upstream */
    char file[PROC_PATH_MAX];
    unsigned port;
};

/* nats-server, and then gateway, scheduler, limiter (both decide) and so many workers; tenants acme and
   globex of tier scale. */
struct world *upstream_world(void **state, const char *name, unsigned workers);
/* The same in two steps, for a world_env() between them. */
struct world *upstream_world_new(void **state, const char *name);
void upstream_world_start(struct world *w, unsigned workers);
/* The n-th process of a service, from 1. */
struct proc *upstream_proc(struct world *w, const char *service, unsigned n);

/* A simulator; `config` as its --config.  The process is the world's. */
struct upstream *upstream_start(struct world *w, const char *name, const char *config);
void upstream_free(struct upstream **slot);

/* Its value in sluice_upstreams: driver, profile, url and these fields; all services know it when it returns. */
void upstream_put(struct upstream *u, const char *fields);
/* The same, in a buffer, for writing it another way. */
void upstream_value(const struct upstream *u, const char *fields, char *ret, size_t size);

/* A door of the control API; NULL: not a 2xx.  The caller lets go of it. */
json_t *upstream_call(struct upstream *u, const char *method, const char *path,
                      const char *body);
void upstream_fault(struct upstream *u, const char *json);  /* refused: the test fails */
void upstream_set(struct upstream *u, const char *json);    /* configuration */
int64_t upstream_now(struct upstream *u, const char *what); /* in_flight, sessions, calls */

/* ---- the record ------------------------------------------------------------------------------- */

struct upstream_act {
    const char *what;       /* an endpoint; of a session its id; of an order its key */
    int64_t from_ns, to_ns; /* to: INT64_MAX while it goes on */
    int64_t from_wall_ms;
    int status; /* 0: no whole answer */
    unsigned
        acts; /* of a call: how often it did its work; of an order: how often it was placed */
    bool expired; /* of a session: ended over there, not by a close */
    const char *session, *order, *fault, *why, *cmd; /* "" if absent */
    uint64_t id;
};

struct upstream_list {
    struct upstream_act *items;
    size_t count, max;
};

struct upstream_record {
    struct upstream *upstream;
    struct upstream_list calls, sessions, orders,
        violations; /* of these: what = the violation */
    json_t *lines;  /* lend the texts */
};

struct upstream_record *upstream_read(struct upstream *u);
void upstream_record_free(struct upstream_record **slot);

/* The most at once, and the most that begin within a second. */
size_t upstream_peak(const struct upstream_list *l);
size_t upstream_peak_second(const struct upstream_list *l);
/* How many there were at that moment. */
size_t upstream_at_once(const struct upstream_list *l, int64_t ns);
/* Calls that arrived in [from, to); endpoint NULL: any. */
size_t upstream_calls_within(const struct upstream_record *r, const char *endpoint,
                             int64_t from_ns, int64_t to_ns);
/* The n-th call that was answered with a fault of this name; NULL: there is none. */
const struct upstream_act *upstream_faulted(const struct upstream_record *r, const char *fault,
                                            size_t n);
const struct upstream_act *upstream_order(const struct upstream_record *r, const char *key);

struct upstream_limits {
    size_t per_s, burst, in_flight, sessions; /* 0: none */
};

/*
 * Each fails the test with the call, session or order it is about.  Limits: rate (1.2 x per_s + burst in any
 * second), calls in flight, open sessions; no order twice; nothing left open; no command into a session in which another
 * is at work, that is closed or nobody's.
 */
void upstream_judge_limits(const struct upstream_record *r,
                           const struct upstream_limits *limits);
void upstream_judge_orders(const struct upstream_record *r);
void upstream_judge_closed(const struct upstream_record *r);
void upstream_judge_commands(const struct upstream_record *r);
/* All four, once nothing is open any more (at most `ms`). */
void upstream_judge(struct upstream *u, const struct upstream_limits *limits, int ms);

/* ---- the journal --------------------------------------------------------------------------------- */

/* Every result says so many tries at most. */
void upstream_judge_tries(struct world *w, unsigned most);
/* How many workers leased a run; their slots are few, so that no one has all. */
size_t upstream_workers(struct world *w);
/* The fewest runs that any worker has at this moment, each at its first step: leased, nothing after it. */
size_t upstream_least_held(struct world *w);
/* How many results have this status ("done"). */
size_t upstream_results(struct world *w, const char *status);

#endif
