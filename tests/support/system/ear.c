#include "support/system/ear.h"

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
#include "support/system/proc.h"
#include "support/system/world.h"

struct list {
    char **reply;
    size_t count, max;
};

struct ear {
    natsSubscription *subs[2];
    pthread_mutex_t lock;
    struct list said, refused;
    struct proc *trapped; /* to be stopped by the next publish */
    volatile int gone;
};

static void add(struct list *l, const char *reply)
{
    if (l->count == l->max)
        l->reply = realloc(l->reply, (l->max = 2 * l->max + 256) * sizeof(*l->reply));
    l->reply[l->count++] = strdup(reply ? reply : "");
}

static void on_said(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *self)
{
    struct ear *e = self;

    (void)nc;
    (void)sub;
    pthread_mutex_lock(&e->lock);
    if (e->trapped)
        proc_stop(e->trapped);
    e->trapped = NULL;
    add(&e->said, natsMsg_GetReply(msg));
    pthread_mutex_unlock(&e->lock);
    natsMsg_Destroy(msg);
}

static void on_answer(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *self)
{
    struct ear *e = self;

    (void)nc;
    (void)sub;
    if (natsMsg_GetDataLength(msg) > 0 &&
        memmem(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), "\"err_code\":", 11)) {
        pthread_mutex_lock(&e->lock);
        add(&e->refused, natsMsg_GetSubject(msg));
        pthread_mutex_unlock(&e->lock);
    }
    natsMsg_Destroy(msg);
}

struct ear *ear_new(struct world *w, const char *subject)
{
    struct ear *e = calloc(1, sizeof(*e));

    pthread_mutex_init(&e->lock, NULL);
    assert_int_equal(natsConnection_Subscribe(&e->subs[0], w->client->nc, subject, on_said, e),
                     NATS_OK);
    assert_int_equal(
        natsConnection_Subscribe(&e->subs[1], w->client->nc, "_INBOX.>", on_answer, e),
        NATS_OK);
    for (int i = 0; i < 2; i++)
        natsSubscription_SetPendingLimits(e->subs[i], -1, -1);
    natsConnection_FlushTimeout(w->client->nc, 2000);
    return e;
}

static void on_gone(void *self)
{
    __atomic_add_fetch(&((struct ear *)self)->gone, 1, __ATOMIC_SEQ_CST);
}

static void free_list(struct list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->reply[i]);
    free(l->reply);
}

void ear_free(struct ear **slot)
{
    struct ear *e = *slot;

    *slot = NULL;
    if (!e)
        return;
    for (int i = 0; i < 2; i++) {
        natsSubscription_SetOnCompleteCB(e->subs[i], on_gone, e);
        natsSubscription_Unsubscribe(e->subs[i]);
    }
    for (int64_t until = clock_ms() + 3000; e->gone < 2 && clock_ms() < until;)
        clock_nap(1);
    for (int i = 0; i < 2; i++)
        natsSubscription_Destroy(e->subs[i]);
    free_list(&e->said);
    free_list(&e->refused);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

void ear_trap(struct ear *e, struct proc *p)
{
    pthread_mutex_lock(&e->lock);
    e->trapped = p;
    pthread_mutex_unlock(&e->lock);
}

bool ear_sprung(struct ear *e)
{
    pthread_mutex_lock(&e->lock);
    bool yes = !e->trapped;
    pthread_mutex_unlock(&e->lock);
    return yes;
}

size_t ear_count(struct ear *e)
{
    pthread_mutex_lock(&e->lock);
    size_t count = e->said.count;
    pthread_mutex_unlock(&e->lock);
    return count;
}

/* "_INBOX.<connection>" */
static void who_of(const char *reply, char ret[64])
{
    const char *dot = strchr(reply, '.');

    dot = dot ? strchr(dot + 1, '.') : NULL;
    snprintf(ret, 64, "%.*s", dot ? (int)(dot - reply) : 63, reply);
}

void ear_who(struct ear *e, size_t n, char ret[64])
{
    pthread_mutex_lock(&e->lock);
    who_of(n < e->said.count ? e->said.reply[n] : "", ret);
    pthread_mutex_unlock(&e->lock);
}

static bool was_refused(const struct ear *e, const char *reply)
{
    for (size_t i = 0; i < e->refused.count; i++)
        if (strcmp(e->refused.reply[i], reply) == 0)
            return true;
    return false;
}

size_t ear_refused(struct ear *e, size_t from, const char *who)
{
    char by[64];
    size_t count = 0;

    pthread_mutex_lock(&e->lock);
    for (size_t i = from; i < e->said.count; i++) {
        who_of(e->said.reply[i], by);
        if (!who || strcmp(who, by) == 0)
            count += was_refused(e, e->said.reply[i]);
    }
    pthread_mutex_unlock(&e->lock);
    return count;
}
