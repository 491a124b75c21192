/*
 * clock - the time of tests.  A nap is how a loop that waits for a condition breathes; nothing waits
 * for a duration and hopes.
 */
#ifndef SUPPORT_SYSTEM_CLOCK_H
#define SUPPORT_SYSTEM_CLOCK_H

#include <stdint.h>

int64_t clock_ms(void);      /* monotonic */
int64_t clock_wall_ms(void); /* as in the times of stored messages */
void clock_nap(unsigned ms);

#endif
