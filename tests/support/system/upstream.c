#include "support/system/upstream.h"

#include <curl/curl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/proc.h"
#include "support/system/record.h"
#include "support/system/world.h"

enum { READY_MS = 20000, CALL_S = 10, VALUE_MAX = 2048 };

static const int64_t SECOND_NS = 1000000000;

/* ---- services ---------------------------------------------------------------------------------- */

struct proc *upstream_proc(struct world *w, const char *service, unsigned n)
{
    char name[48];

    snprintf(name, sizeof(name), "%s-%u", service, n);
    for (size_t i = 0; i < w->proc_count; i++)
        if (strcmp(w->procs[i]->name, name) == 0)
            return w->procs[i];
    world_fail(w, "there is no %s", name);
}

struct world *upstream_world_new(void **state, const char *name)
{
    struct world *w = world_new(state, name);

    world_env(w, "SLUICE_REAP", "2s");
    world_env(w, "SLUICE_RAMP", "1s");
    world_env(w, "SLUICE_SLOTS", "40");
    world_env(w, "AGENT_SIM_KEY", "key-of-a-test");
    return w;
}

void upstream_world_start(struct world *w, unsigned workers)
{
    (void)world_begin(w, "gateway");
    struct proc *scheduler = world_begin(w, "scheduler");
    struct proc *limiter   = world_begin(w, "limiter");
    for (unsigned n = 0; n < workers; n++)
        (void)world_begin(w, "browser-worker");
    for (size_t i = 0; i < w->proc_count; i++)
        WORLD_WAIT(w, READY_MS, proc_said(w->procs[i], "msg=ready"));
    WORLD_WAIT(w, READY_MS,
               proc_said(scheduler, "msg=deciding") && proc_said(limiter, "msg=deciding"));
    client_put(w->client, "sluice_tenants", "acme", "{\"tier\":\"scale\"}");
    client_put(w->client, "sluice_tenants", "globex", "{\"tier\":\"scale\"}");
}

struct world *upstream_world(void **state, const char *name, unsigned workers)
{
    struct world *w = upstream_world_new(state, name);

    upstream_world_start(w, workers);
    return w;
}

/* ---- the simulator -------------------------------------------------------------------------------- */

struct upstream *upstream_start(struct world *w, const char *name, const char *config)
{
    static const char LINE[] = "agent_sim listening on http://127.0.0.1:";
    struct upstream *u       = calloc(1, sizeof(*u));
    struct proc *p           = calloc(1, sizeof(*p));
    const char *bin          = getenv("SLUICE_TEST_BIN");
    char program[PROC_PATH_MAX];

    assert_non_null(bin);
    assert_true(w->proc_count < WORLD_PROCS_MAX);
    u->world = w;
    u->proc  = p;
    snprintf(u->name, sizeof(u->name), "%s", name);
    snprintf(u->file, sizeof(u->file), "%s/%s.record", w->folder, u->name);
    snprintf(p->name, sizeof(p->name), "agent_sim-%s", u->name);
    snprintf(p->log, sizeof(p->log), "%s/%s.log", w->folder, p->name);
    snprintf(program, sizeof(program), "%s/agent_sim", bin);
    proc_arg(p, program);
    proc_arg(p, "--record");
    proc_arg(p, u->file);
    if (config) {
        proc_arg(p, "--config");
        proc_arg(p, config);
    }
    w->procs[w->proc_count++] = p;
    proc_start(p);
    WORLD_WAIT(w, READY_MS, proc_said(p, LINE));
    char *text = proc_log(p);
    u->port    = (unsigned)atoi(strstr(text, LINE) + strlen(LINE));
    free(text);
    return u;
}

void upstream_free(struct upstream **slot)
{
    free(*slot);
    *slot = NULL;
}

void upstream_value(const struct upstream *u, const char *fields, char *ret, size_t size)
{
    snprintf(
        ret, size,
        "{\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"http://127.0.0.1:%u/v1/web\","
        "\"key\":{\"env\":\"AGENT_SIM_KEY\"}%s%s}",
        u->port, *fields ? "," : "", fields);
}

