/*
 * bw_upstream - the upstreams as configured, followed live from the bucket sluice_upstreams.
 *
 * An invalid value is ignored, the last good one stays (the limiter alerts; here it is a log
 * line).
 */
#ifndef BW_UPSTREAM_H
#define BW_UPSTREAM_H

#include "bus/bus.h"
#include "bw_driver.h"

struct bw_upstreams;

struct bw_upstreams *bw_upstream_new(struct bus *bus);
void bw_upstream_free(struct bw_upstreams **upstreams);

/* All values that were there are read. */
bool bw_upstream_ready(const struct bw_upstreams *upstreams);

/* NULL: not known.  Valid until the next turn: copy what is kept. */
const struct bw_upstream *bw_upstream_find(const struct bw_upstreams *upstreams,
                                           const char *name);

/* for (size_t it = 0; bw_upstream_next(all, &it, &u);) */
bool bw_upstream_next(const struct bw_upstreams *upstreams, size_t *it,
                      const struct bw_upstream **ret);

/* One value: the same reading for the bucket, for tests, and for `--check`. REJECT with why
   naming the field.  The key is resolved ({"env":…} from the environment, {"file":…} from a
   file). */
MUST_USE struct err bw_upstream_read(struct bw_upstream *ret, const char *name,
                                     struct bytes value, char *why, size_t why_size);

#endif
