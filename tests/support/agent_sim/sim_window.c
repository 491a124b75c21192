#include "agent_sim/sim_window.h"

#include "agent_sim/sim_base.h"

static const uint64_t SECOND_NS = 1000000000u;

void sim_window_deinit(struct sim_window *w)
{
    sim_base_free(w->ring);
    *w = (struct sim_window){0};
}

static void widen(struct sim_window *w)
{
    size_t room    = w->room ? w->room * 2 : 64;
    uint64_t *ring = sim_base_zero(room * sizeof *ring);

    for (size_t i = 0; i < w->count; i++)
        ring[i] = w->ring[(w->first + i) & (w->room - 1)];
    sim_base_free(w->ring);
    *w = (struct sim_window){.ring = ring, .room = room, .count = w->count};
}

size_t sim_window_put(struct sim_window *w, uint64_t now_ns)
{
    while (w->count && now_ns >= w->ring[w->first] + SECOND_NS) {
        w->first = (w->first + 1) & (w->room - 1);
        w->count--;
    }
    if (w->count == w->room)
        widen(w);
    w->ring[(w->first + w->count) & (w->room - 1)] = now_ns;
    return ++w->count;
}
