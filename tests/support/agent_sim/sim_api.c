#include "agent_sim/sim_api.h"

#include "agent_sim/sim_base.h"

static bool has_text(const json_t *body, const char *name)
{
    return json_string_length(json_object_get(body, name)) > 0;
}

const char *sim_api_check(enum sim_endpoint endpoint, const json_t *body)
{
    const json_t *session = json_object_get(body, "session_id");

    switch (endpoint) {
    case SIM_ENDPOINT_BROWSE:
    case SIM_ENDPOINT_RETRIEVE:
    case SIM_ENDPOINT_STEP:
        if (!json_is_object(body))
            return "the body is not a JSON object";
        if (!has_text(body, "cmd"))
            return "cmd: field required";
        if (session && !json_is_null(session) && !json_is_string(session))
            return "session_id: str type expected";
        if (json_is_true(json_object_get(body, "stream")))
            return "stream: this simulator does not stream";
        return NULL;
    case SIM_ENDPOINT_OPEN:
        if (!json_is_object(body))
            return "the body is not a JSON object";
        return has_text(body, "url") ? NULL : "url: field required";
    case SIM_ENDPOINT_CLOSE:
    case SIM_ENDPOINT_SCREENSHOT:
    case SIM_ENDPOINT_LIST:
    case SIM_ENDPOINT_OTHER:
        return NULL;
    }
    return NULL;
}

json_t *sim_api_answer(const struct sim_api_answer *a)
{
    switch (a->endpoint) {
    case SIM_ENDPOINT_BROWSE:
        return json_pack("{s:s,s:s,s:s,s:s,s:s,s:{s:i,s:f,s:f}}", "message", a->message,
                         "status", a->agent, "url", a->url, "screenshot", a->blob, "session_id",
                         a->session, "metadata", "step_count", 1, "processing_time", a->took_s,
                         "temperature", 0.2);
    case SIM_ENDPOINT_RETRIEVE:
        return json_pack("{s:s,s:s,s:s,s:o,s:s,s:o}", "message", a->message, "url", a->url,
                         "screenshot", a->blob, "session_id",
                         *a->session ? json_string(a->session) : json_null(), "status",
                         a->agent, "data", a->list);
    case SIM_ENDPOINT_OPEN:
        /* The status of an open says nothing about any command (multion-api.md 3), so here it
           is one that misleads whoever reads it. */
        return json_pack("{s:s,s:s,s:s,s:s,s:s}", "status", "CONTINUE", "message",
                         "session created", "session_id", a->session, "url", a->url,
                         "screenshot", a->blob);
    case SIM_ENDPOINT_STEP:
        return json_pack("{s:s,s:s,s:s,s:s,s:s,s:{s:f}}", "status", a->agent, "message",
                         a->message, "session_id", a->session, "url", a->url, "screenshot",
                         a->blob, "metadata", "temperature", 0.2);
    case SIM_ENDPOINT_CLOSE:
        return json_pack("{s:s,s:s}", "status", "CLOSED", "session_id", a->session);
    case SIM_ENDPOINT_SCREENSHOT:
        return json_pack("{s:s}", "screenshot", a->blob);
    case SIM_ENDPOINT_LIST:
        return json_pack("{s:o}", "session_ids", a->list);
    case SIM_ENDPOINT_OTHER:
        break;
    }
    return json_object();
}
