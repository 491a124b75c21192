#include "run/run_tenant.h"

#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "run/run_value.h"

enum field {
    FIELD_TIER,
    FIELD_CAP,
    FIELD_WEIGHT,
    FIELD_QUEUE_MAX,
    FIELD_LANES,
    FIELD_SESSIONS,
    FIELD_RUNS_PER_HOUR,
    FIELD_PRIVATE_NET,
    FIELD_PAUSED,
    FIELD_REASON,
};

static const char *const FIELDS[] = {
    "tier",          "cap",         "weight", "queue_max", "lanes", "sessions",
    "runs_per_hour", "private_net", "paused", "reason",    NULL,
};

struct value {    /* what a key says; the rest comes from below */
    uint32_t has; /* bits of enum field */
    struct run_rule says;
};

struct waiting { /* the text of a key's last value, that fits but for its tier */
    void *at;
    size_t len;
};

struct run_tenants {
    struct map *values;  /* key -> struct value */
    struct map *waiting; /* key -> struct waiting */
    run_tenant_taken_fn *taken;
    void *self;
};

static const struct {
    const char *name;
    uint32_t cap, weight;
    uint64_t queue_max;
} BUILT_IN[] = {
    {"free", 2, 1, 1000},
    {"pro", 20, 4, 10000},
    {"scale", 200, 16, 100000},
};
enum { BUILT_INS = sizeof(BUILT_IN) / sizeof(BUILT_IN[0]) };

struct run_tenants *run_tenant_new(run_tenant_taken_fn *taken, void *self)
{
    struct run_tenants *book = mem_new(struct run_tenants);

    book->values  = map_new();
    book->waiting = map_new();
    book->taken   = taken;
    book->self    = self;
    return book;
}

void run_tenant_free(struct run_tenants **slot)
{
    struct run_tenants *book = take(slot);

    if (!book)
        return;
    run_tenant_clear(book);
    map_free(&book->values);
    map_free(&book->waiting);
    mem_free(&book);
}

bool run_tenant_is_tier(const char *key)
{
    return str_starts(key, "tier.") && str_is_name(key + strlen("tier."));
}

static bool tier_known(const struct run_tenants *book, const char *tier)
{
    char key[STR_NAME_SIZE + 8];

    for (int n = 0; n < BUILT_INS; n++)
        if (str_equal(BUILT_IN[n].name, tier))
            return true;
    str_format(key, sizeof(key), "tier.%s", tier);
    return map_find(book->values, key) != NULL;
}

/* ---- reading a value --------------------------------------------------------------------------------- */

static struct err read_number(const struct json *at, const char *field, int64_t min,
                              int64_t max, uint64_t *ret, struct problem *why)
{
    char detail[128];

    if (json_type(at) != JSON_INT || json_int(at) < min || json_int(at) > max) {
        str_format(detail, sizeof(detail), "must be a whole number from %lld to %lld",
                   (long long)min, (long long)max);
        return run_value_wrong(why, field, detail, NULL);
    }
    *ret = (uint64_t)json_int(at);
    return OK;
}

static struct err read_lanes(const struct json *at, bool ret[LANES], struct problem *why)
{
    static const char *const WORDS[] = {"realtime", "standard", "bulk", NULL};
    bool lanes[LANES]                = {false};

    if (json_type(at) != JSON_ARRAY || json_count(at) == 0)
        return run_value_wrong(why, "lanes", "must be a list of lanes, with at least one",
                               "[\"standard\",\"bulk\"]");
    for (size_t n = 0; n < json_count(at); n++) {
        const char *word = json_str(json_at(at, n));
        enum lane lane   = word ? lane_of(word) : LANE_NONE;

        if (lane == LANE_NONE)
            return run_value_wrong(why, "lanes",
                                   "holds what is no lane: realtime, standard, bulk",
                                   word ? str_nearest(word, WORDS) : NULL);
        lanes[lane] = true;
    }
    memcpy(ret, lanes, sizeof(lanes));
    return OK;
}

static struct err read_tier(const struct run_tenants *book, const struct json *at, bool tiers,
                            char *ret, struct problem *why)
{
    static const char *const WORDS[] = {"free", "pro", "scale", NULL};
    const char *word                 = json_str(at);

    if (!word || !str_is_name(word))
        return run_value_wrong(
            why, "tier",
            "must be the name of a tier: free, pro, scale or one of the operator's", NULL);
    if (tiers && !tier_known(book, word))
        return run_value_wrong(
            why, "tier",
            "is not known: free, pro, scale or one of the operator's (tier.<name>)",
            str_nearest(word, WORDS));
    str_copy(ret, STR_NAME_SIZE, word);
    return OK;
}