void upstream_put(struct upstream *u, const char *fields)
{
    char value[VALUE_MAX];

    upstream_value(u, fields, value, sizeof(value));
    client_put(u->world->client, "sluice_upstreams", u->name, value);
    WORLD_WAIT(u->world, READY_MS, client_knows(u->world->client, "acme", u->name));
}

struct received {
    char *text;
    size_t len;
};

static size_t on_data(char *at, size_t size, size_t count, void *self)
{
    struct received *r = self;

    r->text = realloc(r->text, r->len + size * count + 1);
    memcpy(r->text + r->len, at, size * count);
    r->len += size * count;
    r->text[r->len] = '\0';
    return size * count;
}

json_t *upstream_call(struct upstream *u, const char *method, const char *path,
                      const char *body)
{
    CURL *curl        = curl_easy_init();
    struct received r = {0};
    long status       = 0;
    char url[200];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", u->port, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)CALL_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &r);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    json_t *doc = code == CURLE_OK && status / 100 == 2 && r.text
                      ? json_loads(r.text, JSON_DECODE_ANY, NULL)
                      : NULL;
    if (!doc)
        fprintf(stderr, "%s %s: %ld %s %s\n", method, url, status, curl_easy_strerror(code),
                r.text ? r.text : "");
    free(r.text);
    return doc;
}

static void must_call(struct upstream *u, const char *path, const char *body)
{
    json_t *doc = upstream_call(u, "POST", path, body);

    if (!doc)
        world_fail(u->world, "the simulator refused %s: %s", path, body);
    json_decref(doc);
}

void upstream_fault(struct upstream *u, const char *json)
{
    must_call(u, "/_sim/faults", json);
}

void upstream_set(struct upstream *u, const char *json)
{
    must_call(u, "/_sim/config", json);
}

int64_t upstream_now(struct upstream *u, const char *what)
{
    json_t *doc = upstream_call(u, "GET", "/_sim/now", NULL);
    int64_t n   = json_integer_value(json_object_get(doc, what));

    if (!doc || !json_object_get(doc, what))
        world_fail(u->world, "the simulator does not say its %s", what);
    json_decref(doc);
    return n;
}

/* ---- reading the record -------------------------------------------------------------------------- */

static const char *text_of(const json_t *line, const char *name)
{
    const char *text = json_string_value(json_object_get(line, name));

    return text ? text : "";
}

static int64_t number_of(const json_t *line, const char *name)
{
    return json_integer_value(json_object_get(line, name));
}

static struct upstream_act *add(struct upstream_list *l, const json_t *line, const char *what)
{
    if (l->count == l->max)
        l->items = realloc(l->items, (l->max = 2 * l->max + 64) * sizeof(*l->items));
    struct upstream_act *a = &l->items[l->count++];
    *a                     = (struct upstream_act){.what         = what,
                                                   .from_ns      = number_of(line, "ns"),
                                                   .to_ns        = INT64_MAX,
                                                   .from_wall_ms = number_of(line, "wall_ms"),
                                                   .session      = text_of(line, "session"),
                                                   .order        = text_of(line, "order"),
                                                   .fault        = text_of(line, "fault"),
                                                   .why          = text_of(line, "why"),
                                                   .cmd          = text_of(line, "cmd"),
                                                   .id           = (uint64_t)number_of(line, "call")};
    return a;
}

/* What is looked for has mostly come lately. */
static struct upstream_act *find_id(struct upstream_list *l, uint64_t id)
{
    for (size_t i = l->count; i-- > 0;)
        if (l->items[i].id == id)
            return &l->items[i];
    return NULL;
}

static struct upstream_act *find_what(struct upstream_list *l, const char *what)
{
    for (size_t i = l->count; i-- > 0;)
        if (strcmp(l->items[i].what, what) == 0)
            return &l->items[i];
    return NULL;
}

static void end_call(struct upstream_record *r, const json_t *line)
{
    struct upstream_act *call = find_id(&r->calls, (uint64_t)number_of(line, "call"));

    if (!call)
        world_fail(r->upstream->world, "the record ends call %lld, which never arrived",
                   (long long)number_of(line, "call"));
    call->to_ns  = number_of(line, "ns");
    call->status = (int)number_of(line, "status");
    call->fault  = text_of(line, "fault");
    call->why    = text_of(line, "why");
}

