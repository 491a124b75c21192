#include "wire/wire_text.h"

#include <string.h>

#include "base/str.h"
#include "wire/wire_message.h"

enum { VARINT_BITS = 70, TYPE_BITS = 3, DEPTH_MAX = 16 };

enum wire_type { TYPE_VARINT, TYPE_64, TYPE_BYTES, TYPE_GROUP, TYPE_GROUP_END, TYPE_32 };

static bool skip(struct bytes *from, uint64_t len)
{
    if (len > from->len)
        return false;
    from->at += len;
    from->len -= (size_t)len;
    return true;
}

static bool read_varint(struct bytes *from, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0; shift < VARINT_BITS && from->len > 0; shift += 7) {
        uint8_t byte = from->at[0];

        if (shift < 64)
            *ret |= (uint64_t)(byte & 0x7f) << shift;
        (void)skip(from, 1);
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool good(const ProtobufCMessageDescriptor *d, struct bytes body, unsigned depth);

static bool good_bytes(const ProtobufCFieldDescriptor *f, struct bytes value, unsigned depth)
{
    if (f && f->type == PROTOBUF_C_TYPE_STRING)
        return str_is_utf8(value) && (value.len == 0 || !memchr(value.at, 0, value.len));
    if (f && f->type == PROTOBUF_C_TYPE_MESSAGE)
        return depth < DEPTH_MAX && good(f->descriptor, value, depth + 1);
    return true;
}

static bool good(const ProtobufCMessageDescriptor *d, struct bytes body, unsigned depth)
{
    uint64_t tag, n;

    while (body.len > 0) {
        if (!read_varint(&body, &tag))
            return false;
        switch (tag & ((1U << TYPE_BITS) - 1)) {
        case TYPE_VARINT:
            if (!read_varint(&body, &n))
                return false;
            continue;
        case TYPE_64:
            if (!skip(&body, 8))
                return false;
            continue;
        case TYPE_32:
            if (!skip(&body, 4))
                return false;
            continue;
        case TYPE_BYTES:
            break;
        default:
            return false;
        }
        if (!read_varint(&body, &n) || n > body.len)
            return false;
        if (!good_bytes(
                protobuf_c_message_descriptor_get_field(d, (unsigned)(tag >> TYPE_BITS)),
                bytes_of(body.at, (size_t)n), depth))
            return false;
        (void)skip(&body, n);
    }
    return true;
}

bool wire_text_good(const char *message, struct bytes protobuf)
{
    const ProtobufCMessageDescriptor *descriptor = wire_message_find(message);

    return descriptor && good(descriptor, protobuf, 0);
}
