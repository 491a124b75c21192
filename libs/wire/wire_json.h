/*
 * wire_json - one generic transcoder between protobuf and JSON, by descriptor.
 *
 * By type, since protobuf-c descriptors keep no options: `bytes` is raw JSON, taken over as it
 * stands; 64-bit integers are JSON numbers; one named *_at is RFC 3339; a fixed64 named `token` is
 * its 16 hex digits; enums are lower case without their prefix; absent (zero, empty, null) is
 * absent.  Messages are named as in proto/: "Submit", "Run", "Entry"; those whose codec is nanopb
 * ("Ticket", "Job", "PermitAsk", ...) are known here, too.
 */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "wire/wire_guess.h"

/* `{` and `[` cannot begin a proto3 message: such a payload is JSON. */
bool wire_is_json(struct bytes payload);

/* On one line.  REJECT: not such a message; why: what is wrong.  FULL: `to` is too small.  A bytes field
   that is not JSON is shown as a string. */
MUST_USE struct err wire_json_of(const char *message, struct bytes protobuf, struct buf *to,
                                 char *why, size_t why_size);

/* REJECT: not JSON, or a field of the wrong type; why: what is wrong, with the field.  FULL: `to` is too
   small.  Unknown fields are skipped (the reader of the JSON names them). */
MUST_USE struct err wire_protobuf_of(const char *message, struct bytes json, struct buf *to,
                                     char *why, size_t why_size);

#endif
