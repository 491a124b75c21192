/*
 * cli_link - one connection to NATS, and one thing asked at a time: each call runs a loop of its
 * own until its chain has ended.
 */
#ifndef CLI_LINK_H
#define CLI_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "bus/bus.h"
#include "cli.h"

/* Where NATS is and who we are there, as the user said. */
struct bus_config cli_link_config(const struct cli *cli, const char *name);

/* Connects once; CLI_OK, or it said why not and returns how to exit. */
int cli_link_open(struct cli *cli);
void cli_link_free(struct cli_link **link);

/* One answer in `to`.  ABSENT: nobody listens; UNKNOWN: no answer in time. */
MUST_USE struct err cli_link_request(struct cli_link *link, const char *subject,
                                     struct bytes body, uint32_t timeout_ms, struct buf *to);

/* ABSENT: no such key; *ret_revision is then what a create must expect. */
MUST_USE struct err cli_link_get(struct cli_link *link, const char *bucket, const char *key,
                                 struct buf *to, uint64_t *ret_revision);
MUST_USE struct err cli_link_put(struct cli_link *link, const char *bucket, const char *key,
                                 struct bytes value, uint64_t revision);

/* What was written into a bucket, in its order: of a key the last counts.  gone: it was deleted. */
typedef void cli_link_value_fn(void *self, const char *key, struct bytes value, bool gone);
MUST_USE struct err cli_link_values(struct cli_link *link, const char *bucket,
                                    cli_link_value_fn *fn, void *self);

/* A stream's messages of one subject from the first on, headers only, until fn says true. */
typedef bool cli_link_entry_fn(void *self, const struct bus_msg *msg);
MUST_USE struct err cli_link_follow(struct cli_link *link, const char *stream,
                                    const char *subject, cli_link_entry_fn *fn, void *self);

/* Nothing for so long. */
void cli_link_pause(struct cli_link *link, uint64_t ms);

#endif
