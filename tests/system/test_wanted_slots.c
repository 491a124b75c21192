/*
 * wanted_slots - the scaling signal is what the streams say: in flight, and what could run at once if there were slots.
 *
 * Runs of four tenants come and go; at twenty instants of chance their service stops answering, so that every slot
 * fills with a run that waits for it, and everything stands still.  Then the figures of sluice.admin.load.<pool> must be
 * those that PENDING, JOBS and the buckets give when they are read one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "support/system/callee.h"
#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/record.h"
#include "support/system/world.h"
#include "wire/wire_ticket.h"

enum {
    INSTANTS  = 20,
    STILL_MS  = 150,
    AGREE_MS  = 20000,
    GROUP_MAX = 64,
};

static const char *const POOLS[] = {"default", "far"}; /* nobody works in the second at first */
static const char *const TENANTS[] = {"acme", "globex", "initech", "thin"};
enum { POOL_COUNT = 2, TENANT_COUNT = 4 };

static struct callee *service;

/* ---- what the buckets say ------------------------------------------------------------------------ */

/* NULL: no value. */
static json_t *kv(struct world *w, const char *bucket, const char *key)
{
    char stream[64], subject[200];
    natsMsg *msg     = NULL;
    json_t *value    = NULL;
    const char *gone = NULL;

    snprintf(stream, sizeof(stream), "KV_%s", bucket);
    snprintf(subject, sizeof(subject), "$KV.%s.%s", bucket, key);
    if (js_GetLastMsg(&msg, w->client->js, stream, subject, NULL, NULL) != NATS_OK)
        return NULL;
    if (natsMsgHeader_Get(msg, "KV-Operation", &gone) != NATS_OK)
        value = json_loadb(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), 0, NULL);
    natsMsg_Destroy(msg);
    return value;
}

static bool is_paused(struct world *w, const char *bucket, const char *key)
{
    json_t *value = kv(w, bucket, key);
    bool yes      = json_is_true(json_object_get(value, "paused"));

    json_decref(value);
    return yes;
}

static unsigned number(struct world *w, const char *bucket, const char *key, const char *field,
                       unsigned absent)
{
    json_t *value    = kv(w, bucket, key);
    const json_t *at = json_object_get(value, field);
    unsigned n       = json_is_integer(at) ? (unsigned)json_integer_value(at) : absent;

    json_decref(value);
    return n;
}

/* ---- the recomputation ---------------------------------------------------------------------------- */

enum because { NOT_DUE, LOCKED, UPSTREAM, FLOW_CAP, PAUSED, TENANT_CAP, BECAUSES };
static const char *const WORDS[] = {"not due",        "lock",   "upstream",
                                    "flow's maximum", "paused", "tenant's cap"};

struct figures {
    unsigned in_flight, runnable;
    unsigned held_back[BECAUSES];
};

struct waiting { /* one run: the tickets of its highest wake */
    struct ticket ticket;
    int64_t due;
};

struct group { /* a lock, an upstream, a flow: what is known of it */
    char name[160];
    unsigned passed, limit;
    bool shut;
    char owner[ID_SIZE];
};

struct groups {
    struct group items[GROUP_MAX];
    size_t count;
};

struct reading {
    struct world *world;
    struct waiting *runs;
    size_t run_count;
    struct job *jobs;
    size_t job_count;
    struct groups locks, upstreams, flows;
    struct figures pools[POOL_COUNT];
};

static struct bytes body_of(const struct record_item *i)
{
    return bytes_of(natsMsg_GetData(i->msg), (size_t)natsMsg_GetDataLength(i->msg));
}

static void read_jobs(struct reading *r)
{
    struct record *jobs = record_read(r->world, "SLUICE_JOBS");

    r->jobs = calloc(jobs->count + 1, sizeof(*r->jobs));
    for (size_t n = 0; n < jobs->count; n++)
        if (failed(wire_read_job(&r->jobs[r->job_count++], body_of(&jobs->items[n]))))
            world_fail(r->world, "%s cannot be read", record_subject(&jobs->items[n]));
    record_free(&jobs);
}

static const struct job *job_of(const struct reading *r, const char *run)
{
    for (size_t n = 0; n < r->job_count; n++)
        if (strcmp(r->jobs[n].ticket.run, run) == 0)
            return &r->jobs[n];
    return NULL;
}

