#include "support/system/world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/free_port.h"
#include "support/system/client.h"
#include "support/system/load.h"

/* A test that fails leaves by a long jump and leaks what it had in hand; that would bury its sentence. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

enum { READY_MS = 60000, END_MS = 30000, SHELL_MS = 30000, TAIL = 2500 };

/* ---- failing ------------------------------------------------------------------------------- */

static void print_tail(const struct proc *p)
{
    char *text = proc_log(p);
    size_t len = strlen(text);

    fprintf(stderr, "---- %s (%s)\n%s\n", p->name, p->log,
            len > TAIL ? text + len - TAIL : text);
    free(text);
}

void world_fail(struct world *w, const char *format, ...)
{
    char why[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    if (!w->quiet)
        for (size_t i = 0; i < w->proc_count; i++)
            print_tail(w->procs[i]);
    w->quiet = true;
    print_message("%s\n", why);
    fail_msg("%s: %s", w->name, why);
    abort();
}

/* ---- nats-server ------------------------------------------------------------------------------ */

static bool listens(unsigned port)
{
    struct sockaddr_in at = {.sin_family      = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port        = htons((uint16_t)port)};
    int fd                = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes              = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;

    close(fd);
    return yes;
}

void world_nats_start(struct world *w)
{
    unsigned ready = proc_said_times(&w->nats, "Server is ready");

    proc_start(&w->nats);
    WORLD_WAIT(w, READY_MS,
               proc_said_times(&w->nats, "Server is ready") > ready && listens(w->port));
}

void world_nats_restart(struct world *w)
{
    proc_kill(&w->nats);
    world_nats_start(w);
}

static void write_nats_config(const struct world *w, const char *path)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    /* max_payload: so that it is the gateway who says what is too large. */
    fprintf(f,
            "host: 127.0.0.1\nport: %u\nmax_payload: 8MB\nmax_pending: 256MB\n"
            "jetstream { store_dir: \"%s/store\", max_file_store: 8GB }\n",
            w->port, w->folder);
    fclose(f);
}

static void init_nats(struct world *w)
{
    const char *program = getenv("NATS_SERVER");
    char config[PROC_PATH_MAX];

    assert_non_null(program);
    w->port = free_port();
    snprintf(w->url, sizeof(w->url), "nats://127.0.0.1:%u", w->port);
    snprintf(w->nats.name, sizeof(w->nats.name), "nats-server");
    snprintf(w->nats.log, sizeof(w->nats.log), "%s/nats-server.log", w->folder);
    snprintf(config, sizeof(config), "%s/nats.conf", w->folder);
    write_nats_config(w, config);
    proc_arg(&w->nats, program);
    proc_arg(&w->nats, "-c");
    proc_arg(&w->nats, config);
}

/* ---- services ------------------------------------------------------------------------------------ */

void world_env(struct world *w, const char *name, const char *value)
{
    size_t n = 0;

    while (n < w->env_count && strcmp(w->env[n][0], name) != 0)
        n++;
    assert_true(n < PROC_ENV_MAX);
    if (n < w->env_count) {
        free(w->env[n][1]);
    } else {
        w->env[n][0] = strdup(name);
        w->env_count++;
    }
    w->env[n][1] = strdup(value);
}

