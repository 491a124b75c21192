#include "wire/wire_text.h"

#include <string.h>

#include "base/str.h"
#include "json/json.h"
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

static bool good(const ProtobufCMessageDescriptor *d, struct bytes body, unsigned depth,
                 struct wire_text_fault *ret);

bool wire_text_is_json(struct bytes text)
{
    char why[JSON_WHY_SIZE];
    struct json *doc = NULL;
    bool is          = !failed(json_parse(&doc, text, why, sizeof why));

    json_free(&doc);
    return is;
}

/* "name", "name@3" */
static bool is_flow_name(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '@';
        if (!fits)
            return false;
    }
    return true;
}

static bool good_value(const ProtobufCFieldDescriptor *f, struct bytes value, unsigned depth,
                       struct wire_text_fault *ret)
{
    if (!f) /* of tomorrow */
        return true;
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return depth < DEPTH_MAX && good(f->descriptor, value, depth + 1, ret);
    ret->field = f->name;
    if (f->type == PROTOBUF_C_TYPE_STRING) {
        ret->why = "is not UTF-8, or has a zero in it";
        return str_is_utf8(value) && (value.len == 0 || !memchr(value.at, 0, value.len));
    }
    ret->why = "is not JSON";
    return f->type != PROTOBUF_C_TYPE_BYTES || !value.len || wire_text_is_json(value) ||
           (str_equal(f->name, "flow") && is_flow_name(value));
}

static bool good(const ProtobufCMessageDescriptor *d, struct bytes body, unsigned depth,
                 struct wire_text_fault *ret)
{
    uint64_t tag, n;

    while (body.len > 0) {
        *ret = (struct wire_text_fault){"", "is no message"};
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
        if (!good_value(
                protobuf_c_message_descriptor_get_field(d, (unsigned)(tag >> TYPE_BITS)),
                bytes_of(body.at, (size_t)n), depth, ret))
            return false;
        (void)skip(&body, n);
    }
    return true;
}

bool wire_text_good(const char *message, struct bytes protobuf, struct wire_text_fault *ret)
{
    const ProtobufCMessageDescriptor *descriptor = wire_message_find(message);

    *ret = (struct wire_text_fault){"", "is no message"};
    return descriptor && good(descriptor, protobuf, 0, ret);
}
