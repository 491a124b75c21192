#include "bus/bus_inbox.h"

#include "base/must.h"
#include "bus/bus.h"

static void on_wake(uv_async_t *wake)
{
    bus_inbox_drain(wake->data);
}

int bus_inbox_init(struct bus_inbox *in, uv_loop_t *loop, bus_inbox_fn *on_msg,
                   bus_inbox_burst_fn *on_burst, void *self)
{
    int r = uv_async_init(loop, &in->wake, on_wake);

    if (r != 0)
        return r;
    must(uv_mutex_init(&in->lock) == 0);
    must(uv_cond_init(&in->come) == 0);
    in->wake.data = in;
    in->first     = NULL;
    in->last      = &in->first;
    in->on_msg    = on_msg;
    in->on_burst  = on_burst;
    in->self      = self;
    atomic_init(&in->losses, 0);
    return 0;
}

/* The box is woken only when it was empty: libuv folds wake-ups, but each still costs an atomic
   exchange, and the first a system call. */
void bus_inbox_post(struct bus_inbox *in, struct bus_msg *msg)
{
    msg->next = NULL;
    uv_mutex_lock(&in->lock);
    bool was_empty = in->first == NULL;
    *in->last      = msg;
    in->last       = &msg->next;
    if (was_empty) {
        uv_async_send(&in->wake);
        uv_cond_signal(&in->come);
    }
    uv_mutex_unlock(&in->lock);
}

void bus_inbox_lost(struct bus_inbox *in)
{
    atomic_fetch_add(&in->losses, 1);
}

unsigned bus_inbox_losses(struct bus_inbox *in)
{
    return atomic_load(&in->losses);
}

static struct bus_msg *take_all(struct bus_inbox *in)
{
    uv_mutex_lock(&in->lock);
    struct bus_msg *first = in->first;
    in->first             = NULL;
    in->last              = &in->first;
    uv_mutex_unlock(&in->lock);
    return first;
}

/* libuv folds many sends into one wake-up, so each wake-up must empty the box; the list is taken
   whole, and handlers run without the lock. */
void bus_inbox_drain(struct bus_inbox *in)
{
    struct bus_msg *msg = take_all(in);

    if (!msg)
        return;
    while (msg) {
        struct bus_msg *next = msg->next;
        msg->next            = NULL;
        in->on_msg(in->self, msg);
        msg = next;
    }
    in->on_burst(in->self);
}

void bus_inbox_wait(struct bus_inbox *in, uint64_t ms)
{
    uv_mutex_lock(&in->lock);
    if (!in->first)
        (void)uv_cond_timedwait(&in->come, &in->lock, ms * 1000000);
    uv_mutex_unlock(&in->lock);
}

void bus_inbox_deinit(struct bus_inbox *in)
{
    must(in->first == NULL);
    uv_mutex_destroy(&in->lock);
    uv_cond_destroy(&in->come);
}
