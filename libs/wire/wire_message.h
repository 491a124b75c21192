/*
 * wire_message - any message of proto/ by protobuf-c: its descriptor by name, bytes into an arena,
 * bytes into a buf.  Of this room only.
 *
 * The generated code is that of the product for open documents and that of the tests' witness for
 * the messages which are nanopb in the product: who decodes for people needs them all.
 */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"

/* "Submit", "Entry", ...; NULL if there is none. */
const ProtobufCMessageDescriptor *wire_message_find(const char *name);
/* The n-th of them, NULL after the last. */
const ProtobufCMessageDescriptor *wire_message_nth(size_t n);

/* NULL if the bytes are not such a message.  All of it lives in the arena. */
ProtobufCMessage *wire_message_unpack(const ProtobufCMessageDescriptor *descriptor,
                                      struct bytes body, struct arena *arena);
void wire_message_pack(const ProtobufCMessage *message, struct buf *to);

#endif
