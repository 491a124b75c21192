/*
 * world - all four services on one bus without a wire, a client, and an upstream that counts: each
 * scenario is driven once to count the answers, then once for each answer and each way to hurt it.
 *
 * What must hold however an answer fares: no op leaks, a request is answered once, the journal is
 * legal, an ended run has one result and is in no queue, a refused submit never runs and an answered
 * one ends, an order is given at most once, and no session stays open.
 *
 * Included once, by a test's only file: it defines the clocks and the random numbers of the program.
 */
#ifndef TESTS_FAULT_WORLD_H
#define TESTS_FAULT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/log.h"
#include "bw.h"
#include "bw_eval.h"
#include "gw.h"
#include "lim.h"
#include "lim_config.h"
#include "run/run_fold.h"
#include "run/run_id.h"
#include "sch.h"
#include "sch_config.h"
#include "sch_on.h"
#include "support/fake/fake.h"
#include "support/fake/fake_clk.h"
#include "svc/svc.h"
#include "svc/svc_internal.h"
#include "wire/subject.h"
#include "wire/wire_entry.h"
#include "wire/wire_stream.h"

enum { ASKS_MAX = 16, SESSIONS_MAX = 16, WORKERS = 2, UP_MS = 4000, KNOWN_MS = 1500 };

/* A ticket whose delivery or ack was lost is given again after ten minutes. */
enum {
    FINE_MS   = 60000,
    COARSE_MS = 200,
    OVER_MS   = 1300000,
    CLIENT_MS = 15000,
    REAPED_MS = 900000,
    LATE_MS   = 8000,  /* longer than anybody waits for an answer of the bus */
    BRIEF_MS  = 60000, /* till an op ends that has nothing to wait for */
    IDLE_MS   = 600000
};
#define TENANT "acme"

/* A request of the client, and what was answered. */
struct ask {
    unsigned answers;
    uint64_t asked; /* when */
    char body[2048];
};

struct world {
    struct bus *client;
    struct bus_sub *sub;
    struct svc *gw_svc, *sch_svc, *lim_svc, *bw_svc[WORKERS];
    struct svc *old_sch_svc; /* who led before, and is still there */
    struct gw *gw;
    struct sch *sch, *old_sch;
    struct lim *lim;
    struct bw *bw[WORKERS];
    struct ask asks[ASKS_MAX];
    unsigned ask_count;
    char run[ID_SIZE]; /* that the scenario is about */
    unsigned stage;    /* a scenario's own */
    uint64_t at;       /* when it began */
    /* the upstream */
    bool open[SESSIONS_MAX];
    uint64_t used[SESSIONS_MAX]; /* when it was last asked for something */
    unsigned opened, orders;
    unsigned calls, calls_most, calls_ever; /* that it works on; at most; in all */
    uint64_t call_ms;
    bool hangs_up; /* who calls waits no longer than its step may take; the upstream goes on */
    bool limited;  /* it says 402 */
    bool broken;   /* it says 500 to who opens a session */
    unsigned requests; /* that a command takes; 0: one */
    const char *page;  /* what there is to be retrieved, as JSON; NULL: {} */
};
static struct world world;
static struct fake_hurt hurting;

#define SIM \
    "{\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"https://sim.example/v1\"," \
    "\"rate\":{\"per_s\":100,\"burst\":100},\"in_flight\":10,\"sessions\":5,\"session_idle\":" \
    "\"10m\"}"

/* ---- an upstream behind the driver's table ----------------------------------------------------------- */

enum { DRIVER_MAGIC = 0x64726976 };

struct bw_call {
    struct bus_op op;
    enum bw_verb verb;
    enum entry_effect effect;
    bw_answer_fn *fn;
    bw_more_fn *more;
    void *self;
    unsigned session, requests; /* requests: yet to be answered */
    bool cancelled, stopped, at_work;
    bool outside;     /* of any session */
    uint64_t rest_ms; /* for which it works on when nobody waits any more */
};

static void work(struct bw_call *c)
{
    c->at_work = true;
    world.calls_ever++;
    if (++world.calls > world.calls_most)
        world.calls_most = world.calls;
}

