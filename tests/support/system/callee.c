#include "support/system/callee.h"

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

struct call {
    char run[27], step[65];
    natsMsg *msg; /* held: not answered */
};

struct callee {
    struct world *world;
    natsSubscription *sub;
    pthread_mutex_t lock;
    struct call *calls;
    size_t count, max, held;
    bool hold;
    volatile bool over;
};

static void answer(natsConnection *nc, natsMsg *msg)
{
    if (natsMsg_GetReply(msg))
        natsConnection_PublishString(nc, natsMsg_GetReply(msg), "{\"ok\":true}");
}

static void keep_header(natsMsg *msg, const char *name, char *at, size_t size)
{
    const char *value = NULL;

    if (natsMsgHeader_Get(msg, name, &value) == NATS_OK && value)
        snprintf(at, size, "%s", value);
}

static void on_call(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *self)
{
    struct callee *c = self;
    struct call one  = {.msg = NULL};

    (void)sub;
    keep_header(msg, "Sluice-Run", one.run, sizeof(one.run));
    keep_header(msg, "Sluice-Step", one.step, sizeof(one.step));
    pthread_mutex_lock(&c->lock);
    if (c->hold) {
        one.msg = msg;
        c->held++;
    }
    if (c->count == c->max)
        c->calls = realloc(c->calls, (c->max = 2 * c->max + 64) * sizeof(*c->calls));
    c->calls[c->count++] = one;
    pthread_mutex_unlock(&c->lock);
    if (!one.msg) {
        answer(nc, msg);
        natsMsg_Destroy(msg);
    }
}

static void gone(void *self)
{
    ((struct callee *)self)->over = true;
}

struct callee *callee_new(struct world *w)
{
    struct callee *c = calloc(1, sizeof(*c));

    c->world = w;
    pthread_mutex_init(&c->lock, NULL);
    assert_int_equal(
        natsConnection_Subscribe(&c->sub, w->client->nc, "sluice.call.>", on_call, c), NATS_OK);
    natsSubscription_SetPendingLimits(c->sub, -1, -1);
    natsConnection_FlushTimeout(w->client->nc, 2000);
    return c;
}

void callee_free(struct callee **slot)
{
    struct callee *c = *slot;

    *slot = NULL;
    if (!c)
        return;
    natsSubscription_SetOnCompleteCB(c->sub, gone, c);
    natsSubscription_Unsubscribe(c->sub);
    for (int64_t until = clock_ms() + 3000; !c->over && clock_ms() < until;)
        clock_nap(1);
    natsSubscription_Destroy(c->sub);
    for (size_t i = 0; i < c->count; i++)
        natsMsg_Destroy(c->calls[i].msg);
    pthread_mutex_destroy(&c->lock);
    free(c->calls);
    free(c);
}

void callee_hold(struct callee *c)
{
    pthread_mutex_lock(&c->lock);
    c->hold = true;
    pthread_mutex_unlock(&c->lock);
}

void callee_release(struct callee *c)
{
    pthread_mutex_lock(&c->lock);
    c->hold = false;
    c->held = 0;
    for (size_t i = 0; i < c->count; i++)
        if (c->calls[i].msg) {
            answer(c->world->client->nc, c->calls[i].msg);
            natsMsg_Destroy(c->calls[i].msg);
            c->calls[i].msg = NULL;
        }
    pthread_mutex_unlock(&c->lock);
}

size_t callee_calls(struct callee *c)
{
    return callee_calls_of(c, NULL, NULL);
}

size_t callee_calls_of(struct callee *c, const char *run, const char *step)
{
    size_t count = 0;

    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->count; i++)
        count += (!run || strcmp(c->calls[i].run, run) == 0) &&
                 (!step || strcmp(c->calls[i].step, step) == 0);
    pthread_mutex_unlock(&c->lock);
    return count;
}

size_t callee_held(struct callee *c)
{
    pthread_mutex_lock(&c->lock);
    size_t held = c->held;
    pthread_mutex_unlock(&c->lock);
    return held;
}

static int by_call(const void *a, const void *b)
{
    int order = strcmp(((const struct call *)a)->run, ((const struct call *)b)->run);

    return order ? order
                 : strcmp(((const struct call *)a)->step, ((const struct call *)b)->step);
}

size_t callee_most(struct callee *c)
{
    size_t most = 0, same = 0;

    pthread_mutex_lock(&c->lock);
    struct call *all = calloc(c->count + 1, sizeof(*all));
    if (c->count)
        memcpy(all, c->calls, c->count * sizeof(*all));
    qsort(all, c->count, sizeof(*all), by_call);
    for (size_t i = 0; i < c->count; i++) {
        same = i > 0 && by_call(&all[i], &all[i - 1]) == 0 ? same + 1 : 1;
        most = same > most ? same : most;
    }
    free(all);
    pthread_mutex_unlock(&c->lock);
    return most;
}
