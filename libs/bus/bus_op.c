#include "bus/bus_internal.h"

#include "base/log.h"

static void set_timer(struct bus *bus);

/* ---- what is due ----------------------------------------------------------------------------- */

/* For one that ends nothing is due any more: put into the heap again over its deadline, it would be the
   first there for ever. */
static uint64_t due_at(const struct bus_op *op)
{
    if (op->state == BUS_OP_ENDING)
        return UINT64_MAX;

    bool calls   = op->state == BUS_OP_CALLING || op->state == BUS_OP_WAITING;
    uint64_t due = calls ? op->until : UINT64_MAX;

    return op->deadline != 0 && op->deadline < due ? op->deadline : due;
}

/* A node that is due too early is left where it is: most ops end before it fires. */
void bus_op_arm(struct bus_op *op)
{
    struct bus_ops *ops = &op->bus->ops;
    uint64_t due        = due_at(op);

    if (due == UINT64_MAX || (heap_has(&op->timer) && op->timer.key <= due))
        return;
    heap_put(&ops->timers, &op->timer, due);
    if (due < ops->timer_at)
        set_timer(op->bus);
}

static void fire(struct bus_op *op, uint64_t now)
{
    if (op->deadline != 0 && op->deadline <= now && op->state != BUS_OP_ENDING) {
        log_debug("op is over its deadline", KV("at", op->what));
        (void)bus_op_fail(op, err_of(ERR_UNKNOWN, "deadline"));
    } else if (op->state == BUS_OP_WAITING && op->until <= now) {
        bus_op_reply_err(op, OK);
    } else if (op->state == BUS_OP_CALLING && op->until <= now) {
        log_debug("no answer", KV("at", op->what));
        bus_op_reply_err(op, err_of(ERR_UNKNOWN, "no answer in time"));
    } else {
        bus_op_arm(op);
    }
}

/* An answer that waits in the inbox came before its time ran out: this turn may just be late. */
static void on_timer(uv_timer_t *timer)
{
    struct bus *bus     = timer->data;
    struct bus_ops *ops = &bus->ops;
    uint64_t now        = uv_now(bus->loop);

    ops->timer_at = UINT64_MAX;
    bus_nats_drain(bus->nats);
    for (;;) {
        struct heap_node *first = heap_first(&ops->timers);

        if (!first || first->key > now)
            break;
        heap_remove(&ops->timers, first);
        fire(HEAP_OWNER(first, struct bus_op, timer), now);
    }
    set_timer(bus);
    bus_burst(bus);
}

static void set_timer(struct bus *bus)
{
    struct bus_ops *ops     = &bus->ops;
    struct heap_node *first = heap_first(&ops->timers);
    uint64_t now            = uv_now(bus->loop);

    if (!first || bus->freeing)
        return;
    ops->timer_at = first->key;
    must(uv_timer_start(&ops->timer, on_timer, first->key > now ? first->key - now : 0, 0) ==
         0);
}

/* ---- the next turn ----------------------------------------------------------------------------- */

static void finish(struct bus_op *op)
{
    struct bus_ops *ops = &op->bus->ops;

    list_remove(&op->link);
    heap_remove(&ops->timers, &op->timer);
    op->state = BUS_OP_ENDED;
    ops->count -= !op->inner;
    op->end(op, op->result);
}

static void on_turn(uv_idle_t *turn)
{
    struct bus *bus = turn->data;
    struct list now;

    list_init(&now);
    for (struct list *it; (it = list_shift(&bus->ops.later));)
        list_push(&now, it);
    must(uv_idle_stop(turn) == 0);
    for (struct list *it; (it = list_shift(&now));) {
        struct bus_op *op = LIST_OWNER(it, struct bus_op, link);

        list_push(&bus->ops.idle, &op->link);
        if (op->state == BUS_OP_ENDING)
            finish(op);
        else
            bus_op_reply_err(op, op->result);
    }
    bus_burst(bus);
}

static void queue(struct bus_op *op, enum bus_op_state state, struct err e)
{
    struct bus *bus = op->bus;

    op->state  = (uint8_t)state;
    op->result = e;
    list_remove(&op->link);
    list_push(&bus->ops.later, &op->link);
    if (!bus->freeing)
        must(uv_idle_start(&bus->ops.turn, on_turn) == 0);
}

/* ---- calls ------------------------------------------------------------------------------------- */

static void drop_part(struct bus_op *op)
{
    struct bus_part *part = take(&op->part);

    if (part)
        part->free(part);
}

void bus_op_call(struct bus_op *op, bus_next_fn *next)
{
    must(op->state == BUS_OP_PARKED || op->state == BUS_OP_RUNNING);
    must(!op->part);
    op->state = BUS_OP_CALLING;
    op->next  = next;
    op->until = UINT64_MAX;
}

static void free_msgs(struct bus_msg *first)
{
    while (first) {
        struct bus_msg *msg = first;

        first     = msg->next;
        msg->next = NULL;
        bus_msg_free(&msg);
    }
}

