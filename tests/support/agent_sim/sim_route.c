#include "agent_sim/sim_route.h"

#include <string.h>

#include "agent_sim/sim_base.h"

static const struct {
    const char *method;
    const char *path; /* a final '/' is followed by a session's id */
    enum sim_endpoint endpoint;
} ROUTES[] = {
    {"POST", "/v1/web/browse", SIM_ENDPOINT_BROWSE},
    {"POST", "/v1/web/retrieve", SIM_ENDPOINT_RETRIEVE},
    {"POST", "/v1/web/session", SIM_ENDPOINT_OPEN},
    {"POST", "/v1/web/session/", SIM_ENDPOINT_STEP},
    {"DELETE", "/v1/web/session/", SIM_ENDPOINT_CLOSE},
    {"GET", "/v1/web/screenshot/", SIM_ENDPOINT_SCREENSHOT},
    {"GET", "/v1/web/sessions", SIM_ENDPOINT_LIST},
};

/* The id goes into the record, so what is no plain ASCII does not pass. */
static bool take_id(char *ret, size_t room, const char *id)
{
    if (!*id || strlen(id) >= room || strchr(id, '/'))
        return false;
    for (const char *p = id; *p; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    sim_base_copy(ret, room, id);
    return true;
}

static bool path_fits(struct sim_route *route, const char *pattern, const char *path)
{
    size_t len = strlen(pattern);

    if (pattern[len - 1] != '/')
        return strcmp(pattern, path) == 0;
    return strncmp(pattern, path, len) == 0 &&
           take_id(route->session, sizeof route->session, path + len);
}

struct sim_route sim_route_read(const char *method, const char *path)
{
    struct sim_route route = {.endpoint = SIM_ENDPOINT_OTHER, .refusal = 404};

    for (size_t i = 0; i < sizeof ROUTES / sizeof *ROUTES; i++) {
        if (!path_fits(&route, ROUTES[i].path, path))
            continue;
        if (strcmp(ROUTES[i].method, method) == 0) {
            route.endpoint = ROUTES[i].endpoint;
            route.refusal  = 0;
            return route;
        }
        route.refusal = 405;
    }
    return route;
}
