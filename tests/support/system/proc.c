#include "support/system/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/system/clock.h"

extern char **environ;

void proc_arg(struct proc *p, const char *arg)
{
    size_t n = 0;

    while (p->argv[n])
        n++;
    assert_true(n + 1 < sizeof(p->argv) / sizeof(*p->argv));
    p->argv[n] = strdup(arg);
}

void proc_env(struct proc *p, const char *name, const char *value)
{
    size_t len = strlen(name) + strlen(value) + 2, n = 0;
    char *word = malloc(len);

    snprintf(word, len, "%s=%s", name, value);
    while (n < p->env_count && strncmp(p->env[n], word, strlen(name) + 1) != 0)
        n++;
    assert_true(n < PROC_ENV_MAX);
    if (n == p->env_count)
        p->env_count++;
    else
        free(p->env[n]);
    p->env[n] = word;
}

/* In the child: nothing but system calls from here on. */
static void become(const struct proc *p, int log, pid_t parent, char **env)
{
    int null = open("/dev/null", O_RDONLY);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(125);
    dup2(null, 0);
    dup2(log, 1);
    dup2(log, 2);
    signal(SIGPIPE, SIG_DFL);
    execve(p->argv[0], p->argv, env);
    dprintf(2, "%s: %s\n", p->argv[0], strerror(errno));
    _exit(126);
}

static bool is_set_in(const struct proc *p, const char *word)
{
    size_t len = strcspn(word, "=") + 1;

    for (size_t i = 0; i < p->env_count; i++)
        if (strncmp(p->env[i], word, len) == 0)
            return true;
    return false;
}

/* Ours without what could disturb, and what it was given. */
static char **whole_env(const struct proc *p)
{
    size_t count = 0, n = 0;

    while (environ[count])
        count++;
    char **env = calloc(count + p->env_count + 1, sizeof(*env));
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "SLUICE_", 7) != 0 && strncmp(environ[i], "NATS_", 5) != 0 &&
            !is_set_in(p, environ[i]))
            env[n++] = environ[i];
    for (size_t i = 0; i < p->env_count; i++)
        env[n++] = p->env[i];
    return env;
}

void proc_start(struct proc *p)
{
    int log      = open(p->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    pid_t parent = getpid();
    char **env   = whole_env(p);

    assert_true(log >= 0);
    assert_int_equal(p->pid, 0);
    pid_t pid = fork();
    if (pid == 0)
        become(p, log, parent, env);
    close(log);
    free(env);
    if (pid < 0)
        fail_msg("%s: cannot fork: %s", p->name, strerror(errno));
    p->pid     = pid;
    p->stopped = p->killed = false;
    p->starts++;
}

void proc_stop(struct proc *p)
{
    assert_true(p->pid > 0);
    assert_int_equal(kill(p->pid, SIGSTOP), 0);
    p->stopped = true;
}

void proc_continue(struct proc *p)
{
    assert_true(p->pid > 0);
    assert_int_equal(kill(p->pid, SIGCONT), 0);
    p->stopped = false;
}

void proc_kill(struct proc *p)
{
    int status;

    if (p->pid <= 0)
        return;
    p->killed = true;
    (void)kill(p->pid, SIGKILL);
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    p->pid = 0;
}

bool proc_runs(struct proc *p, int *ret_status)
{
    int status;

    if (p->pid <= 0)
        return false;
    if (waitpid(p->pid, &status, WNOHANG) != p->pid)
        return true;
    p->pid      = 0;
    *ret_status = status;
    return false;
}

int proc_wait(struct proc *p, int timeout_ms)
{
    int64_t until = clock_ms() + timeout_ms;
    int status    = 0;

    while (clock_ms() < until) {
        if (!proc_runs(p, &status))
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        clock_nap(2);
    }
    proc_kill(p);
    return -1;
}

int proc_end(struct proc *p, int timeout_ms)
{
    if (p->pid <= 0)
        return 0;
    if (p->stopped)
        proc_continue(p);
    (void)kill(p->pid, SIGTERM);
    return proc_wait(p, timeout_ms);
}

char *proc_log(const struct proc *p)
{
    FILE *f    = fopen(p->log, "re");
    char *text = NULL;
    size_t len = 0, max = 0, got;

    do {
        if (len + 65536 > max)
            text = realloc(text, max = 2 * max + 65536 + 1);
        got = f ? fread(text + len, 1, max - len - 1, f) : 0;
        len += got;
    } while (got > 0);
    if (f)
        fclose(f);
    text[len] = '\0';
    return text;
}

unsigned proc_said_times(const struct proc *p, const char *words)
{
    char *text     = proc_log(p);
    unsigned times = 0;

    for (char *at = text; (at = strstr(at, words)); times++) {
        at = strchr(at, '\n');
        if (!at)
            at = text + strlen(text);
    }
    free(text);
    return times;
}

bool proc_said(const struct proc *p, const char *words)
{
    return proc_said_times(p, words) > 0;
}

void proc_deinit(struct proc *p)
{
    proc_kill(p);
    for (size_t i = 0; p->argv[i]; i++)
        free(p->argv[i]);
    for (size_t i = 0; i < p->env_count; i++)
        free(p->env[i]);
    memset(p, 0, sizeof(*p));
}
