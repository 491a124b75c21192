#include "cli_child.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

enum {
    CHILD_MAGIC   = 0x6c636864,
    EXEC_FAILED   = 127,
    SWEEPS        = 500, /* of SWEEP_MS each: a killed process is gone long before */
    SWEEP_MS      = 10,
    ENV_EXTRA_MAX = 32,
};

void cli_child_init(struct cli_child *child, cli_child_line_fn *on_line, void *self)
{
    *child =
        (struct cli_child){.magic = CHILD_MAGIC, .fd = -1, .on_line = on_line, .self = self};
}

bool cli_child_idle(const struct cli_child *child)
{
    return child->pid == 0 && child->fd < 0 && !child->closing;
}

/* ---- what it says --------------------------------------------------------------------------- */

static void end_line(struct cli_child *c)
{
    c->line[c->len] = '\0';
    c->len          = 0;
    c->on_line(c->self, c->line);
}

static void hear(struct cli_child *c, const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (at[i] != '\n')
            c->line[c->len++] = at[i] ? at[i] : '?';
        if (at[i] == '\n' || c->len == CLI_CHILD_LINE_MAX - 1)
            end_line(c);
    }
}

/* False at the end of what it will ever say. */
static bool read_some(struct cli_child *c, bool *ret_more)
{
    char at[4096];
    ssize_t n;

    do
        n = read(c->fd, at, sizeof(at));
    while (n < 0 && errno == EINTR);
    *ret_more = n > 0;
    if (n > 0)
        hear(c, at, (size_t)n);
    return n > 0 || (n < 0 && errno == EAGAIN);
}

static void on_closed(uv_handle_t *handle)
{
    struct cli_child *c = SELF(struct cli_child, CHILD_MAGIC, handle->data);

    close(c->fd);
    c->fd      = -1;
    c->closing = false;
}

void cli_child_drop(struct cli_child *c)
{
    if (c->fd < 0 || c->closing)
        return;
    if (c->len)
        end_line(c);
    c->closing = true;
    uv_close((uv_handle_t *)&c->poll, on_closed);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct cli_child *c = SELF(struct cli_child, CHILD_MAGIC, poll->data);
    bool more;

    (void)events;
    if (status < 0 || !read_some(c, &more))
        cli_child_drop(c);
}

/* ---- begin ------------------------------------------------------------------------------------- */

/* In the child, between fork and exec: only what is safe after a fork among threads. */
static void become(pid_t parent, const char *path, const char *const *argv, char **env, int out,
                   int in, int death)
{
    sigset_t none;

    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, death);
    if (getppid() != parent || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(out, STDERR_FILENO) < 0)
        _exit(EXEC_FAILED);
    execve(path, (char *const *)(uintptr_t)argv, env);
    _exit(EXEC_FAILED);
}

static struct err listen_to(struct cli_child *c, uv_loop_t *loop, int fd)
{
    if (uv_poll_init(loop, &c->poll, fd) != 0) {
        close(fd);
        return err_of(ERR_FATAL, "listen to a child");
    }
    c->fd        = fd;
    c->len       = 0;
    c->poll.data = c;
    uv_poll_start(&c->poll, UV_READABLE, on_readable);
    return OK;
}

static struct err fork_it(struct cli_child *c, const char *path, const char *const *argv,
                          char **env, int out, int death)
{
    pid_t self = getpid();
    int in     = open("/dev/null", O_RDONLY | O_CLOEXEC);

    c->pid = fork();
    if (c->pid == 0)
        become(self, path, argv, env, out, in, death);
    int number = errno;
    close(in);
    if (c->pid > 0)
        return OK;
    c->pid = 0;
    return err_errno(number, "fork");
}

struct err cli_child_start(struct cli_child *c, uv_loop_t *loop, const char *path,
                           const char *const *argv, char **env, int death)
{
    int ends[2];

    must(cli_child_idle(c));
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(errno, "pipe");

    struct err e = fork_it(c, path, argv, env, ends[1], death);

    close(ends[1]);
    if (failed(e)) {
        close(ends[0]);
        return e;
    }
    return listen_to(c, loop, ends[0]);
}

void cli_child_signal(const struct cli_child *c, int number)
{
    if (c->pid > 0)
        kill(c->pid, number);
}

bool cli_child_ended(struct cli_child *c, int *ret_status)
{
    bool more = c->fd >= 0 && !c->closing;

    if (c->pid == 0 || waitpid(c->pid, ret_status, WNOHANG) != c->pid)
        return false;
    c->pid = 0;
    while (more && read_some(c, &more))
        ;
    cli_child_drop(c);
    return true;
}

/* ---- environment --------------------------------------------------------------------------------- */

static bool replaced(const char *entry, const char *const *settings)
{
    size_t len = strcspn(entry, "=") + 1;

    for (; *settings; settings++)
        if (strncmp(*settings, entry, len) == 0)
            return true;
    return false;
}

char **cli_child_env(const char *const *settings)
{
    size_t count = 0, n = 0;

    while (environ[count])
        count++;
    char **env = mem_array(count + ENV_EXTRA_MAX + 1, sizeof(*env));

    for (size_t i = 0; i < count; i++)
        if (!replaced(environ[i], settings))
            env[n++] = mem_strdup(environ[i]);
    for (size_t i = 0; settings[i]; i++) {
        must(i < ENV_EXTRA_MAX);
        env[n++] = mem_strdup(settings[i]);
    }
    return env;
}

void cli_child_env_free(char ***slot)
{
    char **env = take(slot);

    for (size_t i = 0; env && env[i]; i++)
        mem_free(&env[i]);
    mem_free(&env);
}

/* ---- none is left behind --------------------------------------------------------------------------- */

void cli_child_adopt(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* The parent of a process: the second word after its name, which is in brackets. */
static pid_t parent_of(const char *pid)
{
    char path[64], at[512] = "";
    int fd;

    str_format(path, sizeof(path), "/proc/%s/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, at, sizeof(at) - 1);
    close(fd);
    const char *name_end = n > 0 ? strrchr(at, ')') : NULL;
    int parent           = 0;

    return name_end && sscanf(name_end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

static void kill_children(void)
{
    DIR *proc = opendir("/proc");

    for (struct dirent *entry; proc && (entry = readdir(proc)) != NULL;) {
        uint64_t pid;

        if (isdigit((unsigned char)*entry->d_name) && !failed(str_u64(entry->d_name, &pid)) &&
            parent_of(entry->d_name) == getpid())
            kill((pid_t)pid, SIGKILL);
    }
    if (proc)
        closedir(proc);
}

void cli_child_sweep(void)
{
    const struct timespec pause = {0, SWEEP_MS * 1000000};

    for (int i = 0; i < SWEEPS; i++) {
        pid_t pid;

        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (pid < 0 && errno == ECHILD)
            return;
        kill_children();
        nanosleep(&pause, NULL);
    }
}
