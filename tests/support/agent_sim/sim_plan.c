#include "agent_sim/sim_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_sim/sim_base.h"

struct named {
    const char *name;
    const char *text;
    enum sim_plan_fate fate;
    int status;
    bool acts;
};

/* The two kinds of 402 differ only in words, as they do with real upstreams; so the first must
   not contain those by which the second is known. */
static const struct named NAMED[] = {
    {"402", "Payment required: the credit of this account is exhausted.", SIM_PLAN_STATUS, 402,
     false},
    {"402_credit", "Payment required: the credit of this account is exhausted.",
     SIM_PLAN_STATUS, 402, false},
    {"402_feature", "Subscription required: this feature is not in your plan.", SIM_PLAN_STATUS,
     402, false},
    {"429", "Rate limit exceeded.", SIM_PLAN_STATUS, 429, false},
    {"429_concurrency", "Too many concurrent requests for this account.", SIM_PLAN_STATUS, 429,
     false},
    {"429_sessions", "Too many concurrent sessions for this account.", SIM_PLAN_STATUS, 429,
     false},
    {"html_502", "Bad Gateway", SIM_PLAN_HTML, 502, false},
    {"hang", "", SIM_PLAN_HANG, 0, false},
    {"reset", "", SIM_PLAN_RESET, 0, false},
    {"close", "", SIM_PLAN_CLOSE, 0, false},
    {"garbage", "", SIM_PLAN_GARBAGE, 200, true},
    {"truncated", "", SIM_PLAN_TRUNCATED, 200, true},
    {"endless", "", SIM_PLAN_ENDLESS, 200, true},
    {"drip", "", SIM_PLAN_DRIP, 200, true},
    {"wrong_type", "", SIM_PLAN_WRONG_TYPE, 200, true},
    {"empty", "", SIM_PLAN_EMPTY, 200, true},
    {"deep", "", SIM_PLAN_DEEP, 200, true},
    {"session_lost", "", SIM_PLAN_SESSION_LOST, 0, true},
    {"double_act", "", SIM_PLAN_DOUBLE_ACT, 200, true},
    {"keep_open", "", SIM_PLAN_KEEP_OPEN, 200, true},
    {"early_answer", "", SIM_PLAN_EARLY_ANSWER, 200, true},
    {"answer", "", SIM_PLAN_ANSWER, 200,
     true}, /* for a fault that changes only times or texts */
};

struct sim_plan sim_plan_plain(void)
{
    return (struct sim_plan){
        .fate = SIM_PLAN_ANSWER, .acts = true, .status = 200, .latency_ms = -1, .drip_ms = 100};
}

static bool cut_suffix(char *name, const char *suffix)
{
    size_t len  = strlen(name);
    size_t tail = strlen(suffix);

    if (len <= tail || strcmp(name + len - tail, suffix) != 0)
        return false;
    name[len - tail] = '\0';
    return true;
}

/* "503": a status that needs no words of its own. */
static bool read_status(struct sim_plan *ret, const char *name)
{
    char *end   = NULL;
    long status = strtol(name, &end, 10);

    if (*end || status < 400 || status > 599)
        return false;
    ret->fate   = SIM_PLAN_STATUS;
    ret->status = (int)status;
    ret->acts   = false;
    (void)snprintf(ret->text, sizeof ret->text, "The simulator was told to answer %ld.",
                   status);
    return true;
}

bool sim_plan_read(struct sim_plan *ret, const char *name)
{
    struct sim_plan plan = sim_plan_plain();
    char base[sizeof plan.name];
    bool before = false, after = false, known = false;

    if (!*name || strlen(name) >= sizeof base)
        return false;
    sim_base_copy(base, sizeof base, name);
    before = cut_suffix(base, "_before");
    after  = !before && cut_suffix(base, "_after");

    for (size_t i = 0; i < sizeof NAMED / sizeof *NAMED && !known; i++) {
        if (strcmp(NAMED[i].name, base) != 0)
            continue;
        known       = true;
        plan.fate   = NAMED[i].fate;
        plan.status = NAMED[i].status;
        plan.acts   = NAMED[i].acts;
        sim_base_copy(plan.text, sizeof plan.text, NAMED[i].text);
    }
    if (!known && !read_status(&plan, base))
        return false;
    if (before || after)
        plan.acts = after;
    sim_base_copy(plan.name, sizeof plan.name, name);
    *ret = plan;
    return true;
}

static bool copy_text(char *ret, size_t room, const json_t *value)
{
    const char *text = json_string_value(value);

    if (!text || strlen(text) >= room)
        return false;
    sim_base_copy(ret, room, text);
    return true;
}

static bool set_retry_form(struct sim_plan *plan, const char *form)
{
    if (form && strcmp(form, "seconds") == 0)
        plan->retry = SIM_PLAN_RETRY_SECONDS;
    else if (form && strcmp(form, "date") == 0)
        plan->retry = SIM_PLAN_RETRY_DATE;
    else if (form && strcmp(form, "none") == 0)
        plan->retry = SIM_PLAN_RETRY_NONE;
    else
        return false;
    return true;
}

static bool set_headers(struct sim_plan *plan, const json_t *headers)
{
    const char *name;
    json_t *value;
    size_t len = 0;

    json_object_foreach(sim_base_mutable(headers), name, value)
    {
        const char *text = json_string_value(value);
        int put = snprintf(plan->headers + len, sizeof plan->headers - len, "%s: %s\r\n", name,
                           text ? text : "");

        if (!text || strpbrk(text, "\r\n") || (size_t)put >= sizeof plan->headers - len)
            return false;
        len += (size_t)put;
    }
    return json_is_object(headers);
}

bool sim_plan_set(struct sim_plan *plan, const char *field, const json_t *value)
{
    double number = json_number_value(value);

    if (strcmp(field, "retry_after") == 0) {
        if (json_is_string(value)) {
            plan->retry = SIM_PLAN_RETRY_RAW;
            return copy_text(plan->retry_raw, sizeof plan->retry_raw, value);
        }
        plan->retry_after_s = (long)json_integer_value(value);
        if (plan->retry == SIM_PLAN_RETRY_NONE)
            plan->retry = SIM_PLAN_RETRY_SECONDS;
        return json_is_integer(value);
    }
    if (strcmp(field, "retry_after_form") == 0)
        return set_retry_form(plan, json_string_value(value));
    if (strcmp(field, "latency_ms") == 0) {
        plan->latency_ms = number;
        return json_is_number(value) && number >= 0;
    }
    if (strcmp(field, "drip_ms") == 0) {
        plan->drip_ms = number;
        return json_is_number(value) && number >= 0;
    }
    if (strcmp(field, "text") == 0)
        return copy_text(plan->text, sizeof plan->text, value);
    if (strcmp(field, "status") == 0)
        return copy_text(plan->agent, sizeof plan->agent, value);
    if (strcmp(field, "headers") == 0)
        return set_headers(plan, value);
    return false;
}

bool sim_plan_unreadable(const struct sim_plan *plan)
{
    return plan->fate == SIM_PLAN_GARBAGE || plan->fate == SIM_PLAN_EMPTY ||
           plan->fate == SIM_PLAN_DEEP || plan->fate == SIM_PLAN_WRONG_TYPE;
}
