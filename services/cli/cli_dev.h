/*
 * cli_dev - `sluice dev`: nats-server and all services on one machine, in one terminal.
 *
 * Its parts are processes: begun in order, restarted with back-off when they die, ended in order.
 * cli_dev_part.c says what they are, cli_dev_show.c what is printed, cli_dev_chrome.c defines the
 * upstream.  No child outlives it, however it ends.
 */
#ifndef CLI_DEV_H
#define CLI_DEV_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "cli.h"
#include "cli_child.h"

enum {
    CLI_DEV_PARTS_MAX   = 72,
    CLI_DEV_WORKERS_MAX = 64,
    CLI_DEV_ARGS_MAX    = 8,
    CLI_DEV_MAGIC       = 0x64657620,
};

/* In the order in which they are ended. */
enum cli_dev_stage {
    CLI_DEV_WORKERS,
    CLI_DEV_SCHEDULER,
    CLI_DEV_LIMITER,
    CLI_DEV_GATEWAY,
    CLI_DEV_CHROME,
    CLI_DEV_NATS,
    CLI_DEV_STAGES,
};

struct cli_dev;

struct cli_dev_part {
    uint32_t magic;
    struct cli_dev *dev;
    enum cli_dev_stage stage;
    char name[32];
    char path[PATH_MAX];
    const char *argv[CLI_DEV_ARGS_MAX];
    char **env;
    struct cli_child child;
    bool ready, abandoned;
    uint16_t port;                 /* where it listens, as far as known */
    uint64_t started_at, retry_at; /* monotonic ms; retry_at 0: not waiting */
    unsigned deaths;               /* in a row */
};

struct cli_dev {
    uint32_t magic;
    struct cli *cli;
    char store[PATH_MAX], url[256], conf[PATH_MAX + 32];
    uint16_t nats_port, http_port, chrome_port;
    unsigned workers;
    const char *slots; /* NULL: the worker's default */
    bool chrome, no_nats;
    bool quiet; /* LOG_LEVEL asks for warnings only: we read their info lines all the same */
    bool colours;
    int lock;

    struct cli_dev_part *parts[CLI_DEV_PARTS_MAX];
    size_t part_count;

    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t signals[4];
    bool told;         /* the table was printed */
    uint64_t begun_at; /* the services, monotonic ms; 0: not yet */
    bool stopping, over;
    enum cli_dev_stage stage; /* which one is being ended */
    uint64_t stage_until;
    int status;
};

cli_fn cli_dev;

#endif
