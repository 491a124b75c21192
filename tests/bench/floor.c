#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"
#include "base/str.h"
#include "bench.h"
#include "bus/bus.h"

/*
 * The floor: exactly the stored and delivered messages of a no-op run, with nothing decided between
 * them: the request, PLAN, ticket, the answer, the ticket's delivery, job, ticket's ack, job's delivery, journal read, LEASED, OUTCOME, END, result,
 * job's ack with its confirmation to a third party; headers-only followers of journal and results beside it, and republish, as
 * the real streams have.  One process, one connection, pipelined.
 */

enum { FLOOR_MAGIC = 0x666c6f6f, WINDOW = 1000, ANSWER_LEN = 150 };

struct floor;

struct run {
    struct bus_op op, asker;
    struct floor *floor;
    struct bus_msg *request;
    char journal[64], name[32];
    uint64_t seq;
    int entries;
    int met; /* the answer of a publish and the delivery of what it stored, in either order */
    char acks[256], job_acks[256];
};

struct floor {
    uv_loop_t loop;
    struct bus *bus;
    size_t runs, begun, done;
    struct run *all;
    struct bus_consumer *tickets, *jobs;
    struct bus_follower *journal, *results;
    struct bus_sub *submits, *freed;
    struct bus_op setup;
    int stage;
};

static const uint8_t BODY[220] = "a body of the size of an entry";

static void begin_more(struct floor *f);

/* ---- one run ----------------------------------------------------------------------------------------------- */

static void fail(const char *what, const char *of, struct err e)
{
    char text[100];

    fprintf(stderr, "bench: floor: %s %s: %s\n", what, of, err_text(e, text, sizeof text));
    exit(1);
}

static void run_over(struct bus_op *op, struct err e)
{
    struct run *r = SELF(struct run, FLOOR_MAGIC, op);

    if (failed(e))
        fail("run", r->name, e);
    r->floor->done++;
    begin_more(r->floor);
}

static struct err publish(struct run *r, const char *subject, const char *wide, uint64_t expect,
                          bus_next_fn *next)
{
    const struct bus_header headers[] = {
        {"Sluice-Kind", "OUTCOME"}, {"Sluice-Worker", "floor-0000"},
        {"Sluice-Step", "a"},       {"Sluice-Lease", "0123456789abcdef"},
        {"Sluice-Job", "1234567"},  {"Sluice-Wake", "1"}};
    const struct bus_expect want = {.seq = expect, .subject = wide};
    const struct bus_out out = {subject, bytes_of(BODY, sizeof BODY), headers, wide ? 0 : 6};

    return bus_publish(&r->op, &out, expect == BUS_ANY ? NULL : &want, next);
}

static struct err on_result(struct bus_op *op, const struct bus_reply *reply)
{
    struct run *r = SELF(struct run, FLOOR_MAGIC, op);

    if (failed(reply->err))
        return reply->err;
    bus_lease_ack(r->floor->bus, r->acks, "bench.freed");
    return bus_op_done(op);
}

static struct err on_entry(struct bus_op *op, const struct bus_reply *reply)
{
    struct run *r = SELF(struct run, FLOOR_MAGIC, op);
    char subject[80];

    if (failed(reply->err))
        return reply->err;
    r->seq = reply->seq;
    if (++r->entries < 3)
        return publish(r, r->journal, NULL, r->seq, on_entry);
    str_format(subject, sizeof subject, "floor.result.%s", r->name);
    return publish(r, subject, NULL, 0, on_result);
}

static struct err on_journal(struct bus_op *op, const struct bus_reply *reply)
{
    struct run *r = SELF(struct run, FLOOR_MAGIC, op);

    if (failed(reply->err))
        return reply->err;
    return publish(r, r->journal, NULL, r->seq, on_entry);
}

static struct run *run_of(struct floor *f, const struct bus_msg *msg)
{
    char name[32];

    str_token(msg->subject, 2, name, sizeof name);
    return &f->all[strtoul(name, NULL, 10)];
}

/* The job is stored and delivered: what a worker does. */
static void work(struct run *r)
{
    const struct bus_read read = {
        .stream = "FLOOR_JOURNAL", .subject = r->journal, .from = r->seq};

    bus_ack(r->floor->bus, r->acks);
    str_copy(r->acks, sizeof r->acks, r->job_acks);
    (void)bus_read(&r->op, &read, on_journal);
}