static void work_done(struct bw_call *c)
{
    if (c->at_work)
        world.calls--;
    c->at_work = false;
}

static void call_end(struct bus_op *op, struct err e)
{
    struct bw_call *c = SELF(struct bw_call, DRIVER_MAGIC, op);

    (void)e;
    mem_free(&c);
}

static struct err call_answer(struct bus_op *op, const struct bus_reply *reply);

/* An order that is stopped halfway is one of which nobody knows. */
static void call_go(struct bw_call *c, bool granted)
{
    c->stopped = !granted;
    if (granted)
        work(c);
    (void)bus_wait(&c->op, granted ? world.call_ms : 0, call_answer);
}

static void driver_leave(struct bw_call *c, bw_answer_fn *fn, void *self)
{
    c->fn       = fn;
    c->self     = self;
    c->requests = 1;
    if (bus_op_parked(&c->op)) /* it waits for its next permit */
        call_go(c, false);
}

static struct err call_late(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_call *c        = SELF(struct bw_call, DRIVER_MAGIC, op);
    const struct bw_answer a = {.fate          = CALL_UNANSWERED,
                                .call_class    = CALL_TIMEOUT,
                                .ms            = world.call_ms,
                                .endpoint_path = "/fake",
                                .code          = "step_timeout",
                                .detail        = "no answer in the step's time"};

    (void)reply;
    if (!c->cancelled)
        c->fn(c->self, &a);
    c->cancelled = true;
    return bus_wait(op, c->rest_ms, call_answer);
}

static struct err call_answer(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_call *c = SELF(struct bw_call, DRIVER_MAGIC, op);
    char remote[16];
    struct bw_answer a = {.fate          = CALL_DONE,
                          .call_class    = CALL_OK,
                          .status        = 200,
                          .ms            = world.call_ms,
                          .endpoint_path = "/fake"};

    (void)reply;
    work_done(c);
    if (c->cancelled)
        return bus_op_done(op);
    if (!c->stopped && --c->requests > 0) {
        c->more(c->self, &a, call_go, c);
        return OK;
    }
    snprintf(remote, sizeof remote, "r%u", c->session);
    bool gone = c->verb != BW_OPEN && c->verb != BW_LIST && !c->outside &&
                (c->session >= SESSIONS_MAX || !world.open[c->session]);
    if (c->verb == BW_OPEN) {
        a.remote_id = remote;
        a.endpoint  = "";
    }
    if (gone && c->verb != BW_CLOSE) {
        a.fate         = CALL_SESSION_LOST;
        a.call_class   = CALL_CLIENT;
        a.session_gone = true;
        a.code         = "session_lost";
        a.detail       = "no such session";
    }
    if (c->verb == BW_CLOSE && !gone)
        world.open[c->session] = false;
    if (world.limited && c->verb != BW_LIST) {
        a.fate       = CALL_DEFERRED;
        a.call_class = CALL_PAYMENT;
        a.status     = 402;
        a.code       = "upstream_limited";
        a.detail     = "the account is empty";
        if (c->verb == BW_OPEN)
            world.open[c->session] = false;
    }
    if (world.broken && c->verb == BW_OPEN) {
        a.fate                 = CALL_FAILED;
        a.call_class           = CALL_SERVER;
        a.status               = 500;
        a.code                 = "upstream_failed";
        a.detail               = "no session can be opened";
        a.remote_id            = NULL;
        world.open[c->session] = false;
    }
    if (c->stopped) {
        a.fate           = c->effect == EFFECT_UNSAFE ? CALL_UNANSWERED : CALL_DEFERRED;
        a.retry_after_ms = 1000;
        a.code           = "upstream_refused";
        a.detail         = "it was stopped halfway";
    }
    a.value = c->verb == BW_LIST ? json_new_array() : json_new_object();
    if (c->verb == BW_RETRIEVE && world.page) {
        char why[JSON_WHY_SIZE];
        json_free(&a.value);
        must(!failed(json_parse(&a.value, bytes_str(world.page), why, sizeof why)));
    }
    for (unsigned i = 0; c->verb == BW_LIST && i < world.opened; i++) {
        char id[16];
        snprintf(id, sizeof id, "r%u", i);
        if (world.open[i])
            json_add(a.value, json_new_str(id));
    }
    c->fn(c->self, &a);
    json_free(&a.value);
    return bus_op_done(op);
}

