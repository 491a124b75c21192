/*
 * What comes in: permits asked for and returned, operators' questions, the upstreams'
 * configuration. Every limiter hears all of it; the leader answers.
 */
#include <string.h>

#include "base/clk.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "lim.h"
#include "lim_admin.h"
#include "lim_body.h"
#include "lim_do.h"
#include "lim_heard.h"
#include "wire/subject.h"

#define ENDPOINT_PERMIT "permit"
#define ENDPOINT_ADMIN "admin-upstream"

enum {
    PERMIT_NAME_AT = 2,
    ADMIN_NAME_AT  = 3,
    EARLY_MAX      = 10000,
    PATCH_MAX      = 64 << 10,
};

/* ---- permits ----------------------------------------------------------------------- */

static void on_ask(struct lim *lim, struct lim_call **call, const struct lim_body *body,
                   const char *upstream)
{
    struct problem why;

    if (body->json && !lim_gate_upstream(lim->gate, upstream)) {
        lim_body_unknown(lim->gate, upstream, &why);
        lim_do_problem(lim, call, &why);
        return;
    }
    lim->metrics.permits_asked++;
    lim_gate_ask(lim->gate, &body->request.ask, take(call), lim_time(lim));
}

static void on_report(struct lim *lim, struct lim_call **call, const struct lim_body *body)
{
    lim->metrics.permits_returned++;
    lim_gate_report(lim->gate, &body->request.report, lim_time(lim));
    lim_heard_decided(lim, &body->request.report);
    if (*call)
        lim_do_returned(lim, call, body->request.report.id);
}

static void decide(struct lim *lim, struct bus_msg **msg)
{
    struct lim_call *call = NULL;
    char upstream[STR_NAME_SIZE], id[ID_SIZE];
    struct lim_body body;
    struct problem why;

    if (!str_token((*msg)->subject, PERMIT_NAME_AT, upstream, sizeof(upstream)) ||
        !lim_mine(lim, upstream))
        return;
    id_new(clk_wall_ms(), id);

    struct err e = lim_body_read(&body, upstream, (*msg)->body, id, &why);

    if (failed(e) && !(*msg)->reply[0]) {
        log_warn("a permit message cannot be read", KV("subject", (*msg)->subject),
                 KV("why", why.detail));
        return;
    }
    if ((*msg)->reply[0])
        call = lim_do_call(msg, ENDPOINT_PERMIT, body.json);
    if (failed(e))
        lim_do_problem(lim, &call, &why);
    else if (body.request.what == PERMIT_REPORT)
        on_report(lim, &call, &body);
    else if (call)
        on_ask(lim, &call, &body, upstream);
}

/* ---- before we decide -------------------------------------------------------------- */

/* An ask that came while the log was being read. */
struct early {
    struct list link;
    struct bus_msg *msg;
};

static void keep_early(struct lim *lim, struct bus_msg **msg)
{
    struct early *early = NULL;

    if (!lim->log || lim->early_count >= EARLY_MAX)
        return;
    early      = mem_new(struct early);
    early->msg = take(msg);
    list_push(&lim->early, &early->link);
    lim->early_count++;
}

static void on_permit(void *self, struct bus_msg **msg)
{
    struct lim *lim = SELF(struct lim, LIM_MAGIC, self);

    if (lim_decides(lim)) {
        decide(lim, msg);
        return;
    }
    lim_heard_keep(lim, (*msg)->body);
    keep_early(lim, msg);
}

void lim_on_early(struct lim *lim)
{
    if (lim_decides(lim))
        lim_heard_report(lim);
    for (struct list *it = NULL; (it = list_shift(&lim->early)) != NULL;) {
        struct early *early = LIST_OWNER(it, struct early, link);

        if (lim_decides(lim))
            decide(lim, &early->msg);
        bus_msg_free(&early->msg);
        mem_free(&early);
    }
    lim->early_count = 0;
}

/* ---- operators --------------------------------------------------------------------- */

static void on_admin_read(struct lim *lim, struct lim_call **call, const char *name)
{
    struct problem why;

    if (lim_gate_upstream(lim->gate, name)) {
        lim_do_upstream(lim, call, name);
        return;
    }
    lim_body_unknown(lim->gate, name, &why);
    lim_do_problem(lim, call, &why);
}

static void on_admin_write(struct lim *lim, struct lim_call **call, const char *name,
                           struct bytes body)
{
    struct json *patch = NULL;
    char text[JSON_WHY_SIZE];
    struct problem why;

    if (body.len > PATCH_MAX)
        problem_set(&why, PROBLEM_TOO_LARGE, "", "an upstream is described in at most %d bytes",
                    PATCH_MAX);
    else if (failed(json_parse(&patch, body, text, sizeof(text))))
        problem_set(&why, PROBLEM_INVALID_REQUEST, "", "the body is not valid JSON: %s", text);
    else if (json_type(patch) != JSON_OBJECT)
        problem_set(&why, PROBLEM_INVALID_REQUEST, "",
                    "must be an object with what is to change, such as {\"paused\":true}");
    else {
        lim_admin_write(lim, call, name, &patch);
        return;
    }
    json_free(&patch);
    lim_do_problem(lim, call, &why);
}

