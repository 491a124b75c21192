/*
 * cli_child - one process of ours: begun, listened to line by line, and never left behind.
 *
 * The child has a process group of its own (a Ctrl-C of the terminal is ours alone) and is
 * killed by the kernel if we die.  Who owns the children hears SIGCHLD and asks cli_child_ended.
 */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

#include "base/err.h"

enum { CLI_CHILD_LINE_MAX = 8192 };

struct cli_child;
typedef void cli_child_line_fn(void *self, const char *line);

struct cli_child {
    uint32_t magic;
    pid_t pid; /* 0: none */
    int fd;    /* what it says; -1: closed */
    bool closing;
    uv_poll_t poll;
    cli_child_line_fn *on_line;
    void *self;
    size_t len;
    char line[CLI_CHILD_LINE_MAX];
};

void cli_child_init(struct cli_child *child, cli_child_line_fn *on_line, void *self);

/* May be begun: none is running, and nothing of the last one is left in the loop. */
bool cli_child_idle(const struct cli_child *child);

/* death: the signal the kernel sends it when we die.  env: cli_child_env. */
MUST_USE struct err cli_child_start(struct cli_child *child, uv_loop_t *loop, const char *path,
                                    const char *const *argv, char **env, int death);

void cli_child_signal(const struct cli_child *child, int number); /* nothing if it has ended */

/* Reaps it if it has ended: its last lines come first.  status as of waitpid. */
bool cli_child_ended(struct cli_child *child, int *ret_status);

/* Closes its handle without waiting for its end. */
void cli_child_drop(struct cli_child *child);

/* This process's environment with these "K=V" in place of its own; mem_free each and it. */
char **cli_child_env(const char *const *settings);
void cli_child_env_free(char ***env);

/* Orphans of our children become ours; and: kill every child there is, until there is none. */
void cli_child_adopt(void);
void cli_child_sweep(void);

#endif
