#include "bw.h"

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "bw_adrift.h"
#include "bw_reap.h"
#include "bw_run.h"
#include "bw_table.h"
#include "bw_upstream.h"
#include "json/json.h"

enum {
    INFO_MAGIC      = 0x6277696e,
    STATUS_MS       = 1000,
    INFO_MS         = 5000, /* how often the lease time is read again */
    EVAL_CHILDREN   = 2,
    LEASE_PRESET_MS = 15000, /* until the pool's consumer was read */
    UNHEARD_MS = 1000, /* after a reconnect, until a beat is confirmed and pulling goes on */
    RELEASE_MS = 2000, /* of a drain, for giving runs back; of a short one a fifth */
};

METRIC_REGISTER(show_metrics, "worker_", bw_metrics, BW_METRICS)

/* ---- what we say of ourselves ------------------------------------------------------------------------- */

static void send_status(struct bw *bw)
{
    struct worker_status status = {.slots    = (uint32_t)bw->config->slots,
                                   .busy     = (uint32_t)bw->held,
                                   .draining = svc_draining(bw->svc)};
    char subject[SUBJECT_SIZE];
    struct buf body;

    str_copy(status.worker, sizeof status.worker, bw->worker);
    str_copy(status.pool, sizeof status.pool, bw->config->pool);
    str_copy(status.version, sizeof status.version, SLUICE_VERSION);
    buf_init(&body, 1024);
    wire_write_worker_status(&status, &body);
    const struct bus_out out = {subject_status(subject, bw->worker), buf_bytes(&body), NULL, 0};
    (void)bus_send(bw->bus, &out);
    buf_deinit(&body);
}

void bw_room(struct bw *bw)
{
    if (bw->over)
        return;
    size_t free_slots = bw->held < bw->config->slots ? bw->config->slots - bw->held : 0;
    bool pull = bw->pulling && !svc_draining(bw->svc) && bw_upstream_ready(bw->upstreams);

    if (bw->consumer)
        bus_consumer_room(bw->consumer, pull ? (uint32_t)free_slots : 0);
    bw->status_dirty = true;
    svc_poke(bw->svc);
}

/* ---- jobs ------------------------------------------------------------------------------------------------ */

static void on_job(void *self, struct bus_msg **msg)
{
    struct bw *bw = self;

    bw_run_deliver(bw, msg);
    bw_room(bw);
}

/* A redelivery is how the server says that it doubts: answered by whoever holds the run.  Beats go on. */
static void on_gap(void *self, const char *why)
{
    struct bw *bw = self;

    log_info("deliveries interrupted", KV("why", why));
    bw->beat_at = 0;
    svc_poke(bw->svc);
}

static void on_state(void *self, bool connected)
{
    struct bw *bw = self;

    /* After a reconnect heartbeat first, and pull only when the beats are confirmed: else the server gives us runs that
       we ourselves still hold. */
    bw->pulling = false;
    bw->beat_at = 0;
    if (connected)
        bw->reconnected_at = bus_now(bw->bus);
    bw_room(bw);
}

static bool beats_confirmed(const struct bw *bw)
{
    LIST_EACH(&bw->all, it)
    {
        const struct bw_run *run = LIST_OWNER(it, struct bw_run, link);
        if (!run->over && run->beat_confirmed_ms < bw->reconnected_at)
            return false;
    }
    return true;
}

/* ---- the lease time ------------------------------------------------------------------------------------------ */

static struct err on_info(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw *bw    = LIST_OWNER(op, struct bw, info);
    struct json *doc = NULL;
    char why[JSON_WHY_SIZE];

    if (failed(reply->err) || failed(json_parse(&doc, reply->body, why, sizeof why)))
        return OK;
    int64_t ns = json_int(json_get(json_get(doc, "config"), "ack_wait"));
    if (ns > 0)
        bw->lease_ms = (uint64_t)ns / 1000000;
    json_free(&doc);
    return OK;
}

static void read_lease(struct bw *bw, uint64_t now)
{
    char call[160];

    if (now < bw->info_at || !bus_op_parked(&bw->info))
        return;
    bw->info_at = now + INFO_MS;
    str_format(call, sizeof call, "CONSUMER.INFO.%s.%s", STREAM_JOBS, bw->config->pool);
    (void)bus_api(&bw->info, call, bytes_str(""), on_info);
}

static void info_end(struct bus_op *op, struct err e)
{
    (void)op, (void)e;
}

/* ---- the tick --------------------------------------------------------------------------------------------------- */

static void beat_all(struct bw *bw, uint64_t now)
{
    bw->beat_at = now + (bw->pulling ? bw->lease_ms / 3 : UNHEARD_MS);
    LIST_EACH_SAFE(&bw->all, it)
    bw_run_beat(LIST_OWNER(it, struct bw_run, link), now);
}

static void end_overdue(struct bw *bw)
{
    LIST_EACH_SAFE(&bw->all, it)
    bw_run_overdue(LIST_OWNER(it, struct bw_run, link));
}

static void yield_all(struct bw *bw, bool now)
{
    LIST_EACH_SAFE(&bw->all, it)
    bw_run_yield(LIST_OWNER(it, struct bw_run, link), now);
}

/* What a drain did not see the end of is given back while there is time to say so.  Returns when that begins. */
static uint64_t yield_late(struct bw *bw, uint64_t now)
{
    if (!svc_draining(bw->svc))
        return UINT64_MAX;
    if (now < bw->yield_at)
        return bw->yield_at;
    yield_all(bw, true);
    return UINT64_MAX;
}

