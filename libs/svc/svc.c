#include "svc/svc.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "httpd/httpd.h"
#include "svc/svc_internal.h"

enum {
    UNHEARD_MS = 3000, /* without NATS before a line says so */
    RESIGN_MS  = 500,  /* for giving leaderships back when all else is done */

    CLOSE_TURNS   = 1000, /* of the loop, for handles to close */
    CLOSE_TURN_US = 1000,
};

/* ---- turns ---------------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Never 0: libuv calls the timers until none is due by the clock that it read before, so one that is always due
   keeps the loop in there for ever, and no signal and no request is seen any more. */
static void arm(struct svc *svc, uint64_t next)
{
    uint64_t now = svc_now(svc);

    if (svc->over || next == UINT64_MAX)
        uv_timer_stop(&svc->timer);
    else
        uv_timer_start(&svc->timer, svc->timer.timer_cb, next > now ? next - now : 1, 0);
}

static uint64_t complain(struct svc *svc, uint64_t now)
{
    if (svc->complained || bus_connected(svc->bus) || bus_connected_at(svc->bus))
        return UINT64_MAX;
    if (now < svc->started + UNHEARD_MS)
        return svc->started + UNHEARD_MS;
    svc->complained = true;
    if (!bus_denied(svc->bus)) /* of that the bus has spoken */
        log_warn("nats cannot be reached, trying on",
                 KV("at", str_url_place(svc->config.nats_url)));
    return UINT64_MAX;
}

static uint64_t drain_tick(struct svc *svc, uint64_t now);

/* One look at everything that goes by time; says when to look again. */
static void turn(struct svc *svc)
{
    uint64_t now = svc_now(svc), next = complain(svc, now);

    uv_idle_stop(&svc->soon); /* who pokes from now on wants another one */
    next = earlier(next, svc_stream_tick(svc->streams, now));
    next = earlier(next, svc_leader_tick(svc, now));
    if (svc->tick && !svc->over)
        next = earlier(next, svc->tick(svc->tick_self, now));
    next = earlier(next, drain_tick(svc, now));
    svc_health_look(svc->health);
    arm(svc, next);
}

static void on_timer(uv_timer_t *timer)
{
    turn(SELF(struct svc, SVC_MAGIC, timer->data));
}

static void on_soon(uv_idle_t *soon)
{
    turn(SELF(struct svc, SVC_MAGIC, soon->data));
}

static void on_burst(void *self)
{
    turn(SELF(struct svc, SVC_MAGIC, self));
}

void svc_tick(struct svc *svc, svc_tick_fn *fn, void *self)
{
    svc->tick      = fn;
    svc->tick_self = self;
    svc_poke(svc);
}

void svc_poke(struct svc *svc)
{
    if (!svc->over)
        uv_idle_start(&svc->soon, on_soon);
}

/* ---- NATS comes and goes ----------------------------------------------------------------------- */

static void on_state(void *self, bool connected)
{
    struct svc *svc = SELF(struct svc, SVC_MAGIC, self);

    if (connected) {
        log_info("nats reached", KV("ms", svc_now(svc) - svc->started));
        svc_stream_connected(svc->streams);
    } else {
        log_warn("nats lost", KV("worker", svc->instance));
    }
    svc_poke(svc);
}

void svc_on_ready(struct svc *svc, svc_ready_fn *fn, void *self)
{
    svc->on_ready   = fn;
    svc->ready_self = self;
}

bool svc_ready(const struct svc *svc)
{
    return bus_connected(svc->bus) && svc_stream_stand(svc->streams);
}

/* ---- the end ----------------------------------------------------------------------------------- */

static void stop(struct svc *svc)
{
    log_info("stopped", KV("worker", svc->instance), KV("ms", svc_now(svc) - svc->drain_since));
    svc->over = true;
    uv_timer_stop(&svc->timer);
    uv_idle_stop(&svc->soon);
    uv_check_stop(&svc->check);
    uv_stop(&svc->loop);
}

static void resign(struct svc *svc, uint64_t now)
{
    svc->resigning   = true;
    svc->drain_until = now + RESIGN_MS;
    svc_leader_resign_all(svc);
}

static uint64_t drain_tick(struct svc *svc, uint64_t now)
{
    if (!svc->draining || svc->over)
        return UINT64_MAX;

    bool late = now >= svc->drain_until;

    if (svc->resigning) {
        if (late || !svc_leader_busy(svc))
            stop(svc);
    } else if (late || (svc_micro_drained(svc->micro) &&
                        (!svc->drained || svc->drained(svc->drain_self)))) {
        if (late)
            log_warn("drain cut short", KV("ms", now - svc->drain_since));
        resign(svc, now);
    }
    return svc->over ? UINT64_MAX : svc->drain_until;
}

