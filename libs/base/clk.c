#include "base/clk.h"

#include <time.h>

#include "base/must.h"

static struct timespec read_clock(clockid_t which)
{
    struct timespec t = {0};

    must(clock_gettime(which, &t) == 0);
    return t;
}

static uint64_t to_ms(struct timespec t)
{
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t clk_mono_ms(void)
{
    return to_ms(read_clock(CLOCK_MONOTONIC));
}

uint64_t clk_mono_us(void)
{
    struct timespec t = read_clock(CLOCK_MONOTONIC);

    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clk_boot_ms(void)
{
    return to_ms(read_clock(CLOCK_BOOTTIME));
}

int64_t clk_wall_ms(void)
{
    struct timespec t = read_clock(CLOCK_REALTIME);

    return (int64_t)t.tv_sec * 1000 + (int64_t)t.tv_nsec / 1000000;
}
