/*
 * dev_run - a real `sluice dev` with real services, and the command `sluice` run against it.
 *
 * Every process of it inherits a mark in its environment, by which those that were left behind are
 * found.
 */
#ifndef TESTS_DEV_RUN_H
#define TESTS_DEV_RUN_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/id.h"
#include "base/str.h"

enum { DEV_TEXT_MAX = 1 << 18, DEV_READY_MS = 60000, DEV_COMMAND_MS = 60000 };

struct dev_run {
    pid_t pid;
    int fd;
    char mark[64], store[64], url[64];
    char said[DEV_TEXT_MAX];
    size_t said_len;
};

static void dev_nap(void)
{
    const struct timespec t = {0, 20 * 1000000};

    nanosleep(&t, NULL);
}

static const char *dev_program(const char *name, char at[512])
{
    const char *bin = getenv("SLUICE_BIN");

    str_format(at, 512, "%s/%s", bin ? bin : "build/debug/bin", name);
    return at;
}

/* argv[0] is replaced by the program. */
static pid_t dev_spawn(const char **argv, int out)
{
    char path[512];
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    argv[0] = dev_program("sluice", path);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execv(path, (char *const *)(uintptr_t)argv);
    _exit(127);
}

static void dev_hear(struct dev_run *d)
{
    struct pollfd p = {d->fd, POLLIN, 0};

    while (poll(&p, 1, 0) > 0 && d->said_len < DEV_TEXT_MAX - 1) {
        ssize_t n = read(d->fd, d->said + d->said_len, DEV_TEXT_MAX - 1 - d->said_len);

        if (n <= 0)
            return;
        d->said_len += (size_t)n;
        d->said[d->said_len] = '\0';
    }
}

static bool dev_says(struct dev_run *d, const char *what, uint64_t within_ms)
{
    uint64_t until = clk_mono_ms() + within_ms;

    do {
        dev_hear(d);
        if (strstr(d->said, what))
            return true;
        dev_nap();
    } while (clk_mono_ms() < until);
    return false;
}

static void dev_start(struct dev_run *d, bool chrome)
{
    const char *argv[] = {"",
                          "dev",
                          "--store",
                          d->store,
                          "--nats-port",
                          "0",
                          "--http-port",
                          "0",
                          chrome ? "--chrome" : NULL,
                          NULL};
    const char *server = getenv("NATS_SERVER");
    int ends[2];

    str_format(d->mark, sizeof(d->mark), "SLUICE_TEST_MARK=%016llx",
               (unsigned long long)id_random64());
    setenv("SLUICE_TEST_MARK", d->mark + strlen("SLUICE_TEST_MARK="), 1);
    if (server)
        setenv("SLUICE_NATS_SERVER", server, 1);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    d->said_len = 0;
    d->said[0]  = '\0';
    d->fd       = ends[0];
    d->pid      = dev_spawn(argv, ends[1]);
    close(ends[1]);
    unsetenv("SLUICE_TEST_MARK");
    if (!dev_says(d, "Ctrl-C stops all", DEV_READY_MS))
        fail_msg("not ready:\n%s", d->said);
    const char *at = strstr(d->said, "\n  nats ");

    assert_non_null(at);
    assert_int_equal(sscanf(at, " nats %63s", d->url), 1);
    setenv("NATS_URL", d->url, 1);
}

static void dev_folder(struct dev_run *d)
{
    str_copy(d->store, sizeof(d->store), "/tmp/sluice-dev-XXXXXX");
    assert_non_null(mkdtemp(d->store));
}

static void dev_remove(struct dev_run *d)
{
    char command[128];

    str_format(command, sizeof(command), "rm -rf '%s'", d->store);
    assert_int_equal(system(command), 0);
}

/* Its exit status; -signal; fails the test if it does not end in time. */
static int dev_end(pid_t pid, uint64_t within_ms)
{
    uint64_t until = clk_mono_ms() + within_ms;
    int status;

    while (waitpid(pid, &status, WNOHANG) != pid) {
        if (clk_mono_ms() >= until) {
            kill(pid, SIGKILL);
            fail_msg("process %d does not end", pid);
        }
        dev_nap();
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* How many living processes have the mark; the first one's pid whose program is named so. */
static int dev_marked(const struct dev_run *d, const char *name, pid_t *ret)
{
    DIR *proc = opendir("/proc");
    int count = 0;

    for (struct dirent *e; (e = readdir(proc)) != NULL;) {
        static char text[65536];
        char path[300], program[300] = "";

        str_format(path, sizeof(path), "/proc/%s/environ", e->d_name);
        int fd    = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : 0;

        if (fd >= 0)
            close(fd);
        if (n <= 0 || !memmem(text, (size_t)n, d->mark, strlen(d->mark)))
            continue;
        count++;
        str_format(path, sizeof(path), "/proc/%s/exe", e->d_name);
        if (name && readlink(path, program, sizeof(program) - 1) > 0 && str_ends(program, name))
            *ret = (pid_t)strtol(e->d_name, NULL, 10);
    }
    closedir(proc);
    return count;
}

static bool dev_none_left(const struct dev_run *d, uint64_t within_ms)
{
    uint64_t until = clk_mono_ms() + within_ms;

    while (dev_marked(d, NULL, NULL) > 0) {
        if (clk_mono_ms() >= until)
            return false;
        dev_nap();
    }
    return true;
}

/* One command: its exit status, and what it said on both outputs. */
static int dev_command(const char **argv, char *said, size_t size)
{
    uint64_t until = clk_mono_ms() + DEV_COMMAND_MS;
    size_t len     = 0;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = dev_spawn(argv, ends[1]);

    close(ends[1]);
    for (ssize_t n = 1; n > 0 && len < size - 1;) {
        struct pollfd p = {ends[0], POLLIN, 0};

        if (poll(&p, 1, 1000) > 0 && (n = read(ends[0], said + len, size - 1 - len)) > 0)
            len += (size_t)n;
        if (clk_mono_ms() > until)
            kill(pid, SIGKILL);
    }
    said[len] = '\0';
    close(ends[0]);
    return dev_end(pid, DEV_COMMAND_MS);
}

#endif
