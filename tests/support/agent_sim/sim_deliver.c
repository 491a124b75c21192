#include "agent_sim/sim_deliver.h"

#include <stdio.h>
#include <string.h>

#include "agent_sim/sim.h"
#include "agent_sim/sim_answer.h"
#include "agent_sim/sim_api.h"
#include "agent_sim/sim_base.h"
#include "agent_sim/sim_call.h"
#include "agent_sim/sim_conn.h"
#include "agent_sim/sim_rows.h"

static const char JSON[] = "application/json";
static const char HTML[] = "text/html";

/* Fast enough to fill any bound within a second, slow enough to leave the machine to others. */
enum { ENDLESS_CHUNK = 32 * 1024, ENDLESS_PAUSE_MS = 5 };

enum { DEEP_LEVELS = 10000, MAX_ITEMS_DEFAULT = 100 };

static json_t *rows_of(struct sim_call *call)
{
    struct sim_config *config = &call->sim->config;
    const json_t *asked       = json_object_get(call->body, "fields");
    const json_t *most        = json_object_get(call->body, "max_items");
    long count = call->words.rows >= 0 ? call->words.rows : (long)config->row_count;
    long max   = json_is_number(most) ? (long)json_number_value(most) : MAX_ITEMS_DEFAULT;

    if (count > max && !config->row_over)
        count = max;
    return sim_rows_new(json_array_size(asked) ? asked : config->row_fields, count,
                        config->row_missing, &call->sim->random);
}

static void put_blob_url(char *ret, size_t room, const struct sim_call *call)
{
    bool asked = json_is_true(json_object_get(call->body, "include_screenshot"));

    *ret = '\0';
    if (asked || call->endpoint == SIM_ENDPOINT_SCREENSHOT)
        (void)snprintf(ret, room, "http://127.0.0.1:%d/_sim/blob/%llu.png", call->sim->port,
                       (unsigned long long)call->id);
}

/* The message, filled up to the size the settings ask for. */
static char *message_of(const struct sim_call *call)
{
    const struct sim_config *config = &call->sim->config;
    const char *message = *call->words.message ? call->words.message : config->message;
    size_t len          = strlen(message);
    size_t padded = config->answer_bytes > (int64_t)len ? (size_t)config->answer_bytes : len;
    char *text    = sim_base_zero(padded + 1);

    memcpy(text, message, len + 1);
    memset(text + len, '.', padded - len);
    return text;
}

static char *compose(struct sim_call *call)
{
    char blob[96];
    char *message = message_of(call);

    put_blob_url(blob, sizeof blob, call);

    struct sim_api_answer answer = {
        .endpoint = call->endpoint,
        .session  = call->session ? call->session->id : "",
        .agent    = call->agent,
        .message  = message,
        .url      = call->session && *call->session->url ? call->session->url
                                                         : "https://www.google.com/",
        .blob     = blob,
        .took_s   = call->latency_ms / 1000,
    };

    if (call->endpoint == SIM_ENDPOINT_RETRIEVE)
        answer.list = rows_of(call);
    if (call->endpoint == SIM_ENDPOINT_LIST)
        answer.list = sim_session_list(&call->sim->sessions);

    json_t *body = sim_api_answer(&answer);
    char *text   = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15));

    json_decref(body);
    sim_base_free(message);
    must(text);
    return text;
}

static void put_head(struct sim_buf *out, const struct sim_call *call, int status,
                     const char *type, size_t len)
{
    sim_answer_put_head(out,
                        &(struct sim_answer_head){
                            .status = status, .type = type, .len = len, .plan = &call->plan});
}

/* Ends the call in the record, then lets the whole answer go. */
static void answer_bytes(struct sim_call *call, const char *type, const char *body, size_t len)
{
    struct sim_conn *conn = call->conn;
    struct sim_buf out    = {0};
    int status            = call->plan.status;

    put_head(&out, call, status, type, len);
    sim_buf_put(&out, body, len);
    sim_call_end(call, SIM_EVENT_ANSWER, status,
                 sim_plan_unreadable(&call->plan) ? "unreadable" : NULL);
    sim_conn_send(conn, out.data, out.len);
    sim_conn_done(conn);
    sim_buf_deinit(&out);
}

static void answer_text(struct sim_call *call, const char *type, char *body)
{
    answer_bytes(call, type, body, strlen(body));
    sim_base_free(body);
}

static void answer_garbage(struct sim_call *call)
{
    static const char GARBAGE[] = "\0\377\376{\"status\":\"DO";

    answer_bytes(call, JSON, GARBAGE, sizeof GARBAGE - 1);
}

static void answer_deep(struct sim_call *call)
{
    char *deep = sim_base_zero(2 * DEEP_LEVELS + 1);

    memset(deep, '[', DEEP_LEVELS);
    memset(deep + DEEP_LEVELS, ']', DEEP_LEVELS);
    answer_text(call, JSON, deep);
}

static void drop(struct sim_call *call, const char *why)
{
    struct sim_conn *conn = call->conn;
    bool resets           = call->plan.fate == SIM_PLAN_RESET;

    sim_call_end(call, SIM_EVENT_DROP, 0, why);
    if (resets)
        sim_conn_reset(conn);
    else
        sim_conn_close(conn);
}

