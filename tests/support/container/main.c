#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * container - runs a program as a container under a supervisor would: what it started ends with it, its files go, and it
 * is started again.  SIGTERM, or the end of whoever started us, ends it all.
 *
 * chromedriver needs that: its browsers outlive it when it is killed, and their profiles outlive them.
 */

static const char USAGE[] =
    "container PROGRAM [ARGUMENT...]\n"
    "  its TMPDIR and HOME is a folder in /tmp, emptied each time and removed at the end\n";

/* ---- processes --------------------------------------------------------------------------------- */

static pid_t parent_of(pid_t pid)
{
    char path[64], line[512] = "", state;
    int parent = 0;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *from = fopen(path, "re");
    if (!from)
        return 0;
    if (fgets(line, sizeof line, from) && strrchr(line, ')'))
        (void)sscanf(strrchr(line, ')') + 1, " %c %d", &state, &parent);
    fclose(from);
    return parent;
}

static bool is_below(pid_t pid, pid_t root)
{
    while (pid > 1 && pid != root)
        pid = parent_of(pid);
    return pid == root;
}

static void kill_below(pid_t root)
{
    DIR *proc = opendir("/proc");

    for (struct dirent *d; proc && (d = readdir(proc));) {
        pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);
        if (pid > 1 && pid != root && is_below(pid, root))
            kill(pid, SIGKILL);
    }
    if (proc)
        closedir(proc);
}

/* Orphans too: we are their reaper.  What is forked while we look is seen the next time. */
static void end_all(void)
{
    do
        kill_below(getpid());
    while (waitpid(-1, NULL, 0) > 0 || errno != ECHILD);
}

/* ---- files --------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *at)
{
    (void)info, (void)flag, (void)at;
    return remove(path);
}

static void empty(const char *folder)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    (void)mkdir(folder, 0700);
}

/* ---- the program ----------------------------------------------------------------------------------- */

static pid_t start(const char *folder, char **argv, const sigset_t *as_it_was)
{
    empty(folder);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigprocmask(SIG_SETMASK, as_it_was, NULL);
        setenv("TMPDIR", folder, 1);
        setenv("HOME", folder, 1);
        execvp(argv[0], argv);
        dprintf(2, "container: %s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    return pid;
}

/* Has it ended?  (Others that end are its affair.) */
static bool has_ended(pid_t program)
{
    bool ended = false;

    for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;)
        ended = ended || pid == program;
    return ended;
}

int main(int argc, char **argv)
{
    sigset_t ours, as_it_was;
    int which = 0;

    /* Not below the build: Chromium makes a socket in TMPDIR, whose path may have 107 bytes, 45 of them its own. */
    char folder[] = "/tmp/sluice-XXXXXX";

    if (argc < 2) {
        fputs(USAGE, stderr);
        return 2;
    }
    if (!mkdtemp(folder)) {
        dprintf(2, "container: %s: %s\n", folder, strerror(errno));
        return 1;
    }
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ours, &as_it_was);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM);

    pid_t program = start(folder, argv + 1, &as_it_was);
    while (sigwait(&ours, &which) == 0 && which == SIGCHLD) {
        if (!has_ended(program))
            continue;
        end_all();
        program = start(folder, argv + 1, &as_it_was);
    }
    end_all();
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
