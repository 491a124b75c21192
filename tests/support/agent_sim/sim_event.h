/*
 * sim_event - one thing that happened at the upstream, and its JSON line.
 *
 * Everything the simulator claims follows from these lines; nothing else is
 * kept.  Each call has exactly one `arrive` and exactly one end: `answer` (the
 * whole answer went to the kernel) or `drop` (it did not, `why` says how).  An
 * event is recorded before its bytes leave, so what a client has seen is in
 * the record even if the simulator is killed in the next instant.
 */
#ifndef SIM_EVENT_H
#define SIM_EVENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum sim_event_kind {
    SIM_EVENT_START,     /* a simulator began: what an earlier one left open ended here */
    SIM_EVENT_RESET,     /* forget everything before                                    */
    SIM_EVENT_ARRIVE,    /* a call came; ns is the kernel's receive time                */
    SIM_EVENT_OPEN,      /* a session counts from here (its call's arrival)             */
    SIM_EVENT_ACT,       /* a browse or step did its work; `order` if it placed one     */
    SIM_EVENT_ANSWER,    /* the call ended with a whole answer                          */
    SIM_EVENT_DROP,      /* the call ended without: reset closed truncated gone         */
    SIM_EVENT_GONE,      /* the client left during the call, which goes on              */
    SIM_EVENT_CLOSE,     /* a session ended because its close was carried out           */
    SIM_EVENT_EXPIRE,    /* a session ended by the upstream: idle, lost                 */
    SIM_EVENT_VIOLATION, /* the client did what it should not; `why` says what          */
};

enum sim_endpoint {
    SIM_ENDPOINT_BROWSE,
    SIM_ENDPOINT_RETRIEVE,
    SIM_ENDPOINT_OPEN,
    SIM_ENDPOINT_STEP,
    SIM_ENDPOINT_CLOSE,
    SIM_ENDPOINT_SCREENSHOT,
    SIM_ENDPOINT_LIST,
    SIM_ENDPOINT_OTHER, /* anything else below /v1: counted, answered 404 or 405 */
};

enum { SIM_ENDPOINTS = SIM_ENDPOINT_OTHER + 1 };

struct sim_event {
    enum sim_event_kind kind;
    enum sim_endpoint endpoint;
    uint64_t number;     /* position in this simulator's record, from 1     */
    uint64_t ns;         /* CLOCK_MONOTONIC                                 */
    uint64_t wall_ms;    /* for people; never compared                      */
    uint64_t call;       /* 0 = belongs to no call                          */
    uint64_t conn;       /* arrive: number of the connection                */
    uint64_t nth;        /* arrive: how many requests this connection had   */
    uint64_t lag_us;     /* arrive: how late the simulator saw it           */
    int status;          /* answer, drop: the HTTP status, 0 = none         */
    const char *session; /* these are lent; NULL = absent                   */
    const char *tenant;
    const char *order;
    const char *why;
    const char *fault; /* answer, drop: the name of the fault that was played */
    const char *cmd;   /* arrive: how it begins                           */
};

const char *sim_event_kind_name(enum sim_event_kind kind);
const char *sim_event_endpoint_name(enum sim_endpoint endpoint);
bool sim_event_endpoint_find(const char *name, enum sim_endpoint *ret);

/* The event as one line with its newline; the caller frees it (free()). */
char *sim_event_line(const struct sim_event *event);

/* Reads a parsed line; the texts are lent by `line`.  false: not an event. */
bool sim_event_read(struct sim_event *ret, const json_t *line);

#endif
