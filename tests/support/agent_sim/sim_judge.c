#include "agent_sim/sim_judge.h"

#include <string.h>

#include "agent_sim/sim_base.h"
#include "agent_sim/sim_table.h"

struct sim_judge {
    struct sim_judge_call *calls;
    size_t call_count, call_room;
    struct sim_judge_session *sessions;
    size_t session_count, session_room;
    struct sim_judge_order *orders; /* by the number of its key */
    size_t order_room;
    uint64_t *violations; /* by the number of its name */
    size_t violation_room;
    uint64_t lag_max_us;

    struct sim_table texts;       /* every text that is lent out                 */
    struct sim_table tenants;     /* the labels seen                             */
    struct sim_table keys;        /* of orders                                   */
    struct sim_table whys;        /* of violations                               */
    struct sim_table session_ids; /* id -> number of the session                 */
    size_t *by_id;                /* call id -> index + 1, of this simulator run */
    size_t by_id_count;
};

/* The ids of one simulator run are dense; a line with a larger one is damaged. */
static const uint64_t CALL_ID_MAX = 1u << 28;

struct sim_judge *sim_judge_new(void)
{
    return sim_base_new(struct sim_judge);
}

static void forget(struct sim_judge *j)
{
    for (size_t i = 0; i < j->keys.count; i++) {
        sim_base_free(j->orders[i].at_ns);
        sim_base_free(j->orders[i].calls);
    }
    sim_base_free(j->calls);
    sim_base_free(j->sessions);
    sim_base_free(j->orders);
    sim_base_free(j->violations);
    sim_base_free(j->by_id);
    sim_table_deinit(&j->texts);
    sim_table_deinit(&j->tenants);
    sim_table_deinit(&j->keys);
    sim_table_deinit(&j->whys);
    sim_table_deinit(&j->session_ids);
    *j = (struct sim_judge){0};
}

void sim_judge_free(struct sim_judge **slot)
{
    if (!*slot)
        return;
    forget(*slot);
    sim_base_free(*slot);
    *slot = NULL;
}

/* Equal texts get the same pointer, so later comparisons are of pointers.  Empty is absent, as
   it is in the line of the event. */
static const char *keep(struct sim_judge *j, const char *text)
{
    if (!text || !*text)
        return NULL;
    return sim_table_name(&j->texts, sim_table_put(&j->texts, text));
}

static const char *keep_tenant(struct sim_judge *j, const char *text)
{
    if (text && *text)
        (void)sim_table_put(&j->tenants, text);
    return keep(j, text);
}

static struct sim_judge_call *find_call(struct sim_judge *j, uint64_t id)
{
    return id < j->by_id_count && j->by_id[id] ? &j->calls[j->by_id[id] - 1] : NULL;
}

static void index_call(struct sim_judge *j, uint64_t id, size_t index)
{
    if (id >= j->by_id_count) {
        size_t count = (size_t)id * 2 + 64;

        j->by_id = sim_base_resize(j->by_id, count * sizeof *j->by_id);
        memset(j->by_id + j->by_id_count, 0, (count - j->by_id_count) * sizeof *j->by_id);
        j->by_id_count = count;
    }
    j->by_id[id] = index + 1;
}

static void on_arrive(struct sim_judge *j, const struct sim_event *e)
{
    if (e->call > CALL_ID_MAX)
        return;
    j->calls = sim_base_grow(j->calls, j->call_count, &j->call_room, sizeof *j->calls);
    j->calls[j->call_count] = (struct sim_judge_call){
        .id       = e->call,
        .endpoint = e->endpoint,
        .span     = {e->ns, SIM_PEAK_OPEN},
        .tenant   = keep_tenant(j, e->tenant),
        .session  = keep(j, e->session),
        .order    = keep(j, e->order),
        .conn     = e->conn,
        .nth      = e->nth,
    };
    index_call(j, e->call, j->call_count++);
    if (e->lag_us > j->lag_max_us)
        j->lag_max_us = e->lag_us;
}

static void on_open(struct sim_judge *j, const struct sim_event *e)
{
    struct sim_judge_call *call = find_call(j, e->call);
    const char *id              = e->session ? e->session : "";
    uint32_t at                 = sim_table_put(&j->session_ids, id);

    if (call)
        call->session = keep(j, e->session);
    if (at < j->session_count)
        return; /* an id is never given twice; a repeated line opens nothing */

    j->sessions     = sim_base_grow(j->sessions, at, &j->session_room, sizeof *j->sessions);
    j->sessions[at] = (struct sim_judge_session){
        .id     = sim_table_name(&j->session_ids, at),
        .tenant = keep_tenant(j, e->tenant),
        .span   = {e->ns, SIM_PEAK_OPEN},
    };
    j->session_count = j->session_ids.count;
}

