#include <inttypes.h>
#include <string.h>

#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"
#include "problem/problem.h"
#include "svc/svc_internal.h"

enum {
    MICRO_MAGIC = 0x534d4931,
    ROUTES_MAX  = 64,
    ANSWER_MAX  = 256 << 10,
    PROBLEM_MAX = 16 << 10,
};

enum verb { VERB_PING, VERB_INFO, VERB_STATS };
static const char *const VERBS[] = {"PING", "INFO", "STATS"};

struct endpoint {
    const char *name, *subject, *queue;
    uint64_t requests, errors, us;
    char last_error[80]; /* "429:Queue full" */
};

struct route {
    struct bus_sub *sub;
    bool others; /* another instance could answer it */
};

/* What one of the nine subscriptions hears with. */
struct ear {
    uint32_t magic;
    struct svc_micro *micro;
    enum verb verb;
    struct bus_sub *sub;
};

struct svc_micro {
    struct svc *svc;
    struct ear ears[9];
    size_t ear_count;
    struct route routes[ROUTES_MAX];
    size_t route_count;
    struct endpoint endpoints[ROUTES_MAX];
    size_t endpoint_count;
};

/* ---- the three answers (ADR-32) ------------------------------------------------------------- */

static void write_head(const struct svc *svc, struct buf *to, const char *type)
{
    buf_printf(to,
               "{\"name\":\"%s\",\"id\":\"%s\",\"version\":\"%s\",\"metadata\":{\"instance\":"
               "\"%s\",\"cell\":\"%s\"},\"type\":\"io.nats.micro.v1.%s_response\"",
               svc->about->name, svc->id, SLUICE_VERSION, svc->instance, svc->config.cell,
               type);
}

static void write_endpoint(const struct endpoint *e, struct buf *to)
{
    buf_printf(to, "{\"name\":\"%s\",\"subject\":\"%s\",\"queue_group\":\"%s\"", e->name,
               e->subject, e->queue);
}

static void write_info(const struct svc_micro *m, struct buf *to)
{
    buf_printf(to, ",\"description\":\"%s\",\"endpoints\":[", m->svc->about->summary);
    for (size_t i = 0; i < m->endpoint_count; i++) {
        buf_str(to, i ? "," : "");
        write_endpoint(&m->endpoints[i], to);
        buf_str(to, ",\"metadata\":{}}");
    }
    buf_str(to, "]");
}

/* Times are nanoseconds there. */
static void write_stats(const struct svc_micro *m, struct buf *to)
{
    char started[32];

    buf_printf(to, ",\"started\":\"%s\",\"endpoints\":[",
               str_time_text(m->svc->started_wall_ms, started, sizeof(started)));
    for (size_t i = 0; i < m->endpoint_count; i++) {
        const struct endpoint *e = &m->endpoints[i];
        uint64_t ns              = e->us * 1000;

        buf_str(to, i ? "," : "");
        write_endpoint(e, to);
        buf_printf(to,
                   ",\"num_requests\":%" PRIu64 ",\"num_errors\":%" PRIu64
                   ",\"last_error\":\"%s\",\"processing_time\":%" PRIu64
                   ",\"average_processing_time\":%" PRIu64 "}",
                   e->requests, e->errors, e->last_error, ns,
                   e->requests ? ns / e->requests : 0);
    }
    buf_str(to, "]");
}

static void on_srv(void *self, struct bus_msg **msg)
{
    struct ear *ear     = SELF(struct ear, MICRO_MAGIC, self);
    struct svc_micro *m = ear->micro;
    struct buf answer;

    buf_init(&answer, ANSWER_MAX);
    switch (ear->verb) {
    case VERB_PING:
        write_head(m->svc, &answer, "ping");
        break;
    case VERB_INFO:
        write_head(m->svc, &answer, "info");
        write_info(m, &answer);
        break;
    case VERB_STATS:
        write_head(m->svc, &answer, "stats");
        write_stats(m, &answer);
        break;
    }
    buf_str(&answer, "}");
    bus_answer(m->svc->bus, *msg, buf_bytes(&answer), NULL, 0);
    buf_deinit(&answer);
}

static void listen_to(struct svc_micro *m, enum verb verb, const char *name, const char *id)
{
    struct ear *ear = &m->ears[m->ear_count++];
    char subject[200];

    *ear = (struct ear){MICRO_MAGIC, m, verb, NULL};
    must(str_format(subject, sizeof(subject), "$SRV.%s%s%s%s%s", VERBS[verb], name ? "." : "",
                    name ? name : "", id ? "." : "", id ? id : ""));

    struct err e = bus_subscribe(m->svc->bus, subject, NULL, on_srv, ear, &ear->sub);

    if (failed(e))
        die(1, "cannot subscribe to %s", subject);
}

struct svc_micro *svc_micro_new(struct svc *svc)
{
    struct svc_micro *m = mem_new(struct svc_micro);

    m->svc = svc;
    for (enum verb v = VERB_PING; v <= VERB_STATS; v++) {
        listen_to(m, v, NULL, NULL);
        listen_to(m, v, svc->about->name, NULL);
        listen_to(m, v, svc->about->name, svc->id);
    }
    return m;
}

