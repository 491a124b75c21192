/*
 * svc_metric - counters and gauges of a service: one X-macro list each, rendered as Prometheus text.
 *
 *     #define GW_METRICS(X) X(COUNTER, runs_accepted, "runs accepted")
 *     METRIC_STRUCT(gw_metrics, GW_METRICS)
 *     METRIC_REGISTER(show_metrics, "gateway_", gw_metrics, GW_METRICS)      defines a static function
 *
 *     show_metrics(svc, &gw->metrics, NULL, NULL);
 *     gw->metrics.runs_accepted++;                            sluice_gateway_runs_accepted_total
 */
#ifndef SVC_SVC_METRIC_H
#define SVC_SVC_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct svc;

enum svc_metric_type { METRIC_COUNTER, METRIC_GAUGE };
struct svc_metric {
    const char *name; /* without sluice_, the table's prefix, and a counter's suffix _total */
    enum svc_metric_type type;
    const char *help;
    size_t offset; /* of a uint64_t */
};

#define METRIC_FIELD_(type, name, help) uint64_t name;
#define METRIC_STRUCT(tag, LIST) \
    struct tag { \
        LIST(METRIC_FIELD_) \
    };

#define METRIC_ROW_(type, name, help) {#name, METRIC_##type, help, offsetof(metric_of_, name)},
#define METRIC_REGISTER(fn, prefix, tag, LIST) \
    static void fn(struct svc *svc, const struct tag *values, void (*before)(void *self), \
                   void *self) \
    { \
        typedef struct tag metric_of_; \
        static const struct svc_metric rows[] = {LIST(METRIC_ROW_)}; \
        svc_metrics(svc, prefix, rows, sizeof(rows) / sizeof(*rows), values, before, self); \
    }

/* Prefix and table live as long as the process.  before (may be NULL): brings gauges up to date. */
void svc_metrics(struct svc *svc, const char *prefix, const struct svc_metric *table,
                 size_t count, const void *values, void (*before)(void *self), void *self);

#endif