static void end_session(struct upstream_record *r, const json_t *line, bool expired)
{
    struct upstream_act *s = find_what(&r->sessions, text_of(line, "session"));

    if (!s || s->to_ns != INT64_MAX)
        return;
    s->to_ns   = number_of(line, "ns");
    s->expired = expired;
}

static void on_act(struct upstream_record *r, const json_t *line)
{
    struct upstream_act *call = find_id(&r->calls, (uint64_t)number_of(line, "call"));
    const char *key           = text_of(line, "order");

    if (call)
        call->acts++;
    if (!*key)
        return;
    struct upstream_act *order = find_what(&r->orders, key);
    if (!order)
        order = add(&r->orders, line, key);
    order->acts++;
}

static void on_event(struct upstream_record *r, const json_t *line)
{
    const char *event = text_of(line, "event");

    if (strcmp(event, "arrive") == 0)
        (void)add(&r->calls, line, text_of(line, "endpoint"));
    else if (strcmp(event, "open") == 0)
        (void)add(&r->sessions, line, text_of(line, "session"));
    else if (strcmp(event, "act") == 0)
        on_act(r, line);
    else if (strcmp(event, "answer") == 0 || strcmp(event, "drop") == 0)
        end_call(r, line);
    else if (strcmp(event, "close") == 0 || strcmp(event, "expire") == 0)
        end_session(r, line, *event == 'e');
    else if (strcmp(event, "violation") == 0)
        (void)add(&r->violations, line, text_of(line, "why"));
}

static void compare(const struct upstream_record *r, const json_t *summary, const char *path,
                    size_t ours)
{
    const json_t *at = json_path(summary, path);
    long long theirs =
        json_is_array(at) ? (long long)json_array_size(at) : json_integer_value(at);

    if (!at || theirs != (long long)ours)
        world_fail(r->upstream->world,
                   "%s: %zu by the record file, %lld by the simulator's own judge", path, ours,
                   theirs);
}

static size_t doubled(const struct upstream_record *r)
{
    size_t count = 0;

    for (size_t i = 0; i < r->orders.count; i++)
        count += r->orders.items[i].acts > 1;
    return count;
}

/* The simulator's judge, which it feeds with the same events, must not see it otherwise. */
static void compare_all(const struct upstream_record *r, const json_t *summary)
{
    compare(r, summary, "calls.total", r->calls.count);
    compare(r, summary, "in_flight.max", upstream_peak(&r->calls));
    compare(r, summary, "rate.max_1s", upstream_peak_second(&r->calls));
    compare(r, summary, "sessions.max_open", upstream_peak(&r->sessions));
    compare(r, summary, "orders_doubled", doubled(r));
}

static struct upstream_record *read_file(struct upstream *u)
{
    struct upstream_record *r = calloc(1, sizeof(*r));
    FILE *f                   = fopen(u->file, "re");
    char *line                = NULL;
    size_t size               = 0;

    if (!f)
        world_fail(u->world, "there is no record %s", u->file);
    r->upstream = u;
    r->lines    = json_array();
    while (getline(&line, &size, f) > 0) {
        json_t *event = json_loads(line, 0, NULL);
        if (!event)
            world_fail(u->world, "not an event in %s: %s", u->file, line);
        json_array_append_new(r->lines, event);
        on_event(r, event);
    }
    free(line);
    fclose(f);
    return r;
}

/* The reapers go on listing: what came between the file and the summary makes both anew. */
struct upstream_record *upstream_read(struct upstream *u)
{
    WORLD_WAIT(u->world, READY_MS, upstream_now(u, "in_flight") == 0);
    for (int64_t until = clock_ms() + READY_MS;;) {
        int64_t events            = upstream_now(u, "events");
        struct upstream_record *r = read_file(u);
        json_t *summary           = upstream_call(u, "GET", "/_sim/record", NULL);
        bool same                 = upstream_now(u, "events") == events;
        if (same)
            compare_all(r, summary);
        json_decref(summary);
        if (same)
            return r;
        upstream_record_free(&r);
        if (clock_ms() > until)
            world_fail(u->world, "%s is never still", u->name);
    }
}

