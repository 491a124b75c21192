/*
 * http - asynchronous HTTP requests on the loop: libcurl's multi interface on libuv.
 *
 * Every response is bounded (body_max, 64 KiB of headers in sum), every call has a deadline, every
 * address is judged before it is connected to (http_guard) and again at each redirect.  Nothing is
 * compressed, no environment variable names a proxy, certificates are checked.
 *
 * Every call has a connection of its own, by HTTP/1.1 (measured, libcurl 7.88.1: it uses a kept
 * connection on which an answer lies that nobody asked for, and each later caller then gets the answer
 * of the one before, whoever that was; and it sends a request again by itself when a kept connection
 * dies before the first byte).  So nothing is sent twice, nobody gets another's answer, and no address
 * that was judged for one is there for another.  The price is a handshake a call, and a port for a
 * minute: about 470 calls a second to one address.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

struct uv_loop_s;
struct http;
struct http_call;

struct http_config {
    /* SLUICE_EGRESS_PROXY; NULL: none.  It then resolves names, so it must judge addresses too; operators' URLs
       with a local name or a private address are reached directly, and so is what NO_PROXY names. */
    const char *proxy;
    const char *user_agent; /* NULL: sluice/<version> */
};
MUST_USE struct err http_open(struct http **ret, struct uv_loop_s *loop,
                              const struct http_config *config);
/* Aborts what is under way without calling back; not from inside a callback.  The loop must turn
   once more for the memory to go. */
void http_free(struct http **http);

enum http_guard_mode {
    HTTP_GUARD_OPERATOR, /* the operator's own URL: anything goes */
    HTTP_GUARD_PUBLIC, /* http(s) to public addresses only, after resolution and at each redirect */
    HTTP_GUARD_PRIVATE, /* the tenant may reach private nets: still no metadata addresses */
};

/* What became of the bytes: decides whether it may have acted. */
enum http_stage {
    HTTP_BEFORE_SEND, /* certainly not one byte of the request left: refused, not resolved, forbidden */
    HTTP_AFTER_SEND, /* the request, or some of it, may have reached it; no full answer */
    HTTP_ANSWERED,   /* a whole answer */
};

struct http_header {
    const char *name, *value;
};

struct http_request {
    const char *method; /* "GET" "POST" "DELETE" … */
    const char *url;
    const struct http_header
        *headers; /* not those of the framing: Host, Content-Length, Connection … */
    size_t header_count;
    struct bytes body;   /* copied, as everything here */
    uint64_t timeout_ms; /* whole call, redirects included; not 0 */
    uint64_t connect_ms; /* 0: 5000, never above timeout_ms */
    uint64_t body_max;   /* of the answer; over it: FULL, the connection is dropped */
    bool unsafe;         /* follows no redirect, whatever the next field says */
    bool
        follow; /* up to 5 redirects; another origin gets no headers but Accept, Content-Type */
    enum http_guard_mode guard;
};

struct http_response {
    struct err
        err; /* OK: an answer of whatever status; RETRY: not sent; UNKNOWN: sent, no answer in time or cut;
                       FULL: too large; REJECT: forbidden address, bad URL or header */
    enum http_stage stage; /* after a redirect never BEFORE_SEND again */
    int status;            /* also of an answer that was cut or too large; 0: none */
    struct bytes body;
    uint64_t ms;
    const char *url;  /* after redirects */
    const char *text; /* of an error: curl's words or the guard's; "" else */
    const struct http_call *call;
};
/* NULL if absent; several of the same name: the n-th (0-based).  Valid during the callback. */
const char *http_response_header(const struct http_response *response, const char *name,
                                 size_t n);

/* Exactly once, on the loop, never from inside http_start; the response is lent for the call. */
typedef void http_done_fn(void *self, const struct http_response *response);

/* The call lives until `done` has returned, or it is cancelled. */
struct http_call *http_start(struct http *http, const struct http_request *request,
                             http_done_fn *done, void *self);
/* No callback; the connection is dropped.  From anywhere, also from inside another call's `done`; from
   inside its own it does nothing. */
void http_cancel(struct http_call **call);

#endif