static void truncate_answer(struct sim_call *call)
{
    struct sim_conn *conn = call->conn;
    struct sim_buf out    = {0};
    char *body            = compose(call);
    size_t len            = strlen(body);

    put_head(&out, call, 200, JSON, len);
    sim_buf_put(&out, body, len / 2);
    sim_call_end(call, SIM_EVENT_DROP, 200, "truncated");
    sim_conn_send(conn, out.data, out.len);
    sim_conn_close(conn);
    sim_base_free(body);
    sim_buf_deinit(&out);
}

static void on_drip(struct sim_call *call)
{
    struct sim_conn *conn = call->conn;
    char byte             = call->payload[call->payload_at++];

    if (call->payload_at < call->payload_len) {
        sim_call_after(call, call->plan.drip_ms, on_drip);
        sim_conn_send(conn, &byte, 1); /* last: it may find that the client left */
        return;
    }
    sim_call_end(call, SIM_EVENT_ANSWER, 200, NULL);
    sim_conn_send(conn, &byte, 1);
    sim_conn_done(conn);
}

static void begin_drip(struct sim_call *call)
{
    struct sim_buf out = {0};

    call->delivering  = true;
    call->payload     = compose(call);
    call->payload_len = strlen(call->payload);
    put_head(&out, call, 200, JSON, call->payload_len);
    sim_call_after(call, call->plan.drip_ms, on_drip);
    sim_conn_send(call->conn, out.data, out.len);
    sim_buf_deinit(&out);
}

static void on_endless(struct sim_call *call)
{
    struct sim_conn *conn = call->conn;
    struct sim_buf out    = {0};

    sim_call_after(call, ENDLESS_PAUSE_MS, on_endless);
    if (conn->out.len > 0)
        return; /* the client reads slower than this */

    sim_buf_printf(&out, "%x\r\n", (unsigned)ENDLESS_CHUNK);
    sim_buf_reserve(&out, ENDLESS_CHUNK);
    memset(out.data + out.len, 'a', ENDLESS_CHUNK);
    out.len += ENDLESS_CHUNK;
    sim_buf_put(&out, "\r\n", 2);
    sim_conn_send(conn, out.data, out.len);
    sim_buf_deinit(&out);
}

static void begin_endless(struct sim_call *call)
{
    static const char BEGIN[] = "{\"status\":\"DONE\",\"message\":\"";
    struct sim_buf out        = {0};

    call->delivering = true;
    put_head(&out, call, 200, JSON, SIM_ANSWER_CHUNKED);
    sim_buf_printf(&out, "%zx\r\n%s\r\n", sizeof BEGIN - 1, BEGIN);
    sim_call_after(call, ENDLESS_PAUSE_MS, on_endless);
    sim_conn_send(call->conn, out.data, out.len);
    sim_buf_deinit(&out);
}

static void play(struct sim_call *call)
{
    switch (call->plan.fate) {
    case SIM_PLAN_ANSWER:
    case SIM_PLAN_SESSION_LOST: /* with no session to lose */
    case SIM_PLAN_DOUBLE_ACT:
    case SIM_PLAN_KEEP_OPEN:
    case SIM_PLAN_EARLY_ANSWER:
        answer_text(call, JSON, compose(call));
        return;
    case SIM_PLAN_STATUS:
        answer_text(call, JSON, sim_answer_error(call->plan.status, call->plan.text));
        return;
    case SIM_PLAN_HTML:
        answer_text(call, HTML, sim_answer_html(call->plan.status));
        return;
    case SIM_PLAN_WRONG_TYPE:
        answer_text(call, HTML, compose(call));
        return;
    case SIM_PLAN_EMPTY:
        answer_bytes(call, JSON, "", 0);
        return;
    case SIM_PLAN_GARBAGE:
        answer_garbage(call);
        return;
    case SIM_PLAN_DEEP:
        answer_deep(call);
        return;
    case SIM_PLAN_HANG:
        call->delivering = true;
        return;
    case SIM_PLAN_RESET:
        drop(call, "reset");
        return;
    case SIM_PLAN_CLOSE:
        drop(call, "closed");
        return;
    case SIM_PLAN_TRUNCATED:
        truncate_answer(call);
        return;
    case SIM_PLAN_ENDLESS:
        begin_endless(call);
        return;
    case SIM_PLAN_DRIP:
        begin_drip(call);
        return;
    }
}

void sim_deliver(struct sim_call *call)
{
    if (call->early)
        sim_call_end(call, SIM_EVENT_ANSWER, call->plan.status, NULL);
    else if (!call->conn)
        sim_call_end(call, SIM_EVENT_DROP, 0, "gone");
    else
        play(call);
}

void sim_deliver_early(struct sim_call *call)
{
    struct sim_conn *conn = take(&call->conn);
    struct sim_buf out    = {0};
    char *body            = compose(call);

    call->early = true;
    put_head(&out, call, 200, JSON, strlen(body));
    sim_buf_put(&out, body, strlen(body));
    conn->call = NULL;
    sim_conn_send(conn, out.data, out.len);
    sim_conn_done(conn);
    sim_base_free(body);
    sim_buf_deinit(&out);
}
