#include "cli_grid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void columns_are_as_wide_as_what_is_in_them(void **state)
{
    struct cli_grid grid;
    struct buf text;

    (void)state;
    cli_grid_init(&grid, (const char *const[]){"a", "bb", "c", NULL});
    cli_grid_add(&grid, "åäö");
    cli_grid_add(&grid, NULL);
    cli_grid_add(&grid, "x");
    assert_int_equal(cli_grid_rows(&grid), 1);

    buf_init(&text, 1000);
    cli_grid_print(&grid, &text);

    assert_string_equal(text.at, "a    bb  c\nåäö      x\n");
    buf_deinit(&text);
    cli_grid_deinit(&grid);
}

static void one_long_cell_does_not_push_the_others_away(void **state)
{
    struct cli_grid grid;
    struct buf text;
    char cell[200];

    (void)state;
    memset(cell, 'x', sizeof(cell) - 1);
    cell[sizeof(cell) - 1] = '\0';
    cli_grid_init(&grid, (const char *const[]){"a", "b", NULL});
    cli_grid_add(&grid, cell);
    cli_grid_add(&grid, "1");
    buf_init(&text, 1000);
    cli_grid_print(&grid, &text);

    assert_int_equal(strcspn(text.at, "\n"), CLI_GRID_WIDTH_MAX + 3);
    buf_deinit(&text);
    cli_grid_deinit(&grid);
}

static void nothing_in_a_cell_steers_the_terminal(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 1000);
    cli_grid_safe("a \"b\" \\ \033[2J\n\r\xff\x7f\xc2\x9b", &text);

    assert_non_null(strstr(text.at, "a \"b\" \\ "));
    for (size_t i = 0; i < text.len; i++)
        assert_true((unsigned char)text.at[i] >= ' ' && text.at[i] != 0x7f);
    assert_null(strstr(text.at, "\xc2\x9b"));
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_what_is_in_them),
        cmocka_unit_test(one_long_cell_does_not_push_the_others_away),
        cmocka_unit_test(nothing_in_a_cell_steers_the_terminal),
    };
    return cmocka_run_group_tests_name("cli_grid", tests, NULL, NULL);
}
