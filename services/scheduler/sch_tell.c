#include "sch_tell.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/str.h"
#include "sch.h"
#include "sch_load.h"
#include "wire/subject.h"

enum {
    DEPTH_SOFT = 48 * 1024,
    DEPTH_MAX  = 64 * 1024,
    LOAD_MAX   = 1024 * 1024,
    LISTED_MAX = 5000,

    DEPTH_MS = 100,
    FULL_MS  = 5000, /* all tenants' depth, for who came later */
    LOAD_MS  = 1000,
};

/* ---- depth ------------------------------------------------------------------------------------------------ */

static void depth_send(struct sch *s, struct buf *to)
{
    char subject[SUBJECT_SIZE];

    if (to->len == 0)
        return;
    buf_str(to, "}}");

    const struct bus_out out = {.subject =
                                    subject_state_depth(subject, (unsigned)s->config->shard),
                                .body = buf_bytes(to)};

    (void)bus_send(s->bus, &out); /* soft: it is said again */
    buf_clear(to);
}

static void depth_add(struct sch *s, struct buf *to, const struct sch_tenant *t)
{
    buf_str(to, to->len == 0 ? "{\"tenants\":{" : ",");
    buf_printf(to,
               "\"%s\":{\"queued\":%" PRIu64 ",\"queue_max\":%" PRIu64
               ",\"in_flight\":%u,\"cap\":%u,\"paused\":%s}",
               t->name, t->fresh, t->rule.queue_max, t->slots.taken, t->rule.cap,
               t->rule.paused ? "true" : "false");
    if (to->len > DEPTH_SOFT)
        depth_send(s, to);
}

static void depth(struct sch *s, uint64_t now)
{
    struct sch_tenant *t = NULL;
    struct buf to;

    buf_init(&to, DEPTH_MAX);
    if (now >= s->full_at) {
        s->full_at = now + FULL_MS;
        while (sch_index_dirty(s->index))
            ;
        for (size_t it = 0; sch_index_tenant_next(s->index, &it, &t);)
            depth_add(s, &to, t);
    } else {
        while ((t = sch_index_dirty(s->index)) != NULL)
            depth_add(s, &to, t);
    }
    depth_send(s, &to);
    buf_deinit(&to);
}

/* ---- load ---------------------------------------------------------------------------------------------------- */

static void load_of(const struct sch_pool *pool, struct buf *to)
{
    const struct sch_load *l = &pool->load;
    uint64_t in_flight       = sch_pool_in_flight(pool);

    buf_printf(to,
               "{\"pool\":\"%s\",\"slots\":%u,\"in_flight\":%" PRIu64 ",\"runnable\":%" PRIu64
               ",\"wanted_slots\":%" PRIu64 ",\"runnable_age_s\":%" PRId64,
               pool->name, pool->room.slots, in_flight, l->runnable, in_flight + l->runnable,
               l->runnable_age_ms / 1000);
    buf_printf(to,
               ",\"blocked\":{\"tenant_cap\":%" PRIu64 ",\"paused\":%" PRIu64
               ",\"upstream\":%" PRIu64 ",\"not_due\":%" PRIu64 ",\"lock\":%" PRIu64
               ",\"flow_cap\":%" PRIu64 "}",
               l->blocked.tenant_cap, l->blocked.paused, l->blocked.upstream,
               l->blocked.not_due, l->blocked.lock, l->blocked.flow_cap);
    buf_str(to, ",\"lanes\":{");
    for (int lane = 0; lane < LANES; lane++)
        buf_printf(
            to, "%s\"%s\":{\"waiting\":%" PRIu64 ",\"oldest_ms\":%" PRId64 ",\"in_flight\":%u}",
            lane > 0 ? "," : "", lane_word((enum lane)lane), l->waiting[lane],
            l->oldest_ms[lane], sch_pool_lane_in_flight(pool, (enum lane)lane));
    buf_printf(to, "},\"paused\":%s}", pool->paused ? "true" : "false");
}

void sch_tell_load(const struct sch *s, const char *name, struct buf *to)
{
    const char *key = NULL;
    void *value     = NULL;

    if (name) {
        load_of(sch_pool_find(&s->pools, name), to);
        return;
    }
    buf_str(to, "{\"pools\":{");
    for (size_t it = 0, n = 0; n < LISTED_MAX && map_next(s->pools.pools, &it, &key, &value);
         n++) {
        buf_printf(to, "%s\"%s\":", n > 0 ? "," : "", key);
        load_of(value, to);
    }
    buf_str(to, "}}");
}

static void load(struct sch *s, uint64_t now)
{
    char subject[SUBJECT_SIZE];
    const char *key = NULL;
    void *value     = NULL;
    struct buf to;

    sch_load_count(s->index, (int64_t)now, s->config->age_promote_ms);
    buf_init(&to, LOAD_MAX);
    for (size_t it = 0; map_next(s->pools.pools, &it, &key, &value);) {
        buf_clear(&to);
        load_of(value, &to);

        const struct bus_out out = {.subject = subject_state_load(subject, key),
                                    .body    = buf_bytes(&to)};

        (void)bus_send(s->bus, &out);
    }
    buf_deinit(&to);
}

uint64_t sch_tell_turn(struct sch *s, uint64_t now)
{
    if (now >= s->depth_at) {
        s->depth_at = now + DEPTH_MS;
        depth(s, now);
    }
    if (now >= s->load_at) {
        s->load_at = now + LOAD_MS;
        load(s, now);
    }
    return s->depth_at < s->load_at ? s->depth_at : s->load_at;
}
