/*
 * svc_internal - what the files of this room know of each other.
 */
#ifndef SVC_SVC_INTERNAL_H
#define SVC_SVC_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/id.h"
#include "base/list.h"
#include "svc/svc.h"
#include "svc/svc_leader.h"
#include "svc/svc_metric.h"

struct httpd;
struct httpd_answer;
struct svc_micro;
struct svc_stream;
struct svc_health;
struct svc_metrics;

enum { SVC_MAGIC = 0x53564331, SVC_INSTANCE_SIZE = 60 };

#define SVC_HTTP_DEFAULT "0.0.0.0:9090"

struct svc {
    uint32_t magic;
    const struct svc_about *about;
    struct svc_config config;
    char instance[SVC_INSTANCE_SIZE];
    char id[ID_SIZE];
    int64_t started_wall_ms;
    uint64_t started; /* monotonic ms */

    uv_loop_t loop;
    uv_signal_t term, interrupt;
    uv_timer_t timer; /* the one timer: the next instant that anybody here cares about */
    uv_idle_t soon;   /* runs while somebody wants a turn at once */
    uv_check_t check; /* runs while draining only: asks after each turn */
    struct bus *bus;
    struct httpd *httpd;
    bool complained; /* that NATS cannot be reached */

    svc_tick_fn *tick;
    void *tick_self;

    svc_ready_fn *on_ready;
    void *ready_self;

    void (*drain_begin)(void *self);
    svc_drained_fn *drained;
    void *drain_self;
    bool draining;
    bool resigning; /* drained: only the leaderships are still given back */
    bool over;
    uint64_t drain_since, drain_until; /* monotonic ms */
    int status;

    struct svc_stream *streams;
    struct svc_health *health;
    struct svc_micro *micro;
    struct svc_metrics *metrics;
    struct list leaders;
};

/* svc_config.c: what the table cannot say; REJECT with one sentence. */
struct err svc_config_check(const struct svc_config *config, char *why, size_t why_size);
/* Whether SLUICE_HTTP asks for a listener. */
bool svc_config_listens(const struct svc_config *config);

/* svc_stream.c: do the streams stand; who makes them. */
struct svc_stream *svc_stream_new(struct svc *svc);
void svc_stream_free(struct svc_stream **streams);
void svc_stream_connected(struct svc_stream *streams); /* look (again) */
uint64_t svc_stream_tick(struct svc_stream *streams, uint64_t now);
bool svc_stream_stand(const struct svc_stream *streams); /* and on_ready has returned */
const char *svc_stream_why(const struct svc_stream *streams);

/* svc_health.c */
struct svc_health *svc_health_new(struct svc *svc);
void svc_health_free(struct svc_health **health);
void svc_health_look(
    struct svc_health *health); /* logs when ready becomes not ready, and back */
bool svc_health_reasons(const struct svc *svc,
                        struct buf *to); /* one a line; false: there is none */
void svc_health_answer(void *svc, const char *method, const char *path,
                       struct httpd_answer *answer);

/* svc_micro.c: $SRV (ADR-32) and the statistics of endpoints. */
struct svc_micro *svc_micro_new(struct svc *svc);
void svc_micro_free(struct svc_micro **micro);
/* Asks for no more requests that others could answer; drained: those that came before were heard. */
void svc_micro_drain(struct svc_micro *micro);
bool svc_micro_drained(const struct svc_micro *micro);
void svc_micro_metrics(const struct svc_micro *micro, struct buf *to);

/* svc_metric.c */
struct svc_metrics *svc_metric_new(void);
void svc_metric_free(struct svc_metrics **metrics);
void svc_metric_add(struct svc_metrics *metrics, const char *prefix,
                    const struct svc_metric *table, size_t count, const void *values,
                    void (*before)(void *self), void *self);
void svc_metric_render(struct svc *svc, struct buf *to);

/* svc_leader.c */
uint64_t svc_leader_tick(struct svc *svc, uint64_t now);
bool svc_leader_any(const struct svc *svc);  /* is this process a leader of anything? */
bool svc_leader_busy(const struct svc *svc); /* is a round trip of one of them under way? */
void svc_leader_resign_all(struct svc *svc);
void svc_leader_metrics(const struct svc *svc, struct buf *to);

#endif
