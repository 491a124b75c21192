#include "lim_crowd.h"

/* As many as there are places take all that can come free at once; more do only where sessions are known to be short. */
static bool enough_wait(const struct lim_crowd *c)
{
    uint64_t held = c->session_ms > 0 ? c->session_ms : LIM_CROWD_SOON_MS;

    return c->waiting >= c->places && held * (c->waiting + 1) / c->places > LIM_CROWD_SOON_MS;
}

static bool holders_need_slots(const struct lim_crowd *c)
{
    return c->cap > 0 && c->own_held > 0 && c->own_waiting + c->own_held >= c->cap;
}

/* The first of its tenant and lane waits however many others do: else it would have no turn at all. */
bool lim_crowd_full(const struct lim_crowd *c)
{
    return (c->alike > 0 && enough_wait(c)) || holders_need_slots(c);
}

/* How often one of them is expected to be free. */
static uint64_t each_ms(const struct lim_crowd *c)
{
    uint64_t each = (c->session_ms > 0 ? c->session_ms : c->oldest_ms) / c->places;

    return each < LIM_CROWD_SOON_MS ? each : LIM_CROWD_SOON_MS;
}

uint64_t lim_crowd_turn(const struct lim_crowd *c, uint64_t *turn_ms, uint64_t now)
{
    uint64_t soon = now + LIM_CROWD_SOON_MS;
    uint64_t turn = (*turn_ms > soon ? *turn_ms : soon) + each_ms(c);

    if (turn > now + LIM_CROWD_LATE_MS)
        return LIM_CROWD_LATE_MS;
    *turn_ms = turn;
    return turn - now;
}
