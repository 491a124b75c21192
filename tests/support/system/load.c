#include "support/system/load.h"

#include <jansson.h>
#include <nats/nats.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/clock.h"
#include "support/system/world.h"

enum { WINDOW = 256, REPEAT_MS = 3000, REFUSED_MS = 200 };

struct load {
    struct world *world;
    const struct load_spec *spec;
    struct load_item *items;
    natsSubscription *sub;
    char inbox[64];
    pthread_mutex_t lock; /* guards what stands below, and the items */
    size_t begun, answered, flying;
    int64_t started_ms;
};

/* ---- answers, on a thread of nats.c -------------------------------------------------------------- */

static void judge_answer(struct load_item *i, natsMsg *msg)
{
    json_t *doc = json_loadb(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), 0, NULL);
    const char *run  = json_string_value(json_object_get(doc, "run_id"));
    const char *code = json_string_value(json_object_get(doc, "code"));

    if (run && !code) {
        i->accepted = true;
        snprintf(i->run, sizeof(i->run), "%s", run);
    } else if (!code || strcmp(code, "unavailable") == 0 || strcmp(code, "queue_full") == 0) {
        i->next_ms =
            clock_ms() + REFUSED_MS; /* once more with the same key; also "no responders" */
    } else {
        i->refused = true;
        snprintf(i->code, sizeof(i->code), "%s", code);
    }
    json_decref(doc);
}

static void on_answer(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *self)
{
    struct load *l  = self;
    const char *dot = strrchr(natsMsg_GetSubject(msg), '.');
    size_t n        = dot ? strtoul(dot + 1, NULL, 10) : SIZE_MAX;

    (void)nc;
    (void)sub;
    pthread_mutex_lock(&l->lock);
    if (n < l->begun && !l->items[n].accepted && !l->items[n].refused) {
        struct load_item *i = &l->items[n];
        judge_answer(i, msg);
        if (i->sent_ms) {
            i->sent_ms = 0;
            l->flying--;
        }
        if (i->accepted || i->refused) {
            i->answered_ms = clock_ms();
            l->answered++;
        }
    }
    pthread_mutex_unlock(&l->lock);
    natsMsg_Destroy(msg);
}

/* ---- sending ------------------------------------------------------------------------------------------ */

static void write_body(const struct load *l, size_t n, char *at, size_t size)
{
    size_t len    = (size_t)snprintf(at, size, "{\"key\":\"%s\",", l->items[n].key);
    const char *s = l->spec->body;

    while (*s && len + 24 < size)
        if (s[0] == '@' && s[1] == 'N') {
            len += (size_t)snprintf(at + len, size - len, "%zu", n);
            s += 2;
        } else {
            at[len++] = *s++;
        }
    snprintf(at + len, size - len, "}");
}

static bool send_item(struct load *l, size_t n)
{
    char subject[128], reply[96], body[4096];

    write_body(l, n, body, sizeof(body));
    snprintf(subject, sizeof(subject), "sluice.api.submit.%s", l->items[n].tenant);
    snprintf(reply, sizeof(reply), "%s.%zu", l->inbox, n);
    return natsConnection_PublishRequestString(l->world->client->nc, subject, reply, body) ==
           NATS_OK;
}

/* What was never answered, or "later". */
static void repeat(struct load *l, int64_t now)
{
    for (size_t n = 0; n < l->begun; n++) {
        struct load_item *i = &l->items[n];
        if (i->accepted || i->refused)
            continue;
        if (i->sent_ms && now < i->sent_ms + REPEAT_MS)
            continue;
        if (now < i->next_ms)
            continue;
        if (!send_item(l, n))
            return; /* not connected */
        l->flying += i->sent_ms == 0;
        i->sent_ms = now;
        i->sent++;
    }
}

static bool may_begin(const struct load *l, int64_t now)
{
    unsigned window = l->spec->window ? l->spec->window : WINDOW;

    if (l->begun >= l->spec->runs || l->flying >= window)
        return false;
    return l->spec->per_s == 0 ||
           (int64_t)l->begun * 1000 < (now - l->started_ms) * l->spec->per_s;
}

void load_pump(struct load *l)
{
    int64_t now = clock_ms();

    pthread_mutex_lock(&l->lock);
    if (l->begun > l->answered)
        repeat(l, now);
    while (may_begin(l, now) && send_item(l, l->begun)) {
        struct load_item *i = &l->items[l->begun++];
        i->sent_ms = i->first_ms = now;
        i->sent                  = 1;
        l->flying++;
    }
    pthread_mutex_unlock(&l->lock);
}

/* ---- life --------------------------------------------------------------------------------------------- */

struct load *load_start(struct world *w, const struct load_spec *spec)
{
    struct load *l   = calloc(1, sizeof(*l));
    natsInbox *inbox = NULL;
    char subject[80];
    size_t tenants = 0;

    l->world      = w;
    l->spec       = spec;
    l->items      = calloc(spec->runs, sizeof(*l->items));
    l->started_ms = clock_ms();
    pthread_mutex_init(&l->lock, NULL);
    while (spec->tenants[tenants])
        tenants++;
    for (size_t n = 0; n < spec->runs; n++) {
        snprintf(l->items[n].key, sizeof(l->items[n].key), "%s-%zu",
                 spec->prefix ? spec->prefix : "k", n);
        l->items[n].tenant = spec->tenants[n % tenants];
    }
    natsInbox_Create(&inbox);
    snprintf(l->inbox, sizeof(l->inbox), "%s", inbox);
    natsInbox_Destroy(inbox);
    snprintf(subject, sizeof(subject), "%s.*", l->inbox);
    assert_int_equal(natsConnection_Subscribe(&l->sub, w->client->nc, subject, on_answer, l),
                     NATS_OK);
    natsSubscription_SetPendingLimits(l->sub, -1, -1);
    assert_true(w->load_count < WORLD_LOADS_MAX);
    w->loads[w->load_count++] = l;
    return l;
}

static void gone(void *self)
{
    *(volatile bool *)self = true;
}

void load_free(struct load *l)
{
    struct world *w    = l->world;
    volatile bool over = false;

    natsSubscription_SetOnCompleteCB(l->sub, gone, (void *)&over);
    natsSubscription_Unsubscribe(l->sub);
    for (int64_t until = clock_ms() + 3000; !over && clock_ms() < until;)
        clock_nap(1);
    natsSubscription_Destroy(l->sub);
    for (size_t i = 0; i < w->load_count; i++)
        if (w->loads[i] == l)
            w->loads[i] = w->loads[--w->load_count];
    pthread_mutex_destroy(&l->lock);
    free(l->items);
    free(l);
}

size_t load_answered(struct load *l)
{
    pthread_mutex_lock(&l->lock);
    size_t n = l->answered;
    pthread_mutex_unlock(&l->lock);
    return n;
}

bool load_done(struct load *l)
{
    return load_answered(l) == l->spec->runs;
}

size_t load_count(const struct load *l)
{
    return l->spec->runs;
}

struct load_item load_item(struct load *l, size_t n)
{
    pthread_mutex_lock(&l->lock);
    struct load_item i = l->items[n];
    pthread_mutex_unlock(&l->lock);
    return i;
}
