#include "cli_dev_show.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum { NAME_WIDTH = 12 };

static const char *colour_of(const struct cli_dev_part *part)
{
    static const char *const COLOURS[CLI_DEV_STAGES] = {
        [CLI_DEV_WORKERS] = "\033[36m", [CLI_DEV_SCHEDULER] = "\033[33m",
        [CLI_DEV_LIMITER] = "\033[35m", [CLI_DEV_GATEWAY] = "\033[32m",
        [CLI_DEV_CHROME] = "\033[34m",  [CLI_DEV_NATS] = "\033[90m",
    };

    return COLOURS[part->stage];
}

/* nats-server says some thirty lines when it starts; a log at info is what we asked for only to
   see who is ready. */
static bool by_the_way(const struct cli_dev_part *part, const char *line)
{
    switch (part->stage) {
    case CLI_DEV_NATS:
        return strstr(line, "[INF]") && !strstr(line, "Server is ready");
    case CLI_DEV_CHROME:
        return !strstr(line, "was started successfully") && !strstr(line, "[SEVERE]");
    case CLI_DEV_WORKERS:
    case CLI_DEV_SCHEDULER:
    case CLI_DEV_LIMITER:
    case CLI_DEV_GATEWAY:
    case CLI_DEV_STAGES:
        break;
    }
    return part->dev->quiet &&
           (strstr(line, " level=info ") || strstr(line, "\"level\":\"info\""));
}

void cli_dev_show_line(const struct cli_dev_part *part, const char *line)
{
    if (by_the_way(part, line))
        return;
    if (part->dev->colours)
        printf("%s%-*s |\033[0m %s\n", colour_of(part), NAME_WIDTH, part->name, line);
    else
        printf("%-*s | %s\n", NAME_WIDTH, part->name, line);
    fflush(stdout);
}

void cli_dev_show(const struct cli_dev *dev, const char *format, ...)
{
    va_list args;

    printf("%s%-*s |%s ", dev->colours ? "\033[1m" : "", NAME_WIDTH, "dev",
           dev->colours ? "\033[0m" : "");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

/* ---- the table ---------------------------------------------------------------------------------- */

static void show_part(const struct cli_dev *dev, const struct cli_dev_part *part)
{
    char at[288] = "";

    switch (part->stage) {
    case CLI_DEV_NATS:
        str_copy(at, sizeof(at), dev->url);
        break;
    case CLI_DEV_CHROME:
        str_format(at, sizeof(at), "http://127.0.0.1:%u", part->port);
        break;
    case CLI_DEV_WORKERS:
    case CLI_DEV_SCHEDULER:
    case CLI_DEV_LIMITER:
    case CLI_DEV_GATEWAY:
    case CLI_DEV_STAGES:
        if (part->port)
            str_format(at, sizeof(at), "http://127.0.0.1:%u/metrics", part->port);
        break;
    }
    printf("  %-12s  %-34s  %s%s\n", part->name, at, part->ready ? "ready" : "NOT READY",
           part->child.pid ? "" : ", not running");
}

static void show_commands(const struct cli_dev *dev)
{
    char server[sizeof(dev->url) + 16] = "", nats[sizeof(dev->url) + 16] = "";

    if (!str_equal(dev->url, "nats://127.0.0.1:4222")) {
        str_format(server, sizeof(server), " --server %s", dev->url);
        str_format(nats, sizeof(nats), " -s %s", dev->url);
    }
    printf("\nTry in another terminal:\n"
           "  sluice%s run submit %s/hello.json -i name=Ann --watch\n"
           "  nats%s req sluice.api.submit.dev '{\"flow\":{\"steps\":[{\"id\":\"end\",\"end\":"
           "{\"status\":\"done\"}}]}}'\n"
           "  nats%s sub 'sluice.watch.>' --headers-only\n"
           "\nCtrl-C stops all, in order.\n\n",
           server, dev->store, nats, nats);
}

void cli_dev_show_table(const struct cli_dev *dev)
{
    printf("\n");
    if (dev->no_nats)
        printf("  %-12s  %-34s  not ours\n", "nats", dev->url);
    for (size_t i = 0; i < dev->part_count; i++)
        show_part(dev, dev->parts[i]);
    printf("  %-12s  %s\n", "data", dev->store);
    show_commands(dev);
    fflush(stdout);
}
