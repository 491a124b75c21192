#include "sch_admin.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "problem/problem.h"
#include "sch.h"
#include "sch_load.h"
#include "sch_tell.h"
#include "wire/subject.h"

enum {
    ADMIN_MAGIC = 0x53434f70,
    ANSWER_MAX  = 4 * 1024 * 1024,
    PATCH_MAX   = 64 * 1024,
    VALUE_MAX   = 16 * 1024,
    TRIES       = 10,
    AGAIN_MS    = 100
};

/* ---- answers ------------------------------------------------------------------------------------------------- */

static void refuse(struct sch *s, const struct bus_msg *request, const char *endpoint,
                   uint64_t since_us, const struct problem *why)
{
    svc_refuse(s->svc, request, endpoint, since_us, why, bytes_of(NULL, 0));
}

static void answer(struct sch *s, const struct bus_msg *request, const char *endpoint,
                   uint64_t since_us, struct buf *body)
{
    bus_answer(s->bus, request, buf_bytes(body), NULL, 0);
    svc_answered(s->svc, endpoint, since_us, true);
}

/* ---- load ------------------------------------------------------------------------------------------------------ */

void sch_admin_on_load(void *self, struct bus_msg **msg)
{
    struct sch *s            = SELF(struct sch, SCH_MAGIC, self);
    uint64_t since_us        = clk_mono_us();
    char name[STR_NAME_SIZE] = "";
    bool one                 = str_token((*msg)->subject, 3, name, sizeof(name));
    struct problem why;
    struct buf body;

    if (s->role != ROLE_DECIDING)
        return;
    if (one && !sch_pool_find(&s->pools, name)) {
        problem_set(&why, PROBLEM_NOT_FOUND, "",
                    "pool %s is not known: no worker announced it and no run waits for it",
                    name);
        refuse(s, *msg, "load", since_us, &why);
        return;
    }
    sch_load_count(s->index, sch_now(s),
                   s->config->age_promote_ms); /* as of now, not of a second ago */
    buf_init(&body, ANSWER_MAX);
    sch_tell_load(s, one ? name : NULL, &body);
    answer(s, *msg, "load", since_us, &body);
    buf_deinit(&body);
}

/* ---- a tenant ---------------------------------------------------------------------------------------------------- */

static bool listed_only(const struct sch *s)
{
    return !str_equal(svc_config(s->svc)->tenants, "open");
}

static void write_tenant(const struct sch *s, const char *tenant, struct buf *to)
{
    const struct sch_tenant *t = sch_index_tenant_find(s->index, tenant);
    const char *comma          = "";
    struct run_rule rule;
    int64_t oldest = t ? sch_load_oldest(t) : INT64_MAX;

    run_tenant_rule(s->book, tenant, &rule);
    buf_printf(
        to,
        "{\"tenant\":\"%s\",\"tier\":\"%s\",\"cap\":%u,\"weight\":%u,\"queue_max\":%" PRIu64
        ",\"lanes\":[",
        tenant, rule.tier, rule.cap, rule.weight, rule.queue_max);
    for (int lane = 0; lane < LANES; lane++)
        if (rule.lanes[lane]) {
            buf_printf(to, "%s\"%s\"", comma, lane_word((enum lane)lane));
            comma = ",";
        }
    buf_str(to, "],\"sessions\":");
    if (rule.sessions > 0)
        buf_printf(to, "%" PRIu32, rule.sessions);
    else
        buf_str(to, "null");
    buf_str(to, ",\"runs_per_hour\":");
    if (rule.runs_per_hour > 0)
        buf_printf(to, "%" PRIu64, rule.runs_per_hour);
    else
        buf_str(to, "null");
    buf_printf(to, ",\"private_net\":%s,\"paused\":%s,\"reason\":",
               rule.private_net ? "true" : "false", rule.paused ? "true" : "false");
    json_quote(to, rule.reason);
    buf_printf(to, ",\"in_flight\":%u,\"queued\":{", t ? t->slots.taken : 0);
    for (int lane = 0; lane < LANES; lane++)
        buf_printf(to, "%s\"%s\":%" PRIu64, lane > 0 ? "," : "", lane_word((enum lane)lane),
                   t ? sch_load_waiting(t, (enum lane)lane) : 0);
    buf_printf(to, "},\"oldest_ms\":%" PRId64 "}",
               oldest < sch_now(s) ? sch_now(s) - oldest : 0);
}

static void answer_tenant(struct sch *s, const struct bus_msg *request, uint64_t since_us,
                          const char *tenant)
{
    struct buf body;

    buf_init(&body, VALUE_MAX);
    write_tenant(s, tenant, &body);
    answer(s, request, "tenant", since_us, &body);
    buf_deinit(&body);
}

/* A write: the bucket's value is read, patched, checked, and stored expecting the revision that was read; what is patched
   where that value is broken is the last good one. */
struct sch_write {
    struct sch_op base;
    struct bus_msg *request;
    struct json *patch, *value;
    char tenant[STR_NAME_SIZE];
    uint64_t since_us;
    struct problem why;
    unsigned tries;
};

static struct err write_read(struct sch_write *w);

static void write_done(struct bus_op *op, struct err e)
{
    struct sch_write *w = SELF(struct sch_write, ADMIN_MAGIC, op);
    struct sch *s       = sch_op_end(&w->base);

    if (s && failed(e)) {
        if (w->why.code == PROBLEM_NONE) {
            problem_set(&w->why, PROBLEM_UNAVAILABLE, "",
                        "the value could not be stored; whether it was is not known: read it, "
                        "then repeat");
            w->why.retry_after_ms = 1000;
        }
        refuse(s, w->request, "tenant", w->since_us, &w->why);
    } else if (s) {
        answer_tenant(s, w->request, w->since_us, w->tenant);
    }
    bus_msg_free(&w->request);
    json_free(&w->patch);
    json_free(&w->value);
    mem_free(&w);
}

