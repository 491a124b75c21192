#include "gw.h"

#include "base/mem.h"
#include "gw_book.h"

METRIC_REGISTER(show_metrics, "gateway_", gw_metrics, GW_METRICS)

struct gw *gw_new(struct svc *svc, const struct gw_config *config)
{
    struct gw *gw = mem_new(struct gw);

    gw->svc    = svc;
    gw->bus    = svc_bus(svc);
    gw->config = config;
    gw->book   = gw_book_new(gw);
    svc_health(svc, "configuration", "is being read");
    show_metrics(svc, &gw->metrics, NULL, NULL);
    return gw;
}

void gw_ready(void *self)
{
    struct gw *gw = self;

    gw->ready = true;
    gw_open(gw);
}

void gw_open(struct gw *gw)
{
    if (gw->open || !gw->ready || !gw_book_ready(gw->book) || svc_draining(gw->svc))
        return;
    gw->open = true;
    svc_serve(gw->svc, gw_on, gw);
    svc_endpoints(gw->svc, gw_on_endpoints);
    svc_health(gw->svc, "configuration", NULL);
}

void gw_stop(struct gw *gw)
{
    gw_book_free(&gw->book);
}

void gw_free(struct gw **slot)
{
    struct gw *gw = take(slot);

    mem_free(&gw);
}
