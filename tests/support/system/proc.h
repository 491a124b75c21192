/*
 * proc - one process of a world: started, stopped, continued, killed and judged by its last words.
 *
 * What it writes to stderr goes into a file.  It dies with the thread that started it (PDEATHSIG),
 * so that a test that aborts leaves nothing behind.
 */
#ifndef SUPPORT_SYSTEM_PROC_H
#define SUPPORT_SYSTEM_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A checkout may lie deep: a folder has room for all that a computer of today calls by name, a path for a file in it, a
   line for both and the words of a shell. */
enum { PROC_ENV_MAX = 32, PROC_FOLDER_MAX = 1000, PROC_PATH_MAX = 1100, PROC_LINE_MAX = 4000 };

struct proc {
    char name[48];
    char log[PROC_PATH_MAX];
    char *argv[16];
    char *env[PROC_ENV_MAX]; /* "NAME=value", beside our own */
    size_t env_count;
    pid_t pid;    /* 0: not running */
    bool stopped; /* by SIGSTOP */
    bool killed;  /* by us: its end needs no explanation */
    unsigned starts;
};

/* argv ends with NULL and is copied.  Says "name: why" and fails the test if it cannot start. */
void proc_start(struct proc *p);
void proc_arg(struct proc *p, const char *arg);
void proc_env(struct proc *p, const char *name, const char *value); /* the later word wins */

void proc_stop(struct proc *p); /* SIGSTOP: frozen */
void proc_continue(struct proc *p);
void proc_kill(struct proc *p); /* kill -9, and wait; a frozen one, too */

/* The exit code when it has ended by itself; -1 and 128 + n as below. */
int proc_wait(struct proc *p, int timeout_ms);
/* SIGTERM, and the exit code when it has ended; -1: killed, because the time was over; 128 + n: by signal n. */
int proc_end(struct proc *p, int timeout_ms);

/* false: it has ended on its own; ret_status as of waitpid. */
bool proc_runs(struct proc *p, int *ret_status);

/* The whole of what it said, over all its lives; the caller frees it. */
char *proc_log(const struct proc *p);
bool proc_said(const struct proc *p, const char *words);
/* How many lines hold these words. */
unsigned proc_said_times(const struct proc *p, const char *words);

void proc_deinit(struct proc *p);

#endif