static struct bw_call *driver_start(const struct bw_drivers *env,
                                    const struct bw_request *request, bw_answer_fn *fn,
                                    void *self)
{
    struct bw_call *c = mem_new(struct bw_call);

    (void)env;
    c->verb     = request->verb;
    c->fn       = fn;
    c->effect   = request->effect;
    c->more     = request->more;
    c->self     = self;
    c->requests = request->verb == BW_BROWSE && world.requests ? world.requests : 1;
    c->outside  = !request->remote_id || !*request->remote_id;
    c->session  = request->remote_id && request->remote_id[0] == 'r'
                      ? (unsigned)atoi(request->remote_id + 1)
                      : SESSIONS_MAX;
    if (request->verb == BW_OPEN) {
        must(world.opened < SESSIONS_MAX);
        c->session             = world.opened++;
        world.open[c->session] = true; /* it is there from the sending on, answered or not */
    }
    if (request->verb == BW_BROWSE && c->session < SESSIONS_MAX && world.open[c->session])
        world.orders++;
    if (c->session < SESSIONS_MAX)
        world.used[c->session] = fake_now();
    work(c);
    bus_op_start(world.client, &c->op, DRIVER_MAGIC, "driver", 0, call_end);
    bool late = world.hangs_up && world.call_ms > request->timeout_ms;
    if (late)
        c->rest_ms = world.call_ms - request->timeout_ms;
    (void)bus_wait(&c->op, late ? request->timeout_ms : world.call_ms,
                   late ? call_late : call_answer);
    return c;
}

static void driver_cancel(struct bw_call **slot)
{
    struct bw_call *c = *slot;

    *slot = NULL;
    if (!c)
        return;
    c->cancelled = true;
    if (bus_op_parked(&c->op)) /* it waits for its next permit */
        (void)bus_op_done(&c->op);
}

static struct err driver_check(enum bw_verb verb, const struct json *body, char *why,
                               size_t why_size)
{
    (void)verb, (void)body, (void)why, (void)why_size;
    return OK;
}

/* In place of services/browser-worker/bw_driver.c. */
const struct bw_driver *bw_driver_find(const char *name)
{
    static const struct bw_driver FAKE = {.name   = "agent",
                                          .check  = driver_check,
                                          .start  = driver_start,
                                          .leave  = driver_leave,
                                          .cancel = driver_cancel};

    return str_equal(name, "agent") ? &FAKE : NULL;
}

/* ---- no expressions: no flow here has one, and no child process is started ------------------------------- */

struct bw_eval {
    char nothing;
};

/* In place of services/browser-worker/bw_eval.c. */
struct bw_eval *bw_eval_new(struct uv_loop_s *loop, const char *program_path, uint64_t eval_ms,
                            unsigned children)
{
    static struct bw_eval eval;

    (void)loop, (void)program_path, (void)eval_ms, (void)children;
    return &eval;
}

void bw_eval_free(struct bw_eval **eval)
{
    *eval = NULL;
}

struct bw_eval_ask *bw_eval_ask(struct bw_eval *eval, const char *program, struct bytes scope,
                                bw_eval_done_fn *done, void *self)
{
    (void)eval, (void)program, (void)scope, (void)done, (void)self;
    must(!"a flow with an expression");
    return NULL;
}

void bw_eval_cancel(struct bw_eval_ask **ask)
{
    *ask = NULL;
}

/* ---- the client ------------------------------------------------------------------------------------------ */

static void on_answer(void *self, struct bus_msg **msg)
{
    char number[8];

    (void)self;
    if (!str_token((*msg)->subject, 1, number, sizeof number))
        return;
    struct ask *ask = &world.asks[atoi(number)];
    ask->answers++;
    str_copy_n(ask->body, sizeof ask->body, (const char *)(*msg)->body.at, (*msg)->body.len);
}

