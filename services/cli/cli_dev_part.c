#include "cli_dev_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli_dev_show.h"
#include "cli_guard.h"
#include "cli_port.h"

enum { PART_MAGIC = 0x70617274, SETTINGS_MAX = 12, CONF_MAX = 8192 };

/* ---- where programs are ----------------------------------------------------------------------- */

static bool runnable(const char *path)
{
    return access(path, X_OK) == 0;
}

static bool on_path(const char *program, char ret[PATH_MAX])
{
    const char *at = getenv("PATH");

    for (size_t len; at && *at; at += len + (at[len] == ':')) {
        len = strcspn(at, ":");
        if (str_format(ret, PATH_MAX, "%.*s/%s", (int)len, at, program) && runnable(ret))
            return true;
    }
    return false;
}

/* The folder of this program, links followed. */
static void own_folder(char ret[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);

    ret[n > 0 ? n : 0] = '\0';
    char *slash        = strrchr(ret, '/');

    if (slash)
        *slash = '\0';
}

static bool find_nats_server(char ret[PATH_MAX])
{
    const char *named = getenv("SLUICE_NATS_SERVER");
    char folder[PATH_MAX];

    if (named && *named)
        return str_copy(ret, PATH_MAX, named) && runnable(ret);
    own_folder(folder);
    return (str_format(ret, PATH_MAX, "%s/../../deps/bin/nats-server", folder) &&
            runnable(ret)) ||
           (str_format(ret, PATH_MAX, "%s/../deps/bin/nats-server", folder) && runnable(ret)) ||
           on_path("nats-server", ret);
}

static bool find_chromedriver(char ret[PATH_MAX])
{
    return on_path("chromedriver", ret) ||
           (str_copy(ret, PATH_MAX, "/usr/bin/chromedriver") && runnable(ret));
}

static bool chromium_there(void)
{
    char path[PATH_MAX];

    return on_path("chromium", path) || on_path("chromium-browser", path) ||
           on_path("google-chrome", path) || runnable("/usr/bin/chromium");
}

/* ---- what they say ---------------------------------------------------------------------------------------- */

static bool says_ready(const struct cli_dev_part *part, const char *line)
{
    switch (part->stage) {
    case CLI_DEV_NATS:
        return strstr(line, "Server is ready") != NULL;
    case CLI_DEV_CHROME:
        return strstr(line, "was started successfully") != NULL;
    case CLI_DEV_WORKERS:
    case CLI_DEV_SCHEDULER:
    case CLI_DEV_LIMITER:
    case CLI_DEV_GATEWAY:
    case CLI_DEV_STAGES:
        break;
    }
    return strstr(line, " msg=ready ") != NULL || strstr(line, "\"msg\":\"ready\"") != NULL;
}

/* One line of a part tells its readiness, and its port. */
static void hear(struct cli_dev_part *part, const char *line)
{
    unsigned port = 0;

    if (part->ready || !says_ready(part, line))
        return;
    part->ready    = true;
    const char *at = strstr(line, "port");

    if (at && part->port == 0 && sscanf(at, "port%*[\":=]%u", &port) == 1)
        part->port = (uint16_t)port;
}

/* ---- one part --------------------------------------------------------------------------------- */

static void on_line(void *self, const char *line)
{
    struct cli_dev_part *part = SELF(struct cli_dev_part, PART_MAGIC, self);

    hear(part, line);
    cli_dev_show_line(part, line);
}

static struct cli_dev_part *add_part(struct cli_dev *dev, enum cli_dev_stage stage,
                                     const char *name, const char *path)
{
    must(dev->part_count < CLI_DEV_PARTS_MAX);
    struct cli_dev_part *part = dev->parts[dev->part_count++] = mem_new(struct cli_dev_part);

    part->magic = PART_MAGIC;
    part->dev   = dev;
    part->stage = stage;
    str_copy(part->name, sizeof(part->name), name);
    str_copy(part->path, sizeof(part->path), path);
    part->argv[0] = part->path;
    cli_child_init(&part->child, on_line, part);
    return part;
}

void cli_dev_part_free(struct cli_dev *dev)
{
    while (dev->part_count > 0) {
        struct cli_dev_part *part = dev->parts[--dev->part_count];

        cli_child_env_free(&part->env);
        for (size_t i = 1; i < CLI_DEV_ARGS_MAX && part->argv[i]; i++)
            mem_free(&part->argv[i]);
        mem_free(&part);
    }
}

/* ---- nats-server ---------------------------------------------------------------------------------- */

static void add_escaped(struct buf *to, const char *s)
{
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_char(to, '\\');
        buf_char(to, *s);
    }
}

/* The streams ask for 3 GiB together (wire_stream.h), and a payload above the gateway's bound is
   to be answered by the gateway, not by a broken connection. */
static bool write_conf(struct cli_dev *dev)
{
    AUTO(buf_deinit) struct buf text;
    FILE *file;

    buf_init(&text, CONF_MAX);
    buf_str(&text, "# Written by sluice dev at each start.\nserver_name: sluice-dev\n");
    buf_printf(&text, "listen: \"127.0.0.1:%u\"\nmax_payload: 4MB\n", dev->nats_port);
    buf_str(&text, "jetstream {\n  store_dir: \"");
    add_escaped(&text, dev->store);
    buf_str(&text, "/nats\"\n  max_file_store: 4GB\n  max_memory_store: 256MB\n}\n");

    if (text.full ||
        !str_format(dev->conf, sizeof(dev->conf), "%s/nats-server.conf", dev->store))
        return false;
    file = fopen(dev->conf, "we");
    if (!file)
        return false;
    bool written = fwrite(text.at, 1, text.len, file) == text.len;
    return fclose(file) == 0 && written;
}

