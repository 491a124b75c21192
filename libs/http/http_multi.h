/*
 * http_multi - a pool of connections: one of libcurl's multi handles driven by the loop.
 *
 * libcurl says which sockets and when; here is where it is told that something happened.  What has
 * ended is reported after libcurl has returned, so that whoever hears it may add and remove.
 */
#ifndef HTTP_HTTP_MULTI_H
#define HTTP_HTTP_MULTI_H

#include <curl/curl.h>

struct uv_loop_s;
struct http_multi;

/* easy is out of the pool by now. */
typedef void http_multi_fn(void *self, CURL *easy, CURLcode code);

struct http_multi *http_multi_new(struct uv_loop_s *loop, http_multi_fn *on_end, void *self);
/* Nothing may be in it.  The loop must turn once more for the memory to go. */
void http_multi_free(struct http_multi **multi);
void http_multi_add(struct http_multi *multi, CURL *easy); /* begins in a later turn */
void http_multi_remove(struct http_multi *multi, CURL *easy);

#endif
