/*
 * gw - the gateway: the door.  Validates, journals, enqueues, answers; reads runs for whoever asks.
 *
 * It owns nothing that lasts: configuration is followed from its buckets, a run's state is read from
 * its journal for each answer.  Any number of gateways work side by side.
 */
#ifndef GW_GW_H
#define GW_GW_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/bus.h"
#include "svc/svc.h"
#include "svc/svc_metric.h"

struct gw_config {
    uint64_t input_max, body_max, wait_max_ms;
    uint64_t shards;
};
extern const struct config_key gw_config_keys[];

#define GW_METRICS(X) \
    X(COUNTER, submits_accepted, "runs accepted") \
    X(COUNTER, submits_repeated, "submits that met a run of the same key") \
    X(COUNTER, submits_refused, "submits refused") \
    X(COUNTER, requests, "requests of all kinds") \
    X(COUNTER, problems, "requests answered with a problem")
METRIC_STRUCT(gw_metrics, GW_METRICS)

struct gw_book;

struct gw {
    struct svc *svc;
    struct bus *bus;
    const struct gw_config *config;
    struct gw_metrics metrics;
    struct gw_book *book; /* what tenants, flows and upstreams there are */
    bool ready;           /* the streams stand */
    bool open;            /* requests are heard */
};

struct gw *gw_new(struct svc *svc, const struct gw_config *config);
void gw_stop(struct gw *gw);
void gw_free(struct gw **gw);
void gw_ready(void *self);

/* The door opens once the streams stand and the configuration is read: before, other gateways answer. */
void gw_open(struct gw *gw);

extern const struct svc_route gw_on[];
extern const struct svc_endpoint gw_on_endpoints[];

#endif
