/*
 * wire_text - the texts of a protobuf message, as strangers send it: UTF-8 without a zero, as in JSON.  Pure.
 *
 * protobuf-c looks at neither, and cuts a text at its zero: two keys would become one.
 */
#ifndef WIRE_WIRE_TEXT_H
#define WIRE_WIRE_TEXT_H

#include <stdbool.h>

#include "base/bytes.h"

/* Of a message that can be read, by its name ("Submit"); false also for bytes that are none. */
bool wire_text_good(const char *message, struct bytes protobuf);

#endif
