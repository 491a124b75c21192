#include "agent_sim/sim_event.h"

#include <string.h>

#include "agent_sim/sim_base.h"

static const char *const KIND_NAMES[] = {
    [SIM_EVENT_START]     = "start",
    [SIM_EVENT_RESET]     = "reset",
    [SIM_EVENT_ARRIVE]    = "arrive",
    [SIM_EVENT_OPEN]      = "open",
    [SIM_EVENT_ACT]       = "act",
    [SIM_EVENT_ANSWER]    = "answer",
    [SIM_EVENT_DROP]      = "drop",
    [SIM_EVENT_GONE]      = "gone",
    [SIM_EVENT_CLOSE]     = "close",
    [SIM_EVENT_EXPIRE]    = "expire",
    [SIM_EVENT_VIOLATION] = "violation",
};

enum { KINDS = sizeof KIND_NAMES / sizeof *KIND_NAMES };

static const char *const ENDPOINT_NAMES[SIM_ENDPOINTS] = {
    [SIM_ENDPOINT_BROWSE]     = "browse",
    [SIM_ENDPOINT_RETRIEVE]   = "retrieve",
    [SIM_ENDPOINT_OPEN]       = "open",
    [SIM_ENDPOINT_STEP]       = "step",
    [SIM_ENDPOINT_CLOSE]      = "close",
    [SIM_ENDPOINT_LIST]       = "list",
    [SIM_ENDPOINT_SCREENSHOT] = "screenshot",
    [SIM_ENDPOINT_OTHER]      = "other",
};

const char *sim_event_kind_name(enum sim_event_kind kind)
{
    return KIND_NAMES[kind];
}

const char *sim_event_endpoint_name(enum sim_endpoint endpoint)
{
    return ENDPOINT_NAMES[endpoint];
}

static bool find_name(const char *const *names, int count, const char *name, int *ret)
{
    for (int i = 0; name && i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

bool sim_event_endpoint_find(const char *name, enum sim_endpoint *ret)
{
    int at = 0;

    if (!find_name(ENDPOINT_NAMES, SIM_ENDPOINTS, name, &at))
        return false;
    *ret = (enum sim_endpoint)at;
    return true;
}

static void put_number(json_t *o, const char *name, uint64_t value)
{
    if (value)
        json_object_set_new(o, name, json_integer((json_int_t)value));
}

static void put_text(json_t *o, const char *name, const char *value)
{
    if (value && *value)
        json_object_set_new(o, name, json_string(value));
}

char *sim_event_line(const struct sim_event *event)
{
    json_t *o = json_object();

    put_number(o, "n", event->number);
    put_text(o, "event", KIND_NAMES[event->kind]);
    put_number(o, "ns", event->ns);
    put_number(o, "wall_ms", event->wall_ms);
    put_number(o, "call", event->call);
    if (event->call)
        put_text(o, "endpoint", ENDPOINT_NAMES[event->endpoint]);
    put_number(o, "conn", event->conn);
    put_number(o, "nth", event->nth);
    put_number(o, "lag_us", event->lag_us);
    put_number(o, "status", (uint64_t)event->status);
    put_text(o, "session", event->session);
    put_text(o, "tenant", event->tenant);
    put_text(o, "order", event->order);
    put_text(o, "why", event->why);
    put_text(o, "fault", event->fault);
    put_text(o, "cmd", event->cmd);

    char *text = json_dumps(o, JSON_COMPACT);

    json_decref(o);
    must(text); /* every text was sanitised or came out of a JSON parser */

    size_t len = strlen(text);

    text          = sim_base_resize(text, len + 2);
    text[len]     = '\n';
    text[len + 1] = '\0';
    return text;
}

static uint64_t get_number(const json_t *o, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(o, name));

    return value > 0 ? (uint64_t)value : 0;
}

static const char *get_text(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

bool sim_event_read(struct sim_event *ret, const json_t *line)
{
    int kind     = 0;
    int endpoint = SIM_ENDPOINT_OTHER;

    if (!find_name(KIND_NAMES, KINDS, get_text(line, "event"), &kind))
        return false;
    (void)find_name(ENDPOINT_NAMES, SIM_ENDPOINTS, get_text(line, "endpoint"), &endpoint);

    *ret = (struct sim_event){
        .kind     = (enum sim_event_kind)kind,
        .endpoint = (enum sim_endpoint)endpoint,
        .number   = get_number(line, "n"),
        .ns       = get_number(line, "ns"),
        .wall_ms  = get_number(line, "wall_ms"),
        .call     = get_number(line, "call"),
        .conn     = get_number(line, "conn"),
        .nth      = get_number(line, "nth"),
        .lag_us   = get_number(line, "lag_us"),
        .status   = (int)get_number(line, "status"),
        .session  = get_text(line, "session"),
        .tenant   = get_text(line, "tenant"),
        .order    = get_text(line, "order"),
        .why      = get_text(line, "why"),
        .fault    = get_text(line, "fault"),
        .cmd      = get_text(line, "cmd"),
    };
    return true;
}
