/*
 * fake_clk - the clocks and the random numbers of the world: a second implementation of base/clk.h.
 *
 * Included by one file of a test, which so has it in place of the real one; other tests with a fake bus
 * keep the machine's clocks.
 */
#ifndef SUPPORT_FAKE_FAKE_CLK_H
#define SUPPORT_FAKE_FAKE_CLK_H

#include <stdint.h>
#include <sys/random.h>

#include "base/clk.h"
#include "support/fake/fake_internal.h"

uint64_t clk_mono_ms(void)
{
    return fake.now;
}

uint64_t clk_mono_us(void)
{
    return fake.now * 1000;
}

uint64_t clk_boot_ms(void)
{
    return fake.now;
}

int64_t clk_wall_ms(void)
{
    return fake.wall_base + (int64_t)fake.now;
}

/* base/id.c asks here: the same scenario has the same ids and the same jitter each time. */
ssize_t getrandom(void *at, size_t len, unsigned flags)
{
    uint8_t *to = at;

    (void)flags;
    for (size_t i = 0; i < len; i++) {
        fake.random =
            fake.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        to[i] = (uint8_t)(fake.random >> 33);
    }
    return (ssize_t)len;
}

#endif
