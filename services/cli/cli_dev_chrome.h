/*
 * cli_dev_chrome - the upstream `chrome` of `sluice dev --chrome`, written into its bucket.
 */
#ifndef CLI_DEV_CHROME_H
#define CLI_DEV_CHROME_H

#include "cli_dev.h"

struct cli_dev_chrome;

/* Goes on by itself until it is written, keeping what an operator has set in it. */
void cli_dev_chrome_define(struct cli_dev_chrome **ret, struct cli_dev *dev);
void cli_dev_chrome_free(struct cli_dev_chrome **chrome);

#endif
