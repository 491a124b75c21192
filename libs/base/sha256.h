/*
 * sha256 - a digest of bytes handed in pieces (OpenSSL behind it).
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256;

struct sha256 *sha256_new(void);
void sha256_add(struct sha256 *s, const void *at, size_t len);
void sha256_end(struct sha256 **s, uint8_t ret[32]); /* frees */

#endif
