#include "sch_fair.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "base/str.h"

enum {
    SCALE_BITS = 16
}; /* of virtual time: a weight of 1000 still counts single milliseconds */

struct err sch_fair_lanes(const char *text, struct sch_lanes *ret, char *why, size_t why_size)
{
    struct sch_lanes lanes = {{0}, {0}};
    uint32_t reserves      = 0;

    for (const char *at = text; *at;) {
        char part[64], word[32] = "", tail = '\0';
        unsigned weight = 0, reserve = 0;
        size_t len = strcspn(at, ",");

        if (!str_copy_n(part, sizeof(part), at, len))
            part[0] = '\0';
        at += len + (at[len] == ',');

        int got        = sscanf(part, "%31[a-z]=%4u/%3u%c", word, &weight, &reserve, &tail);
        bool odd       = got == 2 ? strchr(part, '/') != NULL ||
                                  strspn(strchr(part, '=') + 1, "0123456789") !=
                                      strlen(strchr(part, '=') + 1)
                                  : got != 3;
        enum lane lane = lane_of(word);

        if (odd || lane == LANE_NONE || weight < 1 || weight > SCH_WEIGHT_MAX || reserve > 90) {
            str_format(why, why_size,
                       "\"%s\" is no lane=weight/reserve with a weight of 1 to 1000 and a "
                       "reserve of 0 to 90",
                       part);
            return err_of(ERR_REJECT, "read lanes");
        }
        lanes.weight[lane]  = weight;
        lanes.reserve[lane] = reserve;
        reserves += reserve;
    }
    for (int lane = 0; lane < LANES; lane++)
        if (lanes.weight[lane] == 0) {
            str_format(why, why_size, "lane %s has no weight", lane_word((enum lane)lane));
            return err_of(ERR_REJECT, "read lanes");
        }
    if (reserves > 90) {
        str_format(why, why_size, "the reserves are %u %% together; at most 90", reserves);
        return err_of(ERR_REJECT, "read lanes");
    }
    *ret = lanes;
    return OK;
}

/* ---- one circle --------------------------------------------------------------------------------- */

/* Brings the account up to now.  An account of an earlier period begins anew: what it used then is forgiven. */
static void settle_use(struct sch_circle *c, struct sch_share *s, int64_t now)
{
    if (s->period != c->period) {
        s->period = c->period;
        s->used   = c->virtual_now;
        s->lifted = 0;
        s->at     = now;
        return;
    }
    if (now <= s->at)
        return;
    s->used += (uint64_t)(now - s->at) * s->running * (UINT64_C(1) << SCALE_BITS) / s->weight;
    s->at = now;
}

static struct sch_share *owner(struct heap_node *node)
{
    return HEAP_OWNER(node, struct sch_share, turn);
}

/*
 * The one who used least.  Keys in the heap may be old, but use only grows: when the first, brought up to
 * date, is still first, nobody behind it can have less.
 */
static struct sch_share *least(struct sch_circle *c, int64_t now)
{
    for (;;) {
        struct heap_node *first = heap_first(&c->wanting);

        if (!first)
            return NULL;

        struct sch_share *s = owner(first);

        settle_use(c, s, now);
        if (s->used == first->key) {
            if (s->used > c->virtual_now)
                c->virtual_now = s->used;
            return s;
        }
        heap_put(&c->wanting, first, s->used);
    }
}

static void enter(struct sch_circle *c, struct sch_share *s, int64_t now)
{
    if (heap_has(&s->turn))
        return;
    if (!least(c, now))
        c->period++; /* nobody waited: a new period */
    settle_use(c, s, now);
    if (s->used < c->virtual_now) {
        if (s->running > 0)
            s->lifted += c->virtual_now - s->used;
        s->used = c->virtual_now;
    }
    heap_put(&c->wanting, &s->turn, s->used);
}

static void leave(struct sch_circle *c, struct sch_share *s, int64_t now)
{
    settle_use(c, s, now);
    heap_remove(&c->wanting, &s->turn);
}

static void rekey(struct sch_circle *c, struct sch_share *s)
{
    if (heap_has(&s->turn))
        heap_put(&c->wanting, &s->turn, s->used);
}

static uint64_t charge(struct sch_circle *c, struct sch_share *s, int64_t now)
{
    uint64_t fee = ((uint64_t)SCH_FEE_MS << SCALE_BITS) / s->weight;

    settle_use(c, s, now);
    s->running++;
    s->used += fee;
    rekey(c, s);
    return fee;
}

static void give_back(struct sch_circle *c, struct sch_share *s, uint64_t fee, uint32_t period,
                      int64_t now)
{
    settle_use(c, s, now);
    must(s->running > 0);
    s->running--;
    if (period == s->period && fee <= s->used) {
        uint64_t kept = s->lifted < fee ? s->lifted : fee;

        s->lifted -= kept;
        s->used -= fee - kept;
        rekey(c, s);
    }
    if (s->running == 0)
        s->lifted = 0;
}

