#include "support/system/intents.h"

#include <jansson.h>
#include <nats/nats.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/clock.h"
#include "support/system/world.h"

struct intents {
    natsSubscription *sub;
    pthread_mutex_t lock;
    json_t *workers; /* by the run's subject: whose INTENT is its last word */
    volatile bool over;
};

static const char *header(natsMsg *msg, const char *name)
{
    const char *value = NULL;

    return natsMsgHeader_Get(msg, name, &value) == NATS_OK && value ? value : "";
}

static void on_entry(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *self)
{
    struct intents *all = self;
    const char *subject = natsMsg_GetSubject(msg);

    (void)nc;
    (void)sub;
    pthread_mutex_lock(&all->lock);
    if (strcmp(header(msg, "Sluice-Kind"), "INTENT") == 0)
        json_object_set_new(all->workers, subject, json_string(header(msg, "Sluice-Worker")));
    else
        json_object_del(all->workers, subject);
    pthread_mutex_unlock(&all->lock);
    natsMsg_Destroy(msg);
}

struct intents *intents_new(struct world *w)
{
    struct intents *all = calloc(1, sizeof(*all));

    pthread_mutex_init(&all->lock, NULL);
    all->workers = json_object();
    assert_int_equal(
        natsConnection_Subscribe(&all->sub, w->client->nc, "sluice.watch.>", on_entry, all),
        NATS_OK);
    natsSubscription_SetPendingLimits(all->sub, -1, -1);
    natsConnection_FlushTimeout(w->client->nc, 2000);
    return all;
}

static void on_gone(void *self)
{
    ((struct intents *)self)->over = true;
}

void intents_free(struct intents **slot)
{
    struct intents *all = *slot;

    *slot = NULL;
    if (!all)
        return;
    natsSubscription_SetOnCompleteCB(all->sub, on_gone, all);
    natsSubscription_Unsubscribe(all->sub);
    for (int64_t until = clock_ms() + 3000; !all->over && clock_ms() < until;)
        clock_nap(1);
    natsSubscription_Destroy(all->sub);
    pthread_mutex_destroy(&all->lock);
    json_decref(all->workers);
    free(all);
}

size_t intents_of(struct intents *all, const char *worker)
{
    const char *subject;
    json_t *at;
    size_t count = 0;

    pthread_mutex_lock(&all->lock);
    json_object_foreach(all->workers, subject, at) count +=
        strcmp(json_string_value(at), worker) == 0;
    pthread_mutex_unlock(&all->lock);
    return count;
}