static struct err write_stored(struct bus_op *op, const struct bus_reply *r)
{
    struct sch_write *w = SELF(struct sch_write, ADMIN_MAGIC, op);
    struct sch *s       = w->base.s;
    struct problem why;
    struct buf text;

    if (r->err.kind == ERR_CONFLICT && w->tries++ < TRIES)
        return write_read(w);
    if (failed(r->err))
        return r->err;
    buf_init(&text, VALUE_MAX);
    json_print(w->value, &text);
    if (!failed(run_tenant_put(s->book, w->tenant, buf_bytes(&text),
                               &why))) /* its follower says the same in a moment */
        sch_index_rules(s->index, w->tenant, sch_now(s));
    buf_deinit(&text);
    log_info("tenant changed", KV("tenant", w->tenant), KV("seq", r->seq));
    return bus_op_done(op);
}

static struct err check(void *self, const struct json *value, struct problem *why)
{
    const struct sch_write *w = SELF(struct sch_write, ADMIN_MAGIC, self);

    return run_tenant_check(w->base.s->book, w->tenant, value, true, why);
}

static struct err write_value(struct sch_write *w, uint64_t revision)
{
    const struct bus_expect expect = {.seq = revision};
    struct err e                   = err_of(ERR_REJECT, "write tenant");
    struct buf text;

    buf_init(&text, VALUE_MAX);
    json_print(w->value, &text);
    if (text.full)
        problem_set(&w->why, PROBLEM_TOO_LARGE, "", "the value of a tenant is at most %d bytes",
                    VALUE_MAX);
    else
        e = bus_kv_put(&w->base.op, BUCKET_TENANTS, w->tenant, buf_bytes(&text), &expect,
                       write_stored);
    buf_deinit(&text);
    return e;
}

static struct err write_again(struct bus_op *op, const struct bus_reply *r)
{
    (void)r;
    return write_read(SELF(struct sch_write, ADMIN_MAGIC, op));
}

static struct err write_patched(struct sch_write *w, const struct bus_reply *r)
{
    const struct sch *s                 = w->base.s;
    const struct run_good_change change = {
        .key    = w->tenant,
        .stored = failed(r->err) ? NULL : &r->body,
        .heard  = bus_follow_seq(s->tenants) >= r->seq,
        .patch  = w->patch,
        .check  = check,
        .self   = w,
    };
    struct run_good_changed changed;
    struct err e = run_good_patch(s->good_tenants, &change, &changed, &w->why);

    if (e.kind == ERR_RETRY && w->tries++ < TRIES)
        return bus_wait(&w->base.op, AGAIN_MS, write_again);
    if (failed(e))
        return e;
    json_free(&w->value);
    w->value = changed.value;
    return write_value(w, r->seq);
}

static struct err write_fetched(struct bus_op *op, const struct bus_reply *r)
{
    if (failed(r->err) && r->err.kind != ERR_ABSENT)
        return r->err;
    return write_patched(SELF(struct sch_write, ADMIN_MAGIC, op), r);
}

static struct err write_read(struct sch_write *w)
{
    return bus_kv_get(&w->base.op, BUCKET_TENANTS, w->tenant, write_fetched);
}

void sch_admin_on_tenant(void *self, struct bus_msg **msg)
{
    struct sch *s     = SELF(struct sch, SCH_MAGIC, self);
    uint64_t since_us = clk_mono_us();
    char tenant[STR_NAME_SIZE], detail[JSON_WHY_SIZE];
    struct json *patch = NULL;
    struct problem why;
    struct run_rule rule;

    if (s->role != ROLE_DECIDING)
        return;
    if (!str_token((*msg)->subject, 3, tenant, sizeof(tenant)) || !str_is_name(tenant)) {
        problem_set(
            &why, PROBLEM_INVALID_REQUEST, "",
            "the last part of the subject is no name of a tenant ([A-Za-z0-9_-], at most 64)");
        refuse(s, *msg, "tenant", since_us, &why);
        return;
    }
    if (!sch_mine(s, tenant))
        return; /* another shard's leader answers */
    if ((*msg)->body.len == 0) {
        run_tenant_rule(s->book, tenant, &rule);
        if (!rule.listed && listed_only(s) && !sch_index_tenant_find(s->index, tenant)) {
            problem_set(&why, PROBLEM_NOT_FOUND, "",
                        "tenant %s is not known: sluice tenant set %s --tier free", tenant,
                        tenant);
            refuse(s, *msg, "tenant", since_us, &why);
            return;
        }
        answer_tenant(s, *msg, since_us, tenant);
        return;
    }

    if ((*msg)->body.len > PATCH_MAX) {
        problem_set(&why, PROBLEM_TOO_LARGE, "", "a tenant is described in at most %d bytes",
                    PATCH_MAX);
        refuse(s, *msg, "tenant", since_us, &why);
        return;
    }

    struct err e = json_parse(&patch, (*msg)->body, detail, sizeof(detail));

    if (failed(e) || json_type(patch) != JSON_OBJECT) {
        problem_set(&why, PROBLEM_INVALID_REQUEST, "", "%s",
                    failed(e) ? detail : "must be an object such as {\"cap\":30}");
        refuse(s, *msg, "tenant", since_us, &why);
        json_free(&patch);
        return;
    }

    struct sch_write *w = mem_new(struct sch_write);

    w->request  = take(msg);
    w->patch    = patch;
    w->since_us = since_us;
    str_copy(w->tenant, sizeof(w->tenant), tenant);
    sch_op_start(s, &w->base, ADMIN_MAGIC, "tenant", write_done);
    (void)write_read(w);
}
