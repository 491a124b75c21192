/*
 * problem - what a person is told.  By value, bounded, owns nothing.
 *
 * err decides what *we* do; problem says what *they* can do.  The codes are a closed list
 * (docs/errors.md; lint compares).  Pure: no clock, no I/O.
 */
#ifndef PROBLEM_PROBLEM_H
#define PROBLEM_PROBLEM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* X(code, HTTP status, title): first what requests are answered, then how runs end. */
#define PROBLEM_CODES(X) \
    X(INVALID_REQUEST, invalid_request, 400, "Request is not valid") \
    X(INVALID_FLOW, invalid_flow, 422, "Flow is not valid") \
    X(TOO_LARGE, too_large, 413, "Request is too large") \
    X(URL_FORBIDDEN, url_forbidden, 422, "URL may not be visited") \
    X(UNAUTHENTICATED, unauthenticated, 401, "Credentials are missing or not known") \
    X(FORBIDDEN, forbidden, 403, "Not allowed") \
    X(LANE_NOT_ALLOWED, lane_not_allowed, 403, "Lane is not allowed for this tenant") \
    X(NOT_FOUND, not_found, 404, "Not found") \
    X(RUN_FINISHED, run_finished, 409, "Run has ended") \
    X(CONFLICT, conflict, 409, "Same id, other content") \
    X(KEY_CONFLICT, key_conflict, 422, "Same key, other body") \
    X(BUSY, busy, 409, "Run is busy") \
    X(QUEUE_FULL, queue_full, 429, "Queue is full") \
    X(BUDGET_EXCEEDED, budget_exceeded, 429, "Budget is exceeded") \
    X(NO_CAPACITY, no_capacity, 429, "No capacity") \
    X(UNAVAILABLE, unavailable, 503, "Not available at the moment") \
    X(STEP_TIMEOUT, step_timeout, 0, "Step took too long") \
    X(RUN_TIMEOUT, run_timeout, 0, "Run took too long") \
    X(EXPIRED, expired, 0, "Run was not started in time") \
    X(UPSTREAM_REFUSED, upstream_refused, 0, "Upstream refused the call") \
    X(UPSTREAM_FAILED, upstream_failed, 0, "Upstream failed") \
    X(SESSION_LOST, session_lost, 0, "Browser session was lost") \
    X(SCHEMA_MISMATCH, schema_mismatch, 0, "Data does not fit its schema") \
    X(ELEMENT_MISSING, element_missing, 0, "Element was not found in time") \
    X(EXPECTATION_FAILED, expectation_failed, 0, "Expectation was not met") \
    X(EXPRESSION_FAILED, expression_failed, 0, "Expression failed") \
    X(SECRET_MISSING, secret_missing, 0, "Secret is not known") \
    X(FANOUT_REFUSED, fanout_refused, 0, "Too many children") \
    X(BUDGET_EXHAUSTED, budget_exhausted, 0, "Budget is used up") \
    X(RESPONSE_TOO_LARGE, response_too_large, 0, "Answer is too large") \
    X(WORKER_LOST, worker_lost, 0, "Workers were lost too often") \
    X(FLOW_FAILED, flow_failed, 0, "Flow ended as failed") \
    X(CANCELLED, cancelled, 0, "Run was cancelled") \
    X(INDETERMINATE, indeterminate, 0, "An unsafe step may have happened: a person must look")

enum problem_code {
    PROBLEM_NONE = 0,
#define X(name, word, status, title) PROBLEM_##name,
    PROBLEM_CODES(X)
#undef X
};

struct problem {
    enum problem_code code;
    uint32_t retry_after_ms; /* 0: do not repeat */
    char pointer[96];        /* "/flow/steps/3/timeout"; "": the whole */
    char detail[256];        /* "\"5 min\" is not a duration; write \"5m\"" */
    char attempt[64];        /* "try": what to write instead; "": no idea */
    char run[27];            /* "" if none */
};

/* Fills ret with a code, a pointer and a formatted detail; the rest is empty.  Too long a detail is cut. */
void problem_set(struct problem *ret, enum problem_code code, const char *pointer,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

const char *problem_word(enum problem_code code); /* "invalid_flow" */
const char *problem_title(enum problem_code code);
int problem_status(enum problem_code code);          /* HTTP; 500 for the codes of runs */
enum problem_code problem_of_word(const char *word); /* NONE if not known */

/* Whether a new run with the same request may end better (surface 13, "replayable"). */
bool problem_replayable(enum problem_code code);

/* Appends problem+json (surface 13).  trace may be NULL. */
void problem_json(const struct problem *p, const char *trace, struct buf *to);

#endif
