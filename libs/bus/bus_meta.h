/*
 * bus_meta - what the reply subject of a delivery says about it.  Pure: text in, numbers out.
 *
 * $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<ns>.<pending>, or the form with
 * <domain>.<account> after ACK and a random token at the end (ADR-15).
 */
#ifndef BUS_BUS_META_H
#define BUS_BUS_META_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct bus_meta {
    struct bytes stream, consumer; /* views of the text */
    uint64_t seq, consumer_seq, pending;
    int64_t stored_ms;
    uint32_t deliveries;
};

/* False if the text is not such a subject; *ret is untouched then. */
bool bus_meta_read(const char *reply, struct bus_meta *ret);

/* Whole decimal numbers only. */
bool bus_meta_u64(struct bytes text, uint64_t *ret);

#endif
