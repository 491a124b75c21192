/*
 * cli_watch - a run's journal as it is written: one line an entry, made from its headers alone.
 *
 * Pure but for printing: cli_watch_line and cli_watch_json make text from headers.
 */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include <stdint.h>

#include "base/buf.h"
#include "cli.h"

/* Follows from the first entry to END; returns how to exit: 0 if the run is done. */
int cli_watch(struct cli *cli, const char *run);

/* One entry; get gives a header or NULL. */
typedef const char *cli_watch_header_fn(const void *self, const char *name);
struct cli_watch_entry {
    uint64_t seq;
    int64_t at_ms;
    cli_watch_header_fn *get;
    const void *self;
};
void cli_watch_line(const struct cli_watch_entry *entry, struct buf *to);
void cli_watch_json(const struct cli_watch_entry *entry, struct buf *to);

#endif
