/*
 * id - 26-character ULIDs (Crockford base 32: 48 bits of wall milliseconds, 80 random bits),
 * ids derived from a key, and random numbers.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { ID_LEN = 26, ID_SIZE = ID_LEN + 1 };

void id_new(int64_t wall_ms, char ret[ID_SIZE]);

/* An id that is a function of the bytes: all 128 bits from SHA-256 (top bits kept below the
   ULID maximum), so equal input gives equal ids.  Not time-ordered. */
void id_derive(const uint8_t sha256[32], char ret[ID_SIZE]);

bool id_valid(const char *s); /* exactly 26 characters of the alphabet, first <= '7' */

uint64_t id_random64(void); /* getrandom; never fails */

#endif
