/*
 * http_limits - what an answer says about limits: Retry-After in both forms, retry-after-ms, RateLimit
 * (draft 11 and the older three headers), X-RateLimit-Reset in its dialects.  Pure; told the time.
 * Source: RFC 9110 10.2.3, RFC 6585, draft-ietf-httpapi-ratelimit-headers-11.
 *
 * It knows no status: that a Retry-After of a 200 delays nothing is the caller's to know.
 */
#ifndef HTTP_HTTP_LIMITS_H
#define HTTP_HTTP_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_LIMITS_MAX_MS = 24 * 60 * 60 * 1000 }; /* every time is clamped to a day */

struct http_limits {
    bool has_retry_after; /* Retry-After or retry-after-ms was there and readable */
    uint64_t
        retry_after_ms; /* retry-after-ms before Retry-After; of several the largest; a past date: 0 */
    bool exhausted;    /* RateLimit, or one of its older forms, says nothing is left */
    uint64_t reset_ms; /* until it says there is again; 0: unknown, or there is some now */
};

/* The n-th (0-based) header of this name, any case; NULL: there is none.  As http_response_header. */
typedef const char *http_header_fn(const void *self, const char *name, unsigned n);

/* wall_ms: the answer's own Date header is preferred to it for date forms. */
struct http_limits http_limits_read(http_header_fn *get, const void *self, int64_t wall_ms);

/* An HTTP date in any of its three forms (RFC 9110 5.6.7); false if it is none.  wall_ms: for the
   century of the form with two digits. */
bool http_limits_date(const char *text, int64_t wall_ms, int64_t *ret_wall_ms);

#endif