static void add_ticket(struct reading *r, const struct ticket *t, int64_t stored)
{
    int64_t due = stored + (int64_t)t->due_after_ms;

    for (size_t n = 0; n < r->run_count; n++) {
        struct waiting *at = &r->runs[n];
        if (strcmp(at->ticket.run, t->run) != 0)
            continue;
        if (t->wake > at->ticket.wake || (t->wake == at->ticket.wake && due < at->due))
            *at = (struct waiting){*t, due};
        return;
    }
    r->runs[r->run_count++] = (struct waiting){*t, due};
}

static void read_tickets(struct reading *r)
{
    struct record *pending = record_read(r->world, "SLUICE_PENDING");
    struct ticket t;

    r->runs = calloc(pending->count + 1, sizeof(*r->runs));
    for (size_t n = 0; n < pending->count; n++) {
        if (failed(wire_read_ticket(&t, body_of(&pending->items[n]))))
            world_fail(r->world, "ticket #%llu cannot be read",
                       (unsigned long long)pending->items[n].seq);
        if (!job_of(r, t.run)) /* else that job has to end first */
            add_ticket(r, &t, pending->items[n].at_ms);
    }
    record_free(&pending);
}

static struct group *group_of(struct reading *r, struct groups *in, const char *name, bool *new)
{
    *new = false;
    for (size_t n = 0; n < in->count; n++)
        if (strcmp(in->items[n].name, name) == 0)
            return &in->items[n];
    WORLD_MUST(r->world, in->count < GROUP_MAX);
    struct group *g = &in->items[in->count++];
    *g              = (struct group){.limit = UINT32_MAX};
    snprintf(g->name, sizeof(g->name), "%s", name);
    *new = true;
    return g;
}

/* One run at a time; while its record names one, that one only. */
static struct group *lock_of(struct reading *r, const struct ticket *t)
{
    char name[160];
    bool new;

    snprintf(name, sizeof(name), "%s.%s", t->tenant, t->lock);
    struct group *g = group_of(r, &r->locks, name, &new);
    if (new) {
        json_t *value   = kv(r->world, "sluice_locks", name);
        const char *run = json_string_value(json_object_get(value, "run"));
        snprintf(g->owner, sizeof(g->owner), "%s", run ? run : "");
        g->limit = 1;
        json_decref(value);
    }
    return g;
}

static struct group *upstream_of(struct reading *r, const struct ticket *t)
{
    bool new;
    struct group *g = group_of(r, &r->upstreams, t->upstream, &new);

    if (new)
        g->shut = is_paused(r->world, "sluice_upstreams", t->upstream);
    return g;
}

static struct group *flow_of(struct reading *r, const struct ticket *t)
{
    bool new;
    struct group *g = group_of(r, &r->flows, t->flow, &new);

    if (new) {
        g->shut  = is_paused(r->world, "sluice_flows", t->flow);
        g->limit = number(r->world, "sluice_flows", t->flow, "max_running", UINT32_MAX);
    }
    return g;
}

static bool open_for(const struct group *g, const struct ticket *t)
{
    return !g->shut && g->passed < g->limit && (!*g->owner || strcmp(g->owner, t->run) == 0);
}

/* Why it could not run even with a slot of its tenant; BECAUSES: it could. */
static enum because held_back(struct reading *r, const struct waiting *at, int64_t now)
{
    const struct ticket *t = &at->ticket;
    struct group *lock     = *t->lock ? lock_of(r, t) : NULL;
    struct group *upstream = *t->upstream ? upstream_of(r, t) : NULL;
    struct group *flow     = *t->flow ? flow_of(r, t) : NULL;

    if (at->due > now)
        return NOT_DUE;
    if (lock && !open_for(lock, t))
        return LOCKED;
    if (upstream && !open_for(upstream, t))
        return UPSTREAM;
    if (flow && !open_for(flow, t))
        return FLOW_CAP;
    if (lock)
        lock->passed++;
    if (flow)
        flow->passed++;
    return BECAUSES;
}

