/* sluice-bench - measures the release build on an embedded nats-server of its own; `sluice-bench [runs]`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { RUNS = 20000 };

static void services(struct bench_world *w)
{
    static const char *const names[]  = {"gateway", "scheduler", "limiter", "browser-worker"};
    static const char *const starts[] = {"start-up of gateway", "start-up of scheduler",
                                         "start-up of limiter", "start-up of browser-worker"};
    pid_t *pids[]                     = {&w->gateway, &w->scheduler, &w->limiter, &w->worker};

    for (int i = 0; i < 4; i++)
        bench_figure(starts[i], "ms", bench_service(w, names[i], pids[i]), 0);
}

static void memory(const struct bench_world *w)
{
    bench_figure("memory of gateway", "MiB", (double)bench_rss_kib(w->gateway) / 1024, 0);
    bench_figure("memory of scheduler", "MiB", (double)bench_rss_kib(w->scheduler) / 1024, 0);
    bench_figure("memory of limiter", "MiB", (double)bench_rss_kib(w->limiter) / 1024, 0);
    bench_figure("memory of browser-worker", "MiB", (double)bench_rss_kib(w->worker) / 1024, 0);
}

int main(int argc, char **argv)
{
    struct bench_world w = {0};
    size_t runs          = argc > 1 ? strtoul(argv[1], NULL, 10) : RUNS;
    char path[BENCH_PATH_MAX];

    if (runs < 100) {
        fprintf(stderr, "usage: sluice-bench [runs], at least 100\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    bench_world_start(&w);
    services(&w);
    printf("bench: %zu no-op runs, and the same operations bare\n", runs);
    bench_run_noop(&w, runs);
    printf("bench: latencies\n");
    bench_run_answer(&w, 1000);
    bench_run_start(&w, 200);
    bench_run_freed(&w, 500);
    memory(&w);
    snprintf(path, sizeof path, "%s", w.folder);
    char *slash = strrchr(path, '/');
    snprintf(slash, sizeof path - (size_t)(slash - path), "/latest.json");
    bench_report(path);
    bench_world_stop(&w);
    return 0;
}
