#include "cli_guard.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clk.h"
#include "cli_child.h"

enum { GRACE_MS = 2000, LOOK_MS = 100 };

static pid_t begin(char **argv, const sigset_t *before)
{
    pid_t parent = getpid();
    pid_t pid    = fork();

    if (pid != 0)
        return pid;
    sigprocmask(SIG_SETMASK, before, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent)
        execv(argv[0], argv);
    _exit(127);
}

/* Also reaps what the child left to us. */
static bool ended(pid_t child)
{
    bool it_has = false;

    for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;)
        it_has = it_has || pid == child;
    return it_has;
}

int cli_guard(char **argv)
{
    const struct timespec look = {0, LOOK_MS * 1000000};
    uint64_t deadline          = UINT64_MAX;
    sigset_t heard, before;

    sigemptyset(&heard);
    sigaddset(&heard, SIGTERM);
    sigaddset(&heard, SIGINT);
    sigaddset(&heard, SIGCHLD);
    sigprocmask(SIG_BLOCK, &heard, &before);
    cli_child_adopt();

    pid_t child = begin(argv, &before);

    while (child > 0 && !ended(child) && clk_mono_ms() < deadline) {
        int number = sigtimedwait(&heard, NULL, &look);

        if (number != SIGTERM && number != SIGINT)
            continue;
        if (deadline != UINT64_MAX)
            break; /* told twice */
        deadline = clk_mono_ms() + GRACE_MS;
        kill(child, SIGTERM);
    }
    cli_child_sweep();
    return deadline == UINT64_MAX;
}
