/*
 * bw_place - where browsers are to be had, as an operator says it: one URL, or a name that stands for many addresses.  Pure.
 *
 *   http://10.0.0.7:9515             one place (a chromedriver, a Grid)
 *   dns+http://browser:9515/wd/hub   as many places as the name has addresses (a headless service of Kubernetes)
 */
#ifndef BW_PLACE_H
#define BW_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { BW_PLACE_SIZE = 256, BW_PLACE_HOST_SIZE = 256 };

struct bw_place_name {
    char host[BW_PLACE_HOST_SIZE]; /* "": it is one URL, and nothing is to be resolved */
    char port[8], path[BW_PLACE_SIZE];
};

/* REJECT with why: what it must look like. */
MUST_USE struct err bw_place_read(struct bw_place_name *ret, const char *where, char *why,
                                  size_t why_size);

/* "http://10.0.0.7:9515/wd/hub"; false: too long. */
bool bw_place_write(const struct bw_place_name *name, const char *address,
                    char ret[BW_PLACE_SIZE]);

/* Of places that have so many sessions each: one that has fewest, by a random number where several have; `count` if all
   have `most`. */
size_t bw_place_choose(const size_t *taken, size_t count, size_t most, uint64_t random);

#endif
