#include "agent_sim/sim_control.h"

#include <stdio.h>
#include <string.h>

#include "agent_sim/sim.h"
#include "agent_sim/sim_answer.h"
#include "agent_sim/sim_base.h"
#include "agent_sim/sim_clock.h"
#include "agent_sim/sim_conn.h"
#include "agent_sim/sim_http.h"
#include "agent_sim/sim_report.h"

enum { LINES_DEFAULT = 10000 };

struct reply {
    int status;
    const char *type;
    const char *header; /* one more line, or "" */
    struct sim_buf body;
};

static void reply_json(struct reply *r, int status, json_t *body)
{
    char *text = json_dumps(body, JSON_INDENT(1));

    must(text);
    r->status = status;
    sim_buf_put(&r->body, text, strlen(text));
    sim_buf_put(&r->body, "\n", 1);
    sim_base_free(text);
    json_decref(body);
}

static void reply_wrong(struct reply *r, const char *field)
{
    reply_json(r, 400, json_pack("{s:s+}", "error", "unknown field or wrong value: ", field));
}

const char *sim_control_add_faults(struct sim *sim, const json_t *faults, json_t *ret_ids)
{
    size_t count = json_is_array(faults) ? json_array_size(faults) : 1;

    for (size_t i = 0; i < count; i++) {
        const json_t *fault = json_is_array(faults) ? json_array_get(faults, i) : faults;
        uint64_t id         = 0;
        const char *wrong   = sim_fault_add(&sim->faults, fault, sim_clock_now().ns, &id);

        if (wrong)
            return wrong;
        if (ret_ids)
            json_array_append_new(ret_ids, json_integer((json_int_t)id));
    }
    return NULL;
}

static void on_config_get(struct sim *sim, const struct sim_http *http, const json_t *body,
                          struct reply *r)
{
    (void)http;
    (void)body;
    reply_json(r, 200, json_incref(sim->config.document));
}

static void on_config_post(struct sim *sim, const struct sim_http *http, const json_t *body,
                           struct reply *r)
{
    char wrong[64];

    if (sim_configure(sim, body, wrong))
        on_config_get(sim, http, body, r);
    else
        reply_wrong(r, wrong);
}

static void on_faults_get(struct sim *sim, const struct sim_http *http, const json_t *body,
                          struct reply *r)
{
    (void)http;
    (void)body;
    reply_json(r, 200, sim_fault_report(&sim->faults));
}

static void on_faults_post(struct sim *sim, const struct sim_http *http, const json_t *body,
                           struct reply *r)
{
    json_t *ids       = json_array();
    const char *wrong = sim_control_add_faults(sim, body, ids);

    (void)http;
    if (wrong) {
        json_decref(ids);
        reply_wrong(r, wrong);
    } else {
        reply_json(r, 200, json_pack("{s:o}", "faults", ids));
    }
}

static void on_faults_delete(struct sim *sim, const struct sim_http *http, const json_t *body,
                             struct reply *r)
{
    sim_fault_deinit(&sim->faults);
    on_faults_get(sim, http, body, r);
}

static void on_reset(struct sim *sim, const struct sim_http *http, const json_t *body,
                     struct reply *r)
{
    (void)http;
    (void)body;
    sim_reset(sim);
    reply_json(r, 200, json_object());
}

static void on_record(struct sim *sim, const struct sim_http *http, const json_t *body,
                      struct reply *r)
{
    (void)http;
    (void)body;
    reply_json(r, 200, sim_report_new(sim->record.judge));
}

static void on_events(struct sim *sim, const struct sim_http *http, const json_t *body,
                      struct reply *r)
{
    static char next[64];
    uint64_t from = sim_http_query_number(http, "from", 0);
    size_t limit  = sim_http_query_number(http, "limit", LINES_DEFAULT);

    (void)body;
    (void)snprintf(next, sizeof next, "X-Sim-Next: %llu\r\n",
                   (unsigned long long)sim_record_lines(&sim->record, from, limit, &r->body));
    r->type   = "application/x-ndjson";
    r->header = next;
}

/* The few numbers a test waits for: no sorting, however long the record is. */
static void on_now(struct sim *sim, const struct sim_http *http, const json_t *body,
                   struct reply *r)
{
    (void)http;
    (void)body;
    reply_json(r, 200,
               json_pack("{s:I,s:I,s:I,s:I,s:I}", "in_flight", (json_int_t)sim->in_flight,
                         "sessions", (json_int_t)sim->sessions.open, "calls",
                         (json_int_t)sim->calls_ever, "events",
                         (json_int_t)(sim->record.first + sim->record.count - 1), "ns",
                         (json_int_t)sim_clock_now().ns));
}

/* {"session":ID} or {"session":"*"}: the upstream forgets them, as if it had restarted. */
static void on_expire(struct sim *sim, const struct sim_http *http, const json_t *body,
                      struct reply *r)
{
    const char *id     = json_string_value(json_object_get(body, "session"));
    json_int_t expired = 0;

