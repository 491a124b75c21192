/*
 * svc - the life of a process: configuration, log, loop, signals, bus, streams, health, metrics, drain.
 *
 *     struct svc *svc = svc_new(&about, argc, argv);     or one line and exit 2 / 1
 *     … make yourself, subscribe …
 *     svc_tick(svc, tick, self);                         what I do by myself
 *     int status = svc_run(svc);                         until drained
 *     … free yourself …
 *     svc_free(&svc);
 *
 * First SIGTERM/SIGINT drains (at most SLUICE_DRAIN), a second ends at once.
 */
#ifndef SVC_SVC_H
#define SVC_SVC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/err.h"
#include "bus/bus.h"

struct problem;

/* Surface 12, "all".  Streams that exist keep what an operator changed: replicas and retention are only ever widened to
   these, and only with SLUICE_STREAMS=self. */
struct svc_config {
    const char *nats_url, *nats_creds, *nats_user_file, *nats_ca;
    const char *log_level, *log_format;
    const char *http;    /* "" or "off": no listener */
    const char *streams; /* self | verify | none */
    uint64_t replicas, retention_ms, drain_ms;
    const char *cell, *tenants, *otel;
};
extern const struct config_key svc_config_keys[];

struct svc; /* opaque; one a process */

struct svc_about {
    const char *name;    /* "sluice-gateway": as in `nats micro ls`, logs, --version */
    const char *summary; /* one line of --help */
    const struct config_key *keys; /* the service's own; NULL: none */
    void *config;                  /* filled from them */
    /* --check: what the table cannot say; REJECT with a sentence.  May be NULL. */
    struct err (*check)(void *config, char *why, unsigned long why_size);
};

/* What is wrong with the configuration is one line and exit 2; what cannot be had (the port of
   SLUICE_HTTP) one line and exit 1; --check, --help and --version exit 0. */
struct svc *svc_new(const struct svc_about *about, int argc, char **argv);
/* Everything of the service is freed by now, its leaders and its http included. */
void svc_free(struct svc **svc);

struct bus *svc_bus(const struct svc *svc);
struct uv_loop_s *svc_loop(const struct svc *svc);
const struct svc_config *svc_config(const struct svc *svc);
uint64_t svc_now(const struct svc *svc);         /* monotonic ms of this turn: the bus's */
const char *svc_instance(const struct svc *svc); /* <host>-<4 random>, new in each process */

/*
 * One function, called after every burst of messages, when NATS comes or goes, and again at the
 * instant it returned (monotonic ms; UINT64_MAX: only on events).  It is called from the start, ready
 * or not, and while draining.  svc_poke: call it soon.
 */
typedef uint64_t svc_tick_fn(void *self, uint64_t now);
void svc_tick(struct svc *svc, svc_tick_fn *fn, void *self);
void svc_poke(struct svc *svc);

/*
 * Called once, when NATS answers and the streams stand (they are made by SLUICE_STREAMS=self); and
 * then again after the streams had to be made anew, by whomever.  svc_ready is true from when it has
 * returned, for as long as NATS is connected and the streams stand; a drain and svc_health change
 * only what /readyz says.
 */
typedef void svc_ready_fn(void *self);
void svc_on_ready(struct svc *svc, svc_ready_fn *fn, void *self);
bool svc_ready(const struct svc *svc);

/*
 * Streams seem to be gone (JetStream 10059, or nobody listens on one's subjects).  svc_ready is false
 * until a look has found them standing.  With SLUICE_STREAMS=self who leads something makes what is
 * missing at once, the others after one to two seconds in which nobody did.  Every reconnect looks too,
 * and every ten seconds each process does; svc_ready changes by such a look only if a stream is gone.
 */
void svc_streams_missing(struct svc *svc);

/*
 * Drain: begin once; then fn is asked after each turn until it says true or SLUICE_DRAIN is over.  Before
 * begin, the routes with a queue group ask for no more (another instance has them); what was sent to them
 * before still comes, and fn is not asked until it has; those that everyone hears go on.  After fn the
 * leaderships that are still held are given back.  fn NULL: nothing to wait for.
 */
typedef bool svc_drained_fn(void *self);
void svc_on_drain(struct svc *svc, void (*begin)(void *self), svc_drained_fn *fn, void *self);
bool svc_draining(const struct svc *svc);

/* Exit status: 0 after a drain, 1 if the process had to give up (svc_die). */
int svc_run(struct svc *svc);
void svc_die(struct svc *svc, const char *why); /* drain and exit 1 */

/* Requests: a handler answers each message exactly once, now or later; the subject's queue group is
   the service's name (or none).  Counted in $SRV.STATS by endpoint (ADR-32), when it is answered and
   with the time until then.  Routes and names live as long as the process. */
struct svc_route {
    const char *subject;
    const char *endpoint; /* name in `nats micro stats`; NULL: not shown */
    bool everyone;        /* no queue group: each instance hears it */
    bus_msg_fn *fn;
};
void svc_serve(struct svc *svc, const struct svc_route *routes,
               void *self); /* until a NULL subject */
/* Endpoints that one route serves together, for the statistics; until a NULL subject. */
struct svc_endpoint {
    const char *subject, *name;
};
void svc_endpoints(struct svc *svc, const struct svc_endpoint *endpoints);
/* Tells the statistics that a request was answered.  since_us: clk_mono_us() when it came. */
void svc_answered(struct svc *svc, const char *endpoint, uint64_t since_us, bool ok);
/* Answers a request with a problem: its headers (docs/errors.md), and the body, which is the problem in the form that was
   asked in; bytes_of(NULL, 0): problem+json.  Told to the statistics. */
void svc_refuse(struct svc *svc, const struct bus_msg *request, const char *endpoint,
                uint64_t since_us, const struct problem *why, struct bytes body);

/* Health line: a part that says why it is not ready; NULL why: it is. */
void svc_health(struct svc *svc, const char *part, const char *why);

#endif
