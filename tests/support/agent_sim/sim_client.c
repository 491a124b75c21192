#include "agent_sim/sim_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent_sim/sim_base.h"
#include "agent_sim/sim_judge.h"

enum { READY_TIMEOUT_MS = 20000, STOP_TIMEOUT_MS = 10000, CALL_TIMEOUT_S = 60, POLL_MS = 5 };

struct sim_client {
    pid_t pid;
    int port;
    int output; /* the child's stdout: kept, so that it never meets a closed pipe */
    char url[64];
    CURL *curl;
};

struct received {
    char *text;
    size_t len;
    long next; /* X-Sim-Next */
};

static void pause_ms(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

static void run_child(const char *program, const struct sim_client_start *how, int output,
                      pid_t parent)
{
    char port[16];
    const char *args[8];
    int n = 0;

    (void)snprintf(port, sizeof port, "%d", how->port);
    args[n++] = program;
    args[n++] = "--port";
    args[n++] = port;
    if (how->config) {
        args[n++] = "--config";
        args[n++] = how->config;
    }
    if (how->record) {
        args[n++] = "--record";
        args[n++] = how->record;
    }
    args[n] = NULL;

    /* A test that crashes must not leave simulators behind. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(output, STDOUT_FILENO) < 0)
        _exit(127);
    execv(program, sim_base_mutable(args));
    _exit(127);
}

/* The port from the ready line, 0 if it does not come. */
static int read_ready_line(int output)
{
    static const char LINE[] = "agent_sim listening on http://127.0.0.1:";
    char text[128];
    size_t len         = 0;
    struct pollfd wait = {.fd = output, .events = POLLIN};

    while (len < sizeof text - 1 && poll(&wait, 1, READY_TIMEOUT_MS) > 0) {
        ssize_t got = read(output, text + len, sizeof text - 1 - len);

        if (got <= 0)
            return 0;
        len += (size_t)got;
        text[len] = '\0';
        if (text[len - 1] == '\n')
            break;
    }
    if (len < sizeof LINE || strncmp(text, LINE, sizeof LINE - 1) != 0)
        return 0;
    return (int)strtol(text + sizeof LINE - 1, NULL, 10);
}

static struct sim_client *client_new(pid_t pid, int output, int port)
{
    struct sim_client *c = sim_base_new(struct sim_client);

    c->pid    = pid;
    c->output = output;
    c->port   = port;
    c->curl   = curl_easy_init();
    must(c->curl);
    (void)snprintf(c->url, sizeof c->url, "http://127.0.0.1:%d/v1/web", port);
    return c;
}

static void client_free(struct sim_client **slot)
{
    struct sim_client *c = take(slot);

    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    if (c->output >= 0)
        (void)close(c->output);
    sim_base_free(c);
}

/* The status of waitpid. */
static int end_child(pid_t pid, int first_signal)
{
    int status = 0;

    (void)kill(pid, first_signal);
    for (int waited = 0; waited < STOP_TIMEOUT_MS; waited += POLL_MS) {
        if (waitpid(pid, &status, WNOHANG) != 0)
            return status;
        pause_ms(POLL_MS);
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    return status;
}

struct sim_client *sim_client_start(const struct sim_client_start *how)
{
    const char *folder = getenv("SLUICE_TEST_BIN");
    pid_t parent       = getpid();
    char program[512];
    int pipe_fd[2];

    if (how->program)
        sim_base_copy(program, sizeof program, how->program);
    else
        (void)snprintf(program, sizeof program, "%s/agent_sim", folder ? folder : ".");
    if (pipe2(pipe_fd, O_CLOEXEC) != 0)
        return NULL;

    pid_t pid = fork();

    if (pid == 0)
        run_child(program, how, pipe_fd[1], parent);
    (void)close(pipe_fd[1]);

    int port = pid > 0 ? read_ready_line(pipe_fd[0]) : 0;

    if (port == 0) {
        fprintf(stderr, "sim_client: %s did not start\n", program);
        if (pid > 0)
            (void)end_child(pid, SIGKILL);
        (void)close(pipe_fd[0]);
        return NULL;
    }
    return client_new(pid, pipe_fd[0], port);
}

struct sim_client *sim_client_attach(int port)
{
    return client_new(0, -1, port);
}

bool sim_client_stop(struct sim_client **slot)
{
    int status = *slot && (*slot)->pid > 0 ? end_child((*slot)->pid, SIGTERM) : 0;

    client_free(slot);
    if (status != 0)
        fprintf(stderr, "sim_client: agent_sim ended with wait status %#x\n", (unsigned)status);
    return status == 0;
}

void sim_client_kill(struct sim_client **slot)
{
    if (*slot && (*slot)->pid > 0)
        (void)end_child((*slot)->pid, SIGKILL);
    client_free(slot);
}

pid_t sim_client_pid(const struct sim_client *c)
{
    return c->pid;
}

int sim_client_port(const struct sim_client *c)
{
    return c->port;
}

const char *sim_client_url(const struct sim_client *c)
{
    return c->url;
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *into)
{
    struct received *r = into;
    size_t len         = size * count;

    r->text = sim_base_resize(r->text, r->len + len + 1);
    memcpy(r->text + r->len, bytes, len);
    r->len += len;
    r->text[r->len] = '\0';
    return len;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *into)
{
    static const char NAME[] = "X-Sim-Next: ";
    struct received *r       = into;
    size_t len               = size * count;
    char line[64];

    if (len > sizeof NAME && len < sizeof line &&
        strncasecmp(bytes, NAME, sizeof NAME - 1) == 0) {
        memcpy(line, bytes, len);
        line[len] = '\0';
        r->next   = strtol(line + sizeof NAME - 1, NULL, 10);
    }
    return len;
}

/* false: no answer, or one that is not 200; stderr has it. */
static bool talk(struct sim_client *c, const char *method, const char *path, const char *json,
                 struct received *ret)
{
    char url[256];
    char trouble[CURL_ERROR_SIZE] = "";
    long status                   = 0;
    CURLcode code                 = CURLE_OK;

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d%s", c->port, path);
    curl_easy_reset(c->curl);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(c->curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, (long)CALL_TIMEOUT_S);
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, trouble);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, ret);
    curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, ret);
    if (json)
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, json);
    code = curl_easy_perform(c->curl);
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && status == 200)
        return true;
    fprintf(stderr, "sim_client: %s %s: %s%s\n", method, path, trouble,
            ret->text ? ret->text : "");
    return false;
}