static void on_job(void *self, struct bus_msg **msg)
{
    struct floor *f = self;
    struct run *r   = run_of(f, *msg);

    str_copy(r->job_acks, sizeof r->job_acks, (*msg)->reply);
    if (++r->met == 4)
        work(r);
    bus_consumer_room(f->jobs, WINDOW);
}

static struct err on_job_stored(struct bus_op *op, const struct bus_reply *reply)
{
    struct run *r = SELF(struct run, FLOOR_MAGIC, op);

    if (!failed(reply->err) && ++r->met == 4)
        work(r);
    return reply->err;
}

/* The ticket is stored and delivered: what a scheduler does. */
static void admit(struct run *r)
{
    char subject[80], wide[80];

    str_format(subject, sizeof subject, "floor.jobs.%s.p", r->name);
    str_format(wide, sizeof wide, "floor.jobs.%s.*", r->name);
    (void)publish(r, subject, wide, 0, on_job_stored);
}

static void on_ticket(void *self, struct bus_msg **msg)
{
    struct floor *f = self;
    struct run *r   = run_of(f, *msg);

    str_copy(r->acks, sizeof r->acks, (*msg)->reply);
    if (++r->met == 2)
        admit(r);
    bus_consumer_room(f->tickets, WINDOW);
}

static struct err on_ticket_stored(struct bus_op *op, const struct bus_reply *reply)
{
    struct run *r = SELF(struct run, FLOOR_MAGIC, op);

    if (failed(reply->err))
        return reply->err;
    bus_answer(r->floor->bus, r->request, bytes_of(BODY, ANSWER_LEN), NULL, 0);
    bus_msg_free(&r->request);
    if (++r->met == 2)
        admit(r);
    return OK;
}

static struct err on_plan(struct bus_op *op, const struct bus_reply *reply)
{
    struct run *r = SELF(struct run, FLOOR_MAGIC, op);
    char subject[80];

    if (failed(reply->err))
        return reply->err;
    r->seq = reply->seq;
    str_format(subject, sizeof subject, "floor.pending.%s", r->name);
    return publish(r, subject, NULL, BUS_ANY, on_ticket_stored);
}

/* What a gateway does. */
static void on_submit(void *self, struct bus_msg **msg)
{
    struct floor *f = self;
    struct run *r   = run_of(f, *msg);

    r->request = take(msg);
    bus_op_start(f->bus, &r->op, FLOOR_MAGIC, "floor", 60000, run_over);
    (void)publish(r, r->journal, NULL, 0, on_plan);
}

static void asked(struct bus_op *op, struct err e)
{
    struct run *r = LIST_OWNER(op, struct run, asker);

    if (failed(e))
        fail("submit", r->name, e);
}

static struct err on_answer(struct bus_op *op, const struct bus_reply *reply)
{
    return failed(reply->err) ? reply->err : bus_op_done(op);
}

static void submit(struct run *r)
{
    char subject[64];
    const struct bus_out out = {.subject = subject, .body = bytes_of(BODY, ANSWER_LEN)};

    str_format(subject, sizeof subject, "bench.submit.%s", r->name);
    bus_op_start(r->floor->bus, &r->asker, FLOOR_MAGIC, "floor-submit", 60000, asked);
    (void)bus_request(&r->asker, &out, 60000, on_answer);
}

static void begin_more(struct floor *f)
{
    if (f->done == f->runs) {
        uv_stop(&f->loop);
        return;
    }
    while (f->begun < f->runs && f->begun - f->done < WINDOW) {
        struct run *r = &f->all[f->begun];

        r->floor = f;
        str_format(r->name, sizeof r->name, "%zu", f->begun++);
        str_format(r->journal, sizeof r->journal, "floor.journal.%s", r->name);
        submit(r);
    }
}

/* ---- streams and consumers like the real ones ------------------------------------------------------------------- */

