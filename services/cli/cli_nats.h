/*
 * cli_nats - the command of the nats CLI that does what we do: one line, to be pasted into a shell.
 *
 * It holds no password, says to which server it goes and as whom, and so does not depend on what
 * the user's context or environment say elsewhere.  Pure.
 */
#ifndef CLI_NATS_H
#define CLI_NATS_H

#include "base/buf.h"
#include "cli.h"

/* Words end with NULL and are quoted where a shell needs it.  Ends with a newline. */
void cli_nats_line(const struct cli *cli, const char *const *words, struct buf *to);

#endif
