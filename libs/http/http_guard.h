/*
 * http_guard - which URLs and addresses may be reached (surface 15, "Which URLs").
 *
 * Pure: but for the operator's nets, which are set once at start.  What a flow asks for is read the
 * strict way: where readers of URLs differ (back slashes, user info, blanks, percent signs or
 * other alphabets in a host), the URL is refused instead of guessed at.
 */
#ifndef HTTP_HTTP_GUARD_H
#define HTTP_HTTP_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "http/http.h"

struct sockaddr;

/* Extra nets the operator denies (SLUICE_DENY_NETS: "10.0.0.0/8,fd00::/8"), in place of those given
   before; NULL or "": none.  They hold for PUBLIC and PRIVATE.  REJECT with why on bad text. */
MUST_USE struct err http_guard_deny(const char *nets, char *why, size_t why_size);

/* After resolution: may this address be connected to?  why: "127.0.0.1 is loopback". */
bool http_guard_address(enum http_guard_mode mode, const struct sockaddr *address, char *why,
                        size_t why_size);

/* Before anything: scheme http(s), a host, no user info, literal addresses (in any of their spellings: decimal, hex,
   octal, short, IPv4-mapped IPv6) judged at once, local names (localhost, *.localhost, *.local, *.internal, names without
   a dot, metadata names) refused; nothing is resolved.  REJECT with why.  PRIVATE lets local names and private addresses
   pass, but never those of a cloud's metadata; OPERATOR asks only for http(s) and a host. */
MUST_USE struct err http_guard_url(enum http_guard_mode mode, const char *url, char *why,
                                   size_t why_size);

/* The host of a URL, lower case, without port, brackets and closing dot, an IPv4 address in its usual spelling; false if
   there is none.  For `site:<host>` keys. */
bool http_guard_host(const char *url, char *ret, size_t size);

#endif
