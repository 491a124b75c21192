#include "base/backoff.h"
#include "base/fault.h"
#include "base/id.h"
#include "base/log.h"
#include "bus/bus_internal.h"
#include "bus/bus_pull.h"

enum {
    CONSUMER_MAGIC = 0x636e7375,
    EXPIRES_MS     = 5000,
    BATCH_MAX      = 4096, /* outstanding at once; a scheduler has room for a million */
    RETRY_BASE_MS  = 250,
    RETRY_CAP_MS   = 1000,
};

struct bus_consumer {
    struct bus_op op; /* first: SELF(); it only waits */
    struct list link;
    struct bus_pull pull;
    struct bus_consume want;
    char *stream, *name;
    uint32_t room;
    uint64_t seq;   /* of the consumer, last seen; 0: not known */
    uint64_t ahead; /* what a heartbeat claimed beyond it */
    unsigned tries;
    bool alive; /* heard since the last gap, or asked on a connection that is lost */
    bool held;  /* asks again when the op's wait is over */
    bool ended;
};

static struct err on_watch(struct bus_op *op, const struct bus_reply *reply);

static void wait_for(struct bus_consumer *c, uint64_t ms)
{
    bus_op_recall(&c->op);
    (void)bus_wait(&c->op, ms, on_watch);
}

static void ask(struct bus_consumer *c)
{
    uint32_t out = c->pull.outstanding;
    uint32_t aim = c->room < BATCH_MAX ? c->room : BATCH_MAX;

    if (c->ended || c->held || aim <= out || (aim == BATCH_MAX && out > BATCH_MAX / 2))
        return;
    (void)bus_pull_ask(&c->pull, c->stream, c->name, aim - out, EXPIRES_MS);
}

/* What was delivered before may be given again.  Once an incident. */
static void gap(struct bus_consumer *c, const char *why)
{
    bool was = c->alive;

    log_debug("consumer gap", KV("stream", c->stream), KV("why", why));
    c->alive = false;
    c->seq = c->ahead = 0;
    if (was && !c->ended && c->want.on_gap)
        c->want.on_gap(c->want.self, why);
}

static void back_off(struct bus_consumer *c)
{
    bus_pull_reset(&c->pull);
    c->held = true;
    wait_for(c, backoff_half_ms(c->tries++, RETRY_BASE_MS, RETRY_CAP_MS, id_random64()));
}

static struct err on_watch(struct bus_op *op, const struct bus_reply *reply)
{
    struct bus_consumer *c = SELF(struct bus_consumer, CONSUMER_MAGIC, op);

    (void)reply;
    c->held = false;
    if (bus_connected(op->bus) && bus_pull_dead(&c->pull)) {
        bus_pull_reset(&c->pull);
        gap(c, "heartbeat missed");
    }
    ask(c);
    if (bus_op_living(op) && op->state == BUS_OP_RUNNING)
        (void)bus_wait(op, BUS_PULL_WATCH_MS, on_watch);
    return OK;
}

static void deliver(struct bus_consumer *c, struct bus_msg **msg)
{
    uint64_t seq = (*msg)->consumer_seq;

    if (c->want.alone && c->seq > 0 && seq != c->seq + 1)
        gap(c, "delivery skipped");
    if (c->ended)
        return;
    c->alive = true;
    c->seq   = seq;
    c->ahead = 0;
    c->tries = 0;
    c->room -= c->room > 0 && c->room != BUS_ROOM_ANY;
    c->want.on_msg(c->want.self, msg);
}

/* A replicated consumer counts a delivery before it is sent, so one heartbeat that is ahead may be
   early; two that say the same are not. */
static void on_beat(struct bus_consumer *c, uint64_t last)
{
    c->alive = true;
    c->tries = 0;
    if (!c->want.alone)
        return;
    if (c->seq == 0)
        c->seq = last;
    if (last <= c->seq)
        c->ahead = 0;
    else if (last == c->ahead)
        gap(c, "delivery skipped");
    else
        c->ahead = last;
}

static void on_msg(void *self, struct bus_msg **msg)
{
    struct bus_consumer *c    = self;
    struct bus_pull_news news = bus_pull_read(&c->pull, *msg);

    switch (news.kind) {
    case BUS_PULL_MSG:
        deliver(c, msg);
        break;
    case BUS_PULL_BEAT:
        on_beat(c, news.last);
        break;
    case BUS_PULL_OVER:
        c->tries = 0;
        break;
    case BUS_PULL_GONE:
        back_off(c);
        gap(c, news.why);
        break;
    case BUS_PULL_BROKEN:
        back_off(c);
        break;
    case BUS_PULL_STALE:
        break;
    }
    ask(c);
}

void bus_consume_state(struct bus *bus, bool connected)
{
    LIST_EACH_SAFE(&bus->consumers, it)
    {
        struct bus_consumer *c = LIST_OWNER(it, struct bus_consumer, link);

        if (c->pull.outstanding > 0)
            c->alive = true; /* it may have been given out, and is lost with the connection */
        bus_pull_reset(&c->pull);
        c->held = false;
        if (!connected)
            gap(c, "connection lost");
        c->alive = false; /* what the old connection still brought counts no more */
        c->seq = c->ahead = 0;
        ask(c);
    }
}

/* ---- life -------------------------------------------------------------------------------------- */

static void on_end(struct bus_op *op, struct err e)
{
    struct bus_consumer *c = SELF(struct bus_consumer, CONSUMER_MAGIC, op);

    (void)e;
    bus_pull_deinit(&c->pull);
    list_remove(&c->link);
    mem_free(&c->stream);
    mem_free(&c->name);
    mem_free(&c);
}

struct err bus_consume(struct bus *bus, const struct bus_consume *consume,
                       struct bus_consumer **ret)
{
    FAULT(err_of(ERR_REJECT, "consume"));

    if (!bus_api_token(consume->stream) || !bus_api_token(consume->consumer))
        return err_of(ERR_REJECT, "consume");

    struct bus_consumer *c = mem_new(struct bus_consumer);

    c->want   = *consume;
    c->stream = mem_strdup(consume->stream);
    c->name   = mem_strdup(consume->consumer);
    bus_op_start_inner(bus, &c->op, CONSUMER_MAGIC, "consume", on_end);
    bus_pull_init(&c->pull, bus, on_msg, c);
    list_push(&bus->consumers, &c->link);
    wait_for(c, BUS_PULL_WATCH_MS);
    *ret = c;
    return OK;
}

void bus_consumer_room(struct bus_consumer *c, uint32_t room)
{
    c->room = room;
    ask(c);
}

/* Freed in a later turn: we may be in one of its calls. */
void bus_consumer_free(struct bus_consumer **slot)
{
    struct bus_consumer *c = take(slot);

    if (!c)
        return;
    c->ended = true;
    bus_pull_deinit(&c->pull);
    (void)bus_op_done(&c->op);
}
