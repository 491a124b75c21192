/*
 * lim - the limiter: hears every ask of its shard, and answers while it leads.
 *
 * Asks and reports come in (lim_on.c), lim_gate decides, what it decided goes into the
 * grant log (lim_log), and only then out to who asked (lim_do.c).  A standby does nothing
 * but follow the configuration.
 */
#ifndef LIM_LIM_H
#define LIM_LIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "bus/bus.h"
#include "lim_alert.h"
#include "lim_config.h"
#include "lim_gate.h"
#include "lim_log.h"
#include "run/run_good.h"
#include "run/run_tenant.h"
#include "svc/svc.h"
#include "svc/svc_leader.h"
#include "svc/svc_metric.h"

#define LIM_METRICS(X) \
    X(COUNTER, permits_asked, "asks for a permit that the leader heard") \
    X(COUNTER, permits_granted, "permits granted") \
    X(COUNTER, permits_refused, "asks answered with 'come again'") \
    X(COUNTER, permits_returned, "reports heard") \
    X(COUNTER, grant_appends, "appends to the grant log") \
    X(COUNTER, grant_records, "records in them") \
    X(COUNTER, grant_repeats, "appends that had to be sent again") \
    X(COUNTER, grant_snapshots, "snapshots of the grant log") \
    X(COUNTER, limiter_takeovers, "times this process began to lead") \
    X(COUNTER, limiter_deposed, "times an append was refused because another leads") \
    X(COUNTER, upstream_values_refused, "values of sluice_upstreams that were not valid") \
    X(GAUGE, limiter_leads, "1 while this process answers") \
    X(GAUGE, permits_out, "permits that are out") \
    X(GAUGE, permits_waiting, "asks that wait")
METRIC_STRUCT(lim_metrics, LIM_METRICS)

enum { LIM_MAGIC = 0x4c494d31 };

struct lim {
    uint32_t magic;
    struct svc *svc;
    struct bus *bus;
    const struct lim_config *config;
    struct lim_metrics metrics;

    struct lim_gate *gate;
    struct run_good *good_upstreams; /* the upstreams' values as they were written */
    struct run_tenants *book;        /* tenants as configured */
    struct bus_follower *upstreams, *tenants;

    struct svc_leader *leader;
    uint64_t epoch;      /* of the leadership held; 0: none */
    struct lim_log *log; /* NULL: not leading */
    bool deciding;       /* the log is read: asks are answered */
    struct lim_alerts *alerts;
    bool incident_changed;
    uint64_t incident_mark; /* the batch that holds the last change of one */

    struct list early; /* asks that came while the log was being read */
    size_t early_count;
    struct list heard; /* reports that the log may not have: lim_heard */
    size_t heard_count;
    struct list answers; /* wait until a batch is stored */
    struct list admins;  /* chains of lim_admin */
    uint64_t state_at;   /* when the state is told next (monotonic ms) */
    bool state_changed;
    struct lim_log_counts counted;
};

struct lim *lim_new(struct svc *svc, const struct lim_config *config);
/* Lets go of everything that needs the bus; its chains end with the bus, and after it
   lim_free. */
void lim_stop(struct lim *lim);
void lim_free(struct lim **lim);

uint64_t lim_tick(void *self, uint64_t now);
extern const struct svc_route lim_on[]; /* lim_on.c */

/* Whether this process answers, and what time it is in the log. */
bool lim_decides(const struct lim *lim);
uint64_t lim_time(const struct lim *lim);
/* Whether an upstream is of our shard. */
bool lim_mine(const struct lim *lim, const char *upstream);

/* lim_on.c: what came before we could decide: now, or never. */
void lim_on_early(struct lim *lim);
void lim_on_follow(struct lim *lim);
bool lim_on_configured(const struct lim *lim); /* all that was configured is read */

#endif
