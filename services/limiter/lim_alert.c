#include "lim_alert.h"

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "bus/bus.h"
#include "lim_body.h"
#include "wire/subject.h"

enum { ALERT_MAGIC = 0x4c494d41, BODY_MAX = 4096, AGAIN_MS = 500 };

struct lim_alerts {
    struct bus *bus;
    lim_alert_told_fn *told;
    void *self;
    struct list chains;
};

/* One incident being told. */
struct chain {
    struct bus_op op; /* first: SELF() */
    struct list link;
    struct lim_alerts *all; /* NULL: nobody wants to hear of it any more */
    char name[PERMIT_NAME_SIZE], subject[SUBJECT_SIZE];
    enum lim_incident_kind kind;
    struct lim_incident incident;
    uint32_t telling; /* what the publish under way tells; 0: it ends an older incident */
};

static struct err look(struct chain *c);

static void on_end(struct bus_op *op, struct err e)
{
    struct chain *c = SELF(struct chain, ALERT_MAGIC, op);

    if (failed(e) && c->all)
        log_warn("alert was not stored", KV("upstream", c->name), KV("err", e));
    list_remove(&c->link);
    mem_free(&c);
}

static void say_told(struct chain *c, uint32_t told)
{
    if (c->incident.told >= told || !c->all)
        return;
    c->incident.told = told;
    c->all->told(c->all->self, c->name, c->kind, told);
}

static struct err on_again(struct bus_op *op, const struct bus_reply *r)
{
    (void)r;
    return look(SELF(struct chain, ALERT_MAGIC, op));
}

static struct err on_stored(struct bus_op *op, const struct bus_reply *r)
{
    struct chain *c = SELF(struct chain, ALERT_MAGIC, op);

    if (failed(r->err))
        return bus_wait(op, r->err.kind == ERR_CONFLICT ? 1 : AGAIN_MS, on_again);
    if (c->telling > 0)
        say_told(c, c->telling);
    return look(c);
}

static struct err store(struct chain *c, uint64_t since_ms, uint64_t until_ms, uint32_t telling,
                        uint64_t last)
{
    const struct bus_expect expect = {.seq = last};
    struct buf body;

    c->telling = telling;
    buf_init(&body, BODY_MAX);
    lim_body_alert(c->kind, c->name, since_ms, until_ms, &body);

    const struct bus_out out = {.subject = c->subject, .body = buf_bytes(&body)};
    struct err e             = bus_publish(&c->op, &out, &expect, on_stored);

    buf_deinit(&body);
    return e;
}

/* What the last alert says decides which is next. */
static struct err on_last(struct bus_op *op, const struct bus_reply *r)
{
    struct chain *c               = SELF(struct chain, ALERT_MAGIC, op);
    const struct lim_incident *i  = &c->incident;
    struct lim_body_told last     = {0, true};
    bool any                      = !failed(r->err);
    const struct bus_msg *message = any ? r->msgs : NULL;

    if (!c->all)
        return bus_op_done(op);
    if (failed(r->err) && r->err.kind != ERR_ABSENT)
        return bus_wait(op, AGAIN_MS, on_again);
    if (any && !lim_body_alert_read(r->body, &last))
        last = (struct lim_body_told){0, true}; /* not one of ours: as if it were over */

    uint64_t seq = message ? message->seq : 0;
    bool same    = any && last.since_ms == i->since_ms;

    if (!same && !last.resolved)
        return store(c, last.since_ms, i->since_ms, LIM_TOLD_NOTHING, seq);
    if (!same && i->told == LIM_TOLD_NOTHING)
        return store(c, i->since_ms, 0, LIM_TOLD_FIRING, seq);
    say_told(c, LIM_TOLD_FIRING);
    if (same && last.resolved)
        say_told(c, LIM_TOLD_RESOLVED);
    if (i->until_ms == 0 || i->told == LIM_TOLD_RESOLVED)
        return bus_op_done(op);
    return store(c, i->since_ms, i->until_ms, LIM_TOLD_RESOLVED, seq);
}

static struct err look(struct chain *c)
{
    if (!c->all)
        return bus_op_done(&c->op);
    return bus_get_last(&c->op, STREAM_ALERTS, c->subject, on_last);
}

static void begin(struct lim_alerts *all, const struct lim_key *key,
                  enum lim_incident_kind kind)
{
    struct chain *c = mem_new(struct chain);

    c->all      = all;
    c->kind     = kind;
    c->incident = key->incidents[kind];
    str_copy(c->name, sizeof(c->name), key->name);
    subject_alert(c->subject, lim_grant_incident_word(kind), key->name);
    list_push(&all->chains, &c->link);
    bus_op_start(all->bus, &c->op, ALERT_MAGIC, "alert", 0, on_end);
    (void)look(c);
}

static bool is_being_told(const struct lim_alerts *all, const struct lim_key *key,
                          enum lim_incident_kind kind)
{
    LIST_EACH(&all->chains, it)
    {
        const struct chain *c = LIST_OWNER(it, struct chain, link);

        if (c->kind == kind && str_equal(c->name, key->name))
            return true;
    }
    return false;
}

void lim_alert_look(struct lim_alerts *all, const struct lim_grants *grants)
{
    struct lim_key *key = NULL;

    for (size_t it = 0; lim_grant_key_next(grants, &it, &key);)
        for (enum lim_incident_kind kind = 0; kind < LIM_INCIDENTS; kind++) {
            const struct lim_incident *i = &key->incidents[kind];
            uint32_t due = i->until_ms > 0 ? LIM_TOLD_RESOLVED : LIM_TOLD_FIRING;

            if (i->since_ms > 0 && i->told < due && str_is_name(key->name) &&
                !is_being_told(all, key, kind))
                begin(all, key, kind);
        }
}

struct lim_alerts *lim_alert_new(struct bus *bus, lim_alert_told_fn *told, void *self)
{
    struct lim_alerts *all = mem_new(struct lim_alerts);

    *all = (struct lim_alerts){.bus = bus, .told = told, .self = self};
    list_init(&all->chains);
    return all;
}

void lim_alert_free(struct lim_alerts **slot)
{
    struct lim_alerts *all = take(slot);

    if (!all)
        return;
    for (struct list *it = NULL; (it = list_shift(&all->chains)) != NULL;) {
        struct chain *c = LIST_OWNER(it, struct chain, link);

        c->all = NULL;
        if (bus_op_living(&c->op))
            (void)bus_op_done(&c->op);
    }
    mem_free(&all);
}
