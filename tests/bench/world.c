#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <jansson.h>

#include "bench.h"
#include "support/free_port.h"

enum { READY_MS = 10000 };

double bench_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void give_up(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    _exit(1); /* the children die with us */
}

static pid_t spawn(const struct bench_world *w, const char *name, char *const argv[])
{
    char log[BENCH_PATH_MAX];
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(log, sizeof log, "%s/%s.log", w->folder, name);
    int fd = open(log, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    if (fd >= 0) {
        dup2(fd, 1);
        dup2(fd, 2);
    }
    setenv("NATS_URL", w->url, 1);
    setenv("SLUICE_HTTP", "off", 1);
    setenv("SLUICE_TENANTS", "open", 1);
    setenv("LOG_LEVEL", "warn", 1);
    setenv("SLUICE_SLOTS", "1000", 1);
    execv(argv[0], argv);
    _exit(127);
}

static bool answers(struct bench_world *w, const char *name)
{
    char subject[80];
    natsMsg *msg = NULL;

    snprintf(subject, sizeof subject, "$SRV.PING.sluice-%s", name);
    natsStatus s = natsConnection_RequestString(&msg, w->nc, subject, "", 200);
    natsMsg_Destroy(msg);
    return s == NATS_OK;
}

double bench_service(struct bench_world *w, const char *name, pid_t *ret)
{
    char program[BENCH_PATH_MAX];
    double begun = bench_now_ms();

    snprintf(program, sizeof program, "%s/sluice-%s", w->bin, name);
    *ret = spawn(w, name, (char *[]){program, NULL});
    while (!answers(w, name)) {
        if (bench_now_ms() - begun > READY_MS || waitpid(*ret, NULL, WNOHANG) != 0)
            give_up("a service does not come up; see its log in build/bench");
        usleep(1000);
    }
    return bench_now_ms() - begun;
}

void bench_world_start(struct bench_world *w)
{
    char config[BENCH_PATH_MAX], own[BENCH_PATH_MAX - 100];
    ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);

    own[len > 0 ? len : 0] = 0;
    char *tail             = strstr(own, "/release/");
    if (!tail)
        give_up("sluice-bench belongs to the release build");
    *tail = 0; /* …/build */
    snprintf(w->bin, sizeof w->bin, "%s/release/bin", own);
    snprintf(w->server, sizeof w->server, "%s/deps/bin/nats-server", own);
    snprintf(w->folder, sizeof w->folder, "%s/bench/run-%d", own, (int)getpid());
    snprintf(config, sizeof config, "%s/bench", own);
    (void)mkdir(config, 0755);
    (void)mkdir(w->folder, 0755);
    int port = free_port();
    snprintf(w->url, sizeof w->url, "nats://127.0.0.1:%d", port);
    snprintf(config, sizeof config, "%s/nats.conf", w->folder);
    FILE *f = fopen(config, "w");
    if (!f)
        give_up("cannot write into build/bench");
    int monitor = free_port();
    snprintf(w->varz, sizeof w->varz, "http://127.0.0.1:%d/varz", monitor);
    fprintf(f,
            "listen: 127.0.0.1:%d\nhttp: 127.0.0.1:%d\njetstream { store_dir: \"%s/store\" }\n",
            port, monitor, w->folder);
    fclose(f);
    w->nats = spawn(w, "nats-server", (char *[]){w->server, (char *)"-c", config, NULL});
    for (double begun = bench_now_ms(); natsConnection_ConnectTo(&w->nc, w->url) != NATS_OK;) {
        if (bench_now_ms() - begun > READY_MS)
            give_up("nats-server does not come up: ./dev setup");
        usleep(5000);
    }
    if (natsConnection_JetStream(&w->js, w->nc, NULL) != NATS_OK)
        give_up("no JetStream");
}

static size_t on_data(char *data, size_t size, size_t count, void *self)
{
    return fwrite(data, size, count, self);
}

static json_t *varz(const struct bench_world *w)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to   = open_memstream(&text, &len);
    CURL *curl = curl_easy_init();

    curl_easy_setopt(curl, CURLOPT_URL, w->varz);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, to);
    CURLcode got = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    fclose(to);
    json_t *doc = got == CURLE_OK ? json_loadb(text, len, 0, NULL) : NULL;
    free(text);
    if (!doc)
        give_up("nats-server does not say how many messages there were");
    return doc;
}

double bench_messages(struct bench_world *w)
{
    natsStatistics *own = NULL;
    uint64_t in = 0, out = 0;
    json_t *doc = varz(w);
    double all  = json_number_value(json_object_get(doc, "in_msgs")) +
                 json_number_value(json_object_get(doc, "out_msgs"));

    natsStatistics_Create(&own);
    natsConnection_GetStats(w->nc, own);
    natsStatistics_GetCounts(own, &in, NULL, &out, NULL, NULL);
    natsStatistics_Destroy(own);
    json_decref(doc);
    return all - (double)in - (double)out;
}

static void stop(pid_t *pid)
{
    if (*pid <= 0)
        return;
    kill(*pid, SIGTERM);
    for (int i = 0; i < 300 && waitpid(*pid, NULL, WNOHANG) == 0; i++)
        usleep(10000);
    kill(*pid, SIGKILL);
    *pid = 0;
}

void bench_world_stop(struct bench_world *w)
{
    stop(&w->worker);
    stop(&w->scheduler);
    stop(&w->limiter);
    stop(&w->gateway);
    jsCtx_Destroy(w->js);
    natsConnection_Destroy(w->nc);
    stop(&w->nats);
    char command[BENCH_PATH_MAX];
    snprintf(command, sizeof command, "rm -rf '%s/store'", w->folder);
    if (system(command) != 0)
        fprintf(stderr, "bench: the store in %s was not removed\n", w->folder);
}

long bench_rss_kib(pid_t pid)
{
    char path[64], line[256];
    long kib = 0;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

double bench_cpu_ms(pid_t pid)
{
    char path[64];
    unsigned long user = 0, sys = 0;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                    &user, &sys) != 2)
        user = sys = 0;
    if (f)
        fclose(f);
    return (double)(user + sys) * 1000.0 / (double)sysconf(_SC_CLK_TCK);
}
