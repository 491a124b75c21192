/*
 * cli_dev_store - the folder of `sluice dev`: made, locked against a second one, with a first flow.
 */
#ifndef CLI_DEV_STORE_H
#define CLI_DEV_STORE_H

#include <stdbool.h>

#include "cli_dev.h"

/* given NULL: ./.sluice.  False: it was said why.  dev->lock is held until it is closed. */
bool cli_dev_store_open(struct cli_dev *dev, const char *given);

#endif