static void on_session_end(struct sim_judge *j, const struct sim_event *e,
                           enum sim_judge_end end)
{
    uint32_t at = 0;

    if (!e->session || !sim_table_find(&j->session_ids, e->session, &at))
        return;
    if (j->sessions[at].end != SIM_JUDGE_OPEN)
        return;
    j->sessions[at].span.end_ns = e->ns;
    j->sessions[at].end         = end;
}

/* A key ordered twice is the rare case, so its lists grow one by one. */
static void put_order(struct sim_judge *j, const struct sim_event *e)
{
    size_t known = j->keys.count;
    uint32_t at  = sim_table_put(&j->keys, e->order);

    j->orders = sim_base_grow(j->orders, at, &j->order_room, sizeof *j->orders);

    struct sim_judge_order *order = &j->orders[at];

    if (at == known)
        *order = (struct sim_judge_order){.key = sim_table_name(&j->keys, at)};

    size_t count = order->count++;

    order->tenant       = keep_tenant(j, e->tenant);
    order->session      = keep(j, e->session);
    order->at_ns        = sim_base_resize(order->at_ns, (count + 1) * sizeof *order->at_ns);
    order->calls        = sim_base_resize(order->calls, (count + 1) * sizeof *order->calls);
    order->at_ns[count] = e->ns;
    order->calls[count] = e->call;
}

static void on_act(struct sim_judge *j, const struct sim_event *e)
{
    struct sim_judge_call *call = find_call(j, e->call);

    if (call)
        call->acts++;
    if (e->order && *e->order)
        put_order(j, e);
}

static void on_call_end(struct sim_judge *j, const struct sim_event *e, bool answered)
{
    struct sim_judge_call *call = find_call(j, e->call);

    if (!call || call->answered || call->dropped)
        return;
    call->span.end_ns = e->ns;
    call->status      = e->status;
    call->answered    = answered;
    call->dropped     = !answered;
    call->why         = keep(j, e->why);
    call->fault       = keep(j, e->fault);
}

static void on_start(struct sim_judge *j, const struct sim_event *e)
{
    for (size_t i = 0; i < j->call_count; i++) {
        struct sim_judge_call *call = &j->calls[i];

        if (call->answered || call->dropped)
            continue;
        call->dropped     = true;
        call->why         = keep(j, "killed");
        call->span.end_ns = e->ns;
    }
    for (size_t i = 0; i < j->session_count; i++) {
        if (j->sessions[i].end != SIM_JUDGE_OPEN)
            continue;
        j->sessions[i].end         = SIM_JUDGE_EXPIRED;
        j->sessions[i].span.end_ns = e->ns;
    }
    sim_base_free(take(&j->by_id));
    j->by_id_count = 0;
}

static void on_violation(struct sim_judge *j, const struct sim_event *e)
{
    uint32_t at = sim_table_put(&j->whys, e->why ? e->why : "");
    size_t old  = j->violation_room;

    j->violations = sim_base_grow(j->violations, at, &j->violation_room, sizeof *j->violations);
    memset(j->violations + old, 0, (j->violation_room - old) * sizeof *j->violations);
    j->violations[at]++;
}

void sim_judge_put(struct sim_judge *j, const struct sim_event *event)
{
    switch (event->kind) {
    case SIM_EVENT_START:
        on_start(j, event);
        return;
    case SIM_EVENT_RESET:
        forget(j);
        return;
    case SIM_EVENT_ARRIVE:
        on_arrive(j, event);
        return;
    case SIM_EVENT_OPEN:
        on_open(j, event);
        return;
    case SIM_EVENT_ACT:
        on_act(j, event);
        return;
    case SIM_EVENT_ANSWER:
        on_call_end(j, event, true);
        return;
    case SIM_EVENT_DROP:
        on_call_end(j, event, false);
        return;
    case SIM_EVENT_GONE:
        if (find_call(j, event->call))
            find_call(j, event->call)->gone = true;
        return;
    case SIM_EVENT_CLOSE:
        on_session_end(j, event, SIM_JUDGE_CLOSED);
        return;
    case SIM_EVENT_EXPIRE:
        on_session_end(j, event, SIM_JUDGE_EXPIRED);
        return;
    case SIM_EVENT_VIOLATION:
        on_violation(j, event);
        return;
    }
}

