#include "gw_refusal.h"

#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "wire/subject.h"

enum { MAGIC = 0x47575246, AGAIN_MS = 500, BODY_MAX = 4096 };

static const char KIND[] = "ConfigRefused";

/* A place in a bucket: what is wrong with the value there, and what its last alert says. */
struct place {
    char bucket[STR_NAME_SIZE]; /* where a value was refused; "": we have seen none */
    bool refused;
    int64_t since_ms; /* when the first of the refused values was stored */
    char summary[600];
    char command[256]; /* shows the value; ours, or that of the alert */

    bool firing;
    int64_t told_ms; /* the incident of the last alert */
    uint64_t last;   /* its sequence; 0: there is none */
};

struct gw_refusals {
    struct bus_op op; /* first: SELF() */
    struct bus *bus;
    struct bus_follower *alerts;
    struct map *places; /* name in the alert's subject -> struct place */
    uint64_t stored;    /* our last alert; until it is heard we would tell it again */
    bool begun;
};

/* tenants-acme: one token of a subject, whatever the key is. */
static void name_of(const char *bucket, const char *key, char name[STR_NAME_SIZE])
{
    const char *word = strchr(bucket, '_');

    str_format(name, STR_NAME_SIZE, "%s-%s", word ? word + 1 : bucket, key);
    for (char *c = name; *c; c++)
        if (!str_is_name_n(c, 1))
            *c = '_';
}

static struct place *place_of(struct gw_refusals *r, const char *name)
{
    struct place *p = map_find(r->places, name);

    if (!p) {
        p = mem_new(struct place);
        (void)map_put(r->places, name, p);
    }
    return p;
}

/* ---- telling ---------------------------------------------------------------------------------------------- */

static void write_alert(const struct place *p, const char *name, bool fires, struct buf *to)
{
    char time[40];
    struct json *alert = json_new_object();

    json_set(alert, "alert", json_new_str(KIND));
    json_set(alert, "name", json_new_str(name));
    json_set(alert, "state", json_new_str(fires ? "firing" : "resolved"));
    json_set(alert, "since",
             json_new_str(str_time_text(fires ? p->since_ms : p->told_ms, time, sizeof time)));
    json_set(alert, "until",
             fires ? json_new_null()
                   : json_new_str(str_time_text(clk_wall_ms(), time, sizeof time)));
    json_set(alert, "summary", json_new_str(fires ? p->summary : "The refused value is gone."));
    json_set(alert, "command", json_new_str(p->command));
    json_set(alert, "runbook", json_new_str("docs/operations.md#config-refused"));
    json_print(alert, to);
    json_free(&alert);
}

static struct err go_on(struct gw_refusals *r);

static struct err on_again(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return go_on(SELF(struct gw_refusals, MAGIC, op));
}

static struct err on_stored(struct bus_op *op, const struct bus_reply *reply)
{
    struct gw_refusals *r = SELF(struct gw_refusals, MAGIC, op);

    if (failed(reply->err)) /* perhaps another gateway has told it: the follower brings it */
        return bus_wait(op, AGAIN_MS, on_again);
    r->stored = reply->seq;
    return go_on(r);
}

static struct err store(struct gw_refusals *r, struct place *p, const char *name, bool fires)
{
    char subject[SUBJECT_SIZE];
    const struct bus_expect expect = {.seq = p->last};
    struct buf body;

    buf_init(&body, BODY_MAX);
    write_alert(p, name, fires, &body);
    const struct bus_out out = {.subject = subject_alert(subject, KIND, name),
                                .body    = buf_bytes(&body)};
    struct err e             = bus_publish(&r->op, &out, &expect, on_stored);
    buf_deinit(&body);
    return e;
}

/* Tells the first that is not told; parks when everything is. */
static struct err go_on(struct gw_refusals *r)
{
    const char *name = NULL;
    void *value      = NULL;

    if (bus_follow_seq(r->alerts) < r->stored)
        return OK;
    for (size_t it = 0; map_next(r->places, &it, &name, &value);) {
        struct place *p = value;
        bool told       = p->last > 0 && p->told_ms == p->since_ms;

        if (p->firing && !p->refused)
            return store(r, p, name, false);
        if (!p->firing && p->refused && !told)
            return store(r, p, name, true);
    }
    return OK;
}

static void look(struct gw_refusals *r)
{
    if (r->begun && bus_follow_caught_up(r->alerts) && bus_op_living(&r->op) &&
        bus_op_parked(&r->op))
        (void)go_on(r);
}

/* ---- what is heard -------------------------------------------------------------------------------------------- */