static void count_pool(struct reading *r, size_t pool, int64_t now)
{
    struct figures *f           = &r->pools[pool];
    unsigned able[TENANT_COUNT] = {0}, taken[TENANT_COUNT] = {0};

    for (size_t n = 0; n < r->job_count; n++) {
        f->in_flight += strcmp(r->jobs[n].ticket.pool, POOLS[pool]) == 0;
        for (size_t t = 0; t < TENANT_COUNT; t++)
            taken[t] +=
                r->jobs[n].slot > 0 && strcmp(r->jobs[n].ticket.tenant, TENANTS[t]) == 0;
    }
    for (size_t n = 0; n < r->run_count; n++) {
        const struct ticket *t = &r->runs[n].ticket;
        if (strcmp(t->pool, POOLS[pool]) != 0)
            continue;
        enum because why = held_back(r, &r->runs[n], now);
        for (size_t i = 0; why == BECAUSES && i < TENANT_COUNT; i++)
            able[i] += strcmp(t->tenant, TENANTS[i]) == 0;
        if (why < BECAUSES)
            f->held_back[why]++;
    }
    for (size_t t = 0; t < TENANT_COUNT; t++) {
        unsigned cap  = number(r->world, "sluice_tenants", TENANTS[t], "cap", 2);
        unsigned room = taken[t] < cap ? cap - taken[t] : 0;
        bool paused   = is_paused(r->world, "sluice_tenants", TENANTS[t]) ||
                      is_paused(r->world, "sluice_pools", POOLS[pool]);
        unsigned now_able = paused ? 0 : able[t] < room ? able[t] : room;
        f->runnable += now_able;
        f->held_back[paused ? PAUSED : TENANT_CAP] += able[t] - now_able;
    }
}

static struct figures *recompute(struct world *w, struct figures ret[POOL_COUNT])
{
    struct reading *r = calloc(1, sizeof(*r));
    int64_t now       = clock_wall_ms();

    r->world = w;
    read_jobs(r);
    read_tickets(r);
    for (size_t n = 0; n < r->job_count; n++) { /* what has a job has passed its gates */
        const struct ticket *t = &r->jobs[n].ticket;
        if (*t->lock)
            lock_of(r, t)->passed++;
        if (*t->flow)
            flow_of(r, t)->passed++;
    }
    for (size_t pool = 0; pool < POOL_COUNT; pool++)
        count_pool(r, pool, now);
    memcpy(ret, r->pools, sizeof(r->pools));
    free(r->runs);
    free(r->jobs);
    free(r);
    return ret;
}

/* ---- comparing --------------------------------------------------------------------------------------- */

static struct answer load_of(struct world *w, const char *pool)
{
    char subject[96];

    snprintf(subject, sizeof(subject), "sluice.admin.load.%s", pool);
    return client_ask_text(w->client, subject, "");
}

static bool same(const struct figures *f, const struct answer *a)
{
    return answer_number(a, "in_flight") == (int64_t)f->in_flight &&
           answer_number(a, "runnable") == (int64_t)f->runnable &&
           answer_number(a, "wanted_slots") == (int64_t)(f->in_flight + f->runnable);
}

static void print(const char *pool, const struct figures *f)
{
    print_message("  %-8s in flight %3u, runnable %3u; held back:", pool, f->in_flight,
                  f->runnable);
    for (int n = 0; n < BECAUSES; n++)
        print_message(" %s %u", WORDS[n], f->held_back[n]);
    print_message("\n");
}

/* Asked between two readings that are the same: nothing has moved.  If it has, or the scheduler has not heard it all
   yet, once more; what stays different while all is still is a wrong figure. */
