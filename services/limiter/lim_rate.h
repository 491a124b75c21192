/*
 * lim_rate - how often: GCRA as one number.  Pure: told the time.
 *
 * The bucket is the instant at which it would be empty of debt; a limiter without a timer,
 * a float or a lock.  In any one second at most per_s + burst are taken, whatever happened
 * before.
 */
#ifndef LIM_RATE_H
#define LIM_RATE_H

#include <stdint.h>

struct lim_rate {
    uint64_t interval_ns; /* between two; 0: not limited */
    uint64_t burst;       /* at once, at least 1 */
};

struct lim_bucket {
    uint64_t full_at_ns;
};

/* factor: 0 to 1, of the rate and of the burst; 0 is treated as "hardly any", callers
   refuse before. */
struct lim_rate lim_rate_of(double per_s, uint64_t burst, double factor);

/* How long until one may be taken; 0: now. */
uint64_t lim_rate_wait_ns(const struct lim_bucket *b, struct lim_rate rate, uint64_t now_ns);
/* Takes one, be it its turn or not. */
void lim_rate_take(struct lim_bucket *b, struct lim_rate rate, uint64_t now_ns);

/* How far the bucket is filled beyond an instant; and makes it at least that full. */
uint64_t lim_rate_ahead_ns(const struct lim_bucket *b, uint64_t at_ns);
void lim_rate_fill(struct lim_bucket *b, uint64_t at_ns, uint64_t ahead_ns);

#endif