void svc_micro_free(struct svc_micro **slot)
{
    struct svc_micro *m = take(slot);

    if (!m)
        return;
    for (size_t i = 0; i < m->route_count; i++)
        bus_unsubscribe(&m->routes[i].sub);
    for (size_t i = 0; i < m->ear_count; i++)
        bus_unsubscribe(&m->ears[i].sub);
    mem_free(&m);
}

void svc_micro_drain(struct svc_micro *m)
{
    for (size_t i = 0; i < m->route_count; i++)
        if (m->routes[i].others)
            bus_sub_drain(m->routes[i].sub);
}

bool svc_micro_drained(const struct svc_micro *m)
{
    for (size_t i = 0; i < m->route_count; i++)
        if (m->routes[i].others && !bus_sub_drained(m->routes[i].sub))
            return false;
    return true;
}

/* ---- what a service answers ----------------------------------------------------------------- */

static struct endpoint *find_endpoint(struct svc_micro *m, const char *name)
{
    for (size_t i = 0; i < m->endpoint_count; i++)
        if (str_equal(m->endpoints[i].name, name))
            return &m->endpoints[i];
    return NULL;
}

static void add_endpoint(struct svc_micro *m, const char *name, const char *subject,
                         const char *queue)
{
    if (find_endpoint(m, name))
        return;
    must(m->endpoint_count < ROUTES_MAX);
    m->endpoints[m->endpoint_count++] =
        (struct endpoint){.name = name, .subject = subject, .queue = queue ? queue : ""};
}

void svc_serve(struct svc *svc, const struct svc_route *routes, void *self)
{
    struct svc_micro *m = svc->micro;

    for (const struct svc_route *r = routes; r->subject; r++) {
        const char *queue = r->everyone ? NULL : svc->about->name;

        must(m->route_count < ROUTES_MAX);

        struct route *route = &m->routes[m->route_count++];
        struct err e = bus_subscribe(svc->bus, r->subject, queue, r->fn, self, &route->sub);

        if (failed(e))
            die(1, "cannot subscribe to %s", r->subject);
        route->others = queue != NULL;
        if (r->endpoint)
            add_endpoint(m, r->endpoint, r->subject, queue);
    }
}

void svc_endpoints(struct svc *svc, const struct svc_endpoint *endpoints)
{
    for (const struct svc_endpoint *e = endpoints; e->subject; e++)
        add_endpoint(svc->micro, e->name, e->subject, svc->about->name);
}

/* NULL: nobody counts any more. */
static struct endpoint *count(struct svc *svc, const char *endpoint, uint64_t since_us, bool ok)
{
    /* What bus_free ends is answered when the statistics are gone. */
    struct endpoint *e = svc->micro ? find_endpoint(svc->micro, endpoint) : NULL;
    uint64_t now       = clk_mono_us();

    if (!e)
        return NULL;
    e->requests++;
    e->errors += !ok;
    e->us += now > since_us ? now - since_us : 0;
    return e;
}

void svc_answered(struct svc *svc, const char *endpoint, uint64_t since_us, bool ok)
{
    (void)count(svc, endpoint, since_us, ok);
}

void svc_refuse(struct svc *svc, const struct bus_msg *request, const char *endpoint,
                uint64_t since_us, const struct problem *why, struct bytes body)
{
    char status[16];
    struct buf json;

    buf_init(&json, PROBLEM_MAX);
    if (!body.at)
        problem_json(why, NULL, &json);
    str_format(status, sizeof status, "%d", problem_status(why->code));
    const struct bus_header headers[] = {{"Nats-Service-Error", problem_title(why->code)},
                                         {"Nats-Service-Error-Code", status}};
    bus_answer(svc->bus, request, body.at ? body : buf_bytes(&json), headers, 2);
    buf_deinit(&json);
    struct endpoint *e = count(svc, endpoint, since_us, false);
    if (e) /* a title is a constant without a quote */
        str_format(e->last_error, sizeof e->last_error, "%s:%s", status,
                   problem_title(why->code));
}

static void write_head_of(struct buf *to, const char *name, const char *help)
{
    buf_printf(to, "# HELP sluice_%s %s\n# TYPE sluice_%s counter\n", name, help, name);
}

void svc_micro_metrics(const struct svc_micro *m, struct buf *to)
{
    if (m->endpoint_count == 0)
        return;
    write_head_of(to, "requests_total", "requests answered");
    for (size_t i = 0; i < m->endpoint_count; i++)
        buf_printf(to, "sluice_requests_total{endpoint=\"%s\"} %" PRIu64 "\n",
                   m->endpoints[i].name, m->endpoints[i].requests);
    write_head_of(to, "request_errors_total", "requests answered with an error");
    for (size_t i = 0; i < m->endpoint_count; i++)
        buf_printf(to, "sluice_request_errors_total{endpoint=\"%s\"} %" PRIu64 "\n",
                   m->endpoints[i].name, m->endpoints[i].errors);
    write_head_of(to, "request_seconds_total", "time until requests were answered");
    for (size_t i = 0; i < m->endpoint_count; i++)
        buf_printf(to, "sluice_request_seconds_total{endpoint=\"%s\"} %.6f\n",
                   m->endpoints[i].name, (double)m->endpoints[i].us / 1e6);
}