/* Returns which ask it is. */
static unsigned ask_at(const char *subject, const char *body)
{
    char reply[32];

    must(world.ask_count < ASKS_MAX);
    snprintf(reply, sizeof reply, "_TEST.%u", world.ask_count);
    const struct bus_out out = {subject, bytes_str(body), NULL, 0};
    must(bus_send_from(world.client, &out, reply));
    world.asks[world.ask_count].asked = fake_now();
    return world.ask_count++;
}

/* Asks the gateway. */
static inline unsigned ask(const char *verb, const char *body)
{
    char subject[SUBJECT_SIZE];

    return ask_at(subject_api(subject, verb, TENANT), body);
}

static bool answered_ok(unsigned n)
{
    return world.asks[n].answers > 0 && strstr(world.asks[n].body, "\"run_id\"") &&
           !strstr(world.asks[n].body, "\"code\"");
}

static bool says(unsigned n, const char *word)
{
    return strstr(world.asks[n].body, word) != NULL;
}

/* ---- up and down -------------------------------------------------------------------------------------------- */

static void no_log(void *self, enum log_level level, const char *message, const char *line)
{
    (void)self, (void)message;
    if (getenv("WORLD_LOG"))
        fprintf(stderr, "%8llu %s\n", (unsigned long long)(fake_now() - 1000000), line);
    (void)level;
}

static struct svc *service(struct svc_about *about)
{
    static char name[] = "test";
    char *argv[]       = {name, NULL};
    struct svc *svc    = svc_new(about, 1, argv);

    log_sink(no_log, NULL);
    return svc;
}

static void worker_up(unsigned n)
{
    static struct bw_config config;
    static struct svc_about about = {.name   = "sluice-browser-worker",
                                     .keys   = bw_config_keys,
                                     .config = &config,
                                     .check  = bw_config_check};

    world.bw_svc[n] = service(&about);
    world.bw[n]     = bw_new(world.bw_svc[n], &config);
    svc_on_ready(world.bw_svc[n], bw_ready, world.bw[n]);
    svc_tick(world.bw_svc[n], bw_tick, world.bw[n]);
    svc_on_drain(world.bw_svc[n], bw_drain_begin, bw_drained, world.bw[n]);
}

static void worker_down(unsigned n)
{
    if (!world.bw[n])
        return;
    bw_stop(world.bw[n]);
    svc_free(&world.bw_svc[n]);
    bw_free(&world.bw[n]);
}

static void scheduler_up(void)
{
    static struct sch_config config;
    static struct svc_about about = {.name   = "sluice-scheduler",
                                     .keys   = sch_config_keys,
                                     .config = &config,
                                     .check  = sch_config_check};

    world.sch_svc = service(&about);
    world.sch     = sch_new(world.sch_svc, &config);
    svc_serve(world.sch_svc, sch_on_routes, world.sch);
    svc_tick(world.sch_svc, sch_tick, world.sch);
}

static void scheduler_down(struct sch **sch, struct svc **svc)
{
    sch_free(sch);
    svc_free(svc);
}

/* Another stands for it; this one stays as it is. */
static inline void scheduler_beside(void)
{
    world.old_sch     = world.sch;
    world.old_sch_svc = world.sch_svc;
    scheduler_up();
}

static void put(const char *bucket, const char *key, const char *value)
{
    char subject[SUBJECT_SIZE];

    str_format(subject, sizeof subject, "$KV.%s.%s", bucket, key);
    (void)fake_store(subject, bytes_str(value));
}

/* A service's loop stands still here: what it set its timer to is counted from its last turn. */
static uint64_t next_turn(const struct bus *bus)
{
    const struct svc *services[4 + WORKERS] = {world.gw_svc, world.sch_svc, world.old_sch_svc,
                                               world.lim_svc};

    for (unsigned n = 0; n < WORKERS; n++)
        services[4 + n] = world.bw_svc[n];
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        const struct svc *svc = services[i];

        if (!svc || svc->bus != bus)
            continue;
        if (uv_is_active((const uv_handle_t *)&svc->soon))
            return 0;
        if (uv_is_active((const uv_handle_t *)&svc->timer))
            return uv_timer_get_due_in(&svc->timer);
    }
    return UINT64_MAX;
}

