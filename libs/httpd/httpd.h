/*
 * httpd - a bounded HTTP listener: health and metrics now, the HTTP API later (libmicrohttpd behind it).
 *
 * Handlers run on the loop thread.  Answers are small and ready at once.  Connections, the memory of
 * each, their idle time and the number from one address are bounded; only GET and HEAD come through.
 */
#ifndef HTTPD_HTTPD_H
#define HTTPD_HTTPD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct uv_loop_s;
struct httpd;

enum { HTTPD_BODY_MAX = 4 << 20 }; /* of an answer; a larger one becomes a 500 */

struct httpd_answer {
    int status;       /* 500 until the handler says otherwise */
    const char *type; /* "text/plain; charset=utf-8" */
    struct buf body;  /* initialised, empty; freed by httpd */
};
typedef void httpd_fn(void *self, const char *method, const char *path,
                      struct httpd_answer *answer);

/* Whether it reads as "host:port": a name, an address, an IPv6 address in brackets, or nothing
   (every interface) before the last colon.  Resolves nothing. */
bool httpd_at_valid(const char *at);

/* at: "host:port" (port 0: any).  REJECT: bad text, or no such host; RETRY: the address is taken. */
MUST_USE struct err httpd_open(struct httpd **ret, struct uv_loop_s *loop, const char *at,
                               httpd_fn *fn, void *self);
uint16_t httpd_port(const struct httpd *httpd);
/* The loop must turn once more for the memory to go. */
void httpd_free(struct httpd **httpd);

#endif
