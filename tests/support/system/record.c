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

static bool is_entry(const struct record_item *i, const char *run, const char *kind)
{
    const char *s = strrchr(record_subject(i), '.');

    return s && strcmp(s + 1, run) == 0 &&
           (!kind || strcmp(record_header(i, "Sluice-Kind"), kind) == 0);
}

size_t record_entries(const struct record *r, const char *run, const char *kind)
{
    size_t count = 0;

    for (size_t i = 0; i < r->count; i++)
        count += is_entry(&r->items[i], run, kind);
    return count;
}

const struct record_item *record_entry(const struct record *r, const char *run,
                                       const char *kind, size_t n)
{
    for (size_t i = 0; i < r->count; i++)
        if (is_entry(&r->items[i], run, kind) && n-- == 0)
            return &r->items[i];
    return NULL;
}

void record_print(const struct record *r, const char *run)
{
    static const char *const names[] = {
        "Sluice-Wake", "Sluice-Lease", "Sluice-Worker", "Sluice-Job",    "Sluice-Step",
        "Sluice-Try",  "Sluice-On",    "Sluice-Due",    "Sluice-Result", "Sluice-Code",
        NULL};

    for (size_t i = 0; i < r->count; i++) {
        const struct record_item *e = &r->items[i];
        if (!is_entry(e, run, NULL))
            continue;
        fprintf(stderr, "  #%llu %lld %-10s", (unsigned long long)e->seq, (long long)e->at_ms,
                record_header(e, "Sluice-Kind"));
        for (size_t n = 0; names[n]; n++)
            if (*record_header(e, names[n]))
                fprintf(stderr, " %s=%s", names[n] + 7, record_header(e, names[n]));
        fprintf(stderr, "\n");
    }
}