static void world_up(bool birth)
{
    static struct gw_config gw_config;
    static struct lim_config lim_config;
    static struct svc_about gw = {
        .name = "sluice-gateway", .keys = gw_config_keys, .config = &gw_config};
    static struct svc_about lim    = {.name   = "sluice-limiter",
                                      .keys   = lim_config_keys,
                                      .config = &lim_config,
                                      .check  = lim_config_check};
    const struct bus_config client = {.name = "client"};

    world = (struct world){.call_ms = 40};
    fake_begin();
    fake_on_time(next_turn);
    log_sink(no_log, NULL);
    must(!failed(bus_open(&world.client, NULL, &client)));
    fake_spare(world.client);
    must(!failed(bus_subscribe(world.client, "_TEST.>", NULL, on_answer, NULL, &world.sub)));

    if (birth)
        fake_count(hurting);
    world.gw_svc = service(&gw);
    world.gw     = gw_new(world.gw_svc, &gw_config);
    svc_on_ready(world.gw_svc, gw_ready, world.gw);
    scheduler_up();
    world.lim_svc = service(&lim);
    world.lim     = lim_new(world.lim_svc, &lim_config);
    svc_serve(world.lim_svc, lim_on, world.lim);
    svc_tick(world.lim_svc, lim_tick, world.lim);
    for (unsigned n = 0; n < WORKERS; n++)
        worker_up(n);
    fake_advance(UP_MS);
    while (!fake_has_stream("KV_" BUCKET_UPSTREAMS)) /* those who make the streams were hurt */
        fake_advance(UP_MS);
    put(BUCKET_UPSTREAMS, "sim", SIM);
    fake_advance(KNOWN_MS);
}

static void world_down(void)
{
    for (unsigned n = 0; n < WORKERS; n++)
        worker_down(n);
    lim_stop(world.lim);
    svc_free(&world.lim_svc);
    lim_free(&world.lim);
    scheduler_down(&world.old_sch, &world.old_sch_svc);
    scheduler_down(&world.sch, &world.sch_svc);
    gw_stop(world.gw);
    svc_free(&world.gw_svc);
    gw_free(&world.gw);
    bus_unsubscribe(&world.sub);
    bus_free(&world.client);
    fake_end();
}

/* ---- what is there -------------------------------------------------------------------------------------------- */

static unsigned stream_has(const char *stream, bool jobs, const char *run)
{
    struct fake_stored m;
    unsigned n = 0;

    for (size_t i = 0; fake_stored(stream, ">", i, &m); i++) {
        struct ticket ticket;
        struct job job;
        if (jobs ? !failed(wire_read_job(&job, m.body)) && str_equal(job.ticket.run, run)
                 : !failed(wire_read_ticket(&ticket, m.body)) && str_equal(ticket.run, run))
            n++;
    }
    return n;
}

static unsigned results(const char *run)
{
    char subject[SUBJECT_SIZE];

    str_format(subject, sizeof subject, "sluice.result.%s.*.*.%s", TENANT, run);
    return (unsigned)fake_stored_count(STREAM_RESULTS, subject);
}

/* Folds the journal; why: what is not legal in it, NULL: nothing. */
static void read_journal(const char *run, struct run_fold *f, const char **ret_why)
{
    struct arena *arena = arena_new();
    char subject[SUBJECT_SIZE];
    struct fake_stored m;
    uint64_t token = 0;
    bool ended     = false;

    *ret_why = NULL;
    run_fold_init(f);
    (void)subject_journal(subject, TENANT, run);
    for (size_t i = 0; fake_stored(STREAM_JOURNAL, subject, i, &m); i++) {
        struct entry e;
        if (failed(wire_read_entry(&e, m.body, arena))) {
            *ret_why = "an entry that cannot be read";
            continue;
        }
        e.seq       = m.seq;
        e.stored_ms = m.stored_ms;
        bool mail   = e.kind >= ENTRY_COMMAND && e.kind <= ENTRY_CHILD_DONE;
        if (ended && e.kind != ENTRY_CLOSED && !mail)
            *ret_why = "an entry after END";
        if (entry_by_holder(e.kind) && e.kind != ENTRY_LEASED && e.token != token &&
            !(e.kind == ENTRY_END && !e.token) && !(ended && e.kind == ENTRY_CLOSED))
            *ret_why = "a holder's entry without the lease";
        if (e.kind == ENTRY_LEASED)
            token = e.token;
        if (e.kind == ENTRY_RELEASED || e.kind == ENTRY_WAITING)
            token = 0;
        ended = ended || e.kind == ENTRY_END;
        run_fold_add(f, &e);
        arena_reset(arena);
    }
    arena_free(&arena);
}

