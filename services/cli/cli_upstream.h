/*
 * cli_upstream - `sluice upstream list|show|set|resume|pause|unpause`.
 */
#ifndef CLI_UPSTREAM_H
#define CLI_UPSTREAM_H

#include "cli.h"

cli_fn cli_upstream_list, cli_upstream_show, cli_upstream_set, cli_upstream_resume,
    cli_upstream_pause, cli_upstream_unpause;

#endif
