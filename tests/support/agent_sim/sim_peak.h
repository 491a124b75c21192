/*
 * sim_peak - how many at once, and how many within a second, exactly.
 *
 * Pure: arrays of instants in, numbers out; no order is asked of the input.
 */
#ifndef SIM_PEAK_H
#define SIM_PEAK_H

#include <stddef.h>
#include <stdint.h>

#define SIM_PEAK_OPEN UINT64_MAX /* the end of what has not ended */

struct sim_span {
    uint64_t begin_ns;
    uint64_t end_ns; /* the first instant at which it no longer counts */
};

struct sim_peak {
    uint64_t count;
    uint64_t from_ns; /* the instant, or the worst window's first arrival   */
    uint64_t to_ns;   /* same instant, or the worst window's last arrival   */
};

/* The most spans that contain one instant, and the first such instant. */
struct sim_peak sim_peak_at_once(const struct sim_span *spans, size_t count);

/* The most instants in any half-open window [t, t + window_ns), and the first such window.
   Sorts `instants`. */
struct sim_peak sim_peak_within(uint64_t *instants, size_t count, uint64_t window_ns);

#endif
