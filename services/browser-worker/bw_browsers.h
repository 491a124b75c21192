/*
 * bw_browsers - where the browsers are: the place of an upstream, or the addresses of SLUICE_WEBDRIVER.
 *
 * A name is resolved each time it is asked for: browsers come and go.  How many sessions each place has is what the session
 * table and this worker's own runs say; another worker may open one at the same moment.
 */
#ifndef BW_BROWSERS_H
#define BW_BROWSERS_H

#include <stdbool.h>
#include <stddef.h>

#include "bw_driver.h"
#include "bw_place.h"

struct bw;
struct bw_browsers_ask;

/* What was found.  Lent for the callback. */
struct bw_browsers {
    char (*places)[BW_PLACE_SIZE];
    size_t count;
    bool by_name; /* these are all that a name stands for now: another place of it is no more */
    enum call_fate fate; /* of whoever needed one, when there is none; why: in words */
    const char *why;
};
typedef void bw_browsers_fn(void *self, const struct bw_browsers *found);

/* Exactly one callback, on the loop: from inside when nothing is to be resolved, else later; until then *slot is the lookup. */
void bw_browsers_find(const struct bw *bw, const struct bw_upstream *upstream,
                      struct bw_browsers_ask **slot, bw_browsers_fn *fn, void *self);
void bw_browsers_cancel(struct bw_browsers_ask **slot); /* no callback */

/* The place for one session more; NULL: each has its SLUICE_SESSIONS_PER_BROWSER.  The url of an upstream has as many as its
   "sessions" allows, which the limiter counts. */
const char *bw_browsers_choose(const struct bw *bw, const struct bw_upstream *upstream,
                               const struct bw_browsers *found);

#endif
