/*
 * base64 - RFC 4648: the server's JSON carries bodies in it, object names and digests are written in
 * its URL-safe alphabet.  Pure.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Room that a decoded text needs at most. */
static inline size_t base64_decoded_max(size_t len)
{
    return len / 4 * 3 + 3;
}

/* The standard alphabet, padded.  False if it is not base 64. */
bool base64_decode(struct bytes text, uint8_t *to, size_t *ret_len);

/* The URL-safe alphabet, padded, terminated. */
void base64_encode_url(struct bytes from, char *to);

#endif
