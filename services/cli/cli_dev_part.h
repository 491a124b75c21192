/*
 * cli_dev_part - what `sluice dev` runs: which programs, with which arguments and settings.
 */
#ifndef CLI_DEV_PART_H
#define CLI_DEV_PART_H

#include <stdbool.h>

#include "cli_dev.h"

/* All parts of it.  False: something that cannot be done without is missing; it was said. */
bool cli_dev_part_all(struct cli_dev *dev);
void cli_dev_part_free(struct cli_dev *dev);

#endif
