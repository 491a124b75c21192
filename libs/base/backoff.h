/*
 * backoff - how long to wait before the n-th repeat.  Pure: randomness is handed in.
 *
 * Full jitter: uniform in [0, min(cap, base * 2^n)] (Brooker, AWS architecture blog, 2015).
 */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

/* n = 0 for the first repeat; random: any 64-bit number. */
uint64_t backoff_full_ms(unsigned n, uint64_t base_ms, uint64_t cap_ms, uint64_t random);

/* Half fixed, half jitter: never below half of the exponential value.  For our own
   reconnects. */
uint64_t backoff_half_ms(unsigned n, uint64_t base_ms, uint64_t cap_ms, uint64_t random);

#endif
