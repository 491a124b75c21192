#include "base/mem.h"
#include "base/str.h"
#include "gw.h"
#include "gw_cancel.h"
#include "gw_read.h"
#include "gw_submit.h"
#include "wire/subject.h"

static void on_submit(void *self, struct bus_msg **msg)
{
    gw_submit(self, msg);
}
static void on_get(void *self, struct bus_msg **msg)
{
    gw_read_get(self, msg);
}
static void on_wait(void *self, struct bus_msg **msg)
{
    gw_read_wait(self, msg);
}
static void on_cancel(void *self, struct bus_msg **msg)
{
    gw_cancel(self, msg);
}

/* ---- by verb ------------------------------------------------------------------------------------------------ */

static const struct {
    const char *word;
    bus_msg_fn *fn;
} VERBS[] = {{"submit", on_submit}, {"get", on_get}, {"wait", on_wait}, {"cancel", on_cancel}};
enum { VERB_COUNT = sizeof VERBS / sizeof *VERBS };

static const char *const WORDS[] = {"submit", "get", "wait", "cancel", NULL};
/* Of the surface, and not of this version. */
static const char *const LATER[] = {"submit_many", "list",   "signal", "step",
                                    "explain",     "replay", NULL};

static bool is_later(const char *verb)
{
    for (size_t i = 0; LATER[i]; i++)
        if (str_equal(LATER[i], verb))
            return true;
    return false;
}

static void on_other(struct gw *gw, const char *verb, struct bus_msg **msg)
{
    struct gw_request request;
    struct problem why;
    const char *nearest = str_nearest(verb, WORDS);

    struct err e = gw_request_read(&request, gw, msg, "other", "Which", &why);

    (void)e; /* whatever its body is */
    if (is_later(verb))
        problem_set(&why, PROBLEM_INVALID_REQUEST, "",
                    "%s is not available in this version; there are submit, get, wait and "
                    "cancel",
                    verb);
    else
        problem_set(&why, PROBLEM_INVALID_REQUEST, "",
                    nearest ? "\"%.40s\" is no verb; is \"%s\" meant?"
                            : "\"%.40s\" is no verb; there are submit, get, wait and cancel%s",
                    verb, nearest ? nearest : "");
    if (nearest)
        str_copy(why.attempt, sizeof why.attempt, nearest);
    gw_request_problem(&request, &why);
}

/* One subscription for all: a verb nobody knows and a tenant with a dot in it are told what is wrong with them. */
static void on_api(void *self, struct bus_msg **msg)
{
    char verb[STR_NAME_SIZE];

    if (!str_token((*msg)->subject, 2, verb, sizeof verb))
        verb[0] = '\0';
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (str_equal(VERBS[i].word, verb)) {
            VERBS[i].fn(self, msg);
            return;
        }
    on_other(self, verb, msg);
}

const struct svc_route gw_on[] = {
    {SUBJECT_API_ALL, NULL, false, on_api},
    {NULL, NULL, false, NULL},
};

/* What `nats micro stats` counts apart. */
const struct svc_endpoint gw_on_endpoints[] = {
    {SUBJECT_API_SUBMIT, "submit"}, {SUBJECT_API_GET, "get"},   {SUBJECT_API_WAIT, "wait"},
    {SUBJECT_API_CANCEL, "cancel"}, {SUBJECT_API_ALL, "other"}, {NULL, NULL},
};
