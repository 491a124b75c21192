#include "base/mem.h"
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

/* Verbs of the surface that this version does not have: said, rather than left without an answer. */
static void on_later(void *self, struct bus_msg **msg)
{
    struct gw_request request;
    struct problem why;

    if (!failed(gw_request_read(&request, self, msg, "later", "Which", &why)))
        problem_set(&why, PROBLEM_INVALID_REQUEST, "",
                    "%s is not available in this version; there are submit, get, wait and "
                    "cancel",
                    request.msg->subject);
    gw_request_problem(&request, &why);
}

/* Everything behind the verb, so that a tenant with a dot in it is told what is wrong with it. */
const struct svc_route gw_on[] = {
    {"sluice.api.submit.>", "submit", false, on_submit},
    {"sluice.api.get.>", "get", false, on_get},
    {"sluice.api.wait.>", "wait", false, on_wait},
    {"sluice.api.cancel.>", "cancel", false, on_cancel},
    {"sluice.api.submit_many.>", "later", false, on_later},
    {"sluice.api.list.>", "later", false, on_later},
    {"sluice.api.signal.>", "later", false, on_later},
    {"sluice.api.step.>", "later", false, on_later},
    {"sluice.api.explain.>", "later", false, on_later},
    {"sluice.api.replay.>", "later", false, on_later},
    {NULL, NULL, false, NULL},
};
