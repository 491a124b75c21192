#include "agent_sim/sim_call.h"

#include <stdio.h>
#include <string.h>

#include "agent_sim/sim.h"
#include "agent_sim/sim_act.h"
#include "agent_sim/sim_api.h"
#include "agent_sim/sim_base.h"
#include "agent_sim/sim_conn.h"
#include "agent_sim/sim_deliver.h"
#include "agent_sim/sim_http.h"
#include "agent_sim/sim_route.h"

/* How much of a command the record shows. */
enum { CMD_SHOWN = 160 };

static const uint64_t US_NS = 1000u;

static void on_timer(uv_timer_t *timer)
{
    struct sim_call *call = timer->data;

    call->next(call);
}

void sim_call_after(struct sim_call *call, double ms, void (*next)(struct sim_call *))
{
    call->next = next;
    uv_update_time(call->sim->loop); /* the turn may have been long */
    must(uv_timer_start(&call->timer, on_timer, ms > 0 ? (uint64_t)ms : 0, 0) == 0);
}

static void event_of(struct sim_call *call, struct sim_event *event)
{
    event->call     = call->id;
    event->endpoint = call->endpoint;
    event->tenant   = call->tenant;
    event->session  = call->session ? call->session->id : call->session_id;
    sim_record_put(&call->sim->record, event);
}

void sim_call_event(struct sim_call *call, enum sim_event_kind kind, const char *why)
{
    event_of(call, &(struct sim_event){.kind = kind, .why = why});
}

/* Cut where a character ends: the record is UTF-8. */
static void show_cmd(char ret[CMD_SHOWN + 1], const char *cmd)
{
    size_t len = strnlen(cmd, CMD_SHOWN + 1);

    if (len > CMD_SHOWN)
        for (len = CMD_SHOWN; len > 0 && (cmd[len] & 0xc0) == 0x80; len--)
            ;
    memcpy(ret, cmd, len);
    ret[len] = '\0';
}

static void record_arrival(struct sim_call *call)
{
    char shown[CMD_SHOWN + 1];

    show_cmd(shown, call->cmd);
    event_of(call, &(struct sim_event){
                       .kind    = SIM_EVENT_ARRIVE,
                       .ns      = call->arrived.ns,
                       .wall_ms = call->arrived.wall_ns / 1000000u,
                       .conn    = call->conn->id,
                       .nth     = call->conn->nth,
                       .lag_us  = (sim_clock_now().ns - call->arrived.ns) / US_NS,
                       .order   = call->words.order,
                       .cmd     = shown,
                   });
}

static void refuse(struct sim_call *call, const char *plan, const char *text)
{
    must(sim_plan_read(&call->plan, plan));
    call->plan.name[0]    = '\0'; /* no fault was ordered: this is how the upstream is */
    call->plan.latency_ms = call->sim->config.refuse_ms;
    if (text)
        sim_base_copy(call->plan.text, sizeof call->plan.text, text);
}

/* An excess is recorded, and refused where the upstream enforces its limits. */
static bool over(struct sim_call *call, const char *why, bool too_many)
{
    if (too_many)
        sim_call_event(call, SIM_EVENT_VIOLATION, why);
    return too_many && call->sim->config.enforce;
}

static bool over_limit(struct sim_call *call)
{
    struct sim *sim            = call->sim;
    const struct sim_config *c = &sim->config;
    size_t rate                = sim_window_put(&sim->window, call->arrived.ns);

    if (over(call, "in_flight",
             c->in_flight_max >= 0 && sim->in_flight > (uint64_t)c->in_flight_max)) {
        refuse(call, "429_concurrency", NULL);
        return true;
    }
    if (over(call, "sessions",
             call->opens && c->sessions_max >= 0 &&
                 sim->sessions.open >= (uint64_t)c->sessions_max)) {
        refuse(call, "429_sessions", NULL);
        return true;
    }
    if (over(call, "rate", c->rate_max >= 0 && rate > (uint64_t)c->rate_max)) {
        refuse(call, "429", NULL);
        if (c->retry_after_s >= 0) {
            call->plan.retry         = SIM_PLAN_RETRY_SECONDS;
            call->plan.retry_after_s = (long)c->retry_after_s;
        }
        return true;
    }
    return false;
}

static bool key_fits(const struct sim_config *config, const char *key)
{
    if (!json_is_array(config->keys))
        return *key != '\0';
    for (size_t i = 0; i < json_array_size(config->keys); i++)
        if (strcmp(json_string_value(json_array_get(config->keys, i)), key) == 0)
            return true;
    return false;
}

