#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "httpd/httpd.h"
#include "svc/svc_internal.h"

enum { PARTS_MAX = 16, TEXT_MAX = 8192 };

struct part {
    char name[48];
    char why[200]; /* "": it is ready */
};

struct svc_health {
    struct svc *svc;
    struct part parts[PARTS_MAX];
    size_t count;
    bool ready, ever;
};

struct svc_health *svc_health_new(struct svc *svc)
{
    struct svc_health *h = mem_new(struct svc_health);

    h->svc = svc;
    return h;
}

void svc_health_free(struct svc_health **health)
{
    mem_free(health);
}

static struct part *part_of(struct svc_health *h, const char *name)
{
    for (size_t i = 0; i < h->count; i++)
        if (str_equal(h->parts[i].name, name))
            return &h->parts[i];
    must(h->count < PARTS_MAX);

    struct part *p = &h->parts[h->count++];

    must(str_copy(p->name, sizeof(p->name), name));
    return p;
}

void svc_health(struct svc *svc, const char *part, const char *why)
{
    struct part *p = part_of(svc->health, part);

    if (str_equal(p->why, why ? why : ""))
        return;
    str_copy(p->why, sizeof(p->why), why ? why : "");
    svc_poke(svc);
}

static bool reason(struct buf *to, const char *part, const char *why)
{
    if (to)
        buf_printf(to, "%s: %s\n", part, why);
    return true;
}

bool svc_health_reasons(const struct svc *svc, struct buf *to)
{
    const struct svc_health *h = svc->health;
    bool any                   = false;

    if (!bus_connected(svc->bus))
        any = reason(to, "nats", "not connected");
    else if (!svc_stream_stand(svc->streams))
        any = reason(to, "streams", svc_stream_why(svc->streams));
    if (svc->draining)
        any = reason(to, "process", "draining");
    for (size_t i = 0; i < h->count; i++)
        if (h->parts[i].why[0])
            any = reason(to, h->parts[i].name, h->parts[i].why);
    return any;
}

/* The first reason, without its line end. */
static const char *first_reason(const struct svc *svc, char *at, size_t size)
{
    struct buf all;

    buf_init(&all, TEXT_MAX);
    svc_health_reasons(svc, &all);
    str_copy_n(at, size, all.at ? all.at : "", all.at ? strcspn(all.at, "\n") : 0);
    buf_deinit(&all);
    return at;
}

void svc_health_look(struct svc_health *h)
{
    struct svc *svc = h->svc;
    bool ready      = !svc_health_reasons(svc, NULL);
    char why[256];

    if (ready == h->ready)
        return;
    h->ready = ready;
    if (ready && !h->ever)
        log_info("ready", KV("worker", svc->instance), KV("ms", svc_now(svc) - svc->started),
                 KV("port", (unsigned)(svc->httpd ? httpd_port(svc->httpd) : 0)));
    else if (ready)
        log_info("ready again", KV("worker", svc->instance));
    else if (!svc->draining)
        log_warn("not ready", KV("why", first_reason(svc, why, sizeof(why))));
    h->ever = h->ever || ready;
}

static void answer_ready(struct svc *svc, struct httpd_answer *answer)
{
    if (svc_health_reasons(svc, &answer->body))
        answer->status = 503;
    else
        buf_str(&answer->body, "ready\n");
}

/* What httpd asks: /livez says only that the loop turns, for it is the loop that answers. */
void svc_health_answer(void *self, const char *method, const char *path,
                       struct httpd_answer *answer)
{
    struct svc *svc = SELF(struct svc, SVC_MAGIC, self);

    (void)method; /* httpd lets only GET and HEAD come so far */
    answer->status = 200;
    answer->type   = "text/plain; charset=utf-8";
    if (str_equal(path, "/livez")) {
        buf_str(&answer->body, "live\n");
    } else if (str_equal(path, "/readyz")) {
        answer_ready(svc, answer);
    } else if (str_equal(path, "/metrics")) {
        answer->type = "text/plain; version=0.0.4; charset=utf-8";
        svc_metric_render(svc, &answer->body);
    } else {
        answer->status = 404;
        buf_str(&answer->body, "here are /livez, /readyz and /metrics\n");
    }
}