static struct err read_field(const struct run_tenants *book, enum field field,
                             const struct json *doc, bool tiers, struct run_rule *rule,
                             struct problem *why)
{
    const char *name      = FIELDS[field];
    const struct json *at = run_value_get(doc, name);
    uint64_t n            = 0;
    struct err e          = OK;

    switch (field) {
    case FIELD_TIER:
        return read_tier(book, at, tiers, rule->tier, why);
    case FIELD_CAP:
        e         = read_number(at, name, 1, RUN_CAP_MAX, &n, why);
        rule->cap = (uint32_t)n;
        return e;
    case FIELD_WEIGHT:
        e            = read_number(at, name, 1, 1000, &n, why);
        rule->weight = (uint32_t)n;
        return e;
    case FIELD_QUEUE_MAX:
        return read_number(at, name, 0, INT64_C(1000000000), &rule->queue_max, why);
    case FIELD_LANES:
        return read_lanes(at, rule->lanes, why);
    case FIELD_SESSIONS:
        return run_value_limit(at, name, &rule->sessions, why);
    case FIELD_RUNS_PER_HOUR:
        return read_number(at, name, 1, INT64_C(1000000000), &rule->runs_per_hour, why);
    case FIELD_PRIVATE_NET:
        return run_value_bool(doc, name, &rule->private_net, why);
    case FIELD_PAUSED:
        return run_value_bool(doc, name, &rule->paused, why);
    case FIELD_REASON:
        if (!json_str(at))
            return run_value_wrong(why, name, "must be a string", NULL);
        str_copy(rule->reason, sizeof(rule->reason), json_str(at));
        return OK;
    }
    must(!"field");
    return OK;
}

static struct err read_value(const struct run_tenants *book, const char *key,
                             const struct json *doc, bool tiers, struct value *ret,
                             struct problem *why)
{
    struct value value = {0};

    if (!str_is_name(key) && !run_tenant_is_tier(key)) {
        problem_set(why, PROBLEM_INVALID_REQUEST, "",
                    "\"%.64s\" is no name of a tenant, and no tier.<name>", key);
        return err_of(ERR_REJECT, "read tenant");
    }
    struct err e = run_value_object(doc, "{\"tier\":\"pro\"}", why);
    if (!failed(e))
        e = run_value_known(doc, "", FIELDS, "a tenant", why);
    if (failed(e))
        return e;
    for (int field = FIELD_TIER; field <= FIELD_REASON; field++) {
        if (!run_value_get(doc, FIELDS[field]))
            continue; /* as the tier has it */
        if (field == FIELD_TIER && run_tenant_is_tier(key))
            return run_value_wrong(why, "tier", "a tier cannot stand on a tier", NULL);

        e = read_field(book, (enum field)field, doc, tiers, &value.says, why);
        if (failed(e))
            return e;
        value.has |= 1U << field;
    }
    *ret = value;
    return OK;
}

struct err run_tenant_check(const struct run_tenants *book, const char *key,
                            const struct json *value, bool tiers, struct problem *why)
{
    struct value read;

    return read_value(book, key, value, tiers, &read, why);
}

static struct err read_text(const struct run_tenants *book, const char *key, struct bytes text,
                            bool tiers, struct value *ret, struct problem *why)
{
    AUTO(json_free) struct json *doc = NULL;
    char detail[JSON_WHY_SIZE];
    struct err e = json_parse(&doc, text, detail, sizeof(detail));

    if (!failed(e))
        return read_value(book, key, doc, tiers, ret, why);
    problem_set(why, PROBLEM_INVALID_REQUEST, "", "%s", detail);
    return e;
}

static void put_value(struct run_tenants *book, const char *key, const struct value *value)
{
    struct value *there = map_find(book->values, key);

    if (!there) {
        there = mem_new(struct value);
        map_put(book->values, key, there);
    }
    *there = *value;
}

/* ---- values that want a tier --------------------------------------------------------------------------- */

static void forget_waiting(struct run_tenants *book, const char *key)
{
    struct waiting *w = map_remove(book->waiting, key);

    if (w)
        mem_free(&w->at);
    mem_free(&w);
}

