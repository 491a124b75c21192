#include "cli_pool.h"

#include "base/mem.h"
#include "cli_ask.h"
#include "cli_print.h"
#include "wire/subject.h"

static const char *const COLUMNS[] = {"pool",     "slots",        "in_flight",
                                      "runnable", "wanted_slots", "runnable_age_s",
                                      "blocked",  "lanes",        NULL};

int cli_pool_list(struct cli *cli)
{
    AUTO(json_free) struct json *load = NULL;
    const struct json *pool;
    const char *name;
    struct cli_grid grid;
    char subject[SUBJECT_SIZE];
    int status = cli_ask(cli, subject_admin(subject, "load", NULL), NULL, CLI_ASK_MS, &load);

    if (status != CLI_OK)
        return status;
    cli_grid_init(&grid, COLUMNS);
    for (size_t it = 0; json_each(json_get(load, "pools"), &it, &name, &pool);) {
        cli_grid_add(&grid, name);
        for (size_t i = 1; COLUMNS[i]; i++)
            cli_print_cell(&grid, json_get(pool, COLUMNS[i]));
    }
    cli_print_grid(cli, &grid, load, "no pool is known: no worker has come yet");
    cli_grid_deinit(&grid);
    return CLI_OK;
}
