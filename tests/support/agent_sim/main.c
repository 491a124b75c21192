#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "agent_sim/sim.h"
#include "agent_sim/sim_base.h"

/*
 * agent_sim - an upstream that counts: it speaks the agent API on loopback,
 * misbehaves as it is told, and keeps the record by which tests judge.
 */

struct options {
    int port;
    const char *config;
    const char *record;
};

static const char USAGE[] =
    "agent_sim [--port N] [--config JSON] [--record FILE]\n"
    "  an agent API on 127.0.0.1 that counts what it sees; README.md says how to steer it\n";

static void __attribute__((noreturn)) usage(FILE *to, int status)
{
    fputs(USAGE, to);
    exit(status);
}

static struct options read_options(int argc, char **argv)
{
    static const struct option LONG[] = {
        {"port", required_argument, NULL, 'p'},
        {"config", required_argument, NULL, 'c'},
        {"record", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {0};
    int option             = 0;

    while ((option = getopt_long(argc, argv, "", LONG, NULL)) != -1) {
        if (option == 'p')
            options.port = (int)strtol(optarg, NULL, 10);
        else if (option == 'c')
            options.config = optarg;
        else if (option == 'r')
            options.record = optarg;
        else
            usage(option == 'h' ? stdout : stderr, option == 'h' ? 0 : 2);
    }
    if (optind < argc || options.port < 0 || options.port > 65535)
        usage(stderr, 2);
    return options;
}

static void configure(struct sim *sim, const char *text)
{
    json_error_t error;
    char wrong[64];
    json_t *config = json_loads(text, 0, &error);

    if (!config) {
        fprintf(stderr, "agent_sim: --config: %s\n", error.text);
        exit(2);
    }
    if (!sim_configure(sim, config, wrong)) {
        fprintf(stderr, "agent_sim: --config: unknown field or wrong value: %s\n", wrong);
        exit(2);
    }
    json_decref(config);
}

/* Each open call of thousands needs a descriptor. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static uv_signal_t signals[2];

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    sim_close(handle->data);
    for (size_t i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&signals[i], NULL);
}

static void watch_signals(uv_loop_t *loop, struct sim *sim)
{
    static const int NUMBERS[] = {SIGTERM, SIGINT};

    for (size_t i = 0; i < 2; i++) {
        must(uv_signal_init(loop, &signals[i]) == 0);
        signals[i].data = sim;
        must(uv_signal_start(&signals[i], on_signal, NUMBERS[i]) == 0);
    }
}

int main(int argc, char **argv)
{
    struct options options = read_options(argc, argv);
    uv_loop_t loop;
    struct sim sim;

    raise_descriptor_limit();
    must(uv_loop_init(&loop) == 0);
    sim_init(&sim, &loop, options.port, options.record);
    if (options.config)
        configure(&sim, options.config);
    watch_signals(&loop, &sim);

    printf("agent_sim listening on http://127.0.0.1:%d\n", sim.port);
    fflush(stdout);

    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop) == 0);
    sim_deinit(&sim);
    return 0;
}
