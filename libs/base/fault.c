#include "base/fault.h"

#include <stdatomic.h>

/* Atomic, because library threads of nats.c pass through fallible functions too. */
static atomic_uint left; /* calls until one fails; 0: disarmed */
static atomic_bool fired;

void fault_arm(unsigned n)
{
    atomic_store(&fired, false);
    atomic_store(&left, n);
}

_Bool fault_fired(void)
{
    return atomic_load(&fired);
}

_Bool fault_hit(void)
{
    unsigned now = atomic_load(&left);

    while (now > 0 && !atomic_compare_exchange_weak(&left, &now, now - 1))
        continue;
    if (now == 1)
        atomic_store(&fired, true);
    return now == 1;
}
