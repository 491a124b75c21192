#include "support/system/grants.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/arena.h"
#include "support/system/record.h"
#include "support/system/upstream.h"
#include "support/system/world.h"
#include "wire/wire_permit.h"

enum { SECOND_MS = 1000 };

struct tally {
    struct world *world;
    const char *upstream;
    uint64_t *at_ms; /* of the grants that count in its rate, in the order of the log */
    size_t count, max;
    json_t *out, *sessions; /* ids */
    size_t most_out, most_sessions, epochs;
    uint64_t epoch;
};

static void count_rate(struct tally *t, uint64_t at_ms)
{
    if (t->count == t->max)
        t->at_ms = realloc(t->at_ms, (t->max = 2 * t->max + 256) * sizeof(*t->at_ms));
    t->at_ms[t->count++] = at_ms;
}

static void count_id(json_t *ids, const char *id, size_t *most)
{
    json_object_set_new(ids, id, json_true());
    if (json_object_size(ids) > *most)
        *most = json_object_size(ids);
}

static void on_record(struct tally *t, const struct grant_record *r)
{
    if (r->op == GRANT_RETURN)
        json_object_del(t->out, r->id); /* it names the permit only */
    if (strcmp(r->name, t->upstream) != 0)
        return;
    if (r->op == GRANT_SESSION_END)
        json_object_del(t->sessions, r->session);
    if (r->op != GRANT_GRANT)
        return;
    if (r->rate)
        count_rate(t, r->at_ms);
    if (r->in_flight)
        count_id(t->out, r->id, &t->most_out);
    if (r->session_open)
        count_id(t->sessions, r->session, &t->most_sessions);
}

static void on_batch(struct tally *t, const struct record_item *item)
{
    struct arena *arena = arena_new();
    struct grant_batch b;
    const struct bytes body = {(const uint8_t *)natsMsg_GetData(item->msg),
                               (size_t)natsMsg_GetDataLength(item->msg)};

    if (failed(wire_read_grant_batch(&b, body, arena)))
        world_fail(t->world, "batch #%llu of the grant log cannot be read",
                   (unsigned long long)item->seq);
    if (b.snapshot)
        world_fail(t->world, "the grant log was cut short by a snapshot: nothing is proved");
    t->epochs += b.epoch != t->epoch;
    t->epoch = b.epoch;
    for (size_t n = 0; n < b.count; n++)
        on_record(t, &b.records[n]);
    arena_free(&arena);
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static size_t peak_second(struct tally *t)
{
    size_t first = 0, most = 0;

    qsort(t->at_ms, t->count, sizeof(*t->at_ms), by_time);
    for (size_t i = 0; i < t->count; i++) {
        while (t->at_ms[i] - t->at_ms[first] >= SECOND_MS)
            first++;
        most = i + 1 - first > most ? i + 1 - first : most;
    }
    return most;
}

static void compare(const struct tally *t, const char *what, size_t most, size_t limit)
{
    if (limit > 0 && most > limit)
        world_fail(t->world, "the limiter granted %s %zu %s, not %zu", t->upstream, most, what,
                   limit);
}

void grants_judge(struct world *w, const char *upstream, const struct upstream_limits *limits)
{
    struct record *log = record_read(w, "SLUICE_GRANTS");
    struct tally t     = {
            .world = w, .upstream = upstream, .out = json_object(), .sessions = json_object()};

    for (size_t i = 0; i < log->count; i++)
        on_batch(&t, &log->items[i]);
    size_t rate = peak_second(&t), per_s = limits->per_s ? limits->per_s + limits->burst : 0;
    print_message("%s: granted %zu by %zu leaders; at most %zu in a second (%zu), %zu out "
                  "(%zu), %zu sessions (%zu)\n",
                  upstream, t.count, t.epochs, rate, per_s, t.most_out, limits->in_flight,
                  t.most_sessions, limits->sessions);
    compare(&t, "in a second", rate, per_s);
    compare(&t, "at once", t.most_out, limits->in_flight);
    compare(&t, "sessions", t.most_sessions, limits->sessions);
    json_decref(t.out);
    json_decref(t.sessions);
    free(t.at_ms);
    record_free(&log);
}
