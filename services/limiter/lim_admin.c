#include "lim_admin.h"

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "lim.h"
#include "lim_body.h"
#include "lim_do.h"
#include "run/run_upstream.h"
#include "wire/subject.h"

enum {
    ADMIN_MAGIC = 0x4c494d44,
    TRIES       = 8,
    VALUE_MAX   = 64 << 10,
    DEADLINE_MS = 4500,
    AGAIN_MS    = 100
};

struct lim_admin {
    struct bus_op op; /* first: SELF() */
    struct list link;
    struct lim *lim; /* NULL: nobody answers any more */
    struct lim_call *call;
    struct json *patch;
    char name[STR_NAME_SIZE];
    struct run_upstream upstream; /* as it is to be */
    struct problem why;
    bool resume, written;
    uint64_t ramp_ms;
    unsigned tries;
};

static struct err fetch(struct lim_admin *a);

/* ---- the end ----------------------------------------------------------------------- */

static void answer(struct lim_admin *a, struct err e)
{
    struct lim *lim = a->lim;

    if (failed(e) && a->why.code == PROBLEM_NONE) {
        problem_set(&a->why, PROBLEM_UNAVAILABLE, "",
                    "the configuration could not be written; try again");
        a->why.retry_after_ms = 1000;
    }
    if (failed(e)) {
        lim_do_problem(lim, &a->call, &a->why);
        return;
    }
    if (!lim_decides(lim)) { /* deposed meanwhile: the asker hears nothing, and asks again */
        lim_do_drop(&a->call);
        return;
    }
    if (a->written)
        lim_gate_configure(lim->gate, &a->upstream);
    if (a->resume && lim_gate_resume(lim->gate, a->name, a->ramp_ms, lim_time(lim)))
        log_info("upstream resumed by an operator", KV("upstream", a->name));
    lim_do_upstream(lim, &a->call, a->name);
    svc_poke(lim->svc);
}

static void on_end(struct bus_op *op, struct err e)
{
    struct lim_admin *a = SELF(struct lim_admin, ADMIN_MAGIC, op);

    if (a->lim && !bus_freeing(a->lim->bus))
        answer(a, e);
    else if (a->call)
        lim_do_drop(&a->call);
    list_remove(&a->link);
    json_free(&a->patch);
    mem_free(&a);
}

/* ---- read, merge, write ------------------------------------------------------------ */

static struct err on_written(struct bus_op *op, const struct bus_reply *r)
{
    struct lim_admin *a = SELF(struct lim_admin, ADMIN_MAGIC, op);

    if ((r->err.kind == ERR_CONFLICT || r->err.kind == ERR_UNKNOWN) && ++a->tries < TRIES)
        return fetch(a); /* merged once more it is the same */
    if (failed(r->err))
        return r->err;
    a->written = true;
    return bus_op_done(op);
}

/* Where the browsers of a webdriver are its workers may know. */
static bool says_what_and_where(const struct json *doc)
{
    const char *driver = json_str(json_get(doc, "driver"));

    return driver && (json_get(doc, "url") || str_equal(driver, "webdriver"));
}

/* broken: what is wrong with what is stored, if something is. */
static struct err refuse_part(struct lim_admin *a, const struct problem *broken)
{
    struct problem unknown = {.attempt = ""};

    if (broken->code == PROBLEM_NONE) {
        lim_body_unknown(a->lim->gate, a->name, &unknown);
        problem_set(
            &a->why, PROBLEM_NOT_FOUND, "",
            "%s; to make it, give driver and url: {\"driver\":\"agent\",\"url\":\"https://…\"}",
            unknown.detail);
    } else {
        problem_set(
            &a->why, PROBLEM_NOT_FOUND, "",
            "upstream %s has no good value, and what is stored is broken (%.80s); write "
            "it whole: sluice upstream set %s --driver agent --url https://…, or nats "
            "kv del sluice_upstreams %s",
            a->name, broken->detail, a->name, a->name);
    }
    str_copy(a->why.attempt, sizeof(a->why.attempt), unknown.attempt);
    return err_of(ERR_REJECT, "write upstream");
}

static struct err check(void *self, const struct json *value, struct problem *why)
{
    struct lim_admin *a = SELF(struct lim_admin, ADMIN_MAGIC, self);

    return run_upstream_check(&a->upstream, a->name, value, why);
}

static struct err write_value(struct lim_admin *a, const struct json *doc, uint64_t revision)
{
    const struct bus_expect expect = {.seq = revision};
    struct buf body;

