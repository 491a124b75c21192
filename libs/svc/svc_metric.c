#include "svc/svc_metric.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "svc/svc_internal.h"
#include "svc/svc_resource.h"

/* One table that a service handed in. */
struct table {
    const char *prefix;
    const struct svc_metric *rows;
    size_t count;
    const char *values;
    void (*before)(void *self);
    void *self;
};

struct svc_metrics {
    struct table *tables;
    size_t count;
};

struct svc_metrics *svc_metric_new(void)
{
    return mem_new(struct svc_metrics);
}

void svc_metric_free(struct svc_metrics **slot)
{
    struct svc_metrics *m = take(slot);

    if (!m)
        return;
    mem_free(&m->tables);
    mem_free(&m);
}

void svc_metric_add(struct svc_metrics *m, const char *prefix, const struct svc_metric *table,
                    size_t count, const void *values, void (*before)(void *self), void *self)
{
    m->tables             = mem_grow(m->tables, m->count + 1, sizeof(*m->tables));
    m->tables[m->count++] = (struct table){prefix, table, count, values, before, self};
}

/* Prometheus wants counters to end in _total; the names in our tables are those of C fields. */
static void write_row(struct buf *to, const char *prefix, const char *name,
                      enum svc_metric_type type, const char *help, uint64_t value)
{
    const char *total = type == METRIC_COUNTER ? "_total" : "";
    const char *word  = type == METRIC_COUNTER ? "counter" : "gauge";

    buf_printf(to, "# HELP sluice_%s%s%s %s\n", prefix, name, total, help);
    buf_printf(to, "# TYPE sluice_%s%s%s %s\n", prefix, name, total, word);
    buf_printf(to, "sluice_%s%s%s %" PRIu64 "\n", prefix, name, total, value);
}

static void write_metric(struct buf *to, const char *name, enum svc_metric_type type,
                         const char *help, uint64_t value)
{
    write_row(to, "", name, type, help, value);
}

/* Each of these files of the kernel is one short line. */
static bool read_line(const char *path, char *at, size_t size)
{
    FILE *f = fopen(path, "re");

    if (!f)
        return false;

    bool got = fgets(at, (int)size, f) != NULL;

    fclose(f);
    return got;
}

static void write_memory(struct buf *to)
{
    char line[128];
    unsigned long long all = 0, resident = 0;

    if (read_line("/proc/self/statm", line, sizeof(line)) &&
        sscanf(line, "%llu %llu", &all, &resident) == 2)
        write_metric(to, "process_resident_bytes", METRIC_GAUGE, "memory of this process",
                     resident * (uint64_t)sysconf(_SC_PAGESIZE));
}

static void write_cpu(struct buf *to)
{
    uv_rusage_t u;

    if (uv_getrusage(&u) != 0)
        return;
    buf_printf(to,
               "# HELP sluice_process_cpu_seconds_total processor time of this process\n"
               "# TYPE sluice_process_cpu_seconds_total counter\n"
               "sluice_process_cpu_seconds_total %.3f\n",
               (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                   (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
}

static void write_process(struct svc *svc, struct buf *to)
{
    struct bus_counts n = bus_counts(svc->bus);

    buf_printf(
        to,
        "# HELP sluice_build_info what runs here\n# TYPE sluice_build_info gauge\n"
        "sluice_build_info{service=\"%s\",version=\"%s\",instance=\"%s\",cell=\"%s\"} 1\n",
        svc->about->name, SLUICE_VERSION, svc->instance, svc->config.cell);
    if (svc->config.otel && *svc->config.otel) {
        buf_str(to, "# HELP target_info what OTEL_RESOURCE_ATTRIBUTES says\n"
                    "# TYPE target_info gauge\ntarget_info{");
        svc_resource_labels(svc->config.otel, to);
        buf_str(to, "} 1\n");
    }
    write_metric(to, "ready", METRIC_GAUGE, "1 if /readyz says so",
                 !svc_health_reasons(svc, NULL));
    write_metric(to, "nats_connected", METRIC_GAUGE, "1 if NATS is reached",
                 bus_connected(svc->bus));
    write_metric(to, "nats_sent", METRIC_COUNTER, "messages sent to NATS", n.sent);
    write_metric(to, "nats_received", METRIC_COUNTER, "messages received from NATS",
                 n.received);
    write_metric(to, "nats_late", METRIC_COUNTER,
                 "answers that came after their asker had gone", n.late);
    write_metric(to, "ops", METRIC_GAUGE, "chains of round trips under way", n.ops);
    write_metric(to, "process_uptime_seconds", METRIC_GAUGE, "since this process began",
                 (svc_now(svc) - svc->started) / 1000);
    write_memory(to);
    write_cpu(to);
}

void svc_metric_render(struct svc *svc, struct buf *to)
{
    const struct svc_metrics *m = svc->metrics;

    write_process(svc, to);
    svc_micro_metrics(svc->micro, to);
    svc_leader_metrics(svc, to);
    for (size_t i = 0; i < m->count; i++) {
        const struct table *t = &m->tables[i];

        if (t->before)
            t->before(t->self);
        for (size_t k = 0; k < t->count; k++) {
            uint64_t value;

            memcpy(&value, t->values + t->rows[k].offset, sizeof(value));
            write_row(to, t->prefix, t->rows[k].name, t->rows[k].type, t->rows[k].help, value);
        }
    }
}