static void must_agree(struct world *w, unsigned instant, struct figures ret[POOL_COUNT])
{
    struct figures after[POOL_COUNT];
    int64_t until  = clock_ms() + AGREE_MS;
    unsigned times = 0;

    for (;;) {
        struct answer a[POOL_COUNT];
        bool agreed = true;
        recompute(w, ret);
        for (int64_t still = clock_ms() + STILL_MS; clock_ms() < still;)
            clock_nap(5);
        for (size_t pool = 0; pool < POOL_COUNT; pool++)
            a[pool] = load_of(w, POOLS[pool]);
        recompute(w, after);
        bool still = memcmp(ret, after, sizeof(after)) == 0;
        for (size_t pool = 0; pool < POOL_COUNT; pool++)
            agreed = agreed && same(&ret[pool], &a[pool]);
        times++;
        if (still && !agreed && clock_ms() > until) {
            for (size_t pool = 0; pool < POOL_COUNT; pool++) {
                print(POOLS[pool], &ret[pool]);
                print_message("  %-8s %s\n", "answered", answer_body(&a[pool], NULL));
            }
            world_fail(w, "instant %u: the figures are wrong", instant);
        }
        for (size_t pool = 0; pool < POOL_COUNT; pool++)
            answer_deinit(&a[pool]);
        if (still && agreed)
            break;
        if (!still && clock_ms() > until)
            world_fail(w, "instant %u: nothing stands still in %d ms", instant, AGREE_MS);
        world_turn(w);
    }
    print_message("instant %u, agreed in reading %u\n", instant, times);
    for (size_t pool = 0; pool < POOL_COUNT; pool++)
        print(POOLS[pool], &ret[pool]);
}

/* ---- the load ------------------------------------------------------------------------------------------ */

static void submit_one(struct world *w, unsigned n)
{
    static const char *const LANES_OF[] = {"realtime", "standard", "bulk"};
    const char *tenant                  = TENANTS[n % TENANT_COUNT];
    bool thin                           = strcmp(tenant, "thin") == 0;
    bool far                            = n % 7 == 3 && !thin;
    char body[800], lock[64] = "", later[64] = "", run[27];

    if (n % 5 == 1 && !thin &&
        !far) /* a lock is one pool's here, or it is not said whose turn it is */
        snprintf(lock, sizeof(lock), ",\"lock\":\"l%u\"", n % 2);
    if (n % 9 == 4)
        snprintf(later, sizeof(later), ",\"not_before\":\"%ldms\"", 200 + lrand48() % 4000);
    if (thin)
        snprintf(body, sizeof(body), "{\"flow\":\"thin\",\"lane\":\"%s\"%s}", LANES_OF[n % 3],
                 later);
    else
        snprintf(
            body, sizeof(body),
            "{\"flow\":{%s\"steps\":[{\"id\":\"a\",\"call\":{\"subject\":\"a\",\"body\":{}}"
            ",\"timeout\":\"2m\"},{\"id\":\"nap\",\"sleep\":{\"for\":\"%ldms\"}},"
            "{\"id\":\"b\",\"call\":{\"subject\":\"b\",\"body\":{}},\"timeout\":\"2m\"}]},"
            "\"pool\":\"%s\",\"lane\":\"%s\"%s%s}",
            n % 4 == 2 || n % 11 == 5 ? "\"upstream\":\"agency\"," : "", 20 + lrand48() % 1200,
            far ? "far" : "default", LANES_OF[n % 3], lock, later);
    client_submit(w->client, tenant, body, run);
}

static void set_paused(struct world *w, const char *bucket, const char *key, const char *fields,
                       bool paused)
{
    char value[400];

    snprintf(value, sizeof(value), "{%s\"paused\":%s}", fields, paused ? "true" : "false");
    client_put(w->client, bucket, key, value);
}

#define TWO "\"max_running\":2,"
#define AGENCY \
    "\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"http://127.0.0.1:1/v1/web\","
#define THIN \
    "\"version\":1,\"flow\":{\"steps\":[{\"id\":\"a\",\"call\":{" \
    "\"subject\":" \
    "\"a\",\"body\":{}},\"timeout\":\"2m\"}]},"

/* Something is different at each instant, and all of it is back to what it was at the end. */
static void operate(struct world *w, unsigned instant)
{
    bool odd = instant / 5 % 2 == 0;

    switch (instant % 5) {
    case 0:
        set_paused(w, "sluice_tenants", "globex", "\"cap\":4,", odd);
        break;
    case 1:
        set_paused(w, "sluice_upstreams", "agency", AGENCY, odd);
        break;
    case 2:
        client_put(w->client, "sluice_tenants", "acme", odd ? "{\"cap\":1}" : "{\"cap\":6}");
        break;
    case 3:
        set_paused(w, "sluice_flows", "thin", THIN TWO, odd);
        break;
    case 4:
        set_paused(w, "sluice_pools", "far", "", odd);
        break;
    }
}

