/*
 * sim_clock - an instant on both clocks: monotonic for judging, wall for people.
 */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include <stdint.h>
#include <time.h>

struct sim_clock {
    uint64_t ns;      /* CLOCK_MONOTONIC, one for all processes of the machine */
    uint64_t wall_ns; /* CLOCK_REALTIME                                        */
};

struct sim_clock sim_clock_now(void);

/* The instant of a kernel receive stamp (wall clock), put on both clocks.  A stamp that lies in
   the future or far back (the wall clock was set) is not believed: then it is now. */
struct sim_clock sim_clock_at(struct timespec wall_stamp);

/* "Sun, 06 Nov 1994 08:49:37 GMT" for the wall time `seconds` after t. */
void sim_clock_http_date(char ret[static 32], struct sim_clock t, long seconds);

#endif
