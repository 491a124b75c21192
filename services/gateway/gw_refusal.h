/*
 * gw_refusal - configuration values that were refused, and the alerts that say so: ConfigRefused, exactly one
 * when a value is refused and one when a good one (or none) stands in its place.
 *
 * Every gateway sees every value and every alert, and each tries to tell what is not told; the next alert is
 * stored only behind the last one that was read, so that one of them does.  An incident begins with the first
 * refused value, goes on while others follow it that are refused as well, and is known by the time at which the
 * first was stored: a gateway that starts anew finds it told.
 */
#ifndef GW_GW_REFUSAL_H
#define GW_GW_REFUSAL_H

#include <stdint.h>

#include "bus/bus.h"
#include "problem/problem.h"

struct gw_refusals;

struct gw_refusals *gw_refusal_new(struct bus *bus);
void gw_refusal_free(struct gw_refusals **refusals);

/* A value of a bucket was refused, or is good or gone. */
void gw_refusal_say(struct gw_refusals *refusals, const char *bucket, const char *key,
                    int64_t stored_ms, const struct problem *why);
void gw_refusal_over(struct gw_refusals *refusals, const char *bucket, const char *key);
/* The bucket was made anew: all that was refused in it is gone. */
void gw_refusal_clear(struct gw_refusals *refusals, const char *bucket);

/* All values were read: what is not said by now is over.  Before, nothing is told. */
void gw_refusal_begin(struct gw_refusals *refusals);

#endif