/* What every upstream looks at before it does anything. */
static bool refused(struct sim_call *call, const struct sim_route *route, const char *key,
                    const char *wrong_word)
{
    const char *wrong = sim_api_check(call->endpoint, call->body);
    char text[128];

    if (over_limit(call))
        return true;
    if (!key_fits(&call->sim->config, key)) {
        refuse(call, "401", "Invalid or missing API key.");
    } else if (route->refusal) {
        refuse(call, route->refusal == 404 ? "404" : "405", "Not Found");
    } else if (wrong) {
        refuse(call, "422", wrong);
    } else if (wrong_word) {
        (void)snprintf(text, sizeof text, "agent_sim knows no such word: %.40s", wrong_word);
        refuse(call, "400", text);
    } else {
        return false;
    }
    return true;
}

static void choose_plan(struct sim_call *call)
{
    const struct sim_fault_call about = {call->endpoint, call->cmd, call->tenant,
                                         call->session_id};

    call->plan = sim_plan_plain();
    if (call->words.faulty && (call->words.fault_times == 0 ||
                               sim_count_cmd(call->sim, call->cmd) <= call->words.fault_times))
        call->plan = call->words.fault;
    else
        (void)sim_fault_pick(&call->sim->faults, &about, call->arrived.ns, &call->plan);
}

static double choose_latency(struct sim_call *call)
{
    struct sim *sim               = call->sim;
    const struct sim_words *words = &call->words;
    struct sim_latency asked      = {.min_ms = words->latency_min_ms,
                                     .max_ms = words->latency_max_ms};

    if (call->plan.latency_ms >= 0)
        return call->plan.latency_ms;
    if (words->latency_min_ms >= 0)
        return sim_latency_draw(&asked, &sim->random);
    if (call->plan.fate == SIM_PLAN_STATUS && call->plan.status < 500 && !call->plan.acts)
        return sim->config.refuse_ms;
    return sim_latency_draw(&sim->config.latency[call->endpoint], &sim->random);
}

/* What the client does to the session that it should not do. */
static void observe_session(struct sim_call *call)
{
    const struct sim_session *s = call->session;
    bool closes                 = call->endpoint == SIM_ENDPOINT_CLOSE;
    const char *why             = NULL;

    if (!*call->session_id)
        return;
    if (!s)
        why = "unknown_session";
    else if (s->foreign)
        why = "foreign_session";
    else if (s->state == SIM_SESSION_EXPIRED)
        why = closes ? "expired_close" : "expired_session";
    else if (s->state != SIM_SESSION_LIVE)
        why = closes ? "double_close" : "closed_session";
    else if (s->busy > 0 && closes)
        why = "overlap_by_close";
    else if (s->busy > 0)
        why = s->busy > s->abandoned ? "overlap" : "overlap_abandoned";
    if (why)
        sim_call_event(call, SIM_EVENT_VIOLATION, why);
}

static void take_session(struct sim_call *call)
{
    struct sim *sim = call->sim;

    if (call->opens && call->plan.acts) {
        call->session = sim_session_open(&sim->sessions, call->tenant);
        event_of(call, &(struct sim_event){.kind = SIM_EVENT_OPEN, .ns = call->arrived.ns});
    } else {
        call->opens = false;
    }
    if (call->session && call->session->state <= SIM_SESSION_CLOSING) {
        sim_session_hold(&sim->sessions, call->session);
        call->holds = true;
    }
}

static void on_act_time(struct sim_call *call)
{
    bool breaks = call->plan.fate == SIM_PLAN_RESET || call->plan.fate == SIM_PLAN_CLOSE;
    double rest = (double)((uint64_t)call->latency_ms -
                           (uint64_t)(call->latency_ms * call->sim->config.act_at));

    if (call->plan.acts)
        sim_act(call);
    if (breaks && !call->plan.acts)
        sim_deliver(call); /* in the middle of the work */
    else
        sim_call_after(call, rest, sim_deliver);
}

static void begin(struct sim_call *call)
{
    call->latency_ms = choose_latency(call);
    if (call->plan.fate == SIM_PLAN_EARLY_ANSWER) {
        sim_act(call);
        sim_call_after(call, call->latency_ms, sim_deliver);
        if (call->plan.fate == SIM_PLAN_EARLY_ANSWER) /* else its session was not there */
            sim_deliver_early(call);
    } else {
        sim_call_after(call, call->latency_ms * call->sim->config.act_at, on_act_time);
    }
}

