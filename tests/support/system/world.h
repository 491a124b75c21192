/*
 * world - a nats-server and services of one's own, as real processes, for one test.
 *
 *     struct world *w = world_new(state, "kill_each");
 *     struct proc *gateway = world_start(w, "gateway");
 *     ...
 * and `world_teardown` as the test's teardown: it ends everything (SIGTERM, exit 0), and fails the
 * test when a service said something that a healthy one does not: a sanitizer's report, a line of
 * level error that was not declared, an exit of its own.  Logs stay in <build>/tests/worlds/<name>.
 */
#ifndef SUPPORT_SYSTEM_WORLD_H
#define SUPPORT_SYSTEM_WORLD_H

#include <stdbool.h>
#include <stddef.h>

#include "support/system/clock.h"
#include "support/system/proc.h"

struct client;
struct load;

enum { WORLD_PROCS_MAX = 16, WORLD_EXPECTS_MAX = 16, WORLD_LOADS_MAX = 4 };

struct world {
    char name[64];
    char folder[PROC_FOLDER_MAX];
    char url[64];
    unsigned port;
    struct proc nats;
    struct proc *procs[WORLD_PROCS_MAX];
    size_t proc_count;
    char *env[PROC_ENV_MAX][2];
    size_t env_count;
    const char *expects[WORLD_EXPECTS_MAX];
    size_t expect_count;
    struct client *client;
    struct load *loads[WORLD_LOADS_MAX];
    size_t load_count;
    bool quiet; /* a failure was told already */
};

/* nats-server runs when it returns; it becomes *state. */
struct world *world_new(void **state, const char *name);
int world_teardown(void **state);

/* For the services started from now on.  Preset: NATS_URL, SLUICE_HTTP=off, SLUICE_TENANTS=open,
   SLUICE_LEASE=5s, SLUICE_SWEEP=2s, SLUICE_LEADER_TTL=2s. */
void world_env(struct world *w, const char *name, const char *value);

/* A file in the world's folder; mode as of fopen. */
void world_write(const struct world *w, const char *name, const char *mode, const char *text);

/* A line of shell, in the world's folder and environment; $sluice is the program.  Its exit; *ret_said is all that it
   said, to be freed. */
int world_shell(struct world *w, const char *line, char **ret_said);
/* The same; it must have said these words. */
int world_shell_says(struct world *w, const char *line, const char *words);

/* "gateway", "scheduler", "browser-worker", "limiter"; ready when it returns.  The world's to free. */
struct proc *world_start(struct world *w, const char *service);
/* The same without waiting until it is ready. */
struct proc *world_begin(struct world *w, const char *service);
/* After proc_kill or proc_end: once more, ready when it returns. */
void world_restart(struct world *w, struct proc *p);
/* gateway, scheduler that leads, one worker. */
void world_start_all(struct world *w);

void world_nats_start(struct world *w);   /* at the same port, with the same store */
void world_nats_restart(struct world *w); /* kill -9 before */

/* A line of level error with these words is no failure here. */
void world_expects_log(struct world *w, const char *words);

/* One turn of waiting: loads go on, whoever died is told of.  Naps. */
void world_turn(struct world *w);
/* Prints the ends of all logs, then fails the test. */
_Noreturn void world_fail(struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Waits for a condition; when `ms` are over the test fails with its text. */
#define WORLD_WAIT(w, ms, condition) \
    do { \
        int64_t until_ = clock_ms() + (ms); \
        while (!(condition)) { \
            if (clock_ms() > until_) \
                world_fail((w), "%s:%d: not within %d ms: %s", __FILE__, __LINE__, (int)(ms), \
                           #condition); \
            world_turn(w); \
        } \
    } while (0)

#define WORLD_MUST(w, condition) \
    do { \
        if (!(condition)) \
            world_fail((w), "%s:%d: does not hold: %s", __FILE__, __LINE__, #condition); \
    } while (0)

#endif
