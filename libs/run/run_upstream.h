/*
 * run_upstream - an upstream as configured: one value of the bucket sluice_upstreams
 * (docs/protocol.md).  Pure.
 *
 * One reading for the limiter (limits), the worker (where and how to call) and whoever checks a
 * value before it is written.  A value that does not fit is refused whole, and the last good
 * one stays.
 */
#ifndef RUN_RUN_UPSTREAM_H
#define RUN_RUN_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "json/json.h"
#include "problem/problem.h"

enum {
    RUN_UPSTREAM_WORD_SIZE = 32,
    RUN_UPSTREAM_URL_SIZE  = 512,
    RUN_UPSTREAM_TEXT_SIZE = 256,
};

struct run_upstream {
    char name[STR_NAME_SIZE];
    char driver[RUN_UPSTREAM_WORD_SIZE];  /* "agent" "webdriver" */
    char profile[RUN_UPSTREAM_WORD_SIZE]; /* of an agent: "multion"; else "" */
    char url[RUN_UPSTREAM_URL_SIZE];      /* no slash at the end; "": of a webdriver, where its
                                             workers' SLUICE_WEBDRIVER says */

    /* Where the secret is, never the secret; at most one of the two, both "": none is sent. */
    char key_env[RUN_UPSTREAM_TEXT_SIZE], key_file[RUN_UPSTREAM_TEXT_SIZE];

    double rate_per_s;                          /* 0: not limited */
    uint32_t rate_burst;                        /* at least 1 when there is a rate */
    uint32_t in_flight;                         /* 0: not limited */
    uint32_t sessions;                          /* 0: not limited */
    double tenant_share;                        /* above 0, at most 1 */
    uint64_t timeout_ms;                        /* of a call, when the step does not say */
    double limited_factor;                      /* 0 to 1 */
    uint64_t limited_probe_ms, limited_ramp_ms; /* 0: as the limiter's own settings say */
    bool paused;
    uint64_t session_idle_ms;                 /* 0: it never expires a silent session */
    char feature_402[RUN_UPSTREAM_TEXT_SIZE]; /* extended regular expression, case ignored; "":
                                                 none */
};

/* The value of a key, from the bucket.  REJECT: why names the field, and the nearest that was
 * meant. */
MUST_USE struct err run_upstream_read(struct run_upstream *ret, const char *name,
                                      struct bytes value, struct problem *why);
/* The same for a document that was parsed already. */
MUST_USE struct err run_upstream_check(struct run_upstream *ret, const char *name,
                                       const struct json *doc, struct problem *why);

#endif