    (void)http;
    for (size_t i = 0; id && i < sim->sessions.ids.count; i++) {
        struct sim_session *s = sim->sessions.all[i];

        if (s->state != SIM_SESSION_LIVE || (strcmp(id, "*") != 0 && strcmp(id, s->id) != 0))
            continue;
        sim_expire_session(sim, s, "lost");
        expired++;
    }
    if (id)
        reply_json(r, 200, json_pack("{s:I}", "expired", expired));
    else
        reply_wrong(r, "session");
}

/* {"count":n}: sessions of somebody else under the same key. */
static void on_foreign(struct sim *sim, const struct sim_http *http, const json_t *body,
                       struct reply *r)
{
    json_t *ids      = json_array();
    json_int_t count = json_integer_value(json_object_get(body, "count"));

    (void)http;
    for (json_int_t i = 0; i < count && i < 10000; i++)
        json_array_append_new(ids, json_string(sim_session_open_foreign(&sim->sessions)->id));
    reply_json(r, 200, json_pack("{s:o}", "sessions", ids));
}

/* A picture of one pixel.  Its address is given to clients as a plain URL somewhere; whoever
   sends the API key along has given it away. */
static void on_blob(struct sim *sim, const struct sim_http *http, const json_t *body,
                    struct reply *r)
{
    static const unsigned char PNG[] = {
        0x89, 'P',  'N',  'G',  0x0d, 0x0a, 0x1a, 0x0a, 0,    0,    0,    13,   'I',  'H',
        'D',  'R',  0,    0,    0,    1,    0,    0,    0,    1,    8,    0,    0,    0,
        0,    0x3a, 0x7e, 0x9b, 0x55, 0,    0,    0,    10,   'I',  'D',  'A',  'T',  0x78,
        0x9c, 0x63, 0x60, 0,    0,    0,    2,    0,    1,    0x48, 0xaf, 0xa4, 0x71, 0,
        0,    0,    0,    'I',  'E',  'N',  'D',  0xae, 0x42, 0x60, 0x82};

    (void)body;
    if (*http->key)
        sim_record_put(&sim->record, &(struct sim_event){.kind = SIM_EVENT_VIOLATION,
                                                         .why  = "key_sent_to_blob"});
    r->type = "image/png";
    sim_buf_put(&r->body, PNG, sizeof PNG);
}

static const struct {
    const char *method;
    const char *path;
    void (*on)(struct sim *sim, const struct sim_http *http, const json_t *body,
               struct reply *r);
} ROUTES[] = {
    {"GET", "/_sim/config", on_config_get},
    {"POST", "/_sim/config", on_config_post},
    {"GET", "/_sim/faults", on_faults_get},
    {"POST", "/_sim/faults", on_faults_post},
    {"DELETE", "/_sim/faults", on_faults_delete},
    {"POST", "/_sim/reset", on_reset},
    {"GET", "/_sim/record", on_record},
    {"GET", "/_sim/events", on_events},
    {"GET", "/_sim/now", on_now},
    {"POST", "/_sim/expire", on_expire},
    {"POST", "/_sim/foreign", on_foreign},
};

static void answer(struct sim *sim, const struct sim_http *http, struct reply *r)
{
    json_t *body = json_loadb(http->body, http->body_len, JSON_DECODE_ANY, NULL);

    if (strncmp(http->path, "/_sim/blob/", 11) == 0) {
        on_blob(sim, http, body, r);
        json_decref(body);
        return;
    }
    for (size_t i = 0; i < sizeof ROUTES / sizeof *ROUTES; i++) {
        if (strcmp(ROUTES[i].method, http->method) != 0 ||
            strcmp(ROUTES[i].path, http->path) != 0)
            continue;
        ROUTES[i].on(sim, http, body, r);
        json_decref(body);
        return;
    }
    json_decref(body);
    reply_json(r, 404, json_pack("{s:s}", "error", "no such door; see README.md of agent_sim"));
}

void sim_control_answer(struct sim *sim, struct sim_conn *conn, const struct sim_http *http)
{
    struct reply r      = {.status = 200, .type = "application/json", .header = ""};
    struct sim_buf head = {0};

    answer(sim, http, &r);

    struct sim_plan extra = sim_plan_plain();

    sim_base_copy(extra.headers, sizeof extra.headers, r.header);
    sim_answer_put_head(
        &head, &(struct sim_answer_head){
                   .status = r.status, .type = r.type, .len = r.body.len, .plan = &extra});
    sim_conn_send(conn, head.data, head.len);
    sim_conn_send(conn, r.body.data, r.body.len);
    sim_conn_done(conn);
    sim_buf_deinit(&head);
    sim_buf_deinit(&r.body);
}