/* Asked every 100 ms: read again only when something was stored since. */
static enum run_phase phase_of(const char *run)
{
    static struct {
        char run[ID_SIZE];
        uint64_t changes;
        enum run_phase phase;
    } known[64], *mine;
    struct run_fold f;
    const char *why;

    uint64_t changes = fake_changes(STREAM_JOURNAL);

    mine = &known[str_hash(run, strlen(run)) % 64];
    if (changes && mine->changes == changes && str_equal(mine->run, run))
        return mine->phase;
    read_journal(run, &f, &why);
    str_copy(mine->run, sizeof mine->run, run);
    mine->changes = changes;
    mine->phase   = f.phase;
    run_fold_deinit(&f);
    return mine->phase;
}

static inline void next_stage(void)
{
    world.stage++;
    world.at = fake_now();
}

/* The worker that holds something; WORKERS: none does. */
static inline unsigned holder(void)
{
    unsigned n = 0;

    while (n < WORKERS && (!world.bw[n] || world.bw[n]->held == 0))
        n++;
    return n;
}

static inline bool run_over(const char *run)
{
    return phase_of(run) == RUN_ENDED && results(run) > 0 &&
           !stream_has(STREAM_PENDING, false, run) && !stream_has(STREAM_JOBS, true, run);
}

/* ---- scenarios ---------------------------------------------------------------------------------------------------- */

struct scenario {
    const char *name;
    const char *submit;  /* the request's JSON; NULL: drive does all */
    const char *key;     /* in it */
    const char *submit2; /* another run's */
    bool birth;          /* answers count from when the services begin */
    void (*prepare)(void);
    /* Called every 100 ms; true: there is nothing more to come. */
    bool (*drive)(void);
    const char *status;         /* of the run's end; NULL: any */
    unsigned orders;            /* at most */
    unsigned from;              /* answers count from this stage on */
    const char *(*judge)(void); /* NULL: nothing else is wrong */
};

static const struct scenario *playing;
static unsigned failures;

static void complain(const char *what)
{
    failures++;
    fprintf(stderr, "%s: %s, answer %u (%s): %s\n", playing->name,
            hurting.name ? hurting.name : "well", hurting.nth, fake_hurt_what(), what);
}

static void complain_of_end(const struct entry_end *end)
{
    AUTO(mem_free)
    char *what =
        mem_printf("it ended %s: %s %s", run_status_word(end->status), end->code, end->detail);

    complain(what);
}

static bool is_cut(void)
{
    return hurting.how == FAKE_CUT_BEFORE || hurting.how == FAKE_CUT_AFTER ||
           hurting.how == FAKE_FROZEN;
}

/* Answered, or waited for in vain: who loses the connection cannot answer, and the client asks again. */
static bool ask_over(unsigned n)
{
    return world.asks[n].answers > 0 ||
           (is_cut() && fake_now() > world.asks[n].asked + CLIENT_MS);
}

/* An answered submit is repeated while the answer is "nobody knows": so does a client with a key. */
static inline bool drive_submit(void)
{
    unsigned last = world.ask_count;

    if (last == 0) {
        (void)ask("submit", playing->submit);
        return false;
    }
    if (!ask_over(last - 1))
        return false;
    if (!answered_ok(last - 1) && last < ASKS_MAX) {
        (void)ask("submit", playing->submit);
        return false;
    }
    return true;
}

#define FLOW(more, steps) "{\"key\":\"k\"," more "\"flow\":{\"steps\":[" steps "]}}"
#define SET "{\"id\":\"a\",\"set\":{\"x\":1}}"

static inline bool drive_to_end(void)
{
    return drive_submit() && run_over(world.run);
}

