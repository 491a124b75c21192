/*
 * cli_pool - `sluice pool list`: workers' slots, and what waits for them (sluice.admin.load).
 */
#ifndef CLI_POOL_H
#define CLI_POOL_H

#include "cli.h"

cli_fn cli_pool_list;

#endif
