#include "base/backoff.h"

/* min(cap, base * 2^n), without overflow on the way. */
static uint64_t exponential(unsigned n, uint64_t base_ms, uint64_t cap_ms)
{
    if (base_ms == 0)
        return 0;
    if (n >= 64 || base_ms > cap_ms >> n)
        return cap_ms;
    return base_ms << n;
}

/* Uniform in [0, max].  The bias of the remainder is max / 2^64: nothing, for a time in ms. */
static uint64_t up_to(uint64_t max, uint64_t random)
{
    return max == UINT64_MAX ? random : random % (max + 1);
}

uint64_t backoff_full_ms(unsigned n, uint64_t base_ms, uint64_t cap_ms, uint64_t random)
{
    return up_to(exponential(n, base_ms, cap_ms), random);
}

uint64_t backoff_half_ms(unsigned n, uint64_t base_ms, uint64_t cap_ms, uint64_t random)
{
    uint64_t whole = exponential(n, base_ms, cap_ms);

    return whole - whole / 2 + up_to(whole / 2, random);
}