static bool add_nats(struct cli_dev *dev)
{
    char path[PATH_MAX];

    if (!find_nats_server(path)) {
        fprintf(stderr,
                "sluice dev: there is no nats-server: ./dev setup gets one, or name it in "
                "SLUICE_NATS_SERVER, or use one that runs: --no-nats\n");
        return false;
    }
    if (!write_conf(dev)) {
        fprintf(stderr, "sluice dev: cannot write into %s: name another folder with --store\n",
                dev->store);
        return false;
    }
    struct cli_dev_part *part = add_part(dev, CLI_DEV_NATS, "nats", path);
    const char *none[]        = {NULL};

    part->argv[1] = mem_strdup("-c");
    part->argv[2] = mem_strdup(dev->conf);
    part->port    = dev->nats_port;
    part->env     = cli_child_env(none);
    return true;
}

/* ---- services --------------------------------------------------------------------------------------- */

static void set(const char **settings, const char *name, const char *value, bool always)
{
    size_t n = 0;

    if (!always && getenv(name) && *getenv(name))
        return;
    while (settings[n])
        n++;
    must(n < SETTINGS_MAX - 1);
    settings[n] = mem_printf("%s=%s", name, value);
}

static char **service_env(const struct cli_dev_part *part)
{
    const struct cli_dev *dev          = part->dev;
    const char *settings[SETTINGS_MAX] = {NULL};
    char http[32];

    str_format(http, sizeof(http), "127.0.0.1:%u", part->port);
    set(settings, "NATS_URL", dev->url, true);
    set(settings, "SLUICE_HTTP", http, true);
    set(settings, "SLUICE_TENANTS", "open", false);
    set(settings, "SLUICE_DRAIN", "5s", false);
    if (dev->quiet)
        set(settings, "LOG_LEVEL", "info", true);
    if (dev->cli->creds)
        set(settings, "NATS_CREDS", dev->cli->creds, true);
    if (part->stage == CLI_DEV_WORKERS && dev->slots)
        set(settings, "SLUICE_SLOTS", dev->slots, true);

    char **env = cli_child_env(settings);

    for (size_t i = 0; settings[i]; i++)
        mem_free(&settings[i]);
    return env;
}

static void add_service(struct cli_dev *dev, const char *service)
{
    static const struct {
        const char *service;
        enum cli_dev_stage stage;
    } KNOWN[] = {
        {"gateway", CLI_DEV_GATEWAY},
        {"scheduler", CLI_DEV_SCHEDULER},
        {"limiter", CLI_DEV_LIMITER},
        {"browser-worker", CLI_DEV_WORKERS},
    };
    char folder[PATH_MAX], path[PATH_MAX], name[32];
    size_t n = 0;

    while (n < sizeof(KNOWN) / sizeof(*KNOWN) && !str_equal(KNOWN[n].service, service))
        n++;
    if (n == sizeof(KNOWN) / sizeof(*KNOWN)) {
        cli_dev_show(dev, "SLUICE_SERVICES names \"%.40s\", which is no service", service);
        return;
    }
    own_folder(folder);
    if (!str_format(path, sizeof(path), "%s/sluice-%s", folder, service) || !runnable(path)) {
        cli_dev_show(dev, "warning: there is no program %s; going on without it", path);
        return;
    }

    unsigned count = KNOWN[n].stage == CLI_DEV_WORKERS ? dev->workers : 1;

    for (unsigned i = 1; i <= count; i++) {
        if (KNOWN[n].stage == CLI_DEV_WORKERS)
            str_format(name, sizeof(name), "worker-%u", i);
        else
            str_copy(name, sizeof(name), service);

        struct cli_dev_part *part = add_part(dev, KNOWN[n].stage, name, path);

        part->port = KNOWN[n].stage == CLI_DEV_GATEWAY ? dev->http_port : 0;
        part->env  = service_env(part);
    }
}

static void add_services(struct cli_dev *dev)
{
    const char *at = getenv("SLUICE_SERVICES");
    char name[64];

    if (!at || !*at)
        at = "gateway,scheduler,limiter,browser-worker";
    for (size_t len; *at; at += len + (at[len] == ',')) {
        len = strcspn(at, ",");
        str_copy_n(name, sizeof(name), at, len);
        if (*name)
            add_service(dev, name);
    }
}

/* ---- chromedriver ------------------------------------------------------------------------------------- */

static bool add_chrome(struct cli_dev *dev)
{
    char path[PATH_MAX];
    const char *none[] = {NULL};

    if (!find_chromedriver(path) || !chromium_there()) {
        fprintf(stderr,
                "sluice dev: --chrome needs chromedriver and Chromium; on Debian: apt-get "
                "install chromium chromium-driver\n");
        return false;
    }
    dev->chrome_port = cli_port_find();

    struct cli_dev_part *part = add_part(dev, CLI_DEV_CHROME, "chromedriver", "/proc/self/exe");

    part->argv[1] = mem_strdup(CLI_GUARD_WORD);
    part->argv[2] = mem_strdup(path);
    part->argv[3] = mem_printf("--port=%u", dev->chrome_port);
    part->port    = dev->chrome_port;
    part->env     = cli_child_env(none);
    return true;
}

bool cli_dev_part_all(struct cli_dev *dev)
{
    if (!dev->no_nats && !add_nats(dev))
        return false;
    add_services(dev);
    return !dev->chrome || add_chrome(dev);
}
