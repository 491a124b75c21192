/*
 * world - a real nats-server, real limiters, and a client of our own: a few lines of the NATS protocol
 * over a socket, so that what is judged is judged by something that shares no code with it.
 */
#ifndef TESTS_LIMITER_WORLD_H
#define TESTS_LIMITER_WORLD_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/free_port.h"

static inline uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static inline void fail_now(const char *what)
{
    fprintf(stderr, "world: %s: %s\n", what, strerror(errno));
    abort();
}

/* ---- a client ---------------------------------------------------------------------- */

enum { NC_IN = 16 << 20, NC_OUT = 16 << 20 };

struct nc {
    int fd;
    char *in, *out;
    size_t in_at, in_len, out_len;
};

struct nc_msg {
    char subject[256], reply[256];
    unsigned sid;
    const char *headers; /* into the input buffer: valid until the next call */
    size_t headers_len;
    const char *body;
    size_t len;
};

static inline void nc_flush(struct nc *nc)
{
    size_t at = 0;

    while (at < nc->out_len) {
        ssize_t n = write(nc->fd, nc->out + at, nc->out_len - at);

        if (n < 0 && errno != EINTR)
            fail_now("write to nats");
        at += n > 0 ? (size_t)n : 0;
    }
    nc->out_len = 0;
}

static inline void nc_put(struct nc *nc, const void *at, size_t len)
{
    if (nc->out_len + len > NC_OUT)
        nc_flush(nc);
    memcpy(nc->out + nc->out_len, at, len);
    nc->out_len += len;
}

static inline void nc_pub(struct nc *nc, const char *subject, const char *reply,
                          const void *body, size_t len)
{
    char line[600];
    int n = snprintf(line, sizeof(line), "PUB %s %s%s%zu\r\n", subject, reply ? reply : "",
                     reply ? " " : "", len);

    nc_put(nc, line, (size_t)n);
    nc_put(nc, body, len);
    nc_put(nc, "\r\n", 2);
}

/* A key's value is gone: who follows it hears so at once. */
static inline void nc_delete_key(struct nc *nc, const char *bucket, const char *key)
{
    static const char MARK[] = "NATS/1.0\r\nKV-Operation: DEL\r\n\r\n";
    char line[400];
    size_t len = sizeof(MARK) - 1;
    int n = snprintf(line, sizeof(line), "HPUB $KV.%s.%s %zu %zu\r\n", bucket, key, len, len);

    nc_put(nc, line, (size_t)n);
    nc_put(nc, MARK, len);
    nc_put(nc, "\r\n", 2);
}

static inline void nc_sub(struct nc *nc, const char *subject, unsigned sid)
{
    char line[400];
    int n = snprintf(line, sizeof(line), "SUB %s %u\r\n", subject, sid);

    nc_put(nc, line, (size_t)n);
}