void upstream_record_free(struct upstream_record **slot)
{
    struct upstream_record *r = *slot;

    *slot = NULL;
    free(r->calls.items);
    free(r->sessions.items);
    free(r->orders.items);
    free(r->violations.items);
    json_decref(r->lines);
    free(r);
}

/* ---- maxima ------------------------------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int64_t *sorted(const struct upstream_list *l, bool ends)
{
    int64_t *all = calloc(l->count + 1, sizeof(*all));

    for (size_t i = 0; i < l->count; i++)
        all[i] = ends ? l->items[i].to_ns : l->items[i].from_ns;
    qsort(all, l->count, sizeof(*all), by_number);
    return all;
}

size_t upstream_peak(const struct upstream_list *l)
{
    int64_t *begins = sorted(l, false), *ends = sorted(l, true);
    size_t over = 0, most = 0;

    for (size_t i = 0; i < l->count; i++) {
        while (ends[over] <= begins[i])
            over++;
        most = i + 1 - over > most ? i + 1 - over : most;
    }
    free(begins);
    free(ends);
    return most;
}

size_t upstream_peak_second(const struct upstream_list *l)
{
    int64_t *begins = sorted(l, false);
    size_t first = 0, most = 0;

    for (size_t i = 0; i < l->count; i++) {
        while (begins[i] - begins[first] >= SECOND_NS)
            first++;
        most = i + 1 - first > most ? i + 1 - first : most;
    }
    free(begins);
    return most;
}

size_t upstream_at_once(const struct upstream_list *l, int64_t ns)
{
    size_t count = 0;

    for (size_t i = 0; i < l->count; i++)
        count += l->items[i].from_ns <= ns && ns < l->items[i].to_ns;
    return count;
}

size_t upstream_calls_within(const struct upstream_record *r, const char *endpoint,
                             int64_t from_ns, int64_t to_ns)
{
    size_t count = 0;

    for (size_t i = 0; i < r->calls.count; i++) {
        const struct upstream_act *c = &r->calls.items[i];
        count += c->from_ns >= from_ns && c->from_ns < to_ns &&
                 (!endpoint || strcmp(c->what, endpoint) == 0);
    }
    return count;
}

const struct upstream_act *upstream_faulted(const struct upstream_record *r, const char *fault,
                                            size_t n)
{
    for (size_t i = 0; i < r->calls.count; i++)
        if (strcmp(r->calls.items[i].fault, fault) == 0 && n-- == 0)
            return &r->calls.items[i];
    return NULL;
}

const struct upstream_act *upstream_order(const struct upstream_record *r, const char *key)
{
    for (size_t i = 0; i < r->orders.count; i++)
        if (strcmp(r->orders.items[i].what, key) == 0)
            return &r->orders.items[i];
    return NULL;
}

/* ---- judging ------------------------------------------------------------------------------------------ */

void upstream_judge_limits(const struct upstream_record *r,
                           const struct upstream_limits *limits)
{
    size_t rate = upstream_peak_second(&r->calls), calls = upstream_peak(&r->calls),
           sessions = upstream_peak(&r->sessions);
    size_t most     = limits->per_s * 12 / 10 + limits->burst;

    print_message("%s: %zu calls, %zu sessions, %zu orders; at most %zu in a second (%zu), %zu "
                  "at once (%zu), %zu sessions (%zu)\n",
                  r->upstream->name, r->calls.count, r->sessions.count, r->orders.count, rate,
                  most, calls, limits->in_flight, sessions, limits->sessions);
    if (limits->per_s && rate > most)
        world_fail(r->upstream->world, "%s saw %zu calls in a second, not %zu",
                   r->upstream->name, rate, most);
    if (limits->in_flight && calls > limits->in_flight)
        world_fail(r->upstream->world, "%s saw %zu calls at once, not %zu", r->upstream->name,
                   calls, limits->in_flight);
    if (limits->sessions && sessions > limits->sessions)
        world_fail(r->upstream->world, "%s saw %zu sessions at once, not %zu",
                   r->upstream->name, sessions, limits->sessions);
}