static void on_admin_upstream(void *self, struct bus_msg **msg)
{
    struct lim *lim = SELF(struct lim, LIM_MAGIC, self);
    char name[STR_NAME_SIZE];
    struct problem why;

    if (!lim_decides(lim) || !(*msg)->reply[0])
        return;

    bool named =
        str_token((*msg)->subject, ADMIN_NAME_AT, name, sizeof(name)) && str_is_name(name);

    if (named && !lim_mine(lim, name))
        return;

    struct bytes body     = (*msg)->body; /* lives as long as the call */
    struct lim_call *call = lim_do_call(msg, ENDPOINT_ADMIN, true);

    if (!named) {
        problem_set(&why, PROBLEM_INVALID_REQUEST, "",
                    "the subject ends with the upstream: 1 to 64 of A-Z a-z 0-9 _ -");
        lim_do_problem(lim, &call, &why);
    } else if (body.len == 0) {
        on_admin_read(lim, &call, name);
    } else {
        on_admin_write(lim, &call, name, body);
    }
}

/* ---- configuration ----------------------------------------------------------------- */

static void forget(struct lim *lim, const char *name)
{
    lim_gate_forget(lim->gate, name);
    run_good_remove(lim->good_upstreams, name);
}

static void on_value(void *self, struct bus_msg **msg)
{
    struct lim *lim  = SELF(struct lim, LIM_MAGIC, self);
    const char *name = bus_kv_key(*msg);
    struct run_upstream u;
    struct problem why;

    if (!name || !str_is_name(name) || !lim_mine(lim, name))
        return;
    if (bus_kv_gone(*msg)) {
        forget(lim, name);
        lim->state_changed = true;
        log_info("upstream removed", KV("upstream", name));
        return;
    }
    if (failed(run_upstream_read(&u, name, (*msg)->body, &why))) {
        lim->metrics.upstream_values_refused++;
        log_warn("upstream value refused; the last good one stays", KV("upstream", name),
                 KV("key", why.pointer), KV("why", why.detail));
        return;
    }
    lim_gate_configure(lim->gate, &u);
    run_good_put(lim->good_upstreams, name, (*msg)->body);
    lim->state_changed = true;
    log_info("upstream known", KV("upstream", name), KV("to", u.url));
}

static void on_caught_up(void *self)
{
    svc_poke(SELF(struct lim, LIM_MAGIC, self)->svc);
}

static void on_tenant(void *self, struct bus_msg **msg)
{
    struct lim *lim = SELF(struct lim, LIM_MAGIC, self);
    const char *key = bus_kv_key(*msg);
    struct problem why;

    if (!key)
        return;
    if (bus_kv_gone(*msg))
        run_tenant_remove(lim->book, key);
    else if (failed(run_tenant_put(lim->book, key, (*msg)->body, &why)))
        log_warn("value of a tenant refused, the last good one stays", KV("key", key),
                 KV("at", why.pointer), KV("why", why.detail));
    lim_gate_tenants(lim->gate);
    svc_poke(lim->svc);
}

/* The bucket was made anew: what it holds now comes from the start. */
static void on_tenants_anew(void *self)
{
    struct lim *lim = SELF(struct lim, LIM_MAGIC, self);

    run_tenant_clear(lim->book);
    lim_gate_tenants(lim->gate);
    svc_poke(lim->svc);
}

static void on_upstreams_anew(void *self)
{
    struct lim *lim  = SELF(struct lim, LIM_MAGIC, self);
    const char *name = NULL;

    for (size_t it = 0; lim_gate_next_name(lim->gate, &it, &name);) {
        char copy[STR_NAME_SIZE];

        str_copy(copy, sizeof(copy), name);
        forget(lim, copy);
    }
}

/* From its oldest value on: behind one that is refused the last good one is found. */
void lim_on_follow(struct lim *lim)
{
    struct bus_follow follow = {
        .stream       = "KV_" BUCKET_UPSTREAMS,
        .filter       = "$KV." BUCKET_UPSTREAMS ".>",
        .on_msg       = on_value,
        .on_caught_up = on_caught_up,
        .on_anew      = on_upstreams_anew,
        .self         = lim,
    };
    struct err e = bus_follow(lim->bus, &follow, &lim->upstreams);

    follow.stream  = "KV_" BUCKET_TENANTS;
    follow.filter  = "$KV." BUCKET_TENANTS ".>";
    follow.on_msg  = on_tenant;
    follow.on_anew = on_tenants_anew;
    if (failed(e) || failed(bus_follow(lim->bus, &follow, &lim->tenants)))
        svc_die(lim->svc, "cannot follow the configuration");
}

bool lim_on_configured(const struct lim *lim)
{
    return lim->upstreams && bus_follow_caught_up(lim->upstreams) &&
           bus_follow_caught_up(lim->tenants);
}

const struct svc_route lim_on[] = {
    {SUBJECT_PERMIT_ALL, ENDPOINT_PERMIT, true, on_permit},
    {SUBJECT_ADMIN_UPSTREAM, ENDPOINT_ADMIN, true, on_admin_upstream},
    {NULL, NULL, false, NULL},
};
