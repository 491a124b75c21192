/*
 * cli_tenant - `sluice tenant list|show|set|pause|resume`.
 */
#ifndef CLI_TENANT_H
#define CLI_TENANT_H

#include "cli.h"

cli_fn cli_tenant_list, cli_tenant_show, cli_tenant_set, cli_tenant_pause, cli_tenant_resume;

#endif
