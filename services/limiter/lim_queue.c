#include "lim_queue.h"

#include "base/mem.h"
#include "base/str.h"

static const double WEIGHT[LANES] = {70, 25, 5};

struct lim_turn {
    struct list link; /* in its lane's ring */
    char tenant[STR_NAME_SIZE];
    struct list fifo[LIM_WAIT_KINDS];
    size_t waiting, opens;
};

void lim_queue_init(struct lim_queue *q)
{
    *q = (struct lim_queue){.orders = 0};
    list_init(&q->closes);
    for (int lane = 0; lane < LANES; lane++) {
        list_init(&q->lanes[lane].ring);
        q->lanes[lane].turns = map_new();
    }
}

void lim_queue_deinit(struct lim_queue *q)
{
    must(list_empty(&q->closes) && lim_queue_count(q) == 0);
    for (int lane = 0; lane < LANES; lane++)
        map_free(&q->lanes[lane].turns);
}

size_t lim_queue_count(const struct lim_queue *q)
{
    size_t sum = 0;

    for (int lane = 0; lane < LANES; lane++)
        sum += q->lanes[lane].waiting;
    return sum;
}

size_t lim_queue_opens(const struct lim_queue *q)
{
    size_t sum = 0;

    for (int lane = 0; lane < LANES; lane++)
        sum += q->lanes[lane].opens;
    return sum;
}

size_t lim_queue_opens_of(const struct lim_queue *q, enum lane lane, const char *tenant)
{
    const struct lim_turn *turn = map_find(q->lanes[lane].turns, tenant);

    return turn ? turn->opens : 0;
}

/* ---- in and out -------------------------------------------------------------------- */

static struct lim_turn *turn_of(struct lim_lane *lane, const char *tenant)
{
    struct lim_turn *turn = map_find(lane->turns, tenant);

    if (turn)
        return turn;
    turn = mem_new(struct lim_turn);
    str_copy(turn->tenant, sizeof(turn->tenant), tenant);
    for (int kind = 0; kind < LIM_WAIT_KINDS; kind++)
        list_init(&turn->fifo[kind]);
    map_put(lane->turns, tenant, turn);
    list_push(&lane->ring, &turn->link);
    return turn;
}

/* A lane in which nobody waited has saved nothing up: it begins where the others are. */
static void wake_lane(struct lim_queue *q, struct lim_lane *lane)
{
    double least = 0;
    bool any     = false;

    for (int n = 0; n < LANES; n++) {
        if (q->lanes[n].waiting == 0 || (any && q->lanes[n].pass >= least))
            continue;
        least = q->lanes[n].pass;
        any   = true;
    }
    if (any && lane->pass < least)
        lane->pass = least;
}

void lim_queue_put(struct lim_queue *q, struct lim_wait *w, enum lane lane, const char *tenant,
                   enum lim_wait_kind kind)
{
    struct lim_lane *l = &q->lanes[lane];

    *w = (struct lim_wait){.order = ++q->orders, .lane = lane, .kind = kind};
    if (kind == LIM_WAIT_CLOSE) {
        list_push(&q->closes, &w->link);
        q->close_count++;
        return;
    }
    if (l->waiting == 0)
        wake_lane(q, l);
    w->turn = turn_of(l, tenant);
    list_push(&w->turn->fifo[kind], &w->link);
    w->turn->waiting++;
    w->turn->opens += kind == LIM_WAIT_OPEN;
    l->waiting++;
    l->opens += kind == LIM_WAIT_OPEN;
}

void lim_queue_remove(struct lim_queue *q, struct lim_wait *w)
{
    struct lim_lane *l    = &q->lanes[w->lane];
    struct lim_turn *turn = w->turn;

    list_remove(&w->link);
    if (w->kind == LIM_WAIT_CLOSE) {
        q->close_count--;
        return;
    }
    w->turn = NULL;
    turn->opens -= w->kind == LIM_WAIT_OPEN;
    l->opens -= w->kind == LIM_WAIT_OPEN;
    l->waiting--;
    if (--turn->waiting > 0)
        return;
    list_remove(&turn->link);
    map_remove(l->turns, turn->tenant);
    mem_free(&turn);
}

/* ---- who is next ------------------------------------------------------------------- */

static struct lim_wait *head(const struct list *fifo)
{
    return list_empty(fifo) ? NULL : LIST_OWNER(fifo->next, struct lim_wait, link);
}

static struct lim_wait *fits_of_turn(const struct lim_turn *turn, lim_queue_fits_fn *fits,
                                     void *self)
{
    struct lim_wait *call = head(&turn->fifo[LIM_WAIT_CALL]);
    struct lim_wait *open = head(&turn->fifo[LIM_WAIT_OPEN]);
    bool open_first       = open && (!call || open->order < call->order);
    struct lim_wait *w    = open_first ? open : call;

    if (w && fits(self, w))
        return w;
    w = open_first ? call : open;
    return w && fits(self, w) ? w : NULL;
}

static struct lim_wait *fits_of_lane(const struct lim_lane *lane, lim_queue_fits_fn *fits,
                                     void *self)
{
    LIST_EACH(&lane->ring, it)
    {
        struct lim_wait *w = fits_of_turn(LIST_OWNER(it, struct lim_turn, link), fits, self);

        if (w)
            return w;
    }
    return NULL;
}

/* Its tenant goes to the end of the ring, its lane pays. */
static void take_turn(struct lim_queue *q, struct lim_wait *w)
{
    struct lim_lane *lane = &q->lanes[w->lane];

    list_remove(&w->turn->link);
    list_push(&lane->ring, &w->turn->link);
    lane->pass += 1 / WEIGHT[w->lane];
    lim_queue_remove(q, w);
}

struct lim_wait *lim_queue_next(struct lim_queue *q, lim_queue_fits_fn *fits, void *self)
{
    bool tried[LANES] = {false};

    for (int n = 0; n < LANES; n++) {
        int best = -1;

        for (int lane = 0; lane < LANES; lane++)
            if (!tried[lane] && q->lanes[lane].waiting > 0 &&
                (best < 0 || q->lanes[lane].pass < q->lanes[best].pass))
                best = lane;
        if (best < 0)
            return NULL;
        tried[best]        = true;
        struct lim_wait *w = fits_of_lane(&q->lanes[best], fits, self);

        if (w) {
            take_turn(q, w);
            return w;
        }
    }
    return NULL;
}

struct lim_wait *lim_queue_next_close(struct lim_queue *q, lim_queue_fits_fn *fits, void *self)
{
    LIST_EACH(&q->closes, it)
    {
        struct lim_wait *w = LIST_OWNER(it, struct lim_wait, link);

        if (fits(self, w)) {
            lim_queue_remove(q, w);
            return w;
        }
    }
    return NULL;
}

static bool anyone(void *self, const struct lim_wait *w)
{
    (void)self;
    (void)w;
    return true;
}

struct lim_wait *lim_queue_any(struct lim_queue *q)
{
    return lim_queue_next(q, anyone, NULL);
}
