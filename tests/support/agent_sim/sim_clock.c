#include "agent_sim/sim_clock.h"

static const uint64_t SECOND_NS       = 1000000000u;
static const uint64_t STAMP_AGE_MAX_S = 60;

static uint64_t to_ns(struct timespec t)
{
    return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return to_ns(t);
}

struct sim_clock sim_clock_now(void)
{
    return (struct sim_clock){
        .ns      = read_clock(CLOCK_MONOTONIC),
        .wall_ns = read_clock(CLOCK_REALTIME),
    };
}

struct sim_clock sim_clock_at(struct timespec wall_stamp)
{
    struct sim_clock now = sim_clock_now();
    uint64_t stamp       = to_ns(wall_stamp);

    if (stamp > now.wall_ns || now.wall_ns - stamp > STAMP_AGE_MAX_S * SECOND_NS)
        return now;

    uint64_t age = now.wall_ns - stamp;

    return (struct sim_clock){.ns = now.ns - age, .wall_ns = stamp};
}

void sim_clock_http_date(char ret[static 32], struct sim_clock t, long seconds)
{
    time_t when = (time_t)(t.wall_ns / SECOND_NS) + seconds;
    struct tm utc;

    gmtime_r(&when, &utc);
    strftime(ret, 32, "%a, %d %b %Y %H:%M:%S GMT", &utc);
}