void world_write(const struct world *w, const char *name, const char *mode, const char *text)
{
    char path[PROC_PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", w->folder, name);
    FILE *f = fopen(path, mode);
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

int world_shell(struct world *w, const char *line, char **ret_said)
{
    static unsigned count;
    struct proc p = {.name = "shell"};
    char text[PROC_LINE_MAX];

    snprintf(p.log, sizeof(p.log), "%s/shell-%u.out", w->folder, ++count);
    snprintf(text, sizeof(text), "sluice='%s/sluice'; cd '%s'; %s", getenv("SLUICE_BIN"),
             w->folder, line);
    proc_arg(&p, "/bin/sh");
    proc_arg(&p, "-c");
    proc_arg(&p, text);
    for (size_t i = 0; i < w->env_count; i++)
        proc_env(&p, w->env[i][0], w->env[i][1]);
    proc_start(&p);
    int status = proc_wait(&p, SHELL_MS);
    *ret_said  = proc_log(&p);
    proc_deinit(&p);
    return status;
}

int world_shell_says(struct world *w, const char *line, const char *words)
{
    char *said;
    int status = world_shell(w, line, &said);

    if (!strstr(said, words)) {
        print_message("%s\n", said);
        world_fail(w, "%s: does not say \"%s\" (exit %d)", line, words, status);
    }
    free(said);
    return status;
}

struct proc *world_begin(struct world *w, const char *service)
{
    struct proc *p  = calloc(1, sizeof(*p));
    const char *bin = getenv("SLUICE_BIN");
    char program[PROC_PATH_MAX];
    unsigned same = 1;

    assert_non_null(bin);
    assert_true(w->proc_count < WORLD_PROCS_MAX);
    for (size_t i = 0; i < w->proc_count; i++)
        same += strncmp(w->procs[i]->name, service, strlen(service)) == 0;
    snprintf(p->name, sizeof(p->name), "%s-%u", service, same);
    snprintf(p->log, sizeof(p->log), "%s/%s.log", w->folder, p->name);
    snprintf(program, sizeof(program), "%s/sluice-%s", bin, service);
    proc_arg(p, program);
    for (size_t i = 0; i < w->env_count; i++)
        proc_env(p, w->env[i][0], w->env[i][1]);
    w->procs[w->proc_count++] = p;
    proc_start(p);
    return p;
}

/* A gateway says that it is ready before it has read the buckets; until then it answers 503. */
static bool takes_submits(struct world *w)
{
    struct answer a =
        client_ask(w->client, "sluice.api.submit.world", "{\"dry_run\":true}", 16, 1000);
    bool yes = a.status == NATS_OK && strcmp(answer_text(&a, "code"), "unavailable") != 0;

    answer_deinit(&a);
    return yes;
}

static void wait_ready(struct world *w, struct proc *p, unsigned before)
{
    WORLD_WAIT(w, READY_MS, proc_said_times(p, "msg=ready") > before);
    if (strncmp(p->name, "gateway", 7) == 0)
        WORLD_WAIT(w, READY_MS, takes_submits(w));
}

struct proc *world_start(struct world *w, const char *service)
{
    struct proc *p = world_begin(w, service);

    wait_ready(w, p, 0);
    return p;
}

void world_restart(struct world *w, struct proc *p)
{
    unsigned before = proc_said_times(p, "msg=ready");

    proc_start(p);
    wait_ready(w, p, before);
}

void world_start_all(struct world *w)
{
    (void)world_begin(w, "gateway");
    struct proc *scheduler = world_begin(w, "scheduler");
    (void)world_begin(w, "browser-worker");
    for (size_t i = 0; i < w->proc_count; i++)
        wait_ready(w, w->procs[i], 0);
    WORLD_WAIT(w, READY_MS, proc_said(scheduler, "msg=deciding"));
}

void world_expects_log(struct world *w, const char *words)
{
    assert_true(w->expect_count < WORLD_EXPECTS_MAX);
    w->expects[w->expect_count++] = words;
}

/* ---- turning --------------------------------------------------------------------------------------- */

static void look_after(struct world *w, struct proc *p)
{
    int status;

    if (p->pid > 0 && !p->killed && !proc_runs(p, &status))
        world_fail(w, "%s ended on its own, status 0x%x", p->name, (unsigned)status);
}

void world_turn(struct world *w)
{
    look_after(w, &w->nats);
    for (size_t i = 0; i < w->proc_count; i++)
        look_after(w, w->procs[i]);
    for (size_t i = 0; i < w->load_count; i++)
        load_pump(w->loads[i]);
    clock_nap(2);
}

/* ---- life ----------------------------------------------------------------------------------------------- */

static void make_folder(struct world *w)
{
    const char *build = getenv("BUILD_DIR");
    char command[PROC_LINE_MAX];

    snprintf(w->folder, sizeof(w->folder), "%s/tests/worlds/%s", build ? build : "build",
             w->name);
    snprintf(command, sizeof(command), "rm -rf '%s' && mkdir -p '%s'", w->folder, w->folder);
    assert_int_equal(system(command), 0);
}

/* What a test starts goes where the test says, also on a machine behind a proxy. */
static void forget_proxies(void)
{
    static const char *const NAMES[] = {
        "auto_proxy", "all_proxy", "http_proxy", "https_proxy", "no_proxy",
        "AUTO_PROXY", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"};

    for (size_t n = 0; n < sizeof(NAMES) / sizeof(*NAMES); n++)
        unsetenv(NAMES[n]);
}

struct world *world_new(void **state, const char *name)
{
    struct world *w = calloc(1, sizeof(*w));

    *state = w;
    forget_proxies();
    /* Orphans of what is killed become ours, so that none can be missed. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    snprintf(w->name, sizeof(w->name), "%s", name);
    make_folder(w);
    init_nats(w);
    world_nats_start(w);
    world_env(w, "NATS_URL", w->url);
    world_env(w, "SLUICE_HTTP", "off");
    world_env(w, "SLUICE_TENANTS", "open");
    world_env(w, "SLUICE_LEASE", "5s");
    world_env(w, "SLUICE_SWEEP", "2s");
    world_env(w, "SLUICE_LEADER_TTL", "2s");
    world_env(w, "ASAN_OPTIONS", "detect_leaks=1:handle_abort=1");
    world_env(w, "UBSAN_OPTIONS", "print_stacktrace=1");
    w->client = client_new(w);
    return w;
}

/* "level=error" of a line that nobody declared, or a sanitizer's word; NULL: all is well. */
static const char *bad_line(const struct world *w, char *text)
{
    static const char *const words[] = {
        "level=error",    "ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
        "runtime error:", "ThreadSanitizer:",        "assertion",
        "left open",      "loop is still in use",    NULL};

    for (char *save, *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        bool bad = false;
        for (size_t i = 0; words[i]; i++)
            bad |= strstr(line, words[i]) != NULL;
        for (size_t i = 0; i < w->expect_count; i++)
            bad &= strstr(line, w->expects[i]) == NULL;
        if (bad)
            return line;
    }
    return NULL;
}

static void note(char *why, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void note(char *why, size_t size, const char *format, ...)
{
    size_t len = strlen(why);
    va_list args;

    va_start(args, format);
    vsnprintf(why + len, size - len, format, args);
    va_end(args);
}

/* All SIGTERM first, then all waits: as a machine that goes down. */
static void end_services(struct world *w, char *why, size_t size)
{
    for (size_t i = 0; i < w->proc_count; i++)
        if (w->procs[i]->pid > 0) {
            if (w->procs[i]->stopped)
                proc_continue(w->procs[i]);
            kill(w->procs[i]->pid, SIGTERM);
        }
    for (size_t i = 0; i < w->proc_count; i++) {
        struct proc *p = w->procs[i];
        if (p->pid <= 0)
            continue;
        int status    = 0;
        int64_t until = clock_ms() + END_MS;
        while (proc_runs(p, &status) && clock_ms() < until)
            clock_nap(2);
        if (p->pid > 0) {
            note(why, size, "%s did not end on SIGTERM: its log says where it was. ", p->name);
            kill(p->pid, SIGABRT); /* ASan prints the stack */
            (void)proc_wait(p, 5000);
        } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            note(why, size, "%s ended with status 0x%x. ", p->name, (unsigned)status);
        }
    }
}

static void judge_logs(struct world *w, char *why, size_t size)
{
    for (size_t i = 0; i < w->proc_count; i++) {
        char *text       = proc_log(w->procs[i]);
        const char *line = bad_line(w, text);
        if (line)
            note(why, size, "%s said: %.400s  (%s) ", w->procs[i]->name, line,
                 w->procs[i]->log);
        free(text);
    }
}

/* Children of children that outlived them. */
static void judge_orphans(char *why, size_t size)
{
    int64_t until = clock_ms() + END_MS;
    pid_t pid;

    while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0 && clock_ms() < until)
        if (pid == 0)
            clock_nap(5);
    if (pid == 0)
        note(why, size, "a child of a killed process is still there. ");
}

int world_teardown(void **state)
{
    struct world *w = *state;
    char why[2048]  = "";

    if (!w)
        return 0;
    if (w->nats.stopped && w->nats.pid > 0)
        proc_continue(&w->nats);
    end_services(w, why, sizeof(why));
    while (w->load_count > 0)
        load_free(w->loads[w->load_count - 1]);
    client_free(&w->client);
    proc_deinit(&w->nats);
    judge_logs(w, why, sizeof(why));
    judge_orphans(why, sizeof(why));
    for (size_t i = 0; i < w->proc_count; i++) {
        proc_deinit(w->procs[i]);
        free(w->procs[i]);
    }
    for (size_t i = 0; i < w->env_count; i++) {
        free(w->env[i][0]);
        free(w->env[i][1]);
    }
    if (why[0] != '\0')
        print_error("%s: %s\n", w->name, why);
    else if (!w->quiet && !getenv("SLUICE_TEST_KEEP")) {
        char command[PROC_PATH_MAX];
        snprintf(command, sizeof(command), "rm -rf '%s/store'", w->folder);
        (void)!system(command);
    }
    free(w);
    *state = NULL;
    return why[0] != '\0' ? -1 : 0;
}
