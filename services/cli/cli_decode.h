/*
 * cli_decode - `sluice decode`: any message of ours as one line of JSON, for
 * `nats … --translate 'sluice decode'`.
 *
 * The line holds nothing that steers a terminal, whatever the bytes are.  cli_decode_line is pure.
 */
#ifndef CLI_DECODE_H
#define CLI_DECODE_H

#include "base/buf.h"
#include "base/bytes.h"
#include "cli.h"

enum { CLI_DECODE_MAX = 32 << 20 }; /* of a line */

/* JSON passes; of a message of ours "message" says which; text, also what only begins like JSON, is
   {"text":…}; of other bytes the first are shown. */
void cli_decode_line(struct bytes payload, struct buf *to);

cli_fn cli_decode;

#endif
