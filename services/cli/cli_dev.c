#include "cli_dev.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clk.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli_dev_chrome.h"
#include "cli_dev_part.h"
#include "cli_dev_show.h"
#include "cli_dev_store.h"
#include "cli_port.h"

enum {
    TICK_MS      = 100,
    TELL_MS      = 15000, /* the table comes then, whoever is not ready */
    STAGE_MS     = 35000, /* above SLUICE_DRAIN */
    RETRY_MS     = 500,
    RETRY_MAX_MS = 15000,
    SOUND_MS     = 30000, /* lived that long: the next death is a first one */
    BAD_CONFIG   = 2,     /* the exit status of a service whose configuration is wrong */
    CLOSE_TURNS  = 1000,
};

#define REFUSE(...) (fprintf(stderr, "sluice dev: " __VA_ARGS__), fputc('\n', stderr), false)

/* ---- options ------------------------------------------------------------------------------------ */

static bool number_of(const struct cli_args *args, const char *flag, uint64_t preset,
                      uint64_t min, uint64_t max, uint64_t *ret)
{
    const char *given = cli_args_get(args, flag);

    *ret = preset;
    if (given && (failed(str_u64(given, ret)) || *ret < min || *ret > max))
        return REFUSE("--%s \"%.40s\" is not a number from %llu to %llu", flag, given,
                      (unsigned long long)min, (unsigned long long)max);
    return true;
}

static bool read_options(struct cli_dev *dev, const struct cli_args *args)
{
    uint64_t nats_port, http_port, workers, slots;
    const char *level = getenv("LOG_LEVEL");

    if (!number_of(args, "nats-port", 4222, 0, 65535, &nats_port) ||
        !number_of(args, "http-port", 8080, 0, 65535, &http_port) ||
        !number_of(args, "workers", 1, 0, CLI_DEV_WORKERS_MAX, &workers) ||
        !number_of(args, "slots", 1, 1, 10000, &slots))
        return false;
    dev->nats_port = (uint16_t)(nats_port ? nats_port : cli_port_find());
    dev->http_port = (uint16_t)(http_port ? http_port : cli_port_find());
    dev->workers   = (unsigned)workers;
    dev->slots     = cli_args_get(args, "slots");
    dev->chrome    = cli_args_has(args, "chrome");
    dev->no_nats   = cli_args_has(args, "no-nats");
    dev->colours   = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    dev->quiet     = str_equal(level, "warn") || str_equal(level, "error");
    if (dev->no_nats)
        return str_copy(dev->url, sizeof(dev->url), dev->cli->server) ||
               REFUSE("the address of NATS is too long");
    return str_format(dev->url, sizeof(dev->url), "nats://127.0.0.1:%u", dev->nats_port);
}

static bool ports_free(const struct cli_dev *dev)
{
    if (!dev->no_nats && !cli_port_free(dev->nats_port))
        return REFUSE(
            "port %u is taken: end what uses it, or take another with --nats-port, or "
            "use the nats-server that runs there: --no-nats",
            dev->nats_port);
    if (!cli_port_free(dev->http_port))
        return REFUSE("port %u is taken: end what uses it, or take another with --http-port",
                      dev->http_port);
    return true;
}

/* ---- all end, in order ------------------------------------------------------------------------------- */

static bool stage_running(const struct cli_dev *dev, enum cli_dev_stage stage)
{
    for (size_t i = 0; i < dev->part_count; i++)
        if (dev->parts[i]->stage == stage && dev->parts[i]->child.pid)
            return true;
    return false;
}

static void signal_stage(struct cli_dev *dev, enum cli_dev_stage stage, int number)
{
    for (size_t i = 0; i < dev->part_count; i++)
        if (dev->parts[i]->stage == stage)
            cli_child_signal(&dev->parts[i]->child, number);
}

static void enter_stage(struct cli_dev *dev, enum cli_dev_stage stage)
{
    dev->stage       = stage;
    dev->stage_until = clk_mono_ms() + STAGE_MS;
    if (stage < CLI_DEV_STAGES)
        signal_stage(dev, stage, SIGTERM);
}

/* Ends everything in order; status is what the program will exit with. */
static void stop(struct cli_dev *dev, int status)
{
    if (dev->stopping)
        return;
    dev->stopping = true;
    dev->status   = status;
    enter_stage(dev, CLI_DEV_WORKERS);
}