/* ---- lanes of circles ------------------------------------------------------------------------------ */

void sch_fair_init(struct sch_fair *f, const struct sch_lanes *lanes)
{
    *f = (struct sch_fair){.lanes = *lanes};
    for (int lane = 0; lane < LANES; lane++) {
        heap_init(&f->tenants[lane].wanting);
        sch_fair_share(&f->lane[lane], lanes->weight[lane], 0);
    }
    heap_init(&f->root.wanting);
}

void sch_fair_deinit(struct sch_fair *f)
{
    for (int lane = 0; lane < LANES; lane++)
        heap_deinit(&f->tenants[lane].wanting);
    heap_deinit(&f->root.wanting);
}

void sch_fair_share(struct sch_share *share, uint32_t weight, int64_t now)
{
    *share = (struct sch_share){.weight = weight > 0 ? weight : 1, .at = now};
}

void sch_fair_weight(struct sch_fair *f, enum lane lane, struct sch_share *share,
                     uint32_t weight, int64_t now)
{
    settle_use(&f->tenants[lane], share, now);
    share->weight = weight > 0 ? weight : 1;
    rekey(&f->tenants[lane], share);
}

void sch_fair_want(struct sch_fair *f, enum lane lane, struct sch_share *share, bool wants,
                   int64_t now)
{
    struct sch_circle *c = &f->tenants[lane];

    if (wants == heap_has(&share->turn))
        return;
    if (wants)
        enter(c, share, now);
    else
        leave(c, share, now);
    if (c->wanting.count > 0)
        enter(&f->root, &f->lane[lane], now);
    else
        leave(&f->root, &f->lane[lane], now);
}

bool sch_fair_room(const struct sch_fair *f, const struct sch_room *room, enum lane lane)
{
    uint64_t bound = room->slots, taken = 0;

    if (room->slots == 0)
        return false; /* no worker: a prefetched job would wait for nobody */
    if (lane == LANE_REALTIME)
        bound += room->prefetch;
    for (int l = 0; l < LANES; l++)
        taken += room->taken[l];
    for (int above = 0; above < (int)lane; above++) {
        uint32_t reserve = (uint32_t)((uint64_t)room->slots * f->lanes.reserve[above] / 100);

        if (room->taken[above] < reserve)
            taken += reserve - room->taken[above];
    }
    return taken < bound;
}

/* Age promotes only within the lane's floor: its share of the pool, at least one slot. */
static bool promoted(const struct sch_fair *f, const struct sch_room *room, int lane)
{
    uint64_t weights = 0;

    for (int l = 0; l < LANES; l++)
        weights += f->lanes.weight[l];

    uint64_t floor = (uint64_t)room->slots * f->lanes.weight[lane] / weights;

    return room->aged[lane] && room->taken[lane] < (floor > 0 ? floor : 1);
}

struct sch_share *sch_fair_next(struct sch_fair *f, const struct sch_room *room, int64_t now,
                                enum lane *ret_lane)
{
    int best           = LANES;
    bool best_promoted = false;

    for (int lane = 0; lane < LANES; lane++) {
        if (!heap_has(&f->lane[lane].turn) || !sch_fair_room(f, room, (enum lane)lane))
            continue;
        settle_use(&f->root, &f->lane[lane], now);
        rekey(&f->root, &f->lane[lane]);

        bool up = promoted(f, room, lane);

        if (best == LANES || (up && !best_promoted) ||
            (up == best_promoted && f->lane[lane].used < f->lane[best].used)) {
            best          = lane;
            best_promoted = up;
        }
    }
    if (best == LANES)
        return NULL;
    if (f->lane[best].used > f->root.virtual_now && !best_promoted)
        f->root.virtual_now = f->lane[best].used;
    *ret_lane = (enum lane)best;
    return least(&f->tenants[best], now);
}

struct sch_fee sch_fair_start(struct sch_fair *f, enum lane lane, struct sch_share *share,
                              int64_t now)
{
    struct sch_fee fee = {
        .tenant = charge(&f->tenants[lane], share, now),
        .lane   = charge(&f->root, &f->lane[lane], now),
    };

    fee.tenant_period = share->period;
    fee.lane_period   = f->lane[lane].period;
    return fee;
}

void sch_fair_stop(struct sch_fair *f, enum lane lane, struct sch_share *share,
                   const struct sch_fee *fee, int64_t now)
{
    give_back(&f->tenants[lane], share, fee->tenant, fee->tenant_period, now);
    give_back(&f->root, &f->lane[lane], fee->lane, fee->lane_period, now);
}

void sch_fair_found(struct sch_fair *f, enum lane lane, struct sch_share *share, int64_t now)
{
    settle_use(&f->tenants[lane], share, now);
    settle_use(&f->root, &f->lane[lane], now);
    share->running++;
    f->lane[lane].running++;
}