json_t *sim_client_call(struct sim_client *c, const char *method, const char *path,
                        const char *json)
{
    struct received r = {0};
    json_t *body      = NULL;

    if (talk(c, method, path, json, &r) && r.text)
        body = json_loads(r.text, 0, NULL);
    sim_base_free(r.text);
    return body;
}

static bool told(struct sim_client *c, const char *path, const char *json)
{
    json_t *answer = sim_client_call(c, "POST", path, json);

    json_decref(answer);
    return answer != NULL;
}

bool sim_client_configure(struct sim_client *c, const char *json)
{
    return told(c, "/_sim/config", json);
}

bool sim_client_fault(struct sim_client *c, const char *json)
{
    return told(c, "/_sim/faults", json);
}

bool sim_client_reset(struct sim_client *c)
{
    return told(c, "/_sim/reset", "{}");
}

json_t *sim_client_record(struct sim_client *c)
{
    return sim_client_call(c, "GET", "/_sim/record", NULL);
}

int64_t sim_client_number(const json_t *record, const char *path)
{
    char key[64];

    while (record && *path) {
        size_t len = strcspn(path, ".");

        sim_base_copy(key, len < sizeof key ? len + 1 : sizeof key, path);
        record = json_object_get(record, key);
        path += len + (path[len] == '.');
    }
    return json_is_integer(record) ? json_integer_value(record) : -1;
}

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Asks at least once, also with no time at all. */
static bool wait_within(struct sim_client *c, const char *name, int64_t low, int64_t high,
                        int timeout_ms)
{
    long long until = now_ms() + timeout_ms;

    for (;;) {
        json_t *now   = sim_client_call(c, "GET", "/_sim/now", NULL);
        int64_t value = sim_client_number(now, name);

        json_decref(now);
        if (value >= low && value <= high)
            return true;
        if (now_ms() >= until)
            return false;
        pause_ms(POLL_MS);
    }
}

bool sim_client_wait_at_least(struct sim_client *c, const char *name, int64_t wanted,
                              int timeout_ms)
{
    return wait_within(c, name, wanted, INT64_MAX, timeout_ms);
}

bool sim_client_wait_at_most(struct sim_client *c, const char *name, int64_t wanted,
                             int timeout_ms)
{
    return wait_within(c, name, 0, wanted, timeout_ms);
}

static void put_lines(struct sim_judge *judge, const char *text, size_t len)
{
    const char *line = text;
    const char *stop = text + len;

    while (line < stop) {
        const char *end = memchr(line, '\n', (size_t)(stop - line));

        if (!end)
            end = stop;
        (void)sim_judge_put_line(judge, line, (size_t)(end - line));
        line = end + 1;
    }
}

struct sim_judge *sim_client_judge(struct sim_client *c)
{
    struct sim_judge *judge = sim_judge_new();
    long from               = 0;

    for (;;) {
        struct received r = {.next = -1};
        char path[64];

        (void)snprintf(path, sizeof path, "/_sim/events?from=%ld", from);

        bool ok = talk(c, "GET", path, NULL, &r);

        if (ok && r.text)
            put_lines(judge, r.text, r.len);
        sim_base_free(r.text);
        if (!ok)
            sim_judge_free(&judge);
        if (!ok || r.len == 0)
            return judge;
        from = r.next;
    }
}

struct sim_judge *sim_client_judge_file(const char *path)
{
    FILE *file = fopen(path, "re");

    if (!file)
        return NULL;

    struct sim_judge *judge = sim_judge_new();
    char *line              = NULL;
    size_t room             = 0;
    ssize_t len             = 0;

    while ((len = getline(&line, &room, file)) > 0)
        (void)sim_judge_put_line(judge, line, (size_t)len);
    sim_base_free(line);
    (void)fclose(file);
    return judge;
}