static void let_wait(struct run_tenants *book, const char *key, struct bytes text)
{
    struct waiting *w = mem_new(struct waiting);

    w->at  = mem_copy(text.at, text.len);
    w->len = text.len;
    map_put(book->waiting, key, w);
}

/* A tier is known now. */
static void take_waiting(struct run_tenants *book)
{
    const char *key = NULL;
    void *item      = NULL;
    struct value value;
    struct problem why;

    for (size_t it = 0; map_next(book->waiting, &it, &key, &item);) {
        const struct waiting *w = item;
        struct bytes text       = bytes_of(w->at, w->len);

        if (failed(read_text(book, key, text, true, &value, &why)))
            continue;
        put_value(book, key, &value);
        if (book->taken)
            book->taken(book->self, key, text);
        forget_waiting(book, key);
    }
}

struct err run_tenant_put(struct run_tenants *book, const char *key, struct bytes text,
                          struct problem *why)
{
    struct value value;
    struct problem other;
    struct err e = read_text(book, key, text, true, &value, why);

    forget_waiting(book, key);
    if (!failed(e)) {
        put_value(book, key, &value);
        if (run_tenant_is_tier(key))
            take_waiting(book);
    } else if (!failed(read_text(book, key, text, false, &value, &other))) {
        let_wait(book, key, text);
    }
    return e;
}

void run_tenant_remove(struct run_tenants *book, const char *key)
{
    void *value = NULL;

    forget_waiting(book, key);
    value = map_remove(book->values, key);
    mem_free(&value);
}

void run_tenant_clear(struct run_tenants *book)
{
    const char *key = NULL;
    void *value     = NULL;

    for (size_t it = 0; map_next(book->values, &it, &key, &value);)
        run_tenant_remove(book, key);
    for (size_t it = 0; map_next(book->waiting, &it, &key, &value);)
        forget_waiting(book, key);
}

/* ---- what holds ------------------------------------------------------------------------------------------ */

static void lay_over(struct run_rule *rule, const struct value *value)
{
    const struct run_rule *says = &value->says;

    if (value->has & 1U << FIELD_CAP)
        rule->cap = says->cap;
    if (value->has & 1U << FIELD_WEIGHT)
        rule->weight = says->weight;
    if (value->has & 1U << FIELD_QUEUE_MAX)
        rule->queue_max = says->queue_max;
    if (value->has & 1U << FIELD_LANES)
        memcpy(rule->lanes, says->lanes, sizeof(rule->lanes));
    if (value->has & 1U << FIELD_SESSIONS)
        rule->sessions = says->sessions;
    if (value->has & 1U << FIELD_RUNS_PER_HOUR)
        rule->runs_per_hour = says->runs_per_hour;
    if (value->has & 1U << FIELD_PRIVATE_NET)
        rule->private_net = says->private_net;
    if (value->has & 1U << FIELD_PAUSED)
        rule->paused = says->paused;
    if (value->has & 1U << FIELD_REASON)
        str_copy(rule->reason, sizeof(rule->reason), says->reason);
}

void run_tenant_rule(const struct run_tenants *book, const char *tenant, struct run_rule *ret)
{
    const struct value *own = map_find(book->values, tenant);
    const char *tier = own && own->has & 1U << FIELD_TIER ? own->says.tier : BUILT_IN[0].name;
    struct run_rule rule = {.lanes       = {true, true, true},
                            .listed      = own != NULL,
                            .private_net = str_equal(tenant, "dev")}; /* unless it is written */
    char key[STR_NAME_SIZE + 8];
    int base = 0; /* a tier that is not known (any more) is worth the least */

    for (int n = 0; n < BUILT_INS; n++)
        if (str_equal(BUILT_IN[n].name, tier))
            base = n;
    rule.cap       = BUILT_IN[base].cap;
    rule.weight    = BUILT_IN[base].weight;
    rule.queue_max = BUILT_IN[base].queue_max;
    str_copy(rule.tier, sizeof(rule.tier), tier);
    str_format(key, sizeof(key), "tier.%s", tier);

    const struct value *written = map_find(book->values, key);

    if (written)
        lay_over(&rule, written);
    if (own)
        lay_over(&rule, own);
    rule.own_queue_max = own && own->has & 1U << FIELD_QUEUE_MAX;
    *ret               = rule;
}
