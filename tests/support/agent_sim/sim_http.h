/*
 * sim_http - reads one HTTP/1.1 request out of the bytes that came so far.
 *
 * Pure, and as small as the clients allow: bodies come with Content-Length
 * (libcurl's do), lengths are bounded, and of the headers only those that
 * change something here are kept.
 */
#ifndef SIM_HTTP_H
#define SIM_HTTP_H

#include <stdbool.h>
#include <stddef.h>

enum {
    SIM_HTTP_HEAD_MAX = 32 * 1024,
    SIM_HTTP_BODY_MAX = 4 * 1024 * 1024,
};

enum sim_http_state {
    SIM_HTTP_MORE,  /* not whole yet                             */
    SIM_HTTP_READY, /* whole: the first `size` bytes are it      */
    SIM_HTTP_BAD,   /* answer `status` and close the connection  */
};

struct sim_http {
    char method[12];
    char path[1024]; /* without the query */
    char query[1024];
    char key[256]; /* X_MULTION_API_KEY, spelt with underscores; "" = not sent */
    bool keep_alive;
    bool expects_continue; /* also known before the body is here (MORE) */
    const char *body;      /* lent */
    size_t body_len;
    size_t size;
    int status;
};

enum sim_http_state sim_http_read(struct sim_http *ret, const char *data, size_t len);

/* The value of a numeric query parameter, or `otherwise`. */
unsigned long long sim_http_query_number(const struct sim_http *http, const char *name,
                                         unsigned long long otherwise);

#endif
