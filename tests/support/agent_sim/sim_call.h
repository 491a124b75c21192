/*
 * sim_call - one call of the agent API, from its arrival to its end.
 *
 *   arrive ── (half of the latency) ── act ── (the rest) ── deliver ── end
 *
 * The call is the upstream's work, not the connection's: a client that leaves
 * changes nothing but that no answer can be given.  What the work is stands in
 * sim_act, how an answer leaves (or does not) in sim_deliver.
 */
#ifndef SIM_CALL_H
#define SIM_CALL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "agent_sim/sim_clock.h"
#include "agent_sim/sim_event.h"
#include "agent_sim/sim_plan.h"
#include "agent_sim/sim_words.h"

struct sim;
struct sim_conn;
struct sim_http;
struct sim_session;

struct sim_call {
    struct sim *sim;
    struct sim_conn *conn; /* NULL: nobody is there to be answered */
    uv_timer_t timer;
    uint64_t id;
    struct sim_clock arrived;
    enum sim_endpoint endpoint;
    char tenant[SIM_WORDS_LABEL_MAX];
    char session_id[80];         /* as the client named it                        */
    struct sim_session *session; /* NULL: names none, or one that never was       */
    json_t *body;
    const char *cmd; /* lent by body, never NULL */
    struct sim_words words;
    struct sim_plan plan;
    double latency_ms;
    char agent[64];  /* what the agent says: CONTINUE, DONE, … */
    bool opens;      /* it begins a session of its own                      */
    bool closes;     /* it has carried out a close                          */
    bool holds;      /* the session cannot fall idle                        */
    bool gone;       /* the client left before the end                      */
    bool delivering; /* a slow fate is being played: leaving ends it        */
    bool early;      /* was answered long before its end                    */
    void (*next)(struct sim_call *);
    char *payload; /* of a slow body, and how much of it is out */
    size_t payload_len, payload_at;
    struct sim_call *before, *after; /* list of the owner */
};

/* A request of the API arrived on this connection. */
void sim_call_new(struct sim *sim, struct sim_conn *conn, const struct sim_http *http);

/* The connection is no more. */
void sim_call_gone(struct sim_call *call);

/* Calls `next` after that time; there is one such wait at a time. */
void sim_call_after(struct sim_call *call, double ms, void (*next)(struct sim_call *));

/* Records something about this call. */
void sim_call_event(struct sim_call *call, enum sim_event_kind kind, const char *why);

/* Records the end, sees to what follows from it, and frees the call once libuv allows. */
void sim_call_end(struct sim_call *call, enum sim_event_kind kind, int status, const char *why);

/* Ends without a trace in the record: the simulator is reset or stops. */
void sim_call_abort(struct sim_call *call);

#endif
