/*
 * wire_text - what strangers write into the fields of a protobuf message.  Pure.
 *
 * A string is UTF-8 without a zero, as in JSON: protobuf-c looks at neither, and cuts a text at its zero, so that two keys
 * would become one.  Bytes are JSON (run.proto); only `flow` may be a bare name as well.
 */
#ifndef WIRE_WIRE_TEXT_H
#define WIRE_WIRE_TEXT_H

#include <stdbool.h>

#include "base/bytes.h"

bool wire_text_is_json(struct bytes text);

struct wire_text_fault {
    const char *field; /* "" of bytes that are no message */
    const char *why;
};

/* Of a message that can be read, by its name ("Submit"). */
bool wire_text_good(const char *message, struct bytes protobuf, struct wire_text_fault *ret);

#endif
