/*
 * cli_watch - follows a run's journal from its first entry to END, a line an entry.
 */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include "cli.h"

/* Returns how to exit: 0 if the run is done. */
int cli_watch(struct cli *cli, const char *run);

#endif