static void read_words(struct sim_call *call, const char **ret_wrong)
{
    const char *texts[] = {call->cmd, json_string_value(json_object_get(call->body, "url"))};

    call->words = sim_words_none();
    *ret_wrong  = NULL;
    for (size_t i = 0; i < 2 && !*ret_wrong; i++) {
        const char *wrong = NULL;

        if (texts[i] && !sim_words_read(&call->words, texts[i], &wrong))
            *ret_wrong = wrong;
    }
}

static void read_session(struct sim_call *call, const struct sim_route *route)
{
    const char *id = json_string_value(json_object_get(call->body, "session_id"));
    bool in_body =
        call->endpoint == SIM_ENDPOINT_BROWSE || call->endpoint == SIM_ENDPOINT_RETRIEVE;

    sim_base_copy(call->session_id, sizeof call->session_id,
                  in_body && id ? id : route->session);
    if (*call->session_id)
        call->session = sim_session_find(&call->sim->sessions, call->session_id);
    call->opens = call->endpoint == SIM_ENDPOINT_OPEN ||
                  (call->endpoint == SIM_ENDPOINT_BROWSE && !*call->session_id);
}

void sim_call_new(struct sim *sim, struct sim_conn *conn, const struct sim_http *http)
{
    struct sim_call *call  = sim_base_new(struct sim_call);
    struct sim_route route = sim_route_read(http->method, http->path);
    const char *wrong_word = NULL;

    call->sim      = sim;
    call->conn     = conn;
    call->id       = ++sim->calls_ever;
    call->arrived  = conn->arrived;
    call->endpoint = route.endpoint;
    call->body     = json_loadb(http->body, http->body_len, 0, NULL);
    call->cmd      = json_string_value(json_object_get(call->body, "cmd"));
    if (!call->cmd)
        call->cmd = "";
    must(uv_timer_init(sim->loop, &call->timer) == 0);
    call->timer.data = call;
    call->after      = sim->calls;
    if (sim->calls)
        sim->calls->before = call;
    sim->calls = call;
    sim->in_flight++;
    conn->call = call;

    read_words(call, &wrong_word);
    read_session(call, &route);
    sim_base_copy(call->tenant, sizeof call->tenant,
                  !*call->words.tenant && call->session ? call->session->tenant
                                                        : call->words.tenant);
    record_arrival(call);
    if (!refused(call, &route, http->key, wrong_word))
        choose_plan(call);
    observe_session(call);
    take_session(call);
    begin(call);
}

void sim_call_gone(struct sim_call *call)
{
    call->conn = NULL;
    call->gone = true;
    sim_call_event(call, SIM_EVENT_GONE, NULL);
    if (call->holds)
        call->session->abandoned++;
    if (call->delivering)
        sim_call_end(call, SIM_EVENT_DROP, call->plan.status, "gone");
}

static void on_closed(uv_handle_t *handle)
{
    struct sim_call *call = handle->data;

    json_decref(call->body);
    sim_base_free(call->payload);
    sim_base_free(call);
}

static void unlink_call(struct sim_call *call)
{
    struct sim *sim = call->sim;

    if (call->conn)
        call->conn->call = NULL;
    if (call->before)
        call->before->after = call->after;
    else
        sim->calls = call->after;
    if (call->after)
        call->after->before = call->before;
    sim->in_flight--;
    uv_close((uv_handle_t *)&call->timer, on_closed);
}

void sim_call_end(struct sim_call *call, enum sim_event_kind kind, int status, const char *why)
{
    struct sim *sim       = call->sim;
    struct sim_session *s = call->session;

    event_of(call, &(struct sim_event){
                       .kind = kind, .status = status, .why = why, .fault = call->plan.name});
    if (call->closes) {
        sim_call_event(call, SIM_EVENT_CLOSE, NULL);
        sim_session_move(&sim->sessions, s, SIM_SESSION_CLOSED);
    }
    if (call->holds) {
        s->abandoned -= call->gone;
        sim_session_release(&sim->sessions, s, sim_clock_now().ns);
        sim_watch_idle(sim);
    }
    unlink_call(call);
}

void sim_call_abort(struct sim_call *call)
{
    if (call->conn)
        sim_conn_reset(call->conn);
    call->conn = NULL;
    unlink_call(call);
}