/* The guard of chromedriver kills what it has when it is told twice. */
static void kill_all(struct cli_dev *dev)
{
    for (enum cli_dev_stage stage = 0; stage < CLI_DEV_STAGES; stage++)
        signal_stage(dev, stage, stage == CLI_DEV_CHROME ? SIGTERM : SIGKILL);
    if (stage_running(dev, CLI_DEV_CHROME))
        signal_stage(dev, CLI_DEV_CHROME, SIGINT);
}

static void stop_on(struct cli_dev *dev)
{
    while (dev->stage < CLI_DEV_STAGES && !stage_running(dev, dev->stage))
        enter_stage(dev, dev->stage + 1);
    if (dev->stage == CLI_DEV_STAGES) {
        dev->over = true;
        uv_stop(&dev->loop);
    } else if (clk_mono_ms() >= dev->stage_until) {
        signal_stage(dev, dev->stage, SIGKILL);
    }
}

/* ---- parts begin and die --------------------------------------------------------------------------- */

static void begin(struct cli_dev_part *part)
{
    struct cli_dev *dev = part->dev;

    if (!cli_child_idle(&part->child))
        return;
    part->ready      = false;
    part->retry_at   = 0;
    part->started_at = clk_mono_ms();
    if (part->stage < CLI_DEV_GATEWAY)
        part->port = 0;

    struct err e = cli_child_start(&part->child, &dev->loop, part->path, part->argv, part->env,
                                   part->stage == CLI_DEV_CHROME ? SIGTERM : SIGKILL);

    if (failed(e)) {
        part->retry_at = part->started_at + RETRY_MAX_MS;
        cli_dev_show(dev, "%s cannot be started: %s", part->name, strerror(e.code));
    }
}

static const char *how(int status, char at[48])
{
    if (WIFSIGNALED(status))
        str_format(at, 48, "SIG%s", sigabbrev_np(WTERMSIG(status)));
    else
        str_format(at, 48, "exit %d", WEXITSTATUS(status));
    return at;
}

static void died(struct cli_dev_part *part, int status, uint64_t now)
{
    struct cli_dev *dev = part->dev;
    char text[48];

    part->ready = false;
    if (dev->stopping)
        return;
    if (now - part->started_at > SOUND_MS)
        part->deaths = 0;
    if (part->stage == CLI_DEV_NATS && !dev->begun_at) {
        cli_dev_show(dev, "nats-server did not start (%s)", how(status, text));
        stop(dev, CLI_FAILED);
        return;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == BAD_CONFIG) {
        part->abandoned = true;
        cli_dev_show(dev, "%s will not be restarted: its configuration is wrong (see its line)",
                     part->name);
        return;
    }
    uint64_t wait  = backoff_half_ms(part->deaths++, RETRY_MS, RETRY_MAX_MS, id_random64());
    part->retry_at = now + wait;
    cli_dev_show(dev, "%s died (%s); restarting it in %llu ms", part->name, how(status, text),
                 (unsigned long long)wait);
}

static void reap(struct cli_dev *dev)
{
    int status;

    for (size_t i = 0; i < dev->part_count; i++)
        if (cli_child_ended(&dev->parts[i]->child, &status))
            died(dev->parts[i], status, clk_mono_ms());
}

/* ---- signals ----------------------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct cli_dev *dev = SELF(struct cli_dev, CLI_DEV_MAGIC, handle->data);

    if (number == SIGCHLD) {
        reap(dev);
    } else if (dev->stopping) {
        cli_dev_show(dev, "killing all");
        dev->status = CLI_FAILED;
        kill_all(dev);
    } else {
        cli_dev_show(dev, "stopping (Ctrl-C again kills at once)");
        stop(dev, CLI_OK);
    }
}

/* ---- what happens by itself ----------------------------------------------------------------------------- */

static bool all_ready(const struct cli_dev *dev)
{
    for (size_t i = 0; i < dev->part_count; i++)
        if (!dev->parts[i]->ready && !dev->parts[i]->abandoned)
            return false;
    return true;
}

