/*
 * planted - a bug that a fuzzer must find within four minutes, or it looks into nothing.
 *
 * In the programs planted.X, which are fuzz.X built with -DPLANTED (preset fuzz only), a condition that lies deep in
 * what the target reads is a crash; the test passes when the crash was found.
 */
#ifndef FUZZ_PLANTED_H
#define FUZZ_PLANTED_H

#include <stdlib.h>

#ifdef PLANTED
#define PLANT(condition) \
    do { \
        if (condition) \
            abort(); \
    } while (0)
#else
#define PLANT(condition) ((void)0)
#endif

#endif
