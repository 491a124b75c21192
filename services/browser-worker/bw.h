/*
 * bw - the browser-worker: leases jobs, replays their journals, runs their steps, cleans up.
 *
 * One loop, thousands of runs: a run is nearly always waiting on the network.  Its life is bw_run,
 * its entries bw_journal, its steps bw_step, its sessions bw_open and bw_close, its end bw_end.
 */
#ifndef BW_BW_H
#define BW_BW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "bus/bus.h"
#include "bw_driver.h"
#include "bw_eval.h"
#include "bw_permit.h"
#include "svc/svc.h"
#include "svc/svc_metric.h"

struct bw_config {
    const char *pool;
    uint64_t slots, shards;
    uint64_t response_max, page_max, eval_ms, reap_ms, deliveries, sessions_per_browser;
    const char *egress_proxy, *deny_nets, *webdriver;
};
extern const struct config_key bw_config_keys[];
struct err bw_config_check(void *config, char *why, unsigned long why_size);

#define BW_METRICS(X) \
    X(COUNTER, jobs_delivered, "jobs delivered to this worker") \
    X(COUNTER, runs_leased, "leases taken") \
    X(COUNTER, leases_dropped, "deliveries dropped because the holder lives") \
    X(COUNTER, leases_lost, "runs that became another's while we worked") \
    X(COUNTER, runs_ended, "END entries written") \
    X(COUNTER, calls, "calls to upstreams") \
    X(COUNTER, calls_failed, "calls to upstreams that did not do what they should") \
    X(COUNTER, deadlines, "coroutines stopped past their step's deadline") \
    X(GAUGE, runs_held, "runs held now") \
    X(GAUGE, slots, "slots of this worker")
METRIC_STRUCT(bw_metrics, BW_METRICS)

struct bw_upstreams;
struct bw_table;
struct bw_reaper;

struct bw {
    struct svc *svc;
    struct bus *bus;
    const struct bw_config *config;
    const char *worker; /* svc_instance: new in each process */
    struct bw_metrics metrics;

    struct http *http;
    struct bw_drivers drivers;
    struct bw_eval *eval;
    struct bw_permits *permits;
    struct bw_upstreams *upstreams;
    struct bw_table *table;
    struct bw_reaper *reaper;

    struct bus_consumer *consumer;
    struct bus_sub *holds, *mail;
    struct map *runs;   /* run id -> struct bw_run */
    struct list all;    /* the same, for the tick */
    struct list adrift; /* calls that nobody waits for: bw_adrift */
    size_t held;
    uint64_t lease_ms;  /* AckWait of the pool's consumer; 0: not known yet */
    uint64_t status_at; /* when the next status is due (monotonic ms) */
    uint64_t beat_at;
    uint64_t yield_at; /* when a drain waits for no read any more */
    bool pulling;      /* after a reconnect only when the beats are confirmed */
    bool status_dirty;
    bool over; /* being taken down: what still ends touches nothing */
    uint64_t reconnected_at;
    struct bus_op info; /* reads the consumer's AckWait */
    uint64_t info_at;
};

struct bw *bw_new(struct svc *svc, const struct bw_config *config);
/* Lets go of everything that needs the bus; its chains end with the bus, and after it bw_free. */
void bw_stop(struct bw *bw);
void bw_free(struct bw **bw);
uint64_t bw_tick(void *self, uint64_t now);
void bw_ready(void *self); /* NATS answers and the streams stand: listens, then pulls */
void bw_drain_begin(void *self);
bool bw_drained(void *self);

/* Free slots changed: pull as many as there is room for, and say so. */
void bw_room(struct bw *bw);

#endif
