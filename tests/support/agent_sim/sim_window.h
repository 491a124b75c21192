/*
 * sim_window - how many arrivals the last second saw, live.
 *
 * Pure.  Only for enforcing a rate and for marking violations as they happen;
 * the truth about maxima is the judge's, who sees all instants sorted.
 */
#ifndef SIM_WINDOW_H
#define SIM_WINDOW_H

#include <stddef.h>
#include <stdint.h>

struct sim_window {
    uint64_t *ring; /* room is a power of two */
    size_t room;
    size_t first;
    size_t count;
};

void sim_window_deinit(struct sim_window *w);

/* Counts one arrival; returns how many the second up to it saw, itself included. */
size_t sim_window_put(struct sim_window *w, uint64_t now_ns);

#endif
