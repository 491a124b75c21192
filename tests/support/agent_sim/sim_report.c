#include "agent_sim/sim_report.h"

#include <stdio.h>

#include "agent_sim/sim_base.h"
#include "agent_sim/sim_judge.h"

static const uint64_t SECOND_NS = 1000000000u;

/* Lists of ids are there to be read by a person; the counts beside them are whole. */
static const size_t LISTED_MAX = 1000;

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *text(const char *value)
{
    return value ? json_string(value) : json_null();
}

static void add_one(json_t *object, const char *name)
{
    json_int_t was = json_integer_value(json_object_get(object, name));

    json_object_set_new(object, name, json_integer(was + 1));
}

/* {"total":9,"dropped":1,"browse":{"arrived":9,"200":8,"dropped":1,"in_flight":0}} */
static json_t *calls_report(const struct sim_judge *j)
{
    json_t *report = json_object();
    json_t *each[SIM_ENDPOINTS];

    json_object_set_new(report, "total", number(sim_judge_calls(j)));
    for (int i = 0; i < SIM_ENDPOINTS; i++) {
        each[i] = json_pack("{s:i,s:i,s:i,s:i}", "arrived", 0, "in_flight", 0, "dropped", 0,
                            "gone", 0);
        json_object_set_new(report, sim_event_endpoint_name((enum sim_endpoint)i), each[i]);
    }
    for (size_t i = 0; i < sim_judge_calls(j); i++) {
        const struct sim_judge_call *call = sim_judge_call(j, i);
        json_t *row                       = each[call->endpoint];
        char status[16];

        (void)snprintf(status, sizeof status, "%d", call->status);
        add_one(row, "arrived");
        if (call->gone)
            add_one(row, "gone");
        if (call->answered)
            add_one(row, status);
        else
            add_one(row, call->dropped ? "dropped" : "in_flight");
    }
    return report;
}

static json_t *in_flight_row(const struct sim_judge *j, const char *tenant)
{
    struct sim_peak peak = sim_judge_in_flight(j, tenant);

    return json_pack("{s:i,s:o,s:o}", "now", 0, "max", number(peak.count), "at_ns",
                     number(peak.from_ns));
}

static json_t *in_flight_report(const struct sim_judge *j)
{
    json_t *report  = in_flight_row(j, NULL);
    json_t *tenants = json_object();

    for (size_t i = 0; i < sim_judge_tenants(j); i++) {
        const char *name = sim_judge_tenant(j, i);

        json_object_set_new(tenants, name, in_flight_row(j, name));
    }
    for (size_t i = 0; i < sim_judge_calls(j); i++) {
        const struct sim_judge_call *call = sim_judge_call(j, i);

        if (call->answered || call->dropped)
            continue;
        add_one(report, "now");
        if (call->tenant)
            add_one(json_object_get(tenants, call->tenant), "now");
    }
    json_object_set_new(report, "tenants", tenants);
    return report;
}

static json_t *rate_report(const struct sim_judge *j)
{
    struct sim_peak peak = sim_judge_rate(j, NULL, SECOND_NS);
    json_t *tenants      = json_object();

    for (size_t i = 0; i < sim_judge_tenants(j); i++) {
        const char *name = sim_judge_tenant(j, i);

        json_object_set_new(tenants, name, number(sim_judge_rate(j, name, SECOND_NS).count));
    }
    return json_pack("{s:o,s:{s:o,s:o},s:o}", "max_1s", number(peak.count), "window", "from_ns",
                     number(peak.from_ns), "to_ns", number(peak.to_ns), "tenants", tenants);
}