static inline struct nc *nc_open(int port)
{
    struct nc *nc         = calloc(1, sizeof(*nc));
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    static const char *ON =
        "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n";
    int one = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    nc->in             = malloc(NC_IN);
    nc->out            = malloc(NC_OUT);
    nc->fd             = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(nc->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        fail_now("connect to nats");
    setsockopt(nc->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    nc_put(nc, ON, strlen(ON));
    nc_flush(nc);
    return nc;
}

static inline void nc_close(struct nc *nc)
{
    close(nc->fd);
    free(nc->in);
    free(nc->out);
    free(nc);
}

static inline bool nc_fill(struct nc *nc, int timeout_ms)
{
    struct pollfd p = {.fd = nc->fd, .events = POLLIN};

    if (nc->in_at > 0 && nc->in_at == nc->in_len)
        nc->in_at = nc->in_len = 0;
    if (nc->in_len > NC_IN / 2) {
        memmove(nc->in, nc->in + nc->in_at, nc->in_len - nc->in_at);
        nc->in_len -= nc->in_at;
        nc->in_at = 0;
    }
    if (poll(&p, 1, timeout_ms) <= 0)
        return false;

    ssize_t n = read(nc->fd, nc->in + nc->in_len, NC_IN - nc->in_len);

    if (n <= 0)
        fail_now("read from nats");
    nc->in_len += (size_t)n;
    return true;
}

/* One line that is whole, without its end; NULL: none is. */
static inline char *nc_line(struct nc *nc, size_t *ret_next)
{
    char *from = nc->in + nc->in_at;
    char *end  = memchr(from, '\n', nc->in_len - nc->in_at);

    if (!end)
        return NULL;
    *ret_next = (size_t)(end + 1 - nc->in);
    return from;
}

static inline bool nc_parse(struct nc *nc, struct nc_msg *ret, bool *ret_more)
{
    size_t next = 0;
    char *line  = nc_line(nc, &next);
    char word[4][256];
    size_t head = 0, total = 0;

    *ret_more = false;
    if (!line)
        return false;
    *ret_more = true;
    if (strncmp(line, "PING", 4) == 0) {
        nc_put(nc, "PONG\r\n", 6);
        nc_flush(nc);
    } else if (strncmp(line, "-ERR", 4) == 0) {
        fprintf(stderr, "world: %.*s\n", (int)(nc->in + next - line), line);
    }
    if (strncmp(line, "MSG ", 4) != 0 && strncmp(line, "HMSG ", 5) != 0) {
        nc->in_at = next;
        return false;
    }

    bool headers = line[0] == 'H';
    char copy[900];
    int n = 0;

    snprintf(copy, sizeof(copy), "%.*s", (int)(nc->in + next - line), line);
    ret->reply[0] = '\0';
    if (headers)
        n = sscanf(copy, "HMSG %255s %255s %255s %255s %zu", word[0], word[1], word[2], word[3],
                   &total);
    else
        n = sscanf(copy, "MSG %255s %255s %255s %255s", word[0], word[1], word[2], word[3]);
    snprintf(ret->subject, sizeof(ret->subject), "%s", word[0]);
    ret->sid = (unsigned)strtoul(word[1], NULL, 10);
    if (headers) {
        bool reply = n == 5;

        if (reply)
            snprintf(ret->reply, sizeof(ret->reply), "%s", word[2]);
        head  = strtoul(word[reply ? 3 : 2], NULL, 10);
        total = reply ? total : strtoul(word[3], NULL, 10);
    } else {
        if (n == 4)
            snprintf(ret->reply, sizeof(ret->reply), "%s", word[2]);
        total = strtoul(word[n - 1], NULL, 10);
    }
    if (nc->in_len < next + total + 2) {
        *ret_more = false;
        return false;
    }
    ret->headers     = nc->in + next;
    ret->headers_len = head;
    ret->body        = nc->in + next + head;
    ret->len         = total - head;
    nc->in_at        = next + total + 2;
    return true;
}

/* The next message, within a time (0: only what is there). */
static inline bool nc_next(struct nc *nc, int timeout_ms, struct nc_msg *ret)
{
    uint64_t until = now_ms() + (uint64_t)timeout_ms;
    bool more      = false;

    nc_flush(nc);
    for (;;) {
        do
            if (nc_parse(nc, ret, &more))
                return true;
        while (more);
        uint64_t now = now_ms();

        if (!nc_fill(nc, now < until ? (int)(until - now) : 0) && now >= until)
            return false;
    }
}

/* A request with an inbox of its own; the answer's body as text, its length in nc_len. */
static size_t nc_len;

static inline bool nc_request(struct nc *nc, const char *subject, const void *body, size_t len,
                              int timeout_ms, char *ret, size_t size)
{
    static unsigned count = 1000000;
    char inbox[64], line[64];
    struct nc_msg m;
    unsigned sid = ++count;

    snprintf(inbox, sizeof(inbox), "_INBOX.r%d.%u", (int)getpid(), sid);
    nc_sub(nc, inbox, sid);
    nc_pub(nc, subject, inbox, body, len);
    for (uint64_t until = now_ms() + (uint64_t)timeout_ms; now_ms() < until;) {
        if (!nc_next(nc, (int)(until - now_ms()), &m) || m.sid != sid)
            continue;
        if (m.headers_len > 0 && strncmp(m.headers, "NATS/1.0 503", 12) == 0)
            break;
        int n = snprintf(line, sizeof(line), "UNSUB %u\r\n", sid);

        nc_put(nc, line, (size_t)n);
        if (m.len >= size)
            fail_now("an answer is too long");
        memcpy(ret, m.body, m.len);
        ret[m.len] = '\0';
        nc_len     = m.len;
        return true;
    }
    return false;
}

static inline bool nc_ask(struct nc *nc, const char *subject, const char *json, char *ret,
                          size_t size)
{
    return nc_request(nc, subject, json, strlen(json), 5000, ret, size);
}

/* ---- processes --------------------------------------------------------------------- */

enum { WORLD_LIMITERS = 8 };

struct world {
    char dir[64];
    int port;
    pid_t nats, limiters[WORLD_LIMITERS];
    int logs; /* limiters started so far */
};

static inline const char *from_env(const char *name, const char *preset)
{
    const char *value = getenv(name);

    return value ? value : preset;
}

static inline pid_t spawn(const char *program, char *const argv[], char *const env[],
                          const char *log)
{
    pid_t parent = getpid();
    pid_t pid    = fork();

    if (pid != 0)
        return pid;

    int fd = open(log, O_CREAT | O_WRONLY | O_APPEND, 0600);

    dup2(fd, 1);
    dup2(fd, 2);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that aborts leaves nobody behind */
    if (getppid() != parent)
        _exit(1);
    execve(program, argv, env);
    _exit(127);
}

static inline void world_nats(struct world *w)
{
    char port[16], store[96], log[96];

    snprintf(port, sizeof(port), "%d", w->port);
    snprintf(store, sizeof(store), "%s/js", w->dir);
    snprintf(log, sizeof(log), "%s/nats.log", w->dir);

    char *argv[] = {(char *)"nats-server", (char *)"-a", (char *)"127.0.0.1",
                    (char *)"-p",          port,         (char *)"-js",
                    (char *)"-sd",         store,        NULL};
    char *env[]  = {NULL};

    w->nats = spawn(from_env("NATS_SERVER", "build/deps/bin/nats-server"), argv, env, log);
    for (int n = 0; n < 100; n++) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)w->port)};
        int fd                = socket(AF_INET, SOCK_STREAM, 0);

        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int up             = connect(fd, (struct sockaddr *)&to, sizeof(to));

        close(fd);
        if (up == 0)
            return;
        usleep(50000);
    }
    fail_now("nats-server does not come up");
}