static int group_up(void **state)
{
    struct world *w  = world_new(state, "wanted_slots");
    const char *seed = getenv("SLUICE_SEED");
    long number      = seed ? atol(seed) : (long)(clock_wall_ms() % 1000000007);

    print_message("SLUICE_SEED=%ld\n", number);
    srand48(number);
    world_env(w, "SLUICE_SLOTS", "7");
    world_start_all(w);
    service = callee_new(w);
    client_put(w->client, "sluice_tenants", "acme", "{\"cap\":6}");
    client_put(w->client, "sluice_tenants", "initech", "{\"cap\":3}");
    client_put(w->client, "sluice_tenants", "thin", "{\"cap\":9}");
    set_paused(w, "sluice_tenants", "globex", "\"cap\":4,", false);
    set_paused(w, "sluice_upstreams", "agency", AGENCY, false);
    set_paused(w, "sluice_flows", "thin", THIN TWO, false);
    set_paused(w, "sluice_pools", "far", "", false);
    struct answer a;
    bool known;
    WORLD_WAIT(w, 10000,
               (a = load_of(w, "far"), known = answer_number(&a, "wanted_slots") == 0,
                answer_deinit(&a), known));
    WORLD_WAIT(
        w, 10000,
        (a     = client_ask_text(w->client, "sluice.api.submit.thin",
                                 "{\"flow\":\"thin\",\"upstream\":\"agency\",\"dry_run\":true}"),
         known = strcmp(answer_text(&a, "status"), "valid") == 0, answer_deinit(&a), known));
    return 0;
}

static int group_down(void **state)
{
    callee_free(&service);
    return world_teardown(state);
}

static void the_figures_are_those_of_the_streams(void **state)
{
    struct world *w = *state;
    unsigned runs = 0, seen[BECAUSES] = {0}, busy = 0, able = 0;

    for (unsigned n = 0; n < INSTANTS; n++) {
        struct figures f[POOL_COUNT];
        int64_t until = clock_ms() + 40 + lrand48() % 200;

        callee_release(service);
        for (unsigned k = 0; k < 6 || clock_ms() < until; k++) {
            if (k < 12)
                submit_one(w, runs++);
            world_turn(w);
        }
        operate(w, n);
        callee_hold(service);
        must_agree(w, n, f);
        for (size_t pool = 0; pool < POOL_COUNT; pool++) {
            busy += f[pool].in_flight > 0;
            able += f[pool].runnable > 0;
            for (int i = 0; i < BECAUSES; i++)
                seen[i] += f[pool].held_back[i] > 0;
        }
    }
    /* Figures that were all zero would have proved nothing. */
    WORLD_MUST(w, busy >= INSTANTS / 2 && able >= INSTANTS / 2);
    for (int i = 0; i < BECAUSES; i++)
        if (seen[i] == 0)
            world_fail(w, "nobody was ever held back by: %s", WORDS[i]);
}

/* Workers come to the far pool, and all is let go: the signal goes back to nothing. */
static void nothing_is_wanted_at_the_end(void **state)
{
    struct world *w = *state;
    struct figures f[POOL_COUNT];

    callee_release(service);
    for (size_t n = 0; n < TENANT_COUNT; n++)
        client_put(w->client, "sluice_tenants", TENANTS[n], "{\"cap\":100}");
    client_put(w->client, "sluice_flows", "thin", "{" THIN "\"max_running\":null}");
    set_paused(w, "sluice_upstreams", "agency", AGENCY, false);
    set_paused(w, "sluice_pools", "far", "", false);
    world_env(w, "SLUICE_SLOTS", "100");
    (void)world_begin(w, "browser-worker");
    world_env(w, "SLUICE_POOL", "far");
    (void)world_start(w, "browser-worker");
    judge_all(w, NULL, 30000);
    must_agree(w, INSTANTS, f);
    for (size_t pool = 0; pool < POOL_COUNT; pool++)
        WORLD_MUST(w, f[pool].in_flight + f[pool].runnable == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_figures_are_those_of_the_streams),
        cmocka_unit_test(nothing_is_wanted_at_the_end),
    };
    return cmocka_run_group_tests_name("wanted_slots", tests, group_up, group_down);
}