static const char *const STREAMS[][2] = {
    {"FLOOR_JOURNAL",
     "{\"name\":\"FLOOR_JOURNAL\",\"subjects\":[\"floor.journal.*\"],\"retention\":\"limits\","
     "\"storage\":\"file\","
     "\"discard\":\"new\",\"allow_direct\":true,\"allow_atomic\":true,\"num_replicas\":1,"
     "\"republish\":{\"src\":\"floor.journal.*\",\"dest\":\"floor.watch.{{wildcard(1)}}\"}}"},
    {"FLOOR_PENDING", "{\"name\":\"FLOOR_PENDING\",\"subjects\":[\"floor.pending.*\"],"
                      "\"retention\":\"workqueue\",\"storage\":\"file\","
                      "\"discard\":\"new\",\"allow_direct\":true,\"num_replicas\":1}"},
    {"FLOOR_JOBS", "{\"name\":\"FLOOR_JOBS\",\"subjects\":[\"floor.jobs.*.*\"],\"retention\":"
                   "\"workqueue\",\"storage\":\"file\","
                   "\"discard\":\"new\",\"allow_direct\":true,\"num_replicas\":1}"},
    {"FLOOR_RESULTS", "{\"name\":\"FLOOR_RESULTS\",\"subjects\":[\"floor.result.*\"],"
                      "\"retention\":\"limits\",\"storage\":\"file\","
                      "\"discard\":\"new\",\"allow_direct\":true,\"num_replicas\":1}"},
};
static const char CONSUMER[] = "{\"durable_name\":\"%s\",\"ack_policy\":\"explicit\",\"deliver_"
                               "policy\":\"all\",\"ack_wait\":60000000000,"
                               "\"max_ack_pending\":-1,\"max_deliver\":-1,\"max_waiting\":512}";

static void ignore(void *self, struct bus_msg **msg)
{
    (void)self, (void)msg;
}

static struct err next_setup(struct bus_op *op, const struct bus_reply *reply)
{
    struct floor *f = LIST_OWNER(op, struct floor, setup);
    char config[400];

    if (failed(reply->err))
        return reply->err;
    int stage = f->stage++;
    if (stage < 4)
        return bus_stream_make(op, STREAMS[stage][0], bytes_str(STREAMS[stage][1]), next_setup);
    if (stage < 6) {
        const char *name = stage == 4 ? "tickets" : "jobs";
        str_format(config, sizeof config, CONSUMER, name);
        return bus_consumer_make(op, stage == 4 ? "FLOOR_PENDING" : "FLOOR_JOBS", name,
                                 bytes_str(config), next_setup);
    }
    return bus_op_done(op);
}

static void setup_over(struct bus_op *op, struct err e)
{
    struct floor *f = LIST_OWNER(op, struct floor, setup);

    if (failed(e))
        fail("set-up", "of the streams", e);
    uv_stop(&f->loop);
}

static void on_state(void *self, bool connected)
{
    struct floor *f = self;

    if (connected && f->stage == 0)
        (void)bus_wait(&f->setup, 0, next_setup);
}

double bench_floor_runs(struct bench_world *w, size_t runs)
{
    struct floor f                 = {.runs = runs, .all = calloc(runs, sizeof(struct run))};
    const struct bus_config config = {.url = w->url, .name = "floor"};

    uv_loop_init(&f.loop);
    if (failed(bus_open(&f.bus, &f.loop, &config)))
        exit(1);
    bus_op_start(f.bus, &f.setup, FLOOR_MAGIC, "floor-setup", 20000, setup_over);
    bus_on_state(f.bus, on_state, &f);
    uv_run(&f.loop, UV_RUN_DEFAULT);

    const struct bus_consume tickets = {
        .stream = "FLOOR_PENDING", .consumer = "tickets", .on_msg = on_ticket, .self = &f};
    const struct bus_consume jobs = {
        .stream = "FLOOR_JOBS", .consumer = "jobs", .on_msg = on_job, .self = &f};
    const struct bus_follow journal = {.stream       = "FLOOR_JOURNAL",
                                       .filter       = "floor.journal.*",
                                       .headers_only = true,
                                       .on_msg       = ignore};
    const struct bus_follow results = {.stream       = "FLOOR_RESULTS",
                                       .filter       = "floor.result.*",
                                       .headers_only = true,
                                       .on_msg       = ignore};
    if (failed(bus_consume(f.bus, &tickets, &f.tickets)) ||
        failed(bus_consume(f.bus, &jobs, &f.jobs)) ||
        failed(bus_follow(f.bus, &journal, &f.journal)) ||
        failed(bus_follow(f.bus, &results, &f.results)) ||
        failed(bus_subscribe(f.bus, "bench.submit.*", NULL, on_submit, &f, &f.submits)) ||
        failed(bus_subscribe(f.bus, "bench.freed", NULL, ignore, NULL, &f.freed)))
        exit(1);
    bus_consumer_room(f.tickets, WINDOW);
    bus_consumer_room(f.jobs, WINDOW);
    double begun = bench_now_ms();
    begin_more(&f);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    double took = bench_now_ms() - begun;
    bus_free(&f.bus);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    uv_loop_close(&f.loop);
    free(f.all);
    return (double)runs * 1000.0 / took;
}