/* The part lives until `next` has returned: the reply may point into it. */
void bus_op_reply(struct bus_op *op, struct bus_reply *reply)
{
    struct bus_part *part = take(&op->part);

    bus_hop_close(op);
    if (!reply->text)
        reply->text = "";
    op->state    = BUS_OP_RUNNING;
    struct err e = op->next(op, reply);
    free_msgs(take(&reply->msgs));
    if (part)
        part->free(part);
    if (op->state == BUS_OP_RUNNING)
        op->state = BUS_OP_PARKED;
    if (failed(e))
        (void)bus_op_fail(op, e);
    else
        bus_op_arm(op);
}

void bus_op_reply_err(struct bus_op *op, struct err e)
{
    struct bus_reply reply = {.err = e};

    bus_op_reply(op, &reply);
}

struct err bus_op_later(struct bus_op *op, struct err e)
{
    bus_hop_close(op);
    drop_part(op);
    queue(op, BUS_OP_LATER, e);
    return OK;
}

void bus_op_recall(struct bus_op *op)
{
    if (op->state != BUS_OP_CALLING && op->state != BUS_OP_WAITING && op->state != BUS_OP_LATER)
        return;
    bus_hop_close(op);
    drop_part(op);
    list_remove(&op->link);
    list_push(&op->bus->ops.idle, &op->link);
    op->state = BUS_OP_PARKED;
}

struct err bus_wait(struct bus_op *op, uint64_t ms, bus_next_fn *next)
{
    bus_op_call(op, next);
    if (ms == 0)
        return bus_op_later(op, OK);
    op->state = BUS_OP_WAITING;
    op->until = bus_now(op->bus) + ms;
    bus_op_arm(op);
    return OK;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void start(struct bus *bus, struct bus_op *op, uint32_t magic, const char *what,
                  bus_end_fn *end)
{
    must(bus->magic == BUS_MAGIC && !bus->freeing);
    must(op->state == BUS_OP_NEW || op->state == BUS_OP_ENDED);
    *op = (struct bus_op){
        .magic = magic, .state = BUS_OP_PARKED, .bus = bus, .end = end, .what = what};
    list_push(&bus->ops.idle, &op->link);
}

void bus_op_start(struct bus *bus, struct bus_op *op, uint32_t magic, const char *what,
                  uint64_t deadline_ms, bus_end_fn *end)
{
    start(bus, op, magic, what, end);
    bus->ops.count++;
    bus_op_deadline(op, deadline_ms);
}

void bus_op_start_inner(struct bus *bus, struct bus_op *op, uint32_t magic, const char *what,
                        bus_end_fn *end)
{
    start(bus, op, magic, what, end);
    op->inner = 1;
}

void bus_op_deadline(struct bus_op *op, uint64_t deadline_ms)
{
    must(bus_op_living(op));
    op->deadline = deadline_ms == 0 ? 0 : bus_now(op->bus) + deadline_ms;
    bus_op_arm(op);
}

struct err bus_op_done(struct bus_op *op)
{
    return bus_op_fail(op, OK);
}

struct err bus_op_fail(struct bus_op *op, struct err e)
{
    must(bus_op_living(op));
    if (op->state == BUS_OP_ENDING)
        return OK;
    bus_hop_close(op);
    drop_part(op);
    queue(op, BUS_OP_ENDING, e);
    return OK;
}

bool bus_op_parked(const struct bus_op *op)
{
    return op->state == BUS_OP_PARKED;
}

bool bus_op_living(const struct bus_op *op)
{
    return op->state != BUS_OP_NEW && op->state != BUS_OP_ENDED;
}

void bus_op_init(struct bus *bus)
{
    struct bus_ops *ops = &bus->ops;

    list_init(&ops->idle);
    list_init(&ops->later);
    heap_init(&ops->timers);
    must(uv_idle_init(bus->loop, &ops->turn) == 0);
    must(uv_timer_init(bus->loop, &ops->timer) == 0);
    ops->turn.data = ops->timer.data = bus;
    ops->timer_at                    = UINT64_MAX;
    bus->handles += 2;
}

/* An op that was about to end keeps its result; the owners may end others of theirs meanwhile. */
void bus_op_end_all(struct bus *bus)
{
    struct bus_ops *ops = &bus->ops;

    for (;;) {
        struct list *it = list_empty(&ops->later) ? ops->idle.next : ops->later.next;
        if (it == &ops->idle)
            break;
        struct bus_op *op = LIST_OWNER(it, struct bus_op, link);

        if (op->state != BUS_OP_ENDING)
            (void)bus_op_fail(op, err_of(ERR_UNKNOWN, "the bus was freed"));
        finish(op);
    }
}

void bus_op_deinit(struct bus *bus)
{
    struct bus_ops *ops = &bus->ops;

    must(list_empty(&ops->idle) && list_empty(&ops->later));
    heap_deinit(&ops->timers);
    uv_close((uv_handle_t *)&ops->turn, bus_handle_closed);
    uv_close((uv_handle_t *)&ops->timer, bus_handle_closed);
}
