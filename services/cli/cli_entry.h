/*
 * cli_entry - one journal entry as people and scripts read it, made from its headers alone.
 *
 * The JSON is that of an SSE event (surface 16).  Pure: no clock, no I/O.
 */
#ifndef CLI_ENTRY_H
#define CLI_ENTRY_H

#include <stdint.h>

#include "base/buf.h"

/* A header, or NULL. */
typedef const char *cli_entry_header_fn(const void *self, const char *name);

struct cli_entry {
    uint64_t seq;
    int64_t at_ms;
    cli_entry_header_fn *get;
    const void *self;
};

/* Both with a line end. */
void cli_entry_line(const struct cli_entry *entry, struct buf *to);
void cli_entry_json(const struct cli_entry *entry, struct buf *to);

#endif
