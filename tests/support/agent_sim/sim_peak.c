#include "agent_sim/sim_peak.h"

#include <stdlib.h>

#include "agent_sim/sim_base.h"

static int by_time(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

struct sim_peak sim_peak_at_once(const struct sim_span *spans, size_t count)
{
    struct sim_peak peak = {0};
    uint64_t *begins     = sim_base_zero((count + 1) * sizeof *begins);
    uint64_t *ends       = sim_base_zero((count + 1) * sizeof *ends);
    size_t over          = 0;

    for (size_t i = 0; i < count; i++) {
        begins[i] = spans[i].begin_ns;
        ends[i]   = spans[i].end_ns < spans[i].begin_ns ? spans[i].begin_ns : spans[i].end_ns;
    }
    qsort(begins, count, sizeof *begins, by_time);
    qsort(ends, count, sizeof *ends, by_time);

    /* An end and a begin at the same instant: the place was free in time. */
    for (size_t i = 0; i < count; i++) {
        while (ends[over] <= begins[i])
            over++;
        if (i + 1 - over > peak.count)
            peak = (struct sim_peak){i + 1 - over, begins[i], begins[i]};
    }
    sim_base_free(begins);
    sim_base_free(ends);
    return peak;
}

struct sim_peak sim_peak_within(uint64_t *instants, size_t count, uint64_t window_ns)
{
    struct sim_peak peak = {0};
    size_t first         = 0;

    if (count)
        qsort(instants, count, sizeof *instants, by_time);
    for (size_t i = 0; i < count; i++) {
        while (instants[i] - instants[first] >= window_ns)
            first++;
        if (i + 1 - first > peak.count)
            peak = (struct sim_peak){i + 1 - first, instants[first], instants[i]};
    }
    return peak;
}
