#include "lim_rate.h"

#define NS_PER_S 1e9
/* A rate of one in twelve days: what a factor of 0 comes to. */
#define INTERVAL_MAX_NS UINT64_C(1000000000000000)
/* Times are nanoseconds since 1970 in 64 bits: burst * interval must stay far below what
   is left. */
#define FULL_MAX_NS UINT64_C(1000000000000000000)

struct lim_rate lim_rate_of(double per_s, uint64_t burst, double factor)
{
    struct lim_rate rate = {.interval_ns = 0, .burst = 1};

    if (per_s <= 0)
        return rate;
    double scaled   = per_s * factor;
    double interval = scaled > 0 ? NS_PER_S / scaled : (double)INTERVAL_MAX_NS;

    rate.interval_ns =
        interval < (double)INTERVAL_MAX_NS ? (uint64_t)interval : INTERVAL_MAX_NS;
    if ((double)rate.interval_ns < interval)
        rate.interval_ns++; /* rounded up: never above the rate */
    rate.burst = (uint64_t)((double)burst * factor);
    if (rate.burst > FULL_MAX_NS / rate.interval_ns)
        rate.burst = FULL_MAX_NS / rate.interval_ns;
    if (rate.burst == 0)
        rate.burst = 1;
    return rate;
}

/* A bucket is at most full: the rate may have been raised, or a clock set back. */
static uint64_t full_at(const struct lim_bucket *b, struct lim_rate rate, uint64_t now_ns)
{
    uint64_t full = now_ns + rate.burst * rate.interval_ns;

    return b->full_at_ns < full ? b->full_at_ns : full;
}

uint64_t lim_rate_wait_ns(const struct lim_bucket *b, struct lim_rate rate, uint64_t now_ns)
{
    uint64_t room = (rate.burst - 1) * rate.interval_ns;
    uint64_t at   = full_at(b, rate, now_ns);

    return at > now_ns + room ? at - (now_ns + room) : 0;
}

void lim_rate_take(struct lim_bucket *b, struct lim_rate rate, uint64_t now_ns)
{
    uint64_t at = full_at(b, rate, now_ns);

    b->full_at_ns = (at > now_ns ? at : now_ns) + rate.interval_ns;
}

uint64_t lim_rate_ahead_ns(const struct lim_bucket *b, uint64_t at_ns)
{
    return b->full_at_ns > at_ns ? b->full_at_ns - at_ns : 0;
}

/* What two tell of the same bucket, the stricter one holds. */
void lim_rate_fill(struct lim_bucket *b, uint64_t at_ns, uint64_t ahead_ns)
{
    if (b->full_at_ns < at_ns + ahead_ns)
        b->full_at_ns = at_ns + ahead_ns;
}