static json_t *sessions_report(const struct sim_judge *j)
{
    json_t *tenants     = json_object();
    json_t *left        = json_array();
    size_t ended[3]     = {0};
    struct sim_peak all = sim_judge_sessions_open(j, NULL);

    for (size_t i = 0; i < sim_judge_sessions(j); i++) {
        const struct sim_judge_session *session = sim_judge_session(j, i);

        ended[session->end]++;
        if (session->end == SIM_JUDGE_OPEN && json_array_size(left) < LISTED_MAX)
            json_array_append_new(left, text(session->id));
    }
    for (size_t i = 0; i < sim_judge_tenants(j); i++) {
        const char *name = sim_judge_tenant(j, i);

        json_object_set_new(tenants, name, number(sim_judge_sessions_open(j, name).count));
    }
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "opened",
                     number(sim_judge_sessions(j)), "closed", number(ended[SIM_JUDGE_CLOSED]),
                     "expired", number(ended[SIM_JUDGE_EXPIRED]), "open",
                     number(ended[SIM_JUDGE_OPEN]), "max_open", number(all.count), "at_ns",
                     number(all.from_ns), "max_open_tenants", tenants, "left", left);
}

static json_t *order_row(const struct sim_judge_order *order)
{
    json_t *at_ns = json_array();
    json_t *calls = json_array();

    for (size_t i = 0; i < order->count; i++) {
        json_array_append_new(at_ns, number(order->at_ns[i]));
        json_array_append_new(calls, number(order->calls[i]));
    }
    return json_pack("{s:o,s:o,s:o,s:o,s:o}", "count", number(order->count), "tenant",
                     text(order->tenant), "session", text(order->session), "at_ns", at_ns,
                     "calls", calls);
}

static void add_orders(json_t *report, const struct sim_judge *j)
{
    json_t *orders  = json_object();
    json_t *doubled = json_array();

    for (size_t i = 0; i < sim_judge_orders(j); i++) {
        const struct sim_judge_order *order = sim_judge_order(j, i);

        json_object_set_new(orders, order->key, order_row(order));
        if (order->count > 1)
            json_array_append_new(doubled, text(order->key));
    }
    json_object_set_new(report, "orders_total", number(sim_judge_orders(j)));
    json_object_set_new(report, "orders", orders);
    json_object_set_new(report, "orders_doubled", doubled);
}

/* The commands whose client cannot know that they were carried out: no whole answer came
   (unanswered), or an error, or one that nobody can read (refused). */
static void add_unanswered(json_t *report, const struct sim_judge *j)
{
    json_t *unanswered = json_array();
    json_t *refused    = json_array();

    for (size_t i = 0; i < sim_judge_calls(j); i++) {
        const struct sim_judge_call *call = sim_judge_call(j, i);
        bool failed = call->answered && (call->status >= 400 || call->why);

        if (call->acts == 0 || (!call->dropped && !failed))
            continue;
        json_array_append_new(
            call->dropped ? unanswered : refused,
            json_pack("{s:o,s:s,s:o,s:o,s:o,s:o,s:i}", "call", number(call->id), "endpoint",
                      sim_event_endpoint_name(call->endpoint), "order", text(call->order),
                      "tenant", text(call->tenant), "session", text(call->session), "why",
                      text(call->why ? call->why : call->fault), "status", call->status));
    }
    json_object_set_new(report, "acted_unanswered", unanswered);
    json_object_set_new(report, "acted_refused", refused);
}

json_t *sim_report_new(const struct sim_judge *j)
{
    json_t *violations = json_object();
    const char *name   = NULL;

    for (size_t i = 0; (name = sim_judge_violation_name(j, i)); i++)
        json_object_set_new(violations, name, number(sim_judge_violations(j, name)));

    json_t *report =
        json_pack("{s:o,s:o,s:o,s:o}", "calls", calls_report(j), "in_flight",
                  in_flight_report(j), "rate", rate_report(j), "sessions", sessions_report(j));

    json_object_set_new(report, "double_closes",
                        number(sim_judge_violations(j, "double_close")));
    json_object_set_new(report, "unknown_sessions",
                        number(sim_judge_violations(j, "unknown_session")));
    json_object_set_new(report, "overlaps", number(sim_judge_violations(j, "overlap")));
    json_object_set_new(report, "violations", violations);
    json_object_set_new(report, "lag_max_us", number(sim_judge_lag_max_us(j)));
    add_orders(report, j);
    add_unanswered(report, j);
    return report;
}