/* One that nobody heard being opened is in no record: it is the upstream's to expire (session_idle). */
static inline bool any_open(void)
{
    for (unsigned i = 0; i < world.opened; i++)
        if (world.open[i] && fake_now() < world.used[i] + IDLE_MS)
            return true;
    return false;
}

static void judge_run(const char *run)
{
    struct run_fold f;
    const char *why;
    bool ok = false, full = false;

    for (unsigned n = 0; n < world.ask_count; n++) {
        if (world.asks[n].answers > 1 || (world.asks[n].answers == 0 && !is_cut()))
            complain(world.asks[n].answers ? "a request was answered twice"
                                           : "a request was not answered");
        ok   = ok || (answered_ok(n) && says(n, "\"created\""));
        full = full || says(n, "queue_full");
    }
    read_journal(run, &f, &why);
    if (why)
        complain(why);
    if (full && !ok && f.phase != RUN_REJECTED)
        complain("queue_full was said, and REJECTED does not stand");
    if (ok && f.phase != RUN_ENDED)
        complain("an accepted run did not end");
    if (f.phase == RUN_REJECTED && f.leases > 0)
        complain("a refused run ran");
    if (f.phase == RUN_ENDED && playing->status &&
        !str_equal(run_status_word(f.end.status), playing->status))
        complain_of_end(&f.end);
    if (f.phase == RUN_ENDED && f.cancelled && f.end.status != STATUS_CANCELLED &&
        f.end.status != STATUS_INDETERMINATE)
        complain("CANCEL stood before END, and it was not cancelled");
    if (results(run) != (f.phase == RUN_ENDED))
        complain(results(run) ? "more than one result" : "an ended run without a result");
    if (stream_has(STREAM_PENDING, false, run) || stream_has(STREAM_JOBS, true, run))
        complain("a message is left in a queue");
    if (world.orders > playing->orders)
        complain("an order was given twice");
    if (any_open())
        complain("a session stayed open");
    run_fold_deinit(&f);
}

/* Those that end by themselves, in the end. */
static const char *brief_op(void)
{
    static const char *const BRIEF[] = {
        "submit", "get",        "wait",          "cancel", "run",
        "beat",   "unreadable", "admit",         "mend",   "dead",
        "driver", "permit-ask", "permit-report", "tenant", "admin-upstream"};

    for (size_t i = 0; i < sizeof BRIEF / sizeof *BRIEF; i++)
        if (fake_ops(BRIEF[i]) > 0)
            return BRIEF[i];
    return NULL;
}

static void judge_ops(void)
{
    char what[80];

    for (unsigned i = 0; i < BRIEF_MS / 1000 && brief_op(); i++)
        fake_advance(1000);
    if (brief_op()) {
        str_format(what, sizeof what, "an op leaked: %s", brief_op());
        complain(what);
    }
}

/* What must hold at every moment: looked at whenever something was stored. */
static void judge_now(void)
{
    static const char *const LOOKED_AT[] = {STREAM_JOURNAL, STREAM_RESULTS, STREAM_PENDING,
                                            STREAM_JOBS};
    static uint64_t judged;
    struct fake_stored m;
    char slot[8], at[SUBJECT_SIZE];

    uint64_t changes = 0;
    for (size_t i = 0; i < sizeof LOOKED_AT / sizeof *LOOKED_AT; i++)
        if (fake_changes(LOOKED_AT[i]) > changes)
            changes = fake_changes(LOOKED_AT[i]);
    if (judged == changes)
        return;
    judged = changes;
    for (size_t i = 0; fake_stored(STREAM_JOBS, ">", i, &m); i++) {
        must(str_token(m.subject, 3, slot, sizeof slot));
        str_format(at, sizeof at, "sluice.jobs." TENANT ".%s.*", slot);
        if (fake_stored_count(STREAM_JOBS, at) > 1)
            complain("two jobs in one slot");
    }
    if (playing->key && phase_of(world.run) == RUN_ENDED && !results(world.run) &&
        !stream_has(STREAM_PENDING, false, world.run) &&
        !stream_has(STREAM_JOBS, true, world.run))
        complain("its message was acked before its result was stored");
}

