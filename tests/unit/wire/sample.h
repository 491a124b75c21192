/*
 * sample - a JSON document with every field of a message, by its descriptor.
 */
#ifndef UNIT_WIRE_SAMPLE_H
#define UNIT_WIRE_SAMPLE_H

#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "wire/wire_message.h"

#define SAMPLE_ID "01KAJ4T0Q8ZP9F4T4W6V2N8M1C"

static inline void sample_message(const ProtobufCMessageDescriptor *d, struct buf *to);

static inline void sample_word(const ProtobufCEnumDescriptor *e, struct buf *to)
{
    const char *zero = protobuf_c_enum_descriptor_get_value(e, 0)->name;
    const char *last = e->values[e->n_values - 1].name + strlen(zero) - strlen("UNSPECIFIED");

    buf_char(to, '"');
    for (; *last; last++)
        buf_char(to, (char)(*last >= 'A' && *last <= 'Z' ? *last - 'A' + 'a' : *last));
    buf_char(to, '"');
}

static inline void sample_value(const ProtobufCFieldDescriptor *f, struct buf *to)
{
    size_t len = strlen(f->name);

    switch (f->type) {
    case PROTOBUF_C_TYPE_UINT32:
        buf_printf(to, "%u", UINT32_MAX - f->id);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        if (strcmp(f->name, "token") == 0)
            buf_str(to, "\"fedcba9876543210\"");
        else if (len > 3 && strcmp(f->name + len - 3, "_at") == 0)
            buf_str(to, "\"2026-11-21T03:10:00.120Z\"");
        else
            buf_printf(to, "%lld", (long long)(INT64_MAX - f->id));
        return;
    case PROTOBUF_C_TYPE_BOOL:
        buf_str(to, "true");
        return;
    case PROTOBUF_C_TYPE_ENUM:
        sample_word(f->descriptor, to);
        return;
    case PROTOBUF_C_TYPE_STRING:
        buf_printf(to, "\"%u \\\"ä\\\"\\n\"", f->id);
        return;
    case PROTOBUF_C_TYPE_BYTES:
        buf_printf(to, "{\"n\":[%u,1.50,\"a  \\\\\\\" b\"],\"z\":null}", f->id);
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        sample_message(f->descriptor, to);
        return;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        must(!"proto/ has none");
    }
}

/* In the order of the field numbers, compact: just as wire_json_of prints it. */
static inline void sample_message(const ProtobufCMessageDescriptor *d, struct buf *to)
{
    buf_char(to, '{');
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];

        buf_printf(to, "%s\"%s\":", i > 0 ? "," : "", f->name);
        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            buf_char(to, '[');
        sample_value(f, to);
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            buf_char(to, ',');
            sample_value(f, to);
            buf_char(to, ']');
        }
    }
    buf_char(to, '}');
}

#endif
