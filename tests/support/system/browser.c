#include "support/system/browser.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dirent.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/free_port.h"
#include "support/system/client.h"
#include "support/system/proc.h"
#include "support/system/world.h"

enum { READY_MS = 20000, CALL_S = 20, TEXT_MAX = 8192 };

/* ---- services -------------------------------------------------------------------------------- */

struct world *browser_world(void **state, const char *name, unsigned workers)
{
    struct world *w = world_new(state, name);

    world_env(w, "SLUICE_REAP", "1s");
    world_env(w, "SLUICE_SLOTS", "10");
    (void)world_begin(w, "gateway");
    struct proc *scheduler = world_begin(w, "scheduler");
    struct proc *limiter   = world_begin(w, "limiter");
    for (unsigned n = 0; n < workers; n++)
        (void)world_begin(w, "browser-worker");
    for (size_t i = 0; i < w->proc_count; i++)
        WORLD_WAIT(w, READY_MS, proc_said(w->procs[i], "msg=ready"));
    WORLD_WAIT(w, READY_MS,
               proc_said(scheduler, "msg=deciding") && proc_said(limiter, "msg=deciding"));
    client_put(w->client, "sluice_tenants", "dev", "{\"tier\":\"pro\",\"private_net\":true}");
    client_put(w->client, "sluice_tenants", "acme", "{\"tier\":\"pro\"}");
    return w;
}

/* ---- chromedriver and the shop ------------------------------------------------------------------ */

static struct proc *begin(struct world *w, const char *name, const char *program)
{
    struct proc *p  = calloc(1, sizeof(*p));
    const char *bin = getenv("SLUICE_TEST_BIN");
    char path[PROC_PATH_MAX];

    assert_non_null(bin);
    assert_true(w->proc_count < WORLD_PROCS_MAX);
    snprintf(p->name, sizeof(p->name), "%s", name);
    snprintf(p->log, sizeof(p->log), "%s/%s.log", w->folder, name);
    snprintf(path, sizeof(path), "%s/%s", bin, program);
    proc_arg(p, path);
    w->procs[w->proc_count++] = p;
    return p;
}

static unsigned port_said(struct world *w, struct proc *p, const char *line)
{
    WORLD_WAIT(w, READY_MS, proc_said(p, line));
    char *text    = proc_log(p);
    unsigned port = (unsigned)atoi(strstr(text, line) + strlen(line));
    free(text);
    return port;
}

struct browser *browser_start(struct world *w)
{
    struct browser *b = calloc(1, sizeof(*b));
    char port[32], proxy[64];

    b->world = w;
    b->shop  = begin(w, "shop", "shop_server");
    proc_start(b->shop);
    b->shop_port = port_said(w, b->shop, "shop listening on http://127.0.0.1:");

    b->container = begin(w, "chromedriver", "container");
    b->port      = free_port(); /* the same when it is started again */
    snprintf(port, sizeof(port), "--port=%u", b->port);
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", b->shop_port);
    proc_arg(b->container, "chromedriver");
    proc_arg(b->container, port);
    proc_env(b->container, "http_proxy", proxy);
    proc_env(b->container, "https_proxy", proxy);
    proc_start(b->container);
    WORLD_WAIT(w, READY_MS, browser_sessions(b) == 0);
    return b;
}

void browser_free(struct browser **slot)
{
    free(*slot);
    *slot = NULL;
}

/* ---- what is said to Sluice ------------------------------------------------------------------------ */

/* CHROME and SHOP become what they stand for. */
static void fill(const struct browser *b, const char *text, char *to, size_t size)
{
    const struct {
        const char *word;
        unsigned port;
    } WORDS[]  = {{"CHROME", b->port}, {"SHOP", b->shop_port}};
    size_t len = 0;

    for (; *text; text++) {
        size_t i = 0;
        while (i < 2 && strncmp(text, WORDS[i].word, strlen(WORDS[i].word)) != 0)
            i++;
        assert_true(len + 40 < size);
        if (i < 2) {
            len += (size_t)snprintf(to + len, size - len, "http://127.0.0.1:%u", WORDS[i].port);
            text += strlen(WORDS[i].word) - 1;
        } else {
            to[len++] = *text;
        }
    }
    to[len] = '\0';
}

void browser_put(struct browser *b, const char *fields)
{
    char value[TEXT_MAX];

    fill(b, fields, value, sizeof(value));
    client_put(b->world->client, "sluice_upstreams", "chrome", value);
    WORLD_WAIT(b->world, READY_MS, client_knows(b->world->client, "dev", "chrome"));
}

