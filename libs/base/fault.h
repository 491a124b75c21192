/*
 * fault - "the n-th fallible call fails": the torture of tests.  Vanishes without
 * SLUICE_FAULTS.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "base/err.h"

#ifdef SLUICE_FAULTS
#define FAULT(e) \
    do { \
        if (fault_hit()) \
            return (e); \
    } while (0)
#else
#define FAULT(e) ((void)0)
#endif

void fault_arm(unsigned n); /* the n-th call from now fails, once; 0 disarms */
_Bool fault_fired(void);    /* since the last arm */
_Bool fault_hit(void);

#endif
