/*
 * clk - the three clocks, each with a meaning of its own.
 *
 * Decisions are handed monotonic milliseconds; deadlines of steps and ages of permits use the
 * boot clock, which goes on while a machine sleeps; wall time stands in messages and logs only.
 */
#ifndef BASE_CLK_H
#define BASE_CLK_H

#include <stdint.h>

uint64_t clk_mono_ms(void); /* CLOCK_MONOTONIC */
uint64_t clk_mono_us(void);
uint64_t clk_boot_ms(void); /* CLOCK_BOOTTIME  */
int64_t clk_wall_ms(void);  /* CLOCK_REALTIME  */

#endif