void browser_submit(struct browser *b, const char *tenant, const char *body, char ret_run[27])
{
    char text[TEXT_MAX];

    fill(b, body, text, sizeof(text));
    client_submit(b->world->client, tenant, text, ret_run);
}

/* ---- what they know -------------------------------------------------------------------------------- */

struct text {
    char at[1 << 16];
    size_t len;
};

static size_t on_bytes(char *at, size_t one, size_t count, void *self)
{
    struct text *t = self;
    size_t len     = one * count;

    if (t->len + len >= sizeof(t->at))
        return 0;
    memcpy(t->at + t->len, at, len);
    t->len += len;
    t->at[t->len] = '\0';
    return len;
}

/* NULL: no answer.  A text to be freed. */
static struct text *get(unsigned port, const char *path)
{
    struct text *t = calloc(1, sizeof(*t));
    CURL *curl     = curl_easy_init();
    char url[256];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)CALL_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    if (curl_easy_perform(curl) != CURLE_OK) {
        free(t);
        t = NULL;
    }
    curl_easy_cleanup(curl);
    return t;
}

int browser_sessions(struct browser *b)
{
    struct text *t = get(b->port, "/sessions");
    json_t *doc    = t ? json_loads(t->at, 0, NULL) : NULL;
    int count      = doc ? (int)json_array_size(json_object_get(doc, "value")) : -1;

    json_decref(doc);
    free(t);
    return count;
}

unsigned browser_visits(struct browser *b, const char *path)
{
    char query[128];

    snprintf(query, sizeof(query), "/visits?of=%s", path);
    struct text *t = get(b->shop_port, query);
    unsigned count = t ? (unsigned)atoi(t->at) : 0;
    free(t);
    return count;
}

unsigned browser_orders(struct browser *b, const char *key)
{
    struct text *t       = get(b->shop_port, "/orders");
    json_t *doc          = t ? json_loads(t->at, 0, NULL) : NULL;
    const json_t *orders = json_object_get(doc, "orders");
    unsigned count       = 0;

    for (size_t i = 0; i < json_array_size(orders); i++) {
        const json_t *order = json_array_get(orders, i);
        if (strcmp(json_string_value(json_object_get(order, "key")), key) == 0)
            count = (unsigned)json_integer_value(json_object_get(order, "count"));
    }
    json_decref(doc);
    free(t);
    return count;
}

/* ---- processes ---------------------------------------------------------------------------------------- */

static pid_t parent_of(pid_t pid)
{
    char path[64], line[512] = "", state;
    int parent = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *from = fopen(path, "re");
    if (!from)
        return 0;
    if (fgets(line, sizeof(line), from) && strrchr(line, ')'))
        (void)sscanf(strrchr(line, ')') + 1, " %c %d", &state, &parent);
    fclose(from);
    return parent;
}

static bool runs(pid_t pid, char ret_name[64])
{
    char path[64], line[512] = "";

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    FILE *from = fopen(path, "re");
    if (!from)
        return false;
    size_t len = fread(line, 1, sizeof(line) - 1, from); /* argv[0] ends with a zero */
    fclose(from);
    const char *name = strrchr(line, '/');
    snprintf(ret_name, 64, "%.63s", name ? name + 1 : line);
    return len > 0;
}

/* Debian's is chromium, others' chrome; what only reports crashes is none. */
static bool is_wanted(const char *name, bool driver)
{
    bool is_driver = strcmp(name, "chromedriver") == 0;

    return driver ? is_driver
                  : !is_driver && strncmp(name, "chrom", 5) == 0 && !strchr(name, '_');
}

/* chromedriver, or its browsers, below the container; one of them in ret. */
static unsigned count_below(const struct browser *b, bool driver, pid_t *ret)
{
    DIR *proc      = opendir("/proc");
    unsigned count = 0;
    char name[64];

    for (struct dirent *d; proc && (d = readdir(proc));) {
        pid_t pid = (pid_t)strtol(d->d_name, NULL, 10), above = pid;
        if (pid <= 1 || !runs(pid, name) || !is_wanted(name, driver))
            continue;
        while (above > 1 && above != b->container->pid)
            above = parent_of(above);
        if (above != b->container->pid)
            continue;
        count++;
        if (ret)
            *ret = pid;
    }
    if (proc)
        closedir(proc);
    return count;
}

unsigned browser_processes(struct browser *b)
{
    return count_below(b, false, NULL);
}

void browser_kill(struct browser *b)
{
    pid_t pid = 0;

    assert_int_equal(count_below(b, true, &pid), 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
}