uint64_t bw_tick(void *self, uint64_t now)
{
    struct bw *bw = self;

    if (!bus_connected(bw->bus) || (!bw->consumer && !svc_draining(bw->svc)))
        return now + STATUS_MS;
    read_lease(bw, now);
    if (now >= bw->beat_at)
        beat_all(bw, now);
    if (!bw->pulling && beats_confirmed(bw)) {
        bw->pulling = true;
        bw_room(bw);
    }
    if (bw->status_dirty || now >= bw->status_at) {
        end_overdue(bw);
        send_status(bw);
        bw->status_dirty = false;
        bw->status_at    = now + STATUS_MS;
        bw_room(bw);
        bw->status_dirty = false;
    }
    uint64_t reap = bw_reap_tick(bw->reaper, now), yield = yield_late(bw, now);
    uint64_t next = bw->beat_at < bw->status_at ? bw->beat_at : bw->status_at;
    next          = yield < next ? yield : next;
    if (!bw->pulling && next > now + 50)
        next = now + 50;
    return reap < next ? reap : next;
}

/* ---- what others ask --------------------------------------------------------------------------------------------- */

static void on_holds(void *self, struct bus_msg **msg)
{
    struct bw *bw = self;
    struct holds_ask ask;
    struct buf body;

    if (failed(wire_read_holds_ask(&ask, (*msg)->body)))
        return;
    buf_init(&body, 64);
    wire_write_holds_answer(bw_run_holds(bw, &ask), &body);
    bus_answer(bw->bus, *msg, buf_bytes(&body), NULL, 0);
    buf_deinit(&body);
}

static void on_mail(void *self, struct bus_msg **msg)
{
    struct bw *bw = self;
    char id[ID_SIZE];

    if (!str_copy_n(id, sizeof id, (const char *)(*msg)->body.at, (*msg)->body.len))
        return;
    struct bw_run *run = map_find(bw->runs, id);
    if (run)
        bw_run_mail(run);
}

/* ---- life ---------------------------------------------------------------------------------------------------------- */

static void before_metrics(void *self)
{
    struct bw *bw = self;

    bw->metrics.runs_held = bw->held;
    bw->metrics.slots     = bw->config->slots;
}

struct bw *bw_new(struct svc *svc, const struct bw_config *config)
{
    struct bw *bw                 = mem_new(struct bw);
    const struct http_config http = {.proxy      = config->egress_proxy,
                                     .user_agent = "sluice/" SLUICE_VERSION};

    bw->svc      = svc;
    bw->bus      = svc_bus(svc);
    bw->config   = config;
    bw->worker   = svc_instance(svc);
    bw->runs     = map_new();
    bw->lease_ms = LEASE_PRESET_MS;
    list_init(&bw->all);
    list_init(&bw->adrift);
    if (failed(http_open(&bw->http, svc_loop(svc), &http)))
        die(1, "browser-worker: cannot start the HTTP client");
    bw->drivers   = (struct bw_drivers){svc_loop(svc), bw->http};
    bw->eval      = bw_eval_new(svc_loop(svc), NULL, config->eval_ms, EVAL_CHILDREN);
    bw->permits   = bw_permit_new(bw->bus);
    bw->upstreams = bw_upstream_new(bw->bus);
    bw->table     = bw_table_new(bw->bus);
    bw->reaper    = bw_reap_new(bw);
    bus_op_start(bw->bus, &bw->info, INFO_MAGIC, "lease-time", 0, info_end);
    bus_on_state(bw->bus, on_state, bw);
    show_metrics(svc, &bw->metrics, before_metrics, bw);
    return bw;
}

void bw_ready(void *self)
{
    struct bw *bw                 = self;
    const struct bus_consume jobs = {.stream   = STREAM_JOBS,
                                     .consumer = bw->config->pool,
                                     .on_msg   = on_job,
                                     .on_gap   = on_gap,
                                     .self     = bw};
    char subject[SUBJECT_SIZE];

    if (bw->consumer || svc_draining(bw->svc))
        return;
    if (failed(bus_subscribe(bw->bus, subject_holds(subject, bw->worker), NULL, on_holds, bw,
                             &bw->holds)) ||
        failed(bus_subscribe(bw->bus, subject_mail(subject, bw->worker), NULL, on_mail, bw,
                             &bw->mail)) ||
        failed(bus_consume(bw->bus, &jobs, &bw->consumer)))
        svc_die(bw->svc, "cannot subscribe");
    svc_poke(bw->svc);
}

void bw_drain_begin(void *self)
{
    struct bw *bw     = self;
    uint64_t drain_ms = svc_config(bw->svc)->drain_ms, fifth_ms = drain_ms / 5;

    bw->yield_at =
        bus_now(bw->bus) + drain_ms - (fifth_ms < RELEASE_MS ? fifth_ms : RELEASE_MS);
    /* Not just no room: a pull that is still open would give us back what we release. */
    bus_consumer_free(&bw->consumer);
    yield_all(bw, false);
    bw->status_dirty = true;
}

bool bw_drained(void *self)
{
    const struct bw *bw = self;

    return bw->held == 0 && bw_permit_pending(bw->permits) == 0;
}

void bw_stop(struct bw *bw)
{
    bw->over = true;
    LIST_EACH_SAFE(&bw->all, it)
    bw_run_drop(LIST_OWNER(it, struct bw_run, link), "this process ends");
    bw_adrift_stop(bw);
    bw_reap_free(&bw->reaper);
    bw_table_free(&bw->table);
    bw_upstream_free(&bw->upstreams);
    bw_permit_free(&bw->permits);
    bw_eval_free(&bw->eval);
    http_free(&bw->http);
    bus_consumer_free(&bw->consumer);
    bus_unsubscribe(&bw->holds);
    bus_unsubscribe(&bw->mail);
}

void bw_free(struct bw **slot)
{
    struct bw *bw = take(slot);

    map_free(&bw->runs);
    mem_free(&bw);
}