void upstream_judge_orders(const struct upstream_record *r)
{
    for (size_t i = 0; i < r->orders.count; i++)
        if (r->orders.items[i].acts > 1)
            world_fail(r->upstream->world, "order %s was placed %u times at %s",
                       r->orders.items[i].what, r->orders.items[i].acts, r->upstream->name);
}

void upstream_judge_closed(const struct upstream_record *r)
{
    for (size_t i = 0; i < r->sessions.count; i++)
        if (r->sessions.items[i].to_ns == INT64_MAX)
            world_fail(r->upstream->world, "session %s of %s was never closed",
                       r->sessions.items[i].what, r->upstream->name);
}

void upstream_judge_commands(const struct upstream_record *r)
{
    static const char *const never[] = {"overlap",         "overlap_abandoned",
                                        "closed_session",  "unknown_session",
                                        "foreign_session", "key_sent_to_blob"};

    for (size_t i = 0; i < r->violations.count; i++)
        for (size_t n = 0; n < sizeof(never) / sizeof(*never); n++)
            if (strcmp(r->violations.items[i].what, never[n]) == 0)
                world_fail(r->upstream->world, "%s: %s in session %s", r->upstream->name,
                           never[n], r->violations.items[i].session);
}

void upstream_judge(struct upstream *u, const struct upstream_limits *limits, int ms)
{
    WORLD_WAIT(u->world, ms, upstream_now(u, "sessions") == 0);
    struct upstream_record *r = upstream_read(u);
    upstream_judge_limits(r, limits);
    upstream_judge_orders(r);
    upstream_judge_closed(r);
    upstream_judge_commands(r);
    upstream_record_free(&r);
}

/* ---- the journal ---------------------------------------------------------------------------------------- */

static bool is(const struct record_item *i, const char *kind)
{
    return strcmp(record_header(i, "Sluice-Kind"), kind) == 0;
}

void upstream_judge_tries(struct world *w, unsigned most)
{
    struct record *results = record_read(w, "SLUICE_RESULTS");

    for (size_t i = 0; i < results->count; i++) {
        natsMsg *msg = results->items[i].msg;
        json_t *doc =
            json_loadb(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), 0, NULL);
        long long now = json_integer_value(json_object_get(doc, "tries"));
        json_decref(doc);
        if (now > most)
            world_fail(w, "%s: %lld tries, not %u", record_subject(&results->items[i]), now,
                       most);
    }
    record_free(&results);
}

size_t upstream_workers(struct world *w)
{
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    json_t *workers        = json_object();

    for (size_t i = 0; i < journal->count; i++)
        if (is(&journal->items[i], "LEASED"))
            json_object_set_new(workers, record_header(&journal->items[i], "Sluice-Worker"),
                                json_true());
    size_t count = json_object_size(workers);
    json_decref(workers);
    record_free(&journal);
    return count;
}

size_t upstream_least_held(struct world *w)
{
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    json_t *last = json_object(), *held = json_object(), *at;
    const char *key;
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < journal->count; i++) {
        const struct record_item *e = &journal->items[i];
        if (is(e, "LEASED")) /* who never was asked does not count */
            json_object_set_new(held, record_header(e, "Sluice-Worker"), json_integer(0));
        json_object_set_new(
            last, record_subject(e),
            json_string(is(e, "LEASED") ? record_header(e, "Sluice-Worker") : ""));
    }
    json_object_foreach(last, key, at)
    {
        json_t *count = json_object_get(held, json_string_value(at));
        if (count)
            json_integer_set(count, json_integer_value(count) + 1);
    }
    json_object_foreach(held, key, at) least =
        (size_t)json_integer_value(at) < least ? (size_t)json_integer_value(at) : least;
    json_decref(last);
    json_decref(held);
    record_free(&journal);
    return least == SIZE_MAX ? 0 : least;
}

size_t upstream_results(struct world *w, const char *status)
{
    char filter[80];

    snprintf(filter, sizeof(filter), "sluice.result.*.*.%s.*", status);
    int64_t n = client_count_of(w->client, "SLUICE_RESULTS", filter);
    return n > 0 ? (size_t)n : 0;
}