static bool nats_ready(const struct cli_dev *dev)
{
    for (size_t i = 0; i < dev->part_count; i++)
        if (dev->parts[i]->stage == CLI_DEV_NATS)
            return dev->parts[i]->ready;
    return true;
}

static void begin_services(struct cli_dev *dev)
{
    dev->begun_at = clk_mono_ms();
    for (size_t i = 0; i < dev->part_count; i++)
        if (dev->parts[i]->stage != CLI_DEV_NATS)
            begin(dev->parts[i]);
}

static void restart(struct cli_dev *dev, uint64_t now)
{
    for (size_t i = 0; i < dev->part_count; i++) {
        struct cli_dev_part *part = dev->parts[i];

        if (part->retry_at && part->retry_at <= now)
            begin(part);
    }
}

static void tick(struct cli_dev *dev)
{
    uint64_t now = clk_mono_ms();

    reap(dev);
    if (ferror(stdout)) /* nobody reads us any more */
        stop(dev, CLI_FAILED);
    if (dev->stopping) {
        stop_on(dev);
        return;
    }
    restart(dev, now);
    if (!dev->begun_at && nats_ready(dev))
        begin_services(dev);
    if (dev->begun_at && !dev->told && (all_ready(dev) || now > dev->begun_at + TELL_MS)) {
        dev->told = true;
        cli_dev_show_table(dev);
    }
}

static void on_timer(uv_timer_t *timer)
{
    tick(SELF(struct cli_dev, CLI_DEV_MAGIC, timer->data));
}

/* ---- the story -------------------------------------------------------------------------------------------- */

static void open_loop(struct cli_dev *dev)
{
    static const int NUMBERS[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP};

    must(uv_loop_init(&dev->loop) == 0 && uv_timer_init(&dev->loop, &dev->timer) == 0);
    dev->timer.data = dev;
    for (size_t i = 0; i < sizeof(NUMBERS) / sizeof(*NUMBERS); i++) {
        must(uv_signal_init(&dev->loop, &dev->signals[i]) == 0);
        dev->signals[i].data = dev;
        must(uv_signal_start(&dev->signals[i], on_signal, NUMBERS[i]) == 0);
    }
    uv_timer_start(&dev->timer, on_timer, 0, TICK_MS);
    signal(SIGPIPE, SIG_IGN);
}

static void close_loop(struct cli_dev *dev)
{
    for (size_t i = 0; i < dev->part_count; i++)
        cli_child_drop(&dev->parts[i]->child);
    for (size_t i = 0; i < sizeof(dev->signals) / sizeof(*dev->signals); i++)
        uv_close((uv_handle_t *)&dev->signals[i], NULL);
    uv_close((uv_handle_t *)&dev->timer, NULL);
    for (int i = 0; i < CLOSE_TURNS && uv_run(&dev->loop, UV_RUN_NOWAIT); i++)
        ;
    uv_loop_close(&dev->loop);
}

static void run(struct cli_dev *dev)
{
    struct cli_dev_chrome *chrome = NULL;

    cli_child_adopt();
    open_loop(dev);
    for (size_t i = 0; i < dev->part_count; i++)
        if (dev->parts[i]->stage == CLI_DEV_NATS)
            begin(dev->parts[i]);
    if (dev->chrome)
        cli_dev_chrome_define(&chrome, dev);
    while (!dev->over)
        uv_run(&dev->loop, UV_RUN_DEFAULT);
    cli_dev_chrome_free(&chrome);
    close_loop(dev);
    cli_child_sweep();
    if (!ferror(stdout))
        cli_dev_show(dev, "all stopped; the data is in %s", dev->store);
}

int cli_dev(struct cli *cli)
{
    struct cli_dev *dev = mem_new(struct cli_dev);
    int status          = CLI_FAILED;

    dev->magic = CLI_DEV_MAGIC;
    dev->cli   = cli;
    dev->lock  = -1;
    if (!read_options(dev, cli->args)) {
        status = CLI_USAGE;
    } else if (ports_free(dev) && cli_dev_store_open(dev, cli_args_get(cli->args, "store")) &&
               cli_dev_part_all(dev)) {
        run(dev);
        status = dev->status;
    }
    cli_dev_part_free(dev);
    if (dev->lock >= 0)
        close(dev->lock);
    mem_free(&dev);
    return status;
}
