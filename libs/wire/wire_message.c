#include "wire/wire_message.h"

#include "base/str.h"
#include "sluice/v1/journal.pb-c.h"
#include "sluice/v1/permit.pb-c.h"
#include "sluice/v1/run.pb-c.h"
#include "sluice/v1/ticket.pb-c.h"
#include "sluice/v1/worker.pb-c.h"

static const ProtobufCMessageDescriptor *const MESSAGES[] = {
    /* journal.proto */
    &sluice__v1__entry__descriptor,
    &sluice__v1__plan__descriptor,
    &sluice__v1__lease__descriptor,
    &sluice__v1__session__descriptor,
    &sluice__v1__step__descriptor,
    &sluice__v1__waiting__descriptor,
    &sluice__v1__end__descriptor,
    &sluice__v1__mail__descriptor,
    /* permit.proto */
    &sluice__v1__permit_key__descriptor,
    &sluice__v1__permit_ask__descriptor,
    &sluice__v1__permit_grant__descriptor,
    &sluice__v1__permit_report__descriptor,
    &sluice__v1__permit_request__descriptor,
    &sluice__v1__grant_record__descriptor,
    &sluice__v1__grant_batch__descriptor,
    /* run.proto */
    &sluice__v1__submit__descriptor,
    &sluice__v1__submit_answer__descriptor,
    &sluice__v1__which__descriptor,
    &sluice__v1__cancel__descriptor,
    &sluice__v1__accepted__descriptor,
    &sluice__v1__run__descriptor,
    &sluice__v1__field_error__descriptor,
    &sluice__v1__problem__descriptor,
    /* ticket.proto */
    &sluice__v1__ticket__descriptor,
    &sluice__v1__job__descriptor,
    /* worker.proto */
    &sluice__v1__worker_status__descriptor,
    &sluice__v1__holds_ask__descriptor,
    &sluice__v1__holds_answer__descriptor,
};

enum { MESSAGE_COUNT = sizeof(MESSAGES) / sizeof(*MESSAGES) };

const ProtobufCMessageDescriptor *wire_message_nth(size_t n)
{
    return n < MESSAGE_COUNT ? MESSAGES[n] : NULL;
}

const ProtobufCMessageDescriptor *wire_message_find(const char *name)
{
    for (size_t n = 0; n < MESSAGE_COUNT; n++)
        if (str_equal(MESSAGES[n]->short_name, name))
            return MESSAGES[n];
    return NULL;
}

static void *arena_alloc(void *arena, size_t size)
{
    return arena_zero(arena, size);
}

/* Freed with the arena. */
static void arena_keep(void *arena, void *at)
{
    (void)arena;
    (void)at;
}

ProtobufCMessage *wire_message_unpack(const ProtobufCMessageDescriptor *descriptor,
                                      struct bytes body, struct arena *arena)
{
    ProtobufCAllocator allocator = {
        .alloc = arena_alloc, .free = arena_keep, .allocator_data = arena};

    return protobuf_c_message_unpack(descriptor, &allocator, body.len, body.at);
}

struct sink {
    ProtobufCBuffer base;
    struct buf *to;
};

static void add_to_buf(ProtobufCBuffer *sink, size_t len, const uint8_t *at)
{
    buf_add(((struct sink *)sink)->to, at, len);
}

void wire_message_pack(const ProtobufCMessage *message, struct buf *to)
{
    struct sink sink = {.base.append = add_to_buf, .to = to};

    protobuf_c_message_pack_to_buffer(message, &sink.base);
}