static void on_alert(void *self, struct bus_msg **msg)
{
    struct gw_refusals *r            = self;
    AUTO(json_free) struct json *doc = NULL;
    char name[STR_NAME_SIZE], why[JSON_WHY_SIZE];

    if (!str_token((*msg)->subject, 3, name, sizeof name))
        return;
    struct place *p = place_of(r, name);

    p->last    = (*msg)->seq;
    p->firing  = false;
    p->told_ms = 0;
    if (!failed(json_parse(&doc, (*msg)->body, why, sizeof why))) {
        const char *since = json_str(json_get(doc, "since"));
        const char *state = json_str(json_get(doc, "state"));
        const char *shows = json_str(json_get(doc, "command"));

        if (!*p->command && shows)
            str_copy(p->command, sizeof p->command, shows);
        p->firing = state && str_equal(state, "firing");
        if (!since || failed(str_time_ms(since, &p->told_ms)))
            p->told_ms = 0;
    }
    look(r);
}

static void on_caught_up(void *self)
{
    look(self);
}

/* The stream was made anew: nothing is told. */
static void on_anew(void *self)
{
    struct gw_refusals *r = self;
    void *value           = NULL;

    for (size_t it = 0; map_next(r->places, &it, NULL, &value);) {
        struct place *p = value;

        p->firing  = false;
        p->told_ms = 0;
        p->last    = 0;
    }
    r->stored = 0;
}

/* "rate.per_s: must be …": the pointer would only say it twice. */
static bool names_its_field(const struct problem *why)
{
    const char *at = *why->pointer ? why->pointer + 1 : "", *d = why->detail;

    for (; *at; at++, d++)
        if (*d != (*at == '/' ? '.' : *at))
            return false;
    return true;
}

void gw_refusal_say(struct gw_refusals *r, const char *bucket, const char *key,
                    int64_t stored_ms, const struct problem *why)
{
    char name[STR_NAME_SIZE];

    name_of(bucket, key, name);
    struct place *p = place_of(r, name);
    bool named      = names_its_field(why);

    log_warn("value refused, the last good one stays", KV("name", bucket), KV("key", key),
             KV("at", why->pointer), KV("why", why->detail));
    str_copy(p->bucket, sizeof p->bucket, bucket);
    str_format(p->command, sizeof p->command, "nats kv get %s %s --raw", bucket, key);
    if (!p->refused)
        p->since_ms = stored_ms;
    p->refused = true;
    str_format(p->summary, sizeof p->summary,
               "%s: the value of %.128s is refused, the last good one stays: %s%s%s", bucket,
               key, named ? "" : why->pointer, named ? "" : ": ", why->detail);
    look(r);
}

void gw_refusal_over(struct gw_refusals *r, const char *bucket, const char *key)
{
    char name[STR_NAME_SIZE];

    name_of(bucket, key, name);
    struct place *p = map_find(r->places, name);

    if (p)
        p->refused = false;
    look(r);
}

void gw_refusal_clear(struct gw_refusals *r, const char *bucket)
{
    void *value = NULL;

    for (size_t it = 0; map_next(r->places, &it, NULL, &value);) {
        struct place *p = value;

        p->refused = p->refused && !str_equal(p->bucket, bucket);
    }
    look(r);
}

void gw_refusal_begin(struct gw_refusals *r)
{
    r->begun = true;
    look(r);
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

/* By gw_refusal_free; or by the bus before it. */
static void on_end(struct bus_op *op, struct err e)
{
    struct gw_refusals *r = SELF(struct gw_refusals, MAGIC, op);

    (void)e;
    if (!r->places)
        mem_free(&r);
}

struct gw_refusals *gw_refusal_new(struct bus *bus)
{
    struct gw_refusals *r          = mem_new(struct gw_refusals);
    const struct bus_follow follow = {.stream           = STREAM_ALERTS,
                                      .filter           = "sluice.alert.ConfigRefused.*",
                                      .last_per_subject = true,
                                      .on_msg           = on_alert,
                                      .on_caught_up     = on_caught_up,
                                      .on_anew          = on_anew,
                                      .self             = r};

    r->bus    = bus;
    r->places = map_new();
    bus_op_start(bus, &r->op, MAGIC, "refusal", 0, on_end);
    must(!failed(bus_follow(bus, &follow, &r->alerts)));
    return r;
}

void gw_refusal_free(struct gw_refusals **slot)
{
    struct gw_refusals *r = take(slot);
    void *value           = NULL;

    if (!r)
        return;
    bus_follow_end(&r->alerts);
    for (size_t it = 0; map_next(r->places, &it, NULL, &value);)
        mem_free(&value);
    map_free(&r->places);
    if (bus_op_living(&r->op))
        (void)bus_op_done(&r->op);
    else
        mem_free(&r);
}
