/*
 * lim_window - how many at once, adapting: additive increase, multiplicative decrease.  Pure.
 *
 * A window is cut once for each window's worth of trouble: answers of calls that were
 * granted before the last cut say nothing about it.  One bad answer in ten is trouble; below
 * ten calls one is.
 */
#ifndef LIM_WINDOW_H
#define LIM_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct lim_window {
    double size;      /* 0: there is none, nothing is slowed */
    uint32_t ceiling; /* at that size it goes away */
    uint32_t bad;     /* answers since the last cut, or since there was none */
    uint32_t good;
    uint64_t cut_ms; /* when it was cut last */
};

struct lim_window_limits {
    uint32_t floor;     /* at least 1 */
    uint32_t in_flight; /* as configured; 0: not limited */
};

/* A bad answer of a call granted at `granted_ms`, while `in_flight` were out.  True: it
   was cut. */
bool lim_window_bad(struct lim_window *w, const struct lim_window_limits *l, uint32_t in_flight,
                    uint64_t granted_ms, uint64_t now_ms);
/* A good one.  True: it reached its ceiling and is gone. */
bool lim_window_good(struct lim_window *w);

/* Begins anew with a size, at least the floor. */
void lim_window_set(struct lim_window *w, const struct lim_window_limits *l, double size,
                    uint32_t ceiling, uint64_t now_ms);
void lim_window_clear(struct lim_window *w);

/* Calls that may be out; UINT32_MAX: no window. */
uint32_t lim_window_room(const struct lim_window *w);

#endif
