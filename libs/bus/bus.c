#include "bus/bus_internal.h"

#include "base/clk.h"
#include "base/fault.h"
#include "base/log.h"

struct bus_sub {
    struct list link;
    struct bus_nats_sub *sub;
};

/* ---- connection ------------------------------------------------------------------------------ */

static void on_state(void *self, bool connected)
{
    struct bus *bus = self;

    log_debug(connected ? "bus connected" : "bus disconnected", KV("n", bus->ops.count));
    if (connected)
        bus->connected_at = bus_now(bus);
    else
        bus_hop_lost(bus);
    bus_follow_state(bus, connected);
    bus_consume_state(bus, connected);
    for (unsigned n = 0; n < bus->listener_count; n++) {
        if (bus->listeners[n].on_state)
            bus->listeners[n].on_state(bus->listeners[n].self, connected);
    }
}

void bus_burst(struct bus *bus)
{
    for (unsigned n = 0; n < bus->listener_count; n++) {
        if (bus->listeners[n].on_burst)
            bus->listeners[n].on_burst(bus->listeners[n].self);
    }
}

static void on_burst(void *self)
{
    bus_burst(self);
}

struct err bus_open(struct bus **ret, struct uv_loop_s *loop, const struct bus_config *config)
{
    FAULT(err_of(ERR_FATAL, "open the bus"));

    struct bus *bus = mem_new(struct bus);

    bus->magic    = BUS_MAGIC;
    bus->loop     = loop;
    bus->reply_ms = config->reply_ms ? config->reply_ms : BUS_REPLY_MS;
    struct err e  = bus_nats_open(&bus->nats, loop, config, on_state, on_burst, bus);
    if (failed(e)) {
        mem_free(&bus);
        return e;
    }
    list_init(&bus->followers);
    list_init(&bus->consumers);
    list_init(&bus->subs);
    bus_op_init(bus);
    bus_hop_init(bus);
    *ret = bus;
    return OK;
}

void bus_handle_closed(uv_handle_t *handle)
{
    struct bus *bus = handle->data;

    if (--bus->handles == 0)
        mem_free(&bus);
}

static void subs_free(struct bus *bus)
{
    for (struct list *it; (it = list_shift(&bus->subs));) {
        struct bus_sub *sub = LIST_OWNER(it, struct bus_sub, link);
        bus_nats_unsubscribe(&sub->sub);
        mem_free(&sub);
    }
}

void bus_free(struct bus **slot)
{
    struct bus *bus = take(slot);

    if (!bus)
        return;
    must(bus->magic == BUS_MAGIC && !bus->freeing);
    bus->freeing = true;
    bus_op_end_all(bus); /* followers and consumers go with theirs */
    must(list_empty(&bus->followers) && list_empty(&bus->consumers));
    bus_nats_unsubscribe(&bus->slots.sub);
    subs_free(bus);
    bus_nats_free(&bus->nats);
    bus_hop_deinit(bus);
    bus_op_deinit(bus);
}

bool bus_freeing(const struct bus *bus)
{
    return bus->freeing;
}

bool bus_connected(const struct bus *bus)
{
    return bus_nats_connected(bus->nats);
}

bool bus_denied(const struct bus *bus)
{
    return bus_nats_denied(bus->nats);
}

uint64_t bus_connected_at(const struct bus *bus)
{
    return bus->connected_at;
}

uint64_t bus_now(const struct bus *bus)
{
    return uv_now(bus->loop);
}

static void listen_to(struct bus *bus, struct bus_listener listener)
{
    must(bus->listener_count < BUS_LISTENERS);
    bus->listeners[bus->listener_count++] = listener;
}

void bus_on_state(struct bus *bus, bus_state_fn *fn, void *self)
{
    listen_to(bus, (struct bus_listener){.on_state = fn, .self = self});
}

void bus_on_burst(struct bus *bus, bus_burst_fn *fn, void *self)
{
    listen_to(bus, (struct bus_listener){.on_burst = fn, .self = self});
}

struct bus_counts bus_counts(const struct bus *bus)
{
    struct bus_nats_counts c = bus_nats_counts(bus->nats);

    return (struct bus_counts){
        .sent = c.sent, .received = c.received, .late = bus->slots.late, .ops = bus->ops.count};
}

/* ---- core NATS --------------------------------------------------------------------------------- */

bool bus_send_from(struct bus *bus, const struct bus_out *out, const char *reply)
{
    struct err e = bus_nats_send(bus->nats, out, reply, NULL, 0);

    if (failed(e))
        log_debug("not sent", KV("subject", out->subject), KV("err", e));
    return !failed(e);
}

bool bus_send(struct bus *bus, const struct bus_out *out)
{
    return bus_send_from(bus, out, NULL);
}

void bus_answer(struct bus *bus, const struct bus_msg *request, struct bytes body,
                const struct bus_header *headers, size_t header_count)
{
    struct bus_out out = {.subject      = request->reply,
                          .body         = body,
                          .headers      = headers,
                          .header_count = header_count};

    if (request->reply[0] != '\0')
        (void)bus_send(bus, &out);
}

struct err bus_subscribe(struct bus *bus, const char *subject, const char *queue,
                         bus_msg_fn *fn, void *self, struct bus_sub **ret)
{
    FAULT(err_of(ERR_REJECT, "subscribe"));

    if (!bus_nats_subject_valid(subject, true) ||
        (queue && !bus_nats_subject_valid(queue, false)))
        return err_of(ERR_REJECT, "subscribe to a subject");

    struct bus_sub *sub = mem_new(struct bus_sub);

    sub->sub = bus_nats_subscribe(bus->nats, subject, queue, fn, self);
    list_push(&bus->subs, &sub->link);
    *ret = sub;
    return OK;
}

void bus_unsubscribe(struct bus_sub **slot)
{
    struct bus_sub *sub = take(slot);

    if (!sub)
        return;
    bus_nats_unsubscribe(&sub->sub);
    list_remove(&sub->link);
    mem_free(&sub);
}

void bus_sub_drain(struct bus_sub *sub)
{
    bus_nats_sub_drain(sub->sub);
}

bool bus_sub_drained(const struct bus_sub *sub)
{
    return bus_nats_sub_drained(sub->sub);
}
