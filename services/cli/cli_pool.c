#include "cli_pool.h"

#include "base/mem.h"
#include "base/str.h"
#include "cli_ask.h"
#include "cli_print.h"
#include "wire/subject.h"
#include "wire/wire_ticket.h"

static const char *const COLUMNS[] = {"pool",     "slots",        "in_flight",
                                      "runnable", "wanted_slots", "runnable_age_s",
                                      "waiting",  "blocked",      NULL};

/* "realtime 1 bulk 40": what is zero is left out. */
static void add_count(struct buf *to, const char *name, int64_t count)
{
    if (count > 0)
        buf_printf(to, "%s%s %lld", to->len ? " " : "", name, (long long)count);
}

static void put_waiting(struct cli_grid *grid, const struct json *pool)
{
    AUTO(buf_deinit) struct buf text = {0};
    const struct json *lanes         = json_get(pool, "lanes");

    buf_init(&text, 1024);
    for (int lane = 0; lane < LANES; lane++) {
        const char *word = lane_word((enum lane)lane);

        add_count(&text, word, json_int(json_get(json_get(lanes, word), "waiting")));
    }
    cli_grid_add(grid, text.at);
}

static void put_blocked(struct cli_grid *grid, const struct json *pool)
{
    AUTO(buf_deinit) struct buf text = {0};
    const struct json *count;
    const char *why;

    buf_init(&text, 1024);
    for (size_t it = 0; json_each(json_get(pool, "blocked"), &it, &why, &count);)
        add_count(&text, why, json_int(count));
    cli_grid_add(grid, text.at);
}

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
        for (size_t i = 1; !str_equal(COLUMNS[i], "waiting"); i++)
            cli_print_cell(&grid, json_get(pool, COLUMNS[i]));
        put_waiting(&grid, pool);
        put_blocked(&grid, pool);
    }
    cli_print_grid(cli, &grid, load, "no pool is known: no worker has come yet");
    cli_grid_deinit(&grid);
    return CLI_OK;
}