static inline void world_open(struct world *w)
{
    memset(w, 0, sizeof(*w));
    snprintf(w->dir, sizeof(w->dir), "/tmp/limiter-XXXXXX");
    if (!mkdtemp(w->dir))
        fail_now("make a folder");
    w->port = free_port();
    signal(SIGPIPE, SIG_IGN);
    world_nats(w);
}

/* The n-th limiter (again); more: settings, NULL at the end, before ours: the first of a name counts. */
static inline void world_limiter(struct world *w, int n, const char *const *more)
{
    char program[512], url[64], log[96];
    char *argv[] = {(char *)"sluice-limiter", NULL};
    char *env[16];
    int count = 0;

    snprintf(program, sizeof(program), "%s/sluice-limiter",
             from_env("SLUICE_BIN", "build/debug/bin"));
    snprintf(url, sizeof(url), "NATS_URL=nats://127.0.0.1:%d", w->port);
    snprintf(log, sizeof(log), "%s/limiter-%d.log", w->dir, ++w->logs);
    env[count++] = url;
    env[count++] = (char *)"SLUICE_HTTP=off";
    for (; more && *more; more++)
        env[count++] = (char *)*more;
    env[count++]   = (char *)"SLUICE_LEADER_TTL=2s";
    env[count]     = NULL;
    w->limiters[n] = spawn(program, argv, env, log);
}

static inline void world_kill(pid_t *pid, int with)
{
    if (*pid <= 0)
        return;
    kill(*pid, with);
    if (with == SIGKILL || with == SIGTERM) {
        int status = 0;

        waitpid(*pid, &status, 0);
        if (with == SIGTERM && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
            fprintf(stderr, "world: %d ended with status %#x\n", (int)*pid, (unsigned)status);
        *pid = 0;
    }
}

static inline void world_close(struct world *w, bool keep)
{
    char command[128];

    for (int n = 0; n < WORLD_LIMITERS; n++) {
        if (w->limiters[n] > 0)
            kill(w->limiters[n], SIGCONT);
        world_kill(&w->limiters[n], SIGTERM);
    }
    world_kill(&w->nats, SIGKILL);
    if (keep) {
        fprintf(stderr, "world: logs are in %s\n", w->dir);
        return;
    }
    snprintf(command, sizeof(command), "rm -rf '%s'", w->dir);
    if (system(command) != 0)
        fprintf(stderr, "world: %s is left\n", w->dir);
}

/* How many lines of all the limiters' logs hold this text. */
static inline int world_logged(const struct world *w, const char *text)
{
    char line[4096], path[96];
    int count = 0;

    for (int n = 1; n <= w->logs; n++) {
        snprintf(path, sizeof(path), "%s/limiter-%d.log", w->dir, n);
        FILE *f = fopen(path, "r");

        while (f && fgets(line, sizeof(line), f))
            count += strstr(line, text) != NULL;
        if (f)
            fclose(f);
    }
    return count;
}

/* Whoever leads does so no more, dead or alive, and the next begins at once; that a term ends by itself
   is looked at elsewhere. */
static inline void end_the_term(struct nc *nc)
{
    nc_delete_key(nc, "sluice_leaders", "limiter-0");
}

/* Asks until somebody answers. */
static inline bool world_ready(struct nc *nc, const char *upstream, const char *config)
{
    char subject[128], answer[8192];

    snprintf(subject, sizeof(subject), "sluice.admin.upstream.%s", upstream);
    for (uint64_t until = now_ms() + 30000; now_ms() < until; usleep(20000))
        if (nc_request(nc, subject, config, strlen(config), 1000, answer, sizeof(answer)) &&
            strstr(answer, "\"mode\""))
            return true;
    return false;
}

#endif
