#include "cli_grid.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { CELL_MAX = 4096 };

void cli_grid_init(struct cli_grid *grid, const char *const *names)
{
    *grid = (struct cli_grid){0};
    while (names[grid->columns])
        grid->columns++;
    must(grid->columns <= CLI_GRID_COLUMNS_MAX);
    for (size_t i = 0; i < grid->columns; i++)
        cli_grid_add(grid, names[i]);
}

void cli_grid_deinit(struct cli_grid *grid)
{
    for (size_t i = 0; i < grid->count; i++)
        mem_free(&grid->cells[i]);
    mem_free(&grid->cells);
}

void cli_grid_safe(const char *text, struct buf *to)
{
    char one[8];

    while (*text) {
        size_t took = str_escape(text, one);

        if (*text == '"' || *text == '\\')
            buf_char(to, *text);
        else
            buf_str(to, one);
        text += took;
    }
}

void cli_grid_add(struct cli_grid *grid, const char *cell)
{
    struct buf text;

    buf_init(&text, CELL_MAX);
    cli_grid_safe(cell ? cell : "", &text);
    if (grid->count == grid->room) {
        grid->room  = grid->room ? 2 * grid->room : 64;
        grid->cells = mem_grow(grid->cells, grid->room, sizeof(*grid->cells));
    }
    grid->cells[grid->count++] = mem_strdup(text.at ? text.at : "");
    buf_deinit(&text);
}

size_t cli_grid_rows(const struct cli_grid *grid)
{
    return grid->count / grid->columns - 1;
}

/* In characters, not in bytes. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void measure(const struct cli_grid *grid, size_t widths[CLI_GRID_COLUMNS_MAX])
{
    for (size_t i = 0; i < grid->count; i++) {
        size_t width = width_of(grid->cells[i]);
        size_t *most = &widths[i % grid->columns];

        if (width > *most)
            *most = width < CLI_GRID_WIDTH_MAX ? width : CLI_GRID_WIDTH_MAX;
    }
}

void cli_grid_print(const struct cli_grid *grid, struct buf *to)
{
    size_t widths[CLI_GRID_COLUMNS_MAX] = {0};

    measure(grid, widths);
    for (size_t i = 0; i < grid->count; i++) {
        size_t column = i % grid->columns;
        size_t width  = width_of(grid->cells[i]);

        buf_str(to, grid->cells[i]);
        if (column == grid->columns - 1) {
            buf_char(to, '\n');
            continue;
        }
        for (; width < widths[column]; width++)
            buf_char(to, ' ');
        buf_str(to, "  ");
    }
}
