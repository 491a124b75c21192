/*
 * bus_base64 - RFC 4648: the server's JSON carries bodies in it, object names and digests are written in
 * its URL-safe alphabet.  Pure: bytes in, bytes out.
 */
#ifndef BUS_BUS_BASE64_H
#define BUS_BUS_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Room that a decoded, or an encoded and terminated, text needs at most. */
static inline size_t bus_base64_decoded_max(size_t len)
{
    return len / 4 * 3 + 3;
}
static inline size_t bus_base64_encoded_size(size_t len)
{
    return (len + 2) / 3 * 4 + 1;
}

/* The standard alphabet, padded.  False if it is not base 64. */
bool bus_base64_decode(struct bytes text, uint8_t *to, size_t *ret_len);

/* The URL-safe alphabet, padded, terminated. */
void bus_base64_encode_url(struct bytes from, char *to);

#endif
