#include "support/system/record.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/system/client.h"
#include "support/system/world.h"

enum { NEXT_MS = 5000 };

static void add(struct record *r, natsMsg *msg, uint64_t seq, int64_t at_ns)
{
    if ((r->count & (r->count - 1)) == 0)
        r->items = realloc(r->items, (r->count ? 2 * r->count : 1) * sizeof(*r->items));
    r->items[r->count++] = (struct record_item){seq, at_ns / 1000000, msg};
}

/* An ordered consumer: gap-free, and fast. */
static void read_ordered(struct record *r, const char *stream)
{
    struct client *c      = r->world->client;
    natsSubscription *sub = NULL;
    uint64_t pending      = 1;
    jsSubOptions opts;

    jsSubOptions_Init(&opts);
    opts.Stream               = stream;
    opts.Ordered              = true;
    opts.Config.DeliverPolicy = js_DeliverAll;
    natsStatus s              = js_SubscribeSync(&sub, c->js, ">", NULL, &opts, NULL);
    if (s != NATS_OK)
        world_fail(r->world, "cannot read %s: %s", stream, natsStatus_GetText(s));
    natsSubscription_SetPendingLimits(sub, -1, -1);
    while (pending > 0) {
        jsMsgMetaData *meta = NULL;
        natsMsg *msg        = NULL;
        s                   = natsSubscription_NextMsg(&msg, sub, NEXT_MS);
        if (s == NATS_OK)
            s = natsMsg_GetMetaData(&meta, msg);
        if (s != NATS_OK)
            world_fail(r->world, "%s could not be read to its end (%zu read): %s", stream,
                       r->count, natsStatus_GetText(s));
        pending = meta->NumPending;
        add(r, msg, meta->Sequence.Stream, meta->Timestamp);
        jsMsgMetaData_Destroy(meta);
    }
    natsSubscription_Unsubscribe(sub);
    natsSubscription_Destroy(sub);
}

/* A work queue may have one consumer only: message by message. */
static void read_direct(struct record *r, const char *stream)
{
    uint64_t from = 1;

    for (;;) {
        jsDirectGetMsgOptions opts;
        natsMsg *msg = NULL;
        jsDirectGetMsgOptions_Init(&opts);
        opts.Sequence      = from;
        opts.NextBySubject = ">";
        if (js_DirectGetMsg(&msg, r->world->client->js, stream, NULL, &opts) != NATS_OK)
            return;
        from = natsMsg_GetSequence(msg) + 1;
        add(r, msg, from - 1, natsMsg_GetTime(msg));
    }
}

static const char *run_of(const struct record_item *i)
{
    const char *dot = strrchr(record_subject(i), '.');

    return dot ? dot + 1 : "";
}

static int by_run(const void *a, const void *b)
{
    const struct record_item *x = *(const struct record_item *const *)a,
                             *y = *(const struct record_item *const *)b;
    int order                   = strcmp(run_of(x), run_of(y));

    return order ? order : x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void sort(struct record *r)
{
    r->by_run = calloc(r->count + 1, sizeof(const struct record_item *));
    for (size_t i = 0; i < r->count; i++)
        r->by_run[i] = &r->items[i];
    qsort(r->by_run, r->count, sizeof(const struct record_item *), by_run);
}

struct record *record_read(struct world *w, const char *stream)
{
    struct record *r = calloc(1, sizeof(*r));
    int64_t count    = client_count(w->client, stream);

    r->world = w;
    if (count < 0)
        world_fail(w, "there is no stream %s", stream);
    if (strcmp(stream, "SLUICE_PENDING") == 0 || strcmp(stream, "SLUICE_JOBS") == 0)
        read_direct(r, stream);
    else if (count > 0)
        read_ordered(r, stream);
    sort(r);
    return r;
}

void record_free(struct record **slot)
{
    struct record *r = *slot;

    *slot = NULL;
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        natsMsg_Destroy(r->items[i].msg);
    free(r->items);
    free(r->by_run);
    free(r);
}

const char *record_subject(const struct record_item *i)
{
    return natsMsg_GetSubject(i->msg);
}

const char *record_header(const struct record_item *i, const char *name)
{
    const char *value = NULL;

    return natsMsgHeader_Get(i->msg, name, &value) == NATS_OK && value ? value : "";
}

uint64_t record_number(const struct record_item *i, const char *name)
{
    return strtoull(record_header(i, name), NULL, 10);
}

const char *record_token(const struct record_item *i, unsigned n, char *at, size_t size)
{
    const char *s = record_subject(i);

    at[0] = '\0';
    for (; n > 0; n--) {
        s = strchr(s, '.');
        if (!s)
            return at;
        s++;
    }
    snprintf(at, size, "%.*s", (int)strcspn(s, "."), s);
    return at;
}

/* Where its entries begin in by_run. */
static size_t first_of(const struct record *r, const char *run)
{
    size_t low = 0, high = r->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(run_of(r->by_run[middle]), run) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The next entry of this kind from *at on; NULL: there is none. */
static const struct record_item *next_of(const struct record *r, const char *run,
                                         const char *kind, size_t *at)
{
    while (*at < r->count && strcmp(run_of(r->by_run[*at]), run) == 0) {
        const struct record_item *i = r->by_run[(*at)++];
        if (!kind || strcmp(record_header(i, "Sluice-Kind"), kind) == 0)
            return i;
    }
    return NULL;
}

size_t record_entries(const struct record *r, const char *run, const char *kind)
{
    size_t count = 0, at = first_of(r, run);

    while (next_of(r, run, kind, &at))
        count++;
    return count;
}

const struct record_item *record_entry(const struct record *r, const char *run,
                                       const char *kind, size_t n)
{
    size_t at                   = first_of(r, run);
    const struct record_item *i = next_of(r, run, kind, &at);

    while (i && n-- > 0)
        i = next_of(r, run, kind, &at);
    return i;
}

void record_print(const struct record *r, const char *run)
{
    static const char *const names[] = {
        "Sluice-Wake", "Sluice-Lease", "Sluice-Worker", "Sluice-Job",    "Sluice-Step",
        "Sluice-Try",  "Sluice-On",    "Sluice-Due",    "Sluice-Result", "Sluice-Code",
        NULL};

    size_t at = first_of(r, run);

    for (const struct record_item *e; (e = next_of(r, run, NULL, &at));) {
        fprintf(stderr, "  #%llu %lld %-10s", (unsigned long long)e->seq, (long long)e->at_ms,
                record_header(e, "Sluice-Kind"));
        for (size_t n = 0; names[n]; n++)
            if (*record_header(e, names[n]))
                fprintf(stderr, " %s=%s", names[n] + 7, record_header(e, names[n]));
        fprintf(stderr, "\n");
    }
}
