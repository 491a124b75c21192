/*
 * child - a call that ends its process, watched from outside.
 */
#ifndef TEST_CHILD_H
#define TEST_CHILD_H

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    int status;      /* as waitpid gives it */
    char text[8192]; /* what it wrote to the descriptor that was watched */
};

/* Runs fn(with) in a process of its own and reads what it writes to `watched`.  If fn returns,
   the status is that of exit(99). */
static inline struct child child_run(void (*fn)(void *with), void *with, int watched)
{
    struct child ret = {0};
    size_t len       = 0;
    int ends[2];

    if (pipe(ends) != 0)
        abort();
    pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit no_core = {0, 0};

        setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], watched);
        close(ends[0]);
        close(ends[1]);
        fn(with);
        _exit(99);
    }
    close(ends[1]);
    for (ssize_t got = 1; got > 0 && len < sizeof(ret.text) - 1; len += (size_t)got) {
        got = read(ends[0], ret.text + len, sizeof(ret.text) - 1 - len);
        if (got < 0)
            abort();
    }
    close(ends[0]);
    waitpid(pid, &ret.status, 0);
    return ret;
}

#endif
