/*
 * cli_dev_show - what `sluice dev` prints: the lines of its parts, its own, and the closing table.
 */
#ifndef CLI_DEV_SHOW_H
#define CLI_DEV_SHOW_H

#include "cli_dev.h"

/* A line of a part; what it says by the way only is left out. */
void cli_dev_show_line(const struct cli_dev_part *part, const char *line);

/* A line of our own. */
void cli_dev_show(const struct cli_dev *dev, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void cli_dev_show_table(const struct cli_dev *dev);

#endif