static void on_check(uv_check_t *check)
{
    struct svc *svc = SELF(struct svc, SVC_MAGIC, check->data);
    bool resigning  = svc->resigning;

    drain_tick(svc, svc_now(svc));
    if (svc->resigning != resigning)
        svc_poke(svc);
}

static void drain(struct svc *svc)
{
    if (svc->draining)
        return;
    svc->draining    = true;
    svc->drain_since = svc_now(svc);
    svc->drain_until = svc->drain_since + svc->config.drain_ms;
    svc_micro_drain(svc->micro);
    if (svc->drain_begin)
        svc->drain_begin(svc->drain_self);
    uv_check_start(&svc->check, on_check);
    svc_poke(svc);
}

/* From the second on a signal does what it does by default: it ends the process, also a stuck
   one. */
static void on_signal(uv_signal_t *signal, int number)
{
    struct svc *svc = SELF(struct svc, SVC_MAGIC, signal->data);

    uv_signal_stop(&svc->term);
    uv_signal_stop(&svc->interrupt);
    log_info("draining", KV("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"),
             KV("ms", svc->config.drain_ms));
    drain(svc);
}

void svc_on_drain(struct svc *svc, void (*begin)(void *self), svc_drained_fn *fn, void *self)
{
    svc->drain_begin = begin;
    svc->drained     = fn;
    svc->drain_self  = self;
}

bool svc_draining(const struct svc *svc)
{
    return svc->draining;
}

void svc_die(struct svc *svc, const char *why)
{
    log_error("this process cannot go on", KV("why", why));
    svc->status = 1;
    drain(svc);
}

