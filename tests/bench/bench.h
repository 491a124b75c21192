/*
 * bench - what the release build does on this machine, beside the bare floor of the same JetStream
 * operations in the same run.
 *
 * No goals yet: these machines are shared and noisy, so what counts is the ratio to the floor.
 */
#ifndef BENCH_H
#define BENCH_H

#include <nats/nats.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { BENCH_PATH_MAX = 1100 };

/* ---- processes ---- */

struct bench_world {
    char folder[BENCH_PATH_MAX - 50], url[64], varz[64], bin[BENCH_PATH_MAX - 50],
        server[BENCH_PATH_MAX - 50];
    pid_t nats, gateway, scheduler, limiter, worker;
    natsConnection *nc;
    jsCtx *js;
};

void bench_world_start(struct bench_world *w);
void bench_world_stop(struct bench_world *w);
/* Starts a service and waits until it answers $SRV.PING; ms. */
double bench_service(struct bench_world *w, const char *name, pid_t *ret);
long bench_rss_kib(pid_t pid);
double bench_cpu_ms(pid_t pid);
/* What the server received and sent so far, but for what this process did over w->nc. */
double bench_messages(struct bench_world *w);

double bench_now_ms(void);

/* ---- figures ---- */

struct bench_figure {
    const char *name, *unit;
    double value, floor; /* floor 0: there is none */
};
void bench_figure(const char *name, const char *unit, double value, double floor);
void bench_report(const char *path);

/* Sorts; the q-th quantile. */
double bench_quantile(double *samples, size_t count, double q);

/* ---- what is measured ---- */

void bench_run_noop(struct bench_world *w,
                    size_t runs); /* runs/s end to end, floor: bench_floor */
void bench_run_answer(struct bench_world *w, size_t n); /* submit -> answer */
void bench_run_start(struct bench_world *w, size_t n);  /* submit -> start */
void bench_run_freed(struct bench_world *w, size_t n);  /* freed slot -> next start */

/* The bare operations of a no-op run, pipelined, nothing else: runs/s. */
double bench_floor_runs(struct bench_world *w, size_t runs);

#endif
