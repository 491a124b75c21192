/*
 * lim_queue - who waits for a permit of one upstream, and who is next.  Pure.
 *
 * Closes go first, in their order.  Then lanes by their shares (realtime 70, standard 25,
 * bulk 5: the share of each is its floor, and what others leave is anybody's); in a lane
 * tenants in turn, one permit each; of a tenant in their order, except that one that needs
 * a session to be free lets those pass that do not.
 */
#ifndef LIM_QUEUE_H
#define LIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "wire/wire_ticket.h"

enum lim_wait_kind {
    LIM_WAIT_CALL,
    LIM_WAIT_OPEN,
    LIM_WAIT_KINDS,
    LIM_WAIT_CLOSE = LIM_WAIT_KINDS
};

struct lim_turn; /* a tenant in a lane */

/* Embedded in who waits. */
struct lim_wait {
    struct list link;
    struct lim_turn *turn; /* NULL: a close, or it waits nowhere */
    uint64_t order;
    enum lane lane;
    enum lim_wait_kind kind;
};

struct lim_lane {
    struct list ring; /* of turns */
    struct map *turns;
    double pass; /* the lane with the smallest goes next */
    size_t waiting;
    size_t opens; /* of them, for a session */
};

struct lim_queue {
    struct list closes;
    size_t close_count;
    struct lim_lane lanes[LANES];
    uint64_t orders;
};

void lim_queue_init(struct lim_queue *q);
void lim_queue_deinit(struct lim_queue *q); /* must be empty */

void lim_queue_put(struct lim_queue *q, struct lim_wait *w, enum lane lane, const char *tenant,
                   enum lim_wait_kind kind);
void lim_queue_remove(struct lim_queue *q, struct lim_wait *w);

/* Whether this one could go now. */
typedef bool lim_queue_fits_fn(void *self, const struct lim_wait *w);

/* The next that fits, taken out; NULL: none does.  first: only the closes, or all but them. */
struct lim_wait *lim_queue_next_close(struct lim_queue *q, lim_queue_fits_fn *fits, void *self);
struct lim_wait *lim_queue_next(struct lim_queue *q, lim_queue_fits_fn *fits, void *self);

/* Anyone but a close, taken out; NULL: nobody waits. */
struct lim_wait *lim_queue_any(struct lim_queue *q);

size_t lim_queue_count(const struct lim_queue *q); /* without the closes */
/* For a session; and of a tenant, in one lane of it. */
size_t lim_queue_opens(const struct lim_queue *q);
size_t lim_queue_opens_of(const struct lim_queue *q, enum lane lane, const char *tenant);

#endif
