/*
 * sim_judge - what the events prove: the one place where maxima are computed.
 *
 * The simulator feeds it for its summary, tests feed it the events (or the
 * --record file, also of a simulator that was killed and started again) to
 * compute the same offline.  Events may come in any order of time, as they do:
 * an arrival bears the kernel's receive time and may be recorded after an
 * answer that left later.
 *
 * Pure: no clock, no I/O; it copies what it keeps.
 */
#ifndef SIM_JUDGE_H
#define SIM_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent_sim/sim_event.h"
#include "agent_sim/sim_peak.h"

struct sim_judge;

struct sim_judge_call {
    uint64_t id;
    enum sim_endpoint endpoint;
    struct sim_span span; /* arrival to end; SIM_PEAK_OPEN while in flight       */
    const char *tenant;   /* NULL = no label                                     */
    const char *session;
    const char *order;
    const char *fault;
    const char *why; /* how it was dropped                                  */
    uint64_t conn;
    uint64_t nth;  /* > 1: it came over a connection that was used before */
    uint32_t acts; /* how often a browse or step did its work             */
    int status;    /* 0 = none yet, or none ever                          */
    bool answered;
    bool dropped;
    bool gone; /* the client did not wait for the end                 */
};

enum sim_judge_end {
    SIM_JUDGE_OPEN,
    SIM_JUDGE_CLOSED,
    SIM_JUDGE_EXPIRED, /* by the upstream: idle, lost, or the simulator began anew */
};

struct sim_judge_session {
    const char *id;
    const char *tenant;
    struct sim_span span; /* arrival of the opening call to the end of the close */
    enum sim_judge_end end;
};

struct sim_judge_order {
    const char *key;
    const char *tenant;
    const char *session; /* of the last time     */
    uint64_t *at_ns;     /* `count` instants     */
    uint64_t *calls;     /* and the ids of calls */
    size_t count;        /* > 1: it was doubled  */
};

struct sim_judge *sim_judge_new(void);
void sim_judge_free(struct sim_judge **slot);

void sim_judge_put(struct sim_judge *j, const struct sim_event *event);

/* The same from a line of ndjson; false if it is not an event (half a line after a kill). */
bool sim_judge_put_line(struct sim_judge *j, const char *line, size_t len);

/* Maxima over all calls or sessions, or over those of one tenant (NULL = all). */
struct sim_peak sim_judge_rate(const struct sim_judge *j, const char *tenant,
                               uint64_t window_ns);
struct sim_peak sim_judge_in_flight(const struct sim_judge *j, const char *tenant);
struct sim_peak sim_judge_sessions_open(const struct sim_judge *j, const char *tenant);

/* What was collected, in the order of its first event; lent until the next put. */
size_t sim_judge_calls(const struct sim_judge *j);
size_t sim_judge_sessions(const struct sim_judge *j);
size_t sim_judge_orders(const struct sim_judge *j);
size_t sim_judge_tenants(const struct sim_judge *j);
const struct sim_judge_call *sim_judge_call(const struct sim_judge *j, size_t i);
const struct sim_judge_session *sim_judge_session(const struct sim_judge *j, size_t i);
const struct sim_judge_order *sim_judge_order(const struct sim_judge *j, size_t i);
const char *sim_judge_tenant(const struct sim_judge *j, size_t i);

/* NULL if that key was never ordered. */
const struct sim_judge_order *sim_judge_order_find(const struct sim_judge *j, const char *key);
size_t sim_judge_orders_doubled(const struct sim_judge *j);

/* How often a violation of this name was seen; the names: by index, NULL behind the last. */
uint64_t sim_judge_violations(const struct sim_judge *j, const char *why);
const char *sim_judge_violation_name(const struct sim_judge *j, size_t i);

/* The latest any arrival was noticed: how far the machine held the simulator back. */
uint64_t sim_judge_lag_max_us(const struct sim_judge *j);

#endif
