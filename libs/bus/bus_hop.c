#include "base/str.h"
#include "bus/bus_internal.h"
#include "bus/bus_meta.h"

/* More than any service has in flight; a leak of ops is seen before memory is gone. */
enum { SLOTS_MAX = 1 << 20, SLOTS_FIRST = 64 };

static void on_answer(void *self, struct bus_msg **msg);

void bus_hop_init(struct bus *bus)
{
    char subject[BUS_REPLY_SIZE];

    must(str_format(subject, sizeof(subject), "%s.*.*", bus_nats_inbox(bus->nats)));
    bus->slots.sub = bus_nats_subscribe(bus->nats, subject, NULL, on_answer, bus);
}

void bus_hop_deinit(struct bus *bus)
{
    mem_free(&bus->slots.at);
}

/* ---- slots ------------------------------------------------------------------------------------- */

static bool grow(struct bus_slots *s)
{
    uint32_t room = s->room ? s->room * 2 : SLOTS_FIRST;

    if (room > SLOTS_MAX)
        return false;
    s->at = mem_grow(s->at, room, sizeof(*s->at));
    memset(s->at + s->room, 0, (room - s->room) * sizeof(*s->at));
    s->room = room;
    return true;
}

static uint32_t slot_take(struct bus_slots *s)
{
    uint32_t n = s->first_free;

    if (n != 0) {
        s->first_free = s->at[n - 1].next_free;
        return n;
    }
    if (s->count == s->room && !grow(s))
        return 0;
    return ++s->count;
}

void bus_hop_close(struct bus_op *op)
{
    struct bus_slots *s = &op->bus->slots;

    if (op->slot == 0)
        return;
    struct bus_slot *slot = &s->at[op->slot - 1];
    must(slot->op == op);
    slot->op = NULL;
    slot->generation++;
    slot->next_free = s->first_free;
    s->first_free   = op->slot;
    op->slot        = 0;
}

/* ---- answers ----------------------------------------------------------------------------------- */

/* "<inbox>.<number>.<generation>"; what is pulled by a plain request keeps the subject it was stored
   under, and is nobody's. */
static struct bus_slot *find(struct bus *bus, const char *subject)
{
    const char *inbox = bus_nats_inbox(bus->nats);
    size_t prefix     = strlen(inbox);
    uint64_t n = 0, generation = 0;

    if (strncmp(subject, inbox, prefix) != 0 || subject[prefix] != '.')
        return NULL;
    const char *at = subject + prefix + 1;
    size_t len     = strcspn(at, ".");
    if (at[len] != '.' || !bus_meta_u64(bytes_of(at, len), &n) ||
        !bus_meta_u64(bytes_str(at + len + 1), &generation))
        return NULL;
    if (n == 0 || n > bus->slots.count)
        return NULL;
    struct bus_slot *slot = &bus->slots.at[n - 1];
    return slot->op && slot->generation == generation ? slot : NULL;
}

static void on_answer(void *self, struct bus_msg **msg)
{
    struct bus *bus       = self;
    struct bus_slot *slot = find(bus, (*msg)->subject);

    if (slot)
        slot->on_answer(slot->op, msg);
    else
        bus->slots.late++;
}

void bus_hop_lost(struct bus *bus)
{
    struct bus_slots *s = &bus->slots;

    for (uint32_t n = 0; n < s->count; n++) {
        if (s->at[n].op)
            bus_op_reply_err(s->at[n].op,
                             err_of(ERR_UNKNOWN, "connection lost before the answer"));
    }
}

/* ---- hops -------------------------------------------------------------------------------------- */

void bus_hop_extend(struct bus_op *op, uint32_t ms)
{
    op->until = bus_now(op->bus) + (ms ? ms : op->bus->reply_ms);
    bus_op_arm(op);
}

struct err bus_hop_open(struct bus_op *op, uint32_t ms, bus_hop_fn *on_answer_fn,
                        char reply[BUS_REPLY_SIZE])
{
    struct bus_slots *s = &op->bus->slots;

    must(op->state == BUS_OP_CALLING);
    if (!bus_nats_connected(op->bus->nats))
        return err_of(ERR_RETRY, "ask while not connected");
    bus_hop_close(op);
    uint32_t n = slot_take(s);
    if (n == 0)
        return err_of(ERR_FULL, "have so many calls outstanding");
    struct bus_slot *slot = &s->at[n - 1];

    slot->op        = op;
    slot->on_answer = on_answer_fn;
    op->slot        = n;
    must(str_format(reply, BUS_REPLY_SIZE, "%s.%u.%u", bus_nats_inbox(op->bus->nats), n,
                    slot->generation));
    bus_hop_extend(op, ms);
    return OK;
}

struct err bus_hop(struct bus_op *op, const struct bus_out *out, const struct bus_header *more,
                   size_t more_count, uint32_t ms, bus_hop_fn *on_answer_fn)
{
    char reply[BUS_REPLY_SIZE];

    struct err e = bus_hop_open(op, ms, on_answer_fn, reply);
    if (!failed(e))
        e = bus_nats_send(op->bus->nats, out, reply, more, more_count);
    return failed(e) ? bus_op_later(op, e) : OK;
}