/* What was late lands, who was stopped goes on; nobody minds. */
static void let_it_land(enum fake_how how)
{
    bool late = how != FAKE_WELL && how != FAKE_REFUSED && how != FAKE_TWICE;

    while (fake_any_frozen())
        fake_advance(1000);
    fake_advance(late ? LATE_MS : 2000);
}

/* One play.  Returns how many answers there were. */
static unsigned play(const struct scenario *s, struct fake_hurt hurt)
{
    bool over      = false;
    unsigned found = failures;

    playing = s;
    hurting = hurt;
    world_up(s->birth);
    if (s->key)
        run_id_for(TENANT, s->key, clk_wall_ms(), world.run);
    if (s->prepare)
        s->prepare();
    bool counting = false;
    for (uint64_t ms = 0; ms < OVER_MS && !over; ms += ms < FINE_MS ? 100 : COARSE_MS) {
        over = s->drive();
        if (!counting && !s->birth && world.stage >= s->from) {
            counting = true;
            fake_count(hurt);
        }
        fake_advance(ms < FINE_MS ? 100 : COARSE_MS);
        judge_now();
        if (ms == FINE_MS)
            fake_step(COARSE_MS);
    }
    unsigned counted = fake_counted();
    if (!over)
        complain("it is not over in time");
    fake_count_end();
    fake_step(COARSE_MS);
    let_it_land(hurt.how);
    for (unsigned i = 0; i < REAPED_MS / 10000 && any_open(); i++)
        fake_advance(10000); /* who opened it was lost: the reaper finds it */
    if (s->key)
        judge_run(world.run);
    const char *why = s->judge ? s->judge() : NULL;
    if (why)
        complain(why);
    judge_ops();
    if (failures > found && getenv("WORLD_STOP"))
        abort();
    world_down();
    return counted;
}

/* Well, and then each answer hurt in each way. */
static void torture(const struct scenario *s)
{
    failures       = 0;
    unsigned count = play(s, (struct fake_hurt){.nth = 0}), plays = 1;
    const char *only = getenv("WORLD_HURT"), *nth = getenv("WORLD_NTH");

    if (failures == 0)
        for (const struct fake_hurt *h = FAKE_HURTS; h->name; h++)
            for (unsigned n = 1; n <= count; n++) {
                struct fake_hurt hurt = *h;

                if (!fake_hurt_differs(n, h) || (only && !str_equal(only, h->name)) ||
                    (nth && n != (unsigned)atoi(nth)))
                    continue;
                hurt.nth = n;
                (void)play(s, hurt);
                plays++;
            }
    printf("%s: %u answers, %u plays\n", s->name, count, plays);
    assert_int_equal(failures, 0);
}

static int world_setup(void **state)
{
    (void)state;
    setenv("SLUICE_HTTP", "off", 1);
    setenv("LOG_LEVEL", getenv("WORLD_LOG") ? getenv("WORLD_LOG") : "error", 1);
    setenv("SLUICE_TENANTS", "open", 1);
    setenv("SLUICE_SLOTS", "4", 1);
    setenv("SLUICE_LEASE", "5s", 1);
    setenv("SLUICE_SWEEP", "2s", 1);
    setenv("SLUICE_REAP", "5s", 1);
    setenv("SLUICE_PROBE", "5s", 1);
    return 0;
}

static int world_teardown(void **state)
{
    (void)state;
    fake_tell_chains();
    return 0;
}

/* Each test's last case.  Which chains are driven by which test is what lint.chains reads. */
#define THESE_CHAINS_WERE_HURT(...) \
    static void these_chains_were_hurt(void **state) \
    { \
        static const char *const chains[] = {__VA_ARGS__}; \
        (void)state; \
        were_hurt(chains, sizeof chains / sizeof *chains); \
    }

static inline void were_hurt(const char *const *chains, size_t count)
{
    if (getenv("WORLD_HURT") || getenv("WORLD_NTH"))
        skip();
    for (size_t i = 0; i < count; i++)
        for (const struct fake_hurt *h = FAKE_HURTS; h->name; h++)
            if (!fake_was_hurt(chains[i], h))
                fail_msg("no answer of chain %s was ever %s", chains[i], h->name);
}

#endif
