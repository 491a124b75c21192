/*
 * sim_plan - what becomes of one call: how it ends, and whether it acted before.
 *
 * A plan has a name, NAME[_before|_after]: the suffix overrides whether the
 * call does its work before it ends so.  The table of names is in sim_plan.c
 * and in README.md.
 */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include <jansson.h>
#include <stdbool.h>

enum sim_plan_fate {
    SIM_PLAN_ANSWER,       /* as it should be                                     */
    SIM_PLAN_STATUS,       /* an error status, with the body that belongs to it   */
    SIM_PLAN_HTML,         /* an error status from some proxy, in HTML            */
    SIM_PLAN_HANG,         /* never answers; ends when the client leaves          */
    SIM_PLAN_RESET,        /* RST                                                 */
    SIM_PLAN_CLOSE,        /* FIN without an answer                               */
    SIM_PLAN_GARBAGE,      /* 200 and bytes that are no JSON                      */
    SIM_PLAN_TRUNCATED,    /* half of the promised body, then FIN                 */
    SIM_PLAN_ENDLESS,      /* a body that never ends                              */
    SIM_PLAN_DRIP,         /* a right answer, byte by byte                        */
    SIM_PLAN_WRONG_TYPE,   /* a right answer called text/html                     */
    SIM_PLAN_EMPTY,        /* 200 and no body                                     */
    SIM_PLAN_DEEP,         /* 200 and JSON 10,000 deep                            */
    SIM_PLAN_SESSION_LOST, /* the upstream forgets the session of this call       */
    SIM_PLAN_DOUBLE_ACT,   /* misbehaves: does the work twice                     */
    SIM_PLAN_KEEP_OPEN,    /* misbehaves: says closed and keeps the session       */
    SIM_PLAN_EARLY_ANSWER, /* misbehaves: answers at once, and goes on counting   */
};

enum sim_plan_retry {
    SIM_PLAN_RETRY_NONE,
    SIM_PLAN_RETRY_SECONDS,
    SIM_PLAN_RETRY_DATE,
    SIM_PLAN_RETRY_RAW, /* retry_raw as it stands */
};

struct sim_plan {
    enum sim_plan_fate fate;
    bool acts;
    int status;
    enum sim_plan_retry retry;
    long retry_after_s;
    double latency_ms; /* < 0: the endpoint's                           */
    double drip_ms;    /* between two bytes                             */
    char name[40];     /* as it was asked for; "" = no fault            */
    char text[256];    /* the message of an error                       */
    char agent[64];    /* overrides the agent's status; "" = no         */
    char retry_raw[64];
    char headers[512]; /* further header lines, each with its CRLF      */
};

/* The plan of a call that nothing befalls. */
struct sim_plan sim_plan_plain(void);

/* false: there is no such name. */
bool sim_plan_read(struct sim_plan *ret, const char *name);

/* Takes one field of a fault's JSON object; false: not a field of a plan, or a wrong value. */
bool sim_plan_set(struct sim_plan *plan, const char *field, const json_t *value);

/* Is the body such that no client can make sense of it? */
bool sim_plan_unreadable(const struct sim_plan *plan);

#endif
