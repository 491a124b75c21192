#include "agent_sim/sim_act.h"

#include <string.h>

#include "agent_sim/sim.h"
#include "agent_sim/sim_base.h"
#include "agent_sim/sim_call.h"

/* A call that breaks anyway breaks, with nothing done; any other learns that the session is
   not there. */
static void lose(struct sim_call *call)
{
    const struct sim_config *config = &call->sim->config;
    struct sim_plan lost            = sim_plan_plain();

    switch (call->plan.fate) {
    case SIM_PLAN_STATUS:
    case SIM_PLAN_HTML:
    case SIM_PLAN_HANG:
    case SIM_PLAN_RESET:
    case SIM_PLAN_CLOSE:
        return;
    case SIM_PLAN_ANSWER:
    case SIM_PLAN_GARBAGE:
    case SIM_PLAN_TRUNCATED:
    case SIM_PLAN_ENDLESS:
    case SIM_PLAN_DRIP:
    case SIM_PLAN_WRONG_TYPE:
    case SIM_PLAN_EMPTY:
    case SIM_PLAN_DEEP:
    case SIM_PLAN_SESSION_LOST:
    case SIM_PLAN_DOUBLE_ACT:
    case SIM_PLAN_KEEP_OPEN:
    case SIM_PLAN_EARLY_ANSWER:
        break;
    }
    lost.fate   = SIM_PLAN_STATUS;
    lost.acts   = false;
    lost.status = config->lost_status;
    sim_base_copy(lost.text, sizeof lost.text, config->lost_text);
    sim_base_copy(lost.name, sizeof lost.name, call->plan.name);
    call->plan = lost;
}

static bool session_there(const struct sim_call *call)
{
    return !*call->session_id || (call->session && call->session->state == SIM_SESSION_LIVE);
}

/* What the agent says of its command; asked once a call, as the sequence advances by it. */
static void choose_agent_status(struct sim_call *call)
{
    const char *statuses = call->sim->config.statuses;
    uint64_t before      = call->session ? sim_session_repeat(call->session, call->cmd) : 0;

    if (*call->words.statuses)
        statuses = call->words.statuses;
    if (*call->plan.agent)
        statuses = call->plan.agent;
    sim_words_status(call->agent, sizeof call->agent, statuses, before);
}

/* An agent that asks to be called again, or asks back, has not got to the order yet. */
static bool finished(const char *agent)
{
    return strcmp(agent, "CONTINUE") != 0 && strcmp(agent, "ASK_USER") != 0;
}

static void carry_out(struct sim_call *call)
{
    const char *order = *call->words.order && finished(call->agent) ? call->words.order : NULL;
    int times         = call->plan.fate == SIM_PLAN_DOUBLE_ACT ? 2 : 1;

    for (int i = 0; i < times; i++)
        sim_record_put(&call->sim->record,
                       &(struct sim_event){.kind     = SIM_EVENT_ACT,
                                           .call     = call->id,
                                           .endpoint = call->endpoint,
                                           .session  = call->session ? call->session->id : NULL,
                                           .tenant   = call->tenant,
                                           .order    = order});
}

static void remember_url(struct sim_call *call)
{
    const char *url = json_string_value(json_object_get(call->body, "url"));

    if (call->session && url)
        sim_base_copy(call->session->url, sizeof call->session->url, url);
}

void sim_act(struct sim_call *call)
{
    struct sim_sessions *sessions = &call->sim->sessions;

    if (call->opens)
        sim_session_move(sessions, call->session, SIM_SESSION_LIVE);
    if (call->plan.fate == SIM_PLAN_SESSION_LOST && call->session && session_there(call))
        sim_expire_session(call->sim, call->session, "lost");
    if (call->plan.fate == SIM_PLAN_SESSION_LOST || !session_there(call)) {
        lose(call);
        return;
    }

    choose_agent_status(call);
    remember_url(call);
    switch (call->endpoint) {
    case SIM_ENDPOINT_BROWSE:
    case SIM_ENDPOINT_STEP:
        carry_out(call);
        break;
    case SIM_ENDPOINT_CLOSE:
        if (call->plan.fate == SIM_PLAN_KEEP_OPEN)
            break;
        call->closes = true;
        sim_session_move(sessions, call->session, SIM_SESSION_CLOSING);
        break;
    case SIM_ENDPOINT_RETRIEVE:
    case SIM_ENDPOINT_OPEN:
    case SIM_ENDPOINT_SCREENSHOT:
    case SIM_ENDPOINT_LIST:
    case SIM_ENDPOINT_OTHER:
        break;
    }
}