bool sim_judge_put_line(struct sim_judge *j, const char *line, size_t len)
{
    json_t *parsed = json_loadb(line, len, 0, NULL);
    struct sim_event event;
    bool ok = parsed && sim_event_read(&event, parsed);

    if (ok)
        sim_judge_put(j, &event);
    json_decref(parsed);
    return ok;
}

/* Of one tenant or, with NULL, of all.  Kept texts are unique, so pointers can be compared;
   a label never seen becomes "", which no kept label is. */
static const char *kept_label(const struct sim_judge *j, const char *tenant)
{
    uint32_t at = 0;

    if (!tenant)
        return NULL;
    return sim_table_find(&j->texts, tenant, &at) ? sim_table_name(&j->texts, at) : "";
}

static struct sim_span *call_spans(const struct sim_judge *j, const char *tenant, size_t *ret)
{
    const char *label      = kept_label(j, tenant);
    struct sim_span *spans = sim_base_zero((j->call_count + 1) * sizeof *spans);

    *ret = 0;
    for (size_t i = 0; i < j->call_count; i++)
        if (!label || j->calls[i].tenant == label)
            spans[(*ret)++] = j->calls[i].span;
    return spans;
}

struct sim_peak sim_judge_rate(const struct sim_judge *j, const char *tenant,
                               uint64_t window_ns)
{
    size_t count           = 0;
    struct sim_span *spans = call_spans(j, tenant, &count);
    uint64_t *instants     = sim_base_zero((count + 1) * sizeof *instants);

    for (size_t i = 0; i < count; i++)
        instants[i] = spans[i].begin_ns;

    struct sim_peak peak = sim_peak_within(instants, count, window_ns);

    sim_base_free(instants);
    sim_base_free(spans);
    return peak;
}

struct sim_peak sim_judge_in_flight(const struct sim_judge *j, const char *tenant)
{
    size_t count           = 0;
    struct sim_span *spans = call_spans(j, tenant, &count);
    struct sim_peak peak   = sim_peak_at_once(spans, count);

    sim_base_free(spans);
    return peak;
}

struct sim_peak sim_judge_sessions_open(const struct sim_judge *j, const char *tenant)
{
    const char *label      = kept_label(j, tenant);
    size_t count           = 0;
    struct sim_span *spans = sim_base_zero((j->session_count + 1) * sizeof *spans);

    for (size_t i = 0; i < j->session_count; i++)
        if (!label || j->sessions[i].tenant == label)
            spans[count++] = j->sessions[i].span;

    struct sim_peak peak = sim_peak_at_once(spans, count);

    sim_base_free(spans);
    return peak;
}

size_t sim_judge_calls(const struct sim_judge *j)
{
    return j->call_count;
}

size_t sim_judge_sessions(const struct sim_judge *j)
{
    return j->session_count;
}

size_t sim_judge_orders(const struct sim_judge *j)
{
    return j->keys.count;
}

size_t sim_judge_tenants(const struct sim_judge *j)
{
    return j->tenants.count;
}

const struct sim_judge_call *sim_judge_call(const struct sim_judge *j, size_t i)
{
    must(i < j->call_count);
    return &j->calls[i];
}

const struct sim_judge_session *sim_judge_session(const struct sim_judge *j, size_t i)
{
    must(i < j->session_count);
    return &j->sessions[i];
}

const struct sim_judge_order *sim_judge_order(const struct sim_judge *j, size_t i)
{
    must(i < j->keys.count);
    return &j->orders[i];
}

const char *sim_judge_tenant(const struct sim_judge *j, size_t i)
{
    return sim_table_name(&j->tenants, (uint32_t)i);
}

const struct sim_judge_order *sim_judge_order_find(const struct sim_judge *j, const char *key)
{
    uint32_t at = 0;

    return sim_table_find(&j->keys, key, &at) ? &j->orders[at] : NULL;
}

size_t sim_judge_orders_doubled(const struct sim_judge *j)
{
    size_t doubled = 0;

    for (size_t i = 0; i < j->keys.count; i++)
        doubled += j->orders[i].count > 1;
    return doubled;
}

uint64_t sim_judge_violations(const struct sim_judge *j, const char *why)
{
    uint32_t at = 0;

    return sim_table_find(&j->whys, why, &at) ? j->violations[at] : 0;
}

const char *sim_judge_violation_name(const struct sim_judge *j, size_t i)
{
    return i < j->whys.count ? sim_table_name(&j->whys, (uint32_t)i) : NULL;
}

uint64_t sim_judge_lag_max_us(const struct sim_judge *j)
{
    return j->lag_max_us;
}
