/*
 * lim_limit - what an ask meets at one upstream, as configured and as it stands.  Pure: told
 * the time.
 */
#ifndef LIM_LIMIT_H
#define LIM_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lim_grant.h"
#include "run/run_upstream.h"

enum {
    LIM_LIMIT_HOLD_MS   = 1000,  /* closed for no longer: who may wait so long waits */
    LIM_LIMIT_PAUSED_MS = 10000, /* when to look again whether somebody let it go on */
    LIM_LIMIT_SOON_MS   = 100,   /* the least that anybody is told to stay away */
};

/* One upstream at one instant. */
struct lim_limit {
    const struct run_upstream *config;
    const struct lim_key *key;
    struct lim_mode_limits mode;
    uint64_t now;
};

/* One ask there. */
struct lim_limit_ask {
    const char *tenant;
    const struct permit_key *key;
    bool held;        /* its session has a permit already */
    bool again;       /* so has its call */
    size_t waiting;   /* others who wait there */
    size_t opens;     /* of them, for a session */
    size_t own_opens; /* … and of its tenant */
    uint64_t
        sessions_max; /* how many the tenant may have open, over all upstreams; 0: no limit */
    uint64_t sessions_open; /* how many it has */
};

/* What keeps it from going. */
struct lim_block {
    const char *why; /* NULL: nothing */
    uint64_t ms;     /* how long, by our best estimate; 0: until something comes back */
    bool shut;       /* nobody goes, by the mode or by a person */
    bool brief;      /* but soon they may */
    bool turn;       /* ms is of this one alone: they are spread already */
    uint32_t places; /* it waits for a session: how many there may be; 0: for something else */
    bool own;        /* … of its tenant */
};

struct lim_block lim_limit_block(const struct lim_limit *l, const struct lim_limit_ask *a);

/* What keeps everyone but closes; and closes, as far as the rate goes. */
struct lim_block lim_limit_block_all(const struct lim_limit *l);
uint64_t lim_limit_close_ms(const struct lim_limit *l);

/* The rate at which one is taken, and whether it goes as the probe. */
struct lim_rate lim_limit_rate(const struct lim_limit *l, bool closes, bool *ret_probe);

#endif
