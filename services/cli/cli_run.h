/*
 * cli_run - `sluice run submit|get|wait|watch|cancel`.
 */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "cli.h"

cli_fn cli_run_submit, cli_run_get, cli_run_wait, cli_run_watch, cli_run_cancel;

#endif
