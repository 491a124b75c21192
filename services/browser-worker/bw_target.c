#include "bw_target.h"

#include "bw_step.h"
#include "bw_upstream.h"
#include "http/http_guard.h"
#include "problem/problem.h"

enum { UNKNOWN_MS = 5000 }; /* until somebody looks again whether the upstream is back */

bool bw_target_find(struct bw_run *run, const char *name)
{
    struct bw_doing *d          = &run->doing;
    const struct bw_upstream *u = bw_upstream_find(run->bw->upstreams, name);

    if (!u)
        return false;
    d->upstream_copy = *u;
    d->upstream      = &d->upstream_copy;
    d->driver        = bw_driver_find(u->driver);
    return d->driver != NULL;
}

static const char *upstream_name(const struct bw_run *run)
{
    const struct run_session *s = &run->fold.session;

    if (s->state == SESSION_OPEN || s->state == SESSION_OPENING)
        return s->upstream;
    return *run->fold.plan.upstream           ? run->fold.plan.upstream
           : run->flow && run->flow->upstream ? run->flow->upstream
                                              : "";
}

bool bw_target_sessions_only(const struct bw_run *run)
{
    const struct bw_upstream *u = bw_upstream_find(run->bw->upstreams, upstream_name(run));

    return u && str_equal(u->driver, "webdriver");
}

bool bw_target_in_session(const struct bw_run *run)
{
    if (run->fold.session.state != SESSION_OPEN || !run->doing.step)
        return false;
    return flow_needs_session(run->doing.step) || run->hand.sessions_only;
}

bool bw_target_url_allowed(struct bw_run *run, const char *url)
{
    char why[160];
    enum http_guard_mode mode =
        run->fold.plan.private_net ? HTTP_GUARD_PRIVATE : HTTP_GUARD_PUBLIC;

    if (!url || !failed(http_guard_url(mode, url, why, sizeof why)))
        return true;
    char detail[256];
    str_format(detail, sizeof detail, "%.120s: %.120s", url, why);
    bw_step_refused(run, problem_word(PROBLEM_URL_FORBIDDEN), detail);
    return false;
}

/* It was known when the run was accepted: somebody removed it, and may put it back.  The run, which may have done what must
   not be done again, waits for that as long as its timeout lets it. */
static void wait_until_known(struct bw_run *run, const char *name)
{
    char why[200];

    str_format(why, sizeof why, "upstream %s is not known any more: sluice upstream set %s …",
               name, name);
    bw_step_wait(run, ON_UPSTREAM, UNKNOWN_MS, why);
}

bool bw_target_missing(struct bw_run *run)
{
    const char *name = upstream_name(run);

    if (bw_target_find(run, name))
        return false;
    if (*name)
        wait_until_known(run, name);
    else
        bw_step_refused(
            run, problem_word(PROBLEM_UPSTREAM_REFUSED),
            "the flow names no upstream; say \"upstream\" in the flow or the submit");
    return true;
}
