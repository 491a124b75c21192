/*
 * bus_puback - what the server says to something stored or asked, and what we make of it.  Pure: bytes in, numbers out.
 */
#ifndef BUS_BUS_PUBACK_H
#define BUS_BUS_PUBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

enum { BUS_PUBACK_TEXT_SIZE = 256 };

struct bus_puback {
    uint64_t seq;     /* 0: none was told */
    int64_t value;    /* of a counter */
    int32_t code;     /* of a refusal, like an HTTP status; 0: there is none */
    int32_t err_code; /* of a refusal, JetStream's own */
    bool duplicate;
    char text[BUS_PUBACK_TEXT_SIZE]; /* of a refusal */
};

/* Reads a PubAck or the "error" of any API answer.  False: not JSON, or a refusal without a code. */
bool bus_puback_read(struct bytes json, struct bus_puback *ret);

/* Who asked: one who stored something, or one who asked the API. */
enum bus_puback_asked { BUS_PUBACK_OF_PUBLISH, BUS_PUBACK_OF_API };

/* What to do about a refusal.  An answer that refuses is certain: never UNKNOWN. */
enum err_kind bus_puback_kind(enum bus_puback_asked asked, int32_t code, int32_t err_code);

#endif