    buf_init(&body, VALUE_MAX);
    json_print(doc, &body);

    struct err e =
        bus_kv_put(&a->op, BUCKET_UPSTREAMS, a->name, buf_bytes(&body), &expect, on_written);

    buf_deinit(&body);
    return e;
}

static struct err on_again(struct bus_op *op, const struct bus_reply *r)
{
    struct lim_admin *a = SELF(struct lim_admin, ADMIN_MAGIC, op);

    (void)r;
    return a->lim ? fetch(a) : bus_op_done(op);
}

static struct err patch_value(struct lim_admin *a, const struct bus_reply *r)
{
    const struct run_good_change change = {
        .key    = a->name,
        .stored = failed(r->err) ? NULL : &r->body,
        .heard  = bus_follow_seq(a->lim->upstreams) >= r->seq,
        .patch  = a->patch,
        .check  = check,
        .self   = a,
    };
    struct run_good_changed changed;
    struct err e = run_good_patch(a->lim->good_upstreams, &change, &changed, &a->why);

    if (e.kind == ERR_RETRY && ++a->tries < TRIES)
        return bus_wait(&a->op, AGAIN_MS, on_again);
    if (failed(e))
        return e;
    e = changed.anew && !says_what_and_where(changed.value)
            ? refuse_part(a, &changed.broken)
            : write_value(a, changed.value, r->seq);
    json_free(&changed.value);
    return e;
}

static struct err on_fetched(struct bus_op *op, const struct bus_reply *r)
{
    struct lim_admin *a = SELF(struct lim_admin, ADMIN_MAGIC, op);

    if (!a->lim || (failed(r->err) && r->err.kind != ERR_ABSENT))
        return failed(r->err) ? r->err : bus_op_done(op);
    return patch_value(a, r);
}

static struct err fetch(struct lim_admin *a)
{
    return bus_kv_get(&a->op, BUCKET_UPSTREAMS, a->name, on_fetched);
}

/* ---- beginning --------------------------------------------------------------------- */

static struct err read_resume(struct lim_admin *a)
{
    const struct json *resume = json_get(a->patch, "resume");
    const struct json *ramp   = json_get(a->patch, "ramp");

    if (resume && json_type(resume) != JSON_BOOL) {
        problem_set(&a->why, PROBLEM_INVALID_REQUEST, "/resume", "must be true");
        return err_of(ERR_REJECT, "write upstream");
    }
    if (ramp && (!json_bool(resume) || !json_str(ramp) ||
                 failed(str_duration_ms(json_str(ramp), &a->ramp_ms)) || a->ramp_ms == 0)) {
        problem_set(&a->why, PROBLEM_INVALID_REQUEST, "/ramp",
                    "must be a duration such as \"5m\", and goes with \"resume\":true");
        str_copy(a->why.attempt, sizeof(a->why.attempt), "5m");
        return err_of(ERR_REJECT, "write upstream");
    }
    a->resume = json_bool(resume);
    json_unset(a->patch, "resume");
    json_unset(a->patch, "ramp");
    if (a->resume && !lim_gate_upstream(a->lim->gate, a->name)) {
        lim_body_unknown(a->lim->gate, a->name, &a->why);
        return err_of(ERR_REJECT, "write upstream");
    }
    return OK;
}

void lim_admin_write(struct lim *lim, struct lim_call **call, const char *name,
                     struct json **patch)
{
    struct lim_admin *a = mem_new(struct lim_admin);

    a->lim   = lim;
    a->call  = take(call);
    a->patch = take(patch);
    str_copy(a->name, sizeof(a->name), name);
    list_push(&lim->admins, &a->link);
    bus_op_start(lim->bus, &a->op, ADMIN_MAGIC, "admin-upstream", DEADLINE_MS, on_end);

    bool resumes = json_get(a->patch, "resume") != NULL;
    struct err e = read_resume(a);

    if (failed(e))
        (void)bus_op_fail(&a->op, e);
    else if (resumes && json_count(a->patch) == 0)
        (void)bus_op_done(&a->op);
    else
        (void)fetch(a);
}

void lim_admin_drop_all(struct lim *lim)
{
    for (struct list *it = NULL; (it = list_shift(&lim->admins)) != NULL;) {
        struct lim_admin *a = LIST_OWNER(it, struct lim_admin, link);

        lim_do_drop(&a->call);
        a->lim = NULL;
        if (bus_op_living(&a->op))
            (void)bus_op_done(&a->op);
    }
}
