#include "bw_upstream.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "run/run_upstream.h"
#include "wire/subject.h"

struct bw_upstreams {
    struct bus_follower *follower;
    struct map *known; /* name -> struct bw_upstream */
    bool ready;
};

/* ---- the secret -------------------------------------------------------------------------- */

static struct err refuse(char *why, size_t why_size, const char *text)
{
    str_copy(why, why_size, text);
    return err_of(ERR_REJECT, "read upstream");
}

/* A mounted secret often ends with a newline, which no header may hold. */
static struct err take_key(struct bw_upstream *u, const char *text, char *why, size_t why_size)
{
    size_t len = strlen(text);

    while (len && strchr(" \t\r\n", text[len - 1]))
        len--;
    if (len == 0)
        return refuse(why, why_size, "key: the secret is empty");
    if (!str_copy_n(u->key, sizeof u->key, text, len))
        return refuse(why, why_size, "key: the secret is longer than 511 bytes");
    for (const char *c = u->key; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return refuse(why, why_size, "key: the secret holds what no header may");
    return OK;
}

static struct err read_file(struct bw_upstream *u, const char *path, char *why, size_t why_size)
{
    char text[sizeof u->key + 64];
    int fd      = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (fd >= 0)
        (void)close(fd);
    if (len < 0) {
        str_format(why, why_size, "key.file: %.160s cannot be read on this worker", path);
        return err_of(ERR_REJECT, "read upstream");
    }
    text[len]    = '\0';
    struct err e = take_key(u, text, why, why_size);
    explicit_bzero(text, sizeof text);
    return e;
}

static struct err resolve_key(struct bw_upstream *u, const struct run_upstream *from, char *why,
                              size_t why_size)
{
    if (*from->key_file)
        return read_file(u, from->key_file, why, why_size);
    if (!*from->key_env)
        return OK;
    const char *text = getenv(from->key_env);
    if (text)
        return take_key(u, text, why, why_size);
    str_format(why, why_size, "key.env: %.64s is not set in this worker's environment",
               from->key_env);
    return err_of(ERR_REJECT, "read upstream");
}

/* ---- a value ----------------------------------------------------------------------------- */

struct err bw_upstream_read(struct bw_upstream *ret, const char *name, struct bytes value,
                            char *why, size_t why_size)
{
    struct run_upstream from;
    struct problem problem;

    struct err e = run_upstream_read(&from, name, value, &problem);
    if (failed(e)) {
        str_format(why, why_size, "%s", problem.detail);
        return e;
    }
    struct bw_upstream u = {.timeout_ms      = from.timeout_ms,
                            .session_idle_ms = from.session_idle_ms,
                            .sessions        = from.sessions,
                            .paused          = from.paused};
    str_copy(u.name, sizeof u.name, from.name);
    str_copy(u.driver, sizeof u.driver, from.driver);
    str_copy(u.profile, sizeof u.profile, from.profile);
    str_copy(u.url, sizeof u.url, from.url);
    str_copy(u.feature_402, sizeof u.feature_402, from.feature_402);
    e = resolve_key(&u, &from, why, why_size);
    if (!failed(e))
        *ret = u;
    return e;
}

static void forget(struct bw_upstreams *all, const char *name)
{
    struct bw_upstream *old = map_remove(all->known, name);

    if (!old)
        return;
    explicit_bzero(old->key, sizeof old->key);
    mem_free(&old);
}

static void on_value(void *self, struct bus_msg **msg)
{
    struct bw_upstreams *all = self;
    const char *name         = bus_kv_key(*msg);
    struct bw_upstream u;
    char why[256];

    if (!name)
        return;
    if (bus_kv_gone(*msg)) {
        forget(all, name);
        log_info("upstream removed", KV("upstream", name));
        return;
    }
    if (failed(bw_upstream_read(&u, name, (*msg)->body, why, sizeof why))) {
        log_warn("upstream value refused; the last good one stays", KV("upstream", name),
                 KV("why", why));
        return;
    }
    forget(all, name);
    (void)map_put(all->known, name, mem_copy(&u, sizeof u));
    explicit_bzero(u.key, sizeof u.key);
    log_info("upstream known", KV("upstream", name));
}

/* ---- following --------------------------------------------------------------------------- */

static void on_caught_up(void *self)
{
    struct bw_upstreams *all = self;

    all->ready = true;
}

static void forget_all(struct bw_upstreams *all)
{
    const char *name = NULL;
    void *value      = NULL;

    for (size_t it = 0; map_next(all->known, &it, &name, &value);)
        forget(all, name);
}

/* The bucket was made anew: what it holds now comes from the start. */
static void on_anew(void *self)
{
    struct bw_upstreams *all = self;

    forget_all(all);
}

/* From its oldest value on: behind one that is refused the last good one is found. */
struct bw_upstreams *bw_upstream_new(struct bus *bus)
{
    struct bw_upstreams *all       = mem_new(struct bw_upstreams);
    const struct bus_follow follow = {.stream       = "KV_" BUCKET_UPSTREAMS,
                                      .filter       = "$KV." BUCKET_UPSTREAMS ".>",
                                      .on_msg       = on_value,
                                      .on_caught_up = on_caught_up,
                                      .on_anew      = on_anew,
                                      .self         = all};

    all->known = map_new();
    if (failed(bus_follow(bus, &follow, &all->follower)))
        die(1, "browser-worker: cannot follow the upstreams");
    return all;
}

void bw_upstream_free(struct bw_upstreams **slot)
{
    struct bw_upstreams *all = take(slot);

    if (!all)
        return;
    bus_follow_end(&all->follower);
    forget_all(all);
    map_free(&all->known);
    mem_free(&all);
}

bool bw_upstream_ready(const struct bw_upstreams *all)
{
    return all->ready;
}

const struct bw_upstream *bw_upstream_find(const struct bw_upstreams *all, const char *name)
{
    return map_find(all->known, name);
}

bool bw_upstream_next(const struct bw_upstreams *all, size_t *it,
                      const struct bw_upstream **ret)
{
    void *value = NULL;

    if (!map_next(all->known, it, NULL, &value))
        return false;
    *ret = value;
    return true;
}
