#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

enum { DONE_MS = 120000, WINDOW = 2000 };

static const char NOOP[] =
    "{\"flow\":{\"name\":\"noop\",\"steps\":[{\"id\":\"a\",\"set\":{\"x\":1}}]}}";

static void give_up(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static uint64_t stored(struct bench_world *w, const char *stream)
{
    jsStreamInfo *info = NULL;
    uint64_t n         = 0;

    if (js_GetStreamInfo(&info, w->js, stream, NULL, NULL) == NATS_OK)
        n = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return n;
}

static void wait_results(struct bench_world *w, uint64_t n)
{
    for (double begun = bench_now_ms(); stored(w, "SLUICE_RESULTS") < n; usleep(2000))
        if (bench_now_ms() - begun > DONE_MS)
            give_up("not all runs ended in time");
}

/* Submits without waiting for each answer; at most WINDOW runs more than results, so that the queue stays short. */
static void submit_many(struct bench_world *w, const char *tenant, size_t runs, uint64_t before)
{
    char subject[80];
    natsInbox *inbox = NULL;

    natsInbox_Create(&inbox);
    snprintf(subject, sizeof subject, "sluice.api.submit.%s", tenant);
    for (size_t i = 0; i < runs; i++) {
        if (i % 250 == 0)
            while (i > WINDOW && stored(w, "SLUICE_RESULTS") + WINDOW < before + i)
                usleep(500);
        if (natsConnection_PublishRequestString(w->nc, subject, inbox, NOOP) != NATS_OK)
            give_up("cannot publish");
    }
    natsConnection_Flush(w->nc);
    natsInbox_Destroy(inbox);
}

static void put_tenant(struct bench_world *w, const char *tenant, const char *value)
{
    char subject[80];
    natsMsg *msg = NULL;

    snprintf(subject, sizeof subject, "sluice.admin.tenant.%s", tenant);
    /* Ready is a few milliseconds before somebody leads. */
    for (double begun = bench_now_ms();
         natsConnection_RequestString(&msg, w->nc, subject, value, 250) != NATS_OK;)
        if (bench_now_ms() - begun > 5000)
            give_up("no answer from the scheduler");
    natsMsg_Destroy(msg);
    usleep(300000); /* every process has heard of it */
}

/* A ratio says something only where both sides said as much. */
static bool are_alike(double a, double b)
{
    return a <= b * 1.05 && b <= a * 1.05;
}

void bench_run_noop(struct bench_world *w, size_t runs)
{
    uint64_t before                  = stored(w, "SLUICE_RESULTS");
    pid_t pids[]                     = {w->gateway, w->scheduler, w->worker, w->nats};
    static const char *const names[] = {
        "cpu of gateway, a no-op run", "cpu of scheduler, a no-op run",
        "cpu of browser-worker, a no-op run", "cpu of nats-server, a no-op run"};
    double cpu[4];

    put_tenant(w, "bench", "{\"tier\":\"scale\",\"cap\":1000,\"queue_max\":1000000}");
    for (int i = 0; i < 4; i++)
        cpu[i] = bench_cpu_ms(pids[i]);
    double said  = bench_messages(w);
    double begun = bench_now_ms();
    submit_many(w, "bench", runs, before);
    wait_results(w, before + runs);
    double took = bench_now_ms() - begun;
    double rate = (double)runs * 1000.0 / took;
    said =
        bench_messages(w) - said + 2 * (double)runs; /* each submit and its answer are ours */
    for (int i = 0; i < 4; i++)
        bench_figure(names[i], "us", (bench_cpu_ms(pids[i]) - cpu[i]) * 1000.0 / (double)runs,
                     0);
    double floor_said = bench_messages(w);
    double floor      = bench_floor_runs(w, runs);
    floor_said        = bench_messages(w) - floor_said;
    bench_figure("messages of the server, a no-op run", "", said / (double)runs,
                 floor_said / (double)runs);
    if (!are_alike(said, floor_said))
        fprintf(stderr, "bench: the floor is not of the same messages: no ratio\n");
    bench_figure("no-op runs end to end", "runs/s", rate,
                 are_alike(said, floor_said) ? floor : 0);
}

static void make_answer_stream(struct bench_world *w)
{
    jsStreamConfig config;
    const char *subject = "bench.answer";

    jsStreamConfig_Init(&config);
    config.Name        = "BENCH";
    config.Subjects    = &subject;
    config.SubjectsLen = 1;
    if (js_AddStream(NULL, w->js, &config, NULL, NULL) != NATS_OK)
        give_up("cannot make a stream");
}

void bench_run_answer(struct bench_world *w, size_t n)
{
    double *answer = calloc(n, sizeof *answer), *floor = calloc(n, sizeof *floor);
    uint64_t before = stored(w, "SLUICE_RESULTS");

    for (size_t i = 0; i < n; i++) {
        natsMsg *msg = NULL;
        double begun = bench_now_ms();
        if (natsConnection_RequestString(&msg, w->nc, "sluice.api.submit.bench", NOOP, 5000) !=
            NATS_OK)
            give_up("a submit was not answered");
        answer[i] = bench_now_ms() - begun;
        natsMsg_Destroy(msg);
    }
    wait_results(w, before + n);
    make_answer_stream(w);
    for (size_t i = 0; i < n;
         i++) { /* two stored messages, one after the other, are what an answer needs */
        double begun = bench_now_ms();
        for (int k = 0; k < 2; k++)
            if (js_Publish(NULL, w->js, "bench.answer", NOOP, sizeof NOOP - 1, NULL, NULL) !=
                NATS_OK)
                give_up("cannot publish");
        floor[i] = bench_now_ms() - begun;
    }
    bench_figure("submit -> answer, median", "ms", bench_quantile(answer, n, 0.5),
                 bench_quantile(floor, n, 0.5));
    bench_figure("submit -> answer, p99", "ms", bench_quantile(answer, n, 0.99),
                 bench_quantile(floor, n, 0.99));
    free(answer);
    free(floor);
}

/* ---- from the journal's own times ------------------------------------------------------------------------------ */

struct span {
    char run[27];
    int64_t plan, leased, end;
};

static struct span *span_of(struct span *all, size_t *count, size_t room, const char *subject)
{
    const char *run = strrchr(subject, '.') + 1;

    for (size_t i = *count; i-- > 0;)
        if (strcmp(all[i].run, run) == 0)
            return &all[i];
    if (*count == room)
        return NULL;
    snprintf(all[*count].run, sizeof all[*count].run, "%.26s", run);
    return &all[(*count)++];
}

/* The first n runs of a tenant: when each was planned, leased first, and ended (ns). */
static size_t read_spans(struct bench_world *w, const char *tenant, struct span *all, size_t n)
{
    char subject[80];
    natsSubscription *sub = NULL;
    jsSubOptions options;
    size_t count = 0;

    snprintf(subject, sizeof subject, "sluice.journal.%s.*", tenant);
    jsSubOptions_Init(&options);
    options.Ordered = true;
    if (js_SubscribeSync(&sub, w->js, subject, NULL, &options, NULL) != NATS_OK)
        give_up("cannot read the journal");
    for (;;) {
        natsMsg *msg        = NULL;
        const char *kind    = "";
        jsMsgMetaData *meta = NULL;
        if (natsSubscription_NextMsg(&msg, sub, 500) != NATS_OK)
            break;
        struct span *s = span_of(all, &count, n, natsMsg_GetSubject(msg));
        if (s && natsMsg_GetMetaData(&meta, msg) == NATS_OK &&
            natsMsgHeader_Get(msg, "Sluice-Kind", &kind) == NATS_OK) {
            if (strcmp(kind, "PLAN") == 0)
                s->plan = meta->Timestamp;
            if (strcmp(kind, "LEASED") == 0 && !s->leased)
                s->leased = meta->Timestamp;
            if (strcmp(kind, "END") == 0)
                s->end = meta->Timestamp;
        }
        jsMsgMetaData_Destroy(meta);
        natsMsg_Destroy(msg);
    }
    natsSubscription_Destroy(sub);
    return count;
}

void bench_run_start(struct bench_world *w, size_t n)
{
    struct span *all = calloc(n, sizeof *all);
    double *start    = calloc(n, sizeof *start);
    uint64_t before  = stored(w, "SLUICE_RESULTS");

    for (size_t i = 0; i < n; i++) {
        natsMsg *msg = NULL;
        if (natsConnection_RequestString(&msg, w->nc, "sluice.api.submit.alone", NOOP, 5000) !=
            NATS_OK)
            give_up("a submit was not answered");
        natsMsg_Destroy(msg);
        wait_results(w, before + i + 1);
    }
    size_t count = read_spans(w, "alone", all, n);
    for (size_t i = 0; i < count; i++)
        start[i] = (double)(all[i].leased - all[i].plan) / 1e6;
    bench_figure("submit -> start on an idle system, median", "ms",
                 bench_quantile(start, count, 0.5), 0);
    bench_figure("submit -> start on an idle system, p99", "ms",
                 bench_quantile(start, count, 0.99), 0);
    free(all);
    free(start);
}

static int by_lease(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    return x->leased < y->leased ? -1 : x->leased > y->leased;
}

void bench_run_freed(struct bench_world *w, size_t n)
{
    struct span *all = calloc(n, sizeof *all);
    double *gap      = calloc(n, sizeof *gap);
    uint64_t before  = stored(w, "SLUICE_RESULTS");

    put_tenant(w, "one", "{\"tier\":\"scale\",\"cap\":1}");
    submit_many(w, "one", n, before);
    wait_results(w, before + n);
    size_t count = read_spans(w, "one", all, n);
    qsort(all, count, sizeof *all, by_lease);
    for (size_t i = 1; i < count; i++)
        gap[i - 1] = (double)(all[i].leased - all[i - 1].end) / 1e6;
    bench_figure("freed slot -> next start (END to LEASED), median", "ms",
                 bench_quantile(gap, count - 1, 0.5), 0);
    bench_figure("freed slot -> next start (END to LEASED), p99", "ms",
                 bench_quantile(gap, count - 1, 0.99), 0);
    free(all);
    free(gap);
}
