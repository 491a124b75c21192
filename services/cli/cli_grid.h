/*
 * cli_grid - a table of text: a header, rows of cells, columns as wide as what is in them.
 *
 * What could steer a terminal is taken out of a cell.  Pure: no clock, no I/O.
 */
#ifndef CLI_GRID_H
#define CLI_GRID_H

#include <stddef.h>

#include "base/buf.h"

enum { CLI_GRID_COLUMNS_MAX = 12, CLI_GRID_WIDTH_MAX = 60 };

struct cli_grid {
    size_t columns, count, room; /* cells, the header's included */
    char **cells;
};

/* names: NULL-terminated. */
void cli_grid_init(struct cli_grid *grid, const char *const *names);
void cli_grid_deinit(struct cli_grid *grid);

/* The next cell; NULL is an empty one. */
void cli_grid_add(struct cli_grid *grid, const char *cell);

size_t cli_grid_rows(const struct cli_grid *grid); /* without the header */
void cli_grid_print(const struct cli_grid *grid, struct buf *to);

/* One line of somebody's text as it may be shown on a terminal. */
void cli_grid_safe(const char *text, struct buf *to);

#endif
