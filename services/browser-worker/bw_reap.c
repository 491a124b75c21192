#include "bw_reap_internal.h"

#include "base/mem.h"

enum {
    LEADER_MS   = 15000,
    LOOK_MS     = 1000, /* whether it is our turn */
    REST_MIN_MS = 1000,
    PER_IDLE    = 6, /* sweeps until a session falls idle: it is touched in time */
};

bool bw_reap_our_turn(const struct bw_reaper *r)
{
    return !r->freed && svc_leader_is(r->leader) && !svc_draining(r->bw->svc);
}

/* ---- a sweep begins: where are sessions, and where may they be? -------------------------------- */

static struct bw_reap_place *place_find(const struct bw_reaper *r, const char *upstream,
                                        const char *endpoint)
{
    for (size_t i = 0; i < r->place_count; i++)
        if (str_equal(r->places[i].upstream, upstream) &&
            str_equal(r->places[i].endpoint, endpoint))
            return &r->places[i];
    return NULL;
}

static void add_place(struct bw_reaper *r, const char *upstream, const char *endpoint)
{
    if (place_find(r, upstream, endpoint))
        return;
    r->places                   = mem_grow(r->places, r->place_count + 1, sizeof *r->places);
    struct bw_reap_place *place = &r->places[r->place_count++];
    *place                      = (struct bw_reap_place){0};
    str_copy(place->upstream, sizeof place->upstream, upstream);
    str_copy(place->endpoint, sizeof place->endpoint, endpoint);
}

static void gather_places(struct bw_reaper *r)
{
    const struct bw_table_row *row = NULL;

    for (size_t it = 0; bw_table_next(r->bw->table, &it, &row);)
        add_place(r, row->record.upstream, row->record.endpoint);
}

/* Those that show their stamps are looked at also where no record is: what leaked there has none. */
static void gather_upstreams(struct bw_reaper *r)
{
    const struct bw_upstream *u = NULL;

    for (size_t it = 0; bw_upstream_next(r->bw->upstreams, &it, &u);) {
        const struct bw_driver *driver = bw_driver_find(u->driver);
        if (!driver || !driver->stamps)
            continue;
        r->upstreams = mem_grow(r->upstreams, r->upstream_count + 1, sizeof *r->upstreams);
        r->upstreams[r->upstream_count++] = mem_strdup(u->name);
    }
}

static void mark_past(struct bw_reaper *r, const char *upstream)
{
    for (size_t i = 0; i < r->place_count; i++)
        r->places[i].is_past =
            r->places[i].is_past || str_equal(r->places[i].upstream, upstream);
}

static struct err next_upstream(struct bus_op *op, const struct bus_reply *reply);

/* All that the table named before are past, unless they are found. */
static void on_browsers(void *self, const struct bw_browsers *found)
{
    struct bw_reaper *r = self;
    const char *name    = r->upstreams[r->upstream_at++];

    if (found->by_name && found->count > 0)
        mark_past(r, name);
    for (size_t i = 0; i < found->count; i++) {
        add_place(r, name, found->places[i]);
        place_find(r, name, found->places[i])->is_past = false;
    }
    (void)bus_wait(&r->op, 0, next_upstream);
}

static struct err next_upstream(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r         = bw_reap_self(op);
    const struct bw_upstream *u = NULL;

    (void)reply;
    for (; r->upstream_at < r->upstream_count && !u; r->upstream_at += !u)
        u = bw_upstream_find(r->bw->upstreams, r->upstreams[r->upstream_at]);
    if (!u || !bw_reap_our_turn(r))
        return bw_reap_place_first(r);
    bw_browsers_find(r->bw, u, &r->finding, on_browsers, r);
    return OK; /* parked */
}

static struct err begin(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r = bw_reap_self(op);

    r->sweeps++;
    gather_places(r);
    gather_upstreams(r);
    return next_upstream(op, reply);
}

/* ---- and ends ------------------------------------------------------------------------------------ */

static void drop_all(struct bw_reaper *r)
{
    bw_reap_session_drop(r);
    bw_reap_place_drop(r);
    for (size_t i = 0; i < r->upstream_count; i++)
        mem_free(&r->upstreams[i]);
    mem_free(&r->upstreams);
    mem_free(&r->places);
    r->upstream_count = r->upstream_at = 0;
    r->place_count = r->place_at = 0;
}

static uint64_t rest_ms(const struct bw_reaper *r)
{
    const struct bw_upstream *u = NULL;
    uint64_t rest               = r->bw->config->reap_ms;

    for (size_t it = 0; bw_upstream_next(r->bw->upstreams, &it, &u);)
        if (u->session_idle_ms > 0 && u->session_idle_ms / PER_IDLE < rest)
            rest = u->session_idle_ms / PER_IDLE;
    return rest > REST_MIN_MS ? rest : REST_MIN_MS;
}

struct err bw_reap_rest(struct bw_reaper *r)
{
    drop_all(r);
    r->sweeping    = false;
    r->rests_since = bus_now(r->bw->bus);
    svc_poke(r->bw->svc);
    return OK; /* parked */
}

/* By the upstreams as they are now: what sets another session_idle brings a tick. */
static uint64_t due_at(const struct bw_reaper *r)
{
    return r->rests_since ? r->rests_since + rest_ms(r) : 0;
}

uint64_t bw_reap_tick(struct bw_reaper *r, uint64_t now)
{
    if (r->sweeping)
        return UINT64_MAX;
    if (!bw_reap_our_turn(r) || !bw_table_ready(r->bw->table) ||
        !bw_upstream_ready(r->bw->upstreams) || !svc_ready(r->bw->svc))
        return now + LOOK_MS;
    if (now < due_at(r))
        return due_at(r);
    r->sweeping = true;
    (void)bus_wait(&r->op, 0, begin);
    return UINT64_MAX;
}

/* ---- life -------------------------------------------------------------------------------- */

static void reap_end(struct bus_op *op, struct err e)
{
    struct bw_reaper *r = bw_reap_self(op);

    (void)e;
    must(r->freed);
    mem_free(&r);
}

struct bw_reaper *bw_reap_new(struct bw *bw)
{
    struct bw_reaper *r                   = mem_new(struct bw_reaper);
    const struct svc_leader_events events = {.self = r};

    r->bw      = bw;
    r->strays  = map_new();
    r->touched = map_new();
    r->silent  = map_new();
    list_init(&r->touches);
    bus_op_start(bw->bus, &r->op, BW_REAP_MAGIC, "reap", 0, reap_end);
    r->leader = svc_leader_new(bw->svc, "reaper", LEADER_MS, &events);
    return r;
}

void bw_reap_free(struct bw_reaper **slot)
{
    struct bw_reaper *r = take(slot);

    if (!r)
        return;
    r->freed = true;
    bw_browsers_cancel(&r->finding);
    bw_reap_call_cancel(&r->call);
    bw_reap_touch_cancel(r);
    svc_leader_free(&r->leader);
    drop_all(r);
    r->sweeps++;
    bw_reap_place_forget(r);
    map_free(&r->strays);
    map_free(&r->touched);
    map_free(&r->silent);
    (void)bus_op_done(&r->op);
}