int svc_run(struct svc *svc)
{
    while (!svc->over)
        uv_run(&svc->loop, UV_RUN_DEFAULT);
    return svc->status;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* <host>-<4 random>: only the host's first label, and only what may stand in a subject. */
static void name_instance(char at[SVC_INSTANCE_SIZE])
{
    char host[256]         = "", random[ID_SIZE];
    const char *short_name = host;

    gethostname(host, sizeof(host) - 1);
    host[strcspn(host, ".")]    = '\0';
    host[SVC_INSTANCE_SIZE - 6] = '\0';
    for (char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
            *c = '-';
    if (!host[0])
        short_name = "host";
    id_new(clk_wall_ms(), random);
    for (char *c = random; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    must(str_format(at, SVC_INSTANCE_SIZE, "%s-%s", short_name, random + ID_LEN - 4));
}

static enum log_level level_of(const char *word)
{
    static const char *const WORDS[] = {"debug", "info", "warn", "error"};

    for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++)
        if (str_equal(word, WORDS[i]))
            return (enum log_level)i;
    return LOG_LEVEL_INFO;
}

/* What is wrong ends the process, and so does --check when nothing is. */
static void load_config(struct svc *svc, int argc, char **argv)
{
    const struct svc_about *about       = svc->about;
    const struct config_table tables[2] = {{svc_config_keys, &svc->config},
                                           {about->keys, about->config}};
    size_t count                        = about->keys ? 2 : 1;
    bool check_only                     = false;
    char why[400]                       = "";

    config_load(about->name, about->summary, tables, count, argc, argv, &check_only);
    if (failed(svc_config_check(&svc->config, why, sizeof(why))) ||
        (about->check && failed(about->check(about->config, why, sizeof(why)))))
        die(2, "%s", why);
    if (check_only)
        die(0, "the configuration is good");
    log_setup(about->name, level_of(svc->config.log_level),
              str_equal(svc->config.log_format, "json") ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT);
    log_info("starting", KV("worker", svc->instance), KV("why", SLUICE_VERSION));
    config_log(tables, count);
}

static void open_loop(struct svc *svc)
{
    must(uv_loop_init(&svc->loop) == 0);
    must(uv_timer_init(&svc->loop, &svc->timer) == 0);
    must(uv_idle_init(&svc->loop, &svc->soon) == 0);
    must(uv_check_init(&svc->loop, &svc->check) == 0);
    must(uv_signal_init(&svc->loop, &svc->term) == 0);
    must(uv_signal_init(&svc->loop, &svc->interrupt) == 0);
    svc->timer.data = svc->soon.data = svc->check.data = svc;
    svc->term.data = svc->interrupt.data = svc;
    svc->timer.timer_cb                  = on_timer;
    must(uv_signal_start(&svc->term, on_signal, SIGTERM) == 0);
    must(uv_signal_start(&svc->interrupt, on_signal, SIGINT) == 0);
    signal(SIGPIPE, SIG_IGN);
}

static void open_http(struct svc *svc)
{
    if (!svc_config_listens(&svc->config))
        return;

    struct err e =
        httpd_open(&svc->httpd, &svc->loop, svc->config.http, svc_health_answer, svc);

    if (!failed(e))
        return;
    /* Nobody asked for this address: several services on one machine need nothing but NATS_URL. */
    if (str_equal(svc->config.http, SVC_HTTP_DEFAULT)) {
        log_warn("no /livez, /readyz and /metrics: their address is taken; set SLUICE_HTTP",
                 KV("at", svc->config.http));
        return;
    }
    die(1, "SLUICE_HTTP: cannot listen on %s (%s); name a free address, or off",
        svc->config.http, e.from == ERR_FROM_ERRNO ? strerror(e.code) : e.what);
}

static void open_bus(struct svc *svc)
{
    const struct svc_config *c     = &svc->config;
    const struct bus_config config = {
        .url       = c->nats_url,
        .creds     = c->nats_creds,
        .user_file = c->nats_user_file,
        .ca        = c->nats_ca,
        .name      = svc->about->name,
    };
    char text[128];
    struct err e = bus_open(&svc->bus, &svc->loop, &config);

    if (failed(e))
        die(2, "NATS_URL: %s cannot be used: %s", str_url_place(svc->config.nats_url),
            err_text(e, text, sizeof(text)));
}

struct svc *svc_new(const struct svc_about *about, int argc, char **argv)
{
    fd_take_standard();

    struct svc *svc = mem_new(struct svc);

    svc->magic           = SVC_MAGIC;
    svc->about           = about;
    svc->started_wall_ms = clk_wall_ms();
    list_init(&svc->leaders);
    id_new(svc->started_wall_ms, svc->id);
    name_instance(svc->instance);
    load_config(svc, argc, argv);
    open_loop(svc);
    svc->health  = svc_health_new(svc);
    svc->metrics = svc_metric_new();
    svc->streams = svc_stream_new(svc);
    open_bus(svc);
    svc->started = svc_now(svc);
    svc->micro   = svc_micro_new(svc);
    open_http(svc);
    bus_on_state(svc->bus, on_state, svc);
    bus_on_burst(svc->bus, on_burst, svc);
    if (bus_connected(svc->bus))
        svc_stream_connected(svc->streams);
    svc_poke(svc);
    return svc;
}

static void close_handle(uv_handle_t *handle, void *self)
{
    (void)self;
    if (!uv_is_closing(handle))
        log_warn("a handle was left open", KV("why", uv_handle_type_name(handle->type)));
}

void svc_free(struct svc **slot)
{
    struct svc *svc = take(slot);

    if (!svc)
        return;
    must(list_empty(&svc->leaders));
    svc->over = true;
    svc_micro_free(&svc->micro);
    httpd_free(&svc->httpd);
    struct bus *bus = svc->bus;
    bus_free(&bus); /* who asked is told by it still what became of that */
    svc->bus = NULL;
    uv_close((uv_handle_t *)&svc->timer, NULL);
    uv_close((uv_handle_t *)&svc->soon, NULL);
    uv_close((uv_handle_t *)&svc->check, NULL);
    uv_close((uv_handle_t *)&svc->term, NULL);
    uv_close((uv_handle_t *)&svc->interrupt, NULL);
    /* What is being closed may wait for a child process of ours to be gone. */
    for (int i = 0; i < CLOSE_TURNS && uv_run(&svc->loop, UV_RUN_NOWAIT); i++)
        usleep(CLOSE_TURN_US);
    uv_walk(&svc->loop, close_handle, svc);
    if (uv_loop_close(&svc->loop) != 0)
        log_warn("the loop is still in use", KV("worker", svc->instance));
    svc_stream_free(&svc->streams);
    svc_health_free(&svc->health);
    svc_metric_free(&svc->metrics);
    mem_free(&svc);
}

void svc_metrics(struct svc *svc, const char *prefix, const struct svc_metric *table,
                 size_t count, const void *values, void (*before)(void *self), void *self)
{
    svc_metric_add(svc->metrics, prefix, table, count, values, before, self);
}

struct bus *svc_bus(const struct svc *svc)
{
    return svc->bus;
}

struct uv_loop_s *svc_loop(const struct svc *svc)
{
    return (struct uv_loop_s *)&svc->loop;
}

uint64_t svc_now(const struct svc *svc)
{
    return svc->bus ? bus_now(svc->bus) : uv_now(&svc->loop);
}

const char *svc_instance(const struct svc *svc)
{
    return svc->instance;
}
