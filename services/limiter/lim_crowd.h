/*
 * lim_crowd - who need not wait for a session, and when to come instead.  Pure: told the time.
 *
 * The place of a call comes back by itself.  That of a session may be held by a run that has no slot
 * meanwhile (it sleeps, say) and needs one before it can close it, while each that waits here holds a
 * slot: let all wait, and they have the slots that would give them what they wait for.  So no more wait
 * than can take what comes back soon, and never so many of a tenant that its own holders find no slot.
 *
 * Who is one too many is told a turn: one after the other, as often as a place is expected and at least
 * each second, so that they neither come all at once, however many there are, nor leave places empty
 * because sessions were longer before.
 */
#ifndef LIM_CROWD_H
#define LIM_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LIM_CROWD_SOON_MS = 1000,          /* who is served within it may as well wait */
    LIM_CROWD_LATE_MS = 5 * 60 * 1000, /* nobody is told more: the limit may be raised */
};

/* What one more meets. */
struct lim_crowd {
    uint32_t places;     /* of the limit that is full */
    uint64_t session_ms; /* how long one is held; 0: none was given back yet */
    uint64_t oldest_ms;  /* then: how long the oldest is held already */
    size_t waiting;      /* for the same places */
    size_t alike; /* … or for others, and of its tenant and lane: they go before it anyway */
    size_t own_waiting; /* of its tenant, in any lane */
    uint64_t own_held;  /* sessions of its tenant */
    uint32_t cap;       /* slots of its tenant; 0: not known */
};

/* It need not wait. */
bool lim_crowd_full(const struct lim_crowd *c);

/* When it comes, from now on.  turn_ms: the last that was told; 0: nobody is expected. */
uint64_t lim_crowd_turn(const struct lim_crowd *c, uint64_t *turn_ms, uint64_t now);

#endif
