#include "lim_grant.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define NS_PER_MS UINT64_C(1000000)

enum { SESSION_KEY_SIZE = PERMIT_NAME_SIZE + ID_SIZE + 2, AVERAGE_PART = 8 };

struct lim_grants {
    struct map *keys, *held, *sessions;
    struct heap expiries;
};

const char *lim_grant_incident_word(enum lim_incident_kind kind)
{
    switch (kind) {
    case LIM_INCIDENT_402:
        return "Upstream402";
    case LIM_INCIDENT_BREAKER:
        return "UpstreamBreaker";
    case LIM_INCIDENTS:
        break;
    }
    must(!"unknown kind of incident");
    return "";
}

/* ---- life -------------------------------------------------------------------------- */

struct lim_grants *lim_grant_new(void)
{
    struct lim_grants *all = mem_new(struct lim_grants);

    all->keys     = map_new();
    all->held     = map_new();
    all->sessions = map_new();
    heap_init(&all->expiries);
    return all;
}

static void key_free(struct lim_key *key)
{
    void *use = NULL;

    for (size_t it = 0; map_next(key->tenants, &it, NULL, &use);)
        mem_free(&use);
    map_free(&key->tenants);
    mem_free(&key);
}

void lim_grant_free(struct lim_grants **slot)
{
    struct lim_grants *all = take(slot);
    void *value            = NULL;

    if (!all)
        return;
    for (size_t it = 0; map_next(all->held, &it, NULL, &value);)
        mem_free(&value);
    for (size_t it = 0; map_next(all->sessions, &it, NULL, &value);)
        mem_free(&value);
    for (size_t it = 0; map_next(all->keys, &it, NULL, &value);)
        key_free(value);
    map_free(&all->held);
    map_free(&all->sessions);
    map_free(&all->keys);
    heap_deinit(&all->expiries);
    mem_free(&all);
}

/* ---- looking ----------------------------------------------------------------------- */

struct lim_key *lim_grant_key_find(const struct lim_grants *all, const char *name)
{
    return map_find(all->keys, name);
}

struct lim_key *lim_grant_key(struct lim_grants *all, const char *name)
{
    struct lim_key *key = map_find(all->keys, name);

    if (key)
        return key;
    key            = mem_new(struct lim_key);
    key->mode.mode = PERMIT_MODE_OPEN;
    key->tenants   = map_new();
    str_copy(key->name, sizeof(key->name), name);
    map_put(all->keys, name, key);
    return key;
}

bool lim_grant_key_next(const struct lim_grants *all, size_t *it, struct lim_key **ret)
{
    void *value = NULL;

    if (!map_next(all->keys, it, NULL, &value))
        return false;
    *ret = value;
    return true;
}

struct lim_held *lim_grant_find(const struct lim_grants *all, const char *id)
{
    return map_find(all->held, id);
}

static const char *session_key(char at[SESSION_KEY_SIZE], const char *key, const char *session)
{
    str_format(at, SESSION_KEY_SIZE, "%s %s", session, key);
    return at;
}

struct lim_session *lim_grant_session(const struct lim_grants *all, const char *key,
                                      const char *session)
{
    char at[SESSION_KEY_SIZE];

    return session[0] ? map_find(all->sessions, session_key(at, key, session)) : NULL;
}

bool lim_grant_session_next(const struct lim_grants *all, size_t *it, struct lim_session **ret)
{
    void *value = NULL;

    if (!map_next(all->sessions, it, NULL, &value))
        return false;
    *ret = value;
    return true;
}

struct lim_use lim_grant_use(const struct lim_key *key, const char *tenant)
{
    const struct lim_use *use = map_find(key->tenants, tenant);

    return use ? *use : (struct lim_use){0, 0};
}

uint64_t lim_grant_sessions(const struct lim_grants *all, const char *tenant)
{
    struct lim_key *key = NULL;
    uint64_t count      = 0;

    for (size_t it = 0; lim_grant_key_next(all, &it, &key);)
        count += lim_grant_use(key, tenant).sessions;
    return count;
}

struct lim_held *lim_grant_first(const struct lim_grants *all)
{
    struct heap_node *first = heap_first(&all->expiries);

    return first ? HEAP_OWNER(first, struct lim_held, expiry) : NULL;
}

uint64_t lim_grant_expires_ms(const struct lim_held *held)
{
    return held->at_ms + held->lifetime_ms + PERMIT_SLACK_MS;
}

size_t lim_grant_count(const struct lim_grants *all)
{
    return map_count(all->held);
}

/* ---- counting ---------------------------------------------------------------------- */

static void count_used(struct lim_key *key, uint64_t at_ms)
{
    uint64_t part = at_ms / LIM_USED_PART_MS;

    if (part < key->used_part)
        part = key->used_part;
    for (uint64_t gap = part - key->used_part, n = 0; n < gap && n < LIM_USED_PARTS; n++)
        key->used[(part - n) % LIM_USED_PARTS] = 0;
    key->used_part = part;
    key->used[part % LIM_USED_PARTS]++;
}

uint32_t lim_grant_used_1s(const struct lim_key *key, uint64_t now)
{
    uint64_t part = now / LIM_USED_PART_MS;
    uint32_t sum  = 0;

    for (uint64_t n = 0; n < LIM_USED_PARTS; n++)
        if (key->used_part >= n && key->used_part - n + LIM_USED_PARTS > part)
            sum += key->used[(key->used_part - n) % LIM_USED_PARTS];
    return sum;
}

static struct lim_use *use_of(struct lim_key *key, const char *tenant)
{
    struct lim_use *use = map_find(key->tenants, tenant);

    if (!use) {
        use = mem_new(struct lim_use);
        map_put(key->tenants, tenant, use);
    }
    return use;
}

/* Tenants that have nothing out are forgotten. */
static void tidy_use(struct lim_key *key, const char *tenant, struct lim_use *use)
{
    if (use->in_flight > 0 || use->sessions > 0)
        return;
    map_remove(key->tenants, tenant);
    mem_free(&use);
}

static void count_call(struct lim_key *key, const char *tenant, int by)
{
    struct lim_use *use = use_of(key, tenant);

    key->use.in_flight += (uint32_t)by;
    use->in_flight += (uint32_t)by;
    tidy_use(key, tenant, use);
}

static void count_session(struct lim_key *key, const char *tenant, int by)
{
    struct lim_use *use = use_of(key, tenant);

    key->use.sessions += (uint32_t)by;
    use->sessions += (uint32_t)by;
    tidy_use(key, tenant, use);
}

static void average(uint64_t *ms, uint64_t sample)
{
    *ms = *ms == 0 ? sample : (*ms * (AVERAGE_PART - 1) + sample) / AVERAGE_PART;
}

static void move(struct lim_key *key, uint64_t at_ms)
{
    if (key->moved_ms < at_ms)
        key->moved_ms = at_ms;
}

static uint64_t between(uint64_t from, uint64_t to)
{
    return to > from ? to - from : 0;
}

/* ---- records ----------------------------------------------------------------------- */

static struct lim_session *session_new(struct lim_grants *all, const struct grant_record *r)
{
    struct lim_session *s = mem_new(struct lim_session);
    char at[SESSION_KEY_SIZE];

    str_copy(s->name, sizeof(s->name), r->session);
    str_copy(s->tenant, sizeof(s->tenant), r->tenant);
    s->key         = lim_grant_key(all, r->name);
    s->since_ms    = r->at_ms;
    s->last_end_ms = r->at_ms;
    list_init(&s->permits);
    map_put(all->sessions, session_key(at, r->name, r->session), s);
    count_session(s->key, s->tenant, 1);
    return s;
}

static struct lim_held *held_new(struct lim_grants *all, const struct grant_record *r)
{
    struct lim_held *h = mem_new(struct lim_held);

    str_copy(h->id, sizeof(h->id), r->id);
    str_copy(h->tenant, sizeof(h->tenant), r->tenant);
    map_put(all->held, h->id, h);
    return h;
}

static struct lim_part *part_of(struct lim_held *h, const char *key)
{
    for (size_t i = 0; i < h->part_count; i++)
        if (strcmp(h->parts[i].key->name, key) == 0)
            return &h->parts[i];
    return NULL;
}

static void name_session(struct lim_held *h, struct lim_session *s)
{
    if (h->session || !s)
        return;
    h->session = s;
    list_push(&s->permits, &h->of_session);
}

static void add_part(struct lim_grants *all, struct lim_held *h, const struct grant_record *r)
{
    struct lim_session *s = lim_grant_session(all, r->name, r->session);
    struct lim_part *part = &h->parts[h->part_count++];

    part->key          = lim_grant_key(all, r->name);
    part->in_flight    = r->in_flight;
    part->session_open = r->session_open && r->session[0] && !h->session;
    if (part->in_flight)
        count_call(part->key, h->tenant, 1);
    if (part->session_open) {
        s = s ? s : session_new(all, r);
        s->openers++;
    }
    name_session(h, s);
}

/* The same id again: the permit begins anew. */
static void apply_grant(struct lim_grants *all, const struct grant_record *r)
{
    struct lim_held *h  = lim_grant_find(all, r->id);
    struct lim_key *key = lim_grant_key(all, r->name);

    if (!r->id[0])
        return;
    if (!h)
        h = held_new(all, r);
    if (!part_of(h, r->name)) {
        if (h->part_count == PERMIT_KEYS_MAX)
            return;
        add_part(all, h, r);
    }
    move(key, r->at_ms);
    h->at_ms       = r->at_ms;
    h->lifetime_ms = r->lifetime_ms;
    heap_put(&all->expiries, &h->expiry, lim_grant_expires_ms(h));
    if (r->rate) {
        lim_rate_fill(&key->bucket, r->at_ms * NS_PER_MS, r->ahead_ns);
        count_used(key, r->at_ms);
    }
    if (r->probe) {
        h->probe = true;
        lim_mode_probe(&key->mode, r->id, r->at_ms);
    }
}

static void leave_session(struct lim_held *h, bool opens, const struct grant_record *r)
{
    struct lim_session *s = h->session;

    if (!s)
        return;
    list_remove(&h->of_session);
    h->session = NULL;
    if (s->last_end_ms < r->at_ms)
        s->last_end_ms = r->at_ms;
    if (!opens || s->openers == 0)
        return;
    s->openers--;
    s->opened = s->opened || r->opened;
}

static void apply_return(struct lim_grants *all, const struct grant_record *r)
{
    struct lim_held *h = map_remove(all->held, r->id);
    bool opens         = false;

    if (!h)
        return;
    for (size_t i = 0; i < h->part_count; i++) {
        struct lim_part *part = &h->parts[i];

        opens = opens || part->session_open;
        if (part->in_flight)
            count_call(part->key, h->tenant, -1);
        move(part->key, r->at_ms);
        if (r->call_class != CALL_UNSENT)
            average(&part->key->hold_ms, between(h->at_ms, r->at_ms));
        if (h->probe && strcmp(part->key->mode.probe, h->id) == 0)
            part->key->mode.probe[0] = '\0';
    }
    leave_session(h, opens, r);
    heap_remove(&all->expiries, &h->expiry);
    mem_free(&h);
}

static void apply_session_end(struct lim_grants *all, const struct grant_record *r)
{
    char at[SESSION_KEY_SIZE];
    struct lim_session *s = map_remove(all->sessions, session_key(at, r->name, r->session));

    if (!s)
        return;
    for (struct list *it = NULL; (it = list_shift(&s->permits)) != NULL;)
        LIST_OWNER(it, struct lim_held, of_session)->session = NULL;
    count_session(s->key, s->tenant, -1);
    average(&s->key->session_ms, between(s->since_ms, r->at_ms));
    mem_free(&s);
}

static void apply_mode(struct lim_grants *all, const struct grant_record *r)
{
    struct lim_key *key = lim_grant_key(all, r->name);

    lim_mode_read(&key->mode, r);
    if (r->ahead_ns > 0)
        lim_rate_fill(&key->bucket, r->at_ms * NS_PER_MS, r->ahead_ns);
}

static void apply_incident(struct lim_grants *all, const struct grant_record *r)
{
    struct lim_key *key = lim_grant_key(all, r->name);

    for (enum lim_incident_kind kind = 0; kind < LIM_INCIDENTS; kind++)
        if (strcmp(r->why, lim_grant_incident_word(kind)) == 0)
            key->incidents[kind] = (struct lim_incident){r->since_ms, r->until_ms, r->told};
}

static void apply_session(struct lim_grants *all, const struct grant_record *r)
{
    struct lim_session *s = lim_grant_session(all, r->name, r->session);

    if (!r->session[0])
        return;
    s              = s ? s : session_new(all, r);
    s->since_ms    = r->since_ms;
    s->last_end_ms = r->at_ms;
    s->opened      = r->opened;
}

void lim_grant_apply(struct lim_grants *all, const struct grant_record *r)
{
    switch (r->op) {
    case GRANT_NONE:
        return;
    case GRANT_GRANT:
        apply_grant(all, r);
        return;
    case GRANT_RETURN:
        apply_return(all, r);
        return;
    case GRANT_SESSION_END:
        apply_session_end(all, r);
        return;
    case GRANT_MODE:
        apply_mode(all, r);
        return;
    case GRANT_INCIDENT:
        apply_incident(all, r);
        return;
    case GRANT_SESSION:
        apply_session(all, r);
        return;
    }
    must(!"unknown op");
}

/* ---- snapshot ---------------------------------------------------------------------- */

void lim_grant_write_incident(const struct lim_key *key, enum lim_incident_kind kind,
                              uint64_t now, struct grant_record *ret)
{
    const struct lim_incident *i = &key->incidents[kind];

    *ret = (struct grant_record){.op       = GRANT_INCIDENT,
                                 .at_ms    = now,
                                 .since_ms = i->since_ms,
                                 .until_ms = i->until_ms,
                                 .told     = i->told};
    str_copy(ret->name, sizeof(ret->name), key->name);
    str_copy(ret->why, sizeof(ret->why), lim_grant_incident_word(kind));
}

void lim_grant_write_mode(const struct lim_key *key, uint64_t now, struct grant_record *ret)
{
    *ret = (struct grant_record){.op = GRANT_MODE, .at_ms = now};
    str_copy(ret->name, sizeof(ret->name), key->name);
    lim_mode_write(&key->mode, ret);
}

static void each_key(const struct lim_key *key, uint64_t now, lim_grant_fn *to, void *self)
{
    struct grant_record r;

    lim_grant_write_mode(key, now, &r);
    r.ahead_ns = lim_rate_ahead_ns(&key->bucket, now * NS_PER_MS);
    to(self, &r);
    for (enum lim_incident_kind kind = 0; kind < LIM_INCIDENTS; kind++) {
        if (key->incidents[kind].since_ms == 0)
            continue;
        lim_grant_write_incident(key, kind, now, &r);
        to(self, &r);
    }
}

static void each_session(const struct lim_session *s, lim_grant_fn *to, void *self)
{
    struct grant_record r = {.op       = GRANT_SESSION,
                             .at_ms    = s->last_end_ms,
                             .since_ms = s->since_ms,
                             .opened   = s->opened};

    str_copy(r.name, sizeof(r.name), s->key->name);
    str_copy(r.tenant, sizeof(r.tenant), s->tenant);
    str_copy(r.session, sizeof(r.session), s->name);
    to(self, &r);
}

static void each_held(const struct lim_held *h, lim_grant_fn *to, void *self)
{
    for (size_t i = 0; i < h->part_count; i++) {
        const struct lim_part *part = &h->parts[i];
        struct grant_record r       = {.op           = GRANT_GRANT,
                                       .at_ms        = h->at_ms,
                                       .lifetime_ms  = h->lifetime_ms,
                                       .in_flight    = part->in_flight,
                                       .session_open = part->session_open && h->session,
                                       .probe        = h->probe};

        str_copy(r.id, sizeof(r.id), h->id);
        str_copy(r.name, sizeof(r.name), part->key->name);
        str_copy(r.tenant, sizeof(r.tenant), h->tenant);
        if (h->session)
            str_copy(r.session, sizeof(r.session), h->session->name);
        to(self, &r);
    }
}

void lim_grant_each(const struct lim_grants *all, uint64_t now, lim_grant_fn *to, void *self)
{
    void *value = NULL;

    for (size_t it = 0; map_next(all->keys, &it, NULL, &value);)
        each_key(value, now, to, self);
    for (size_t it = 0; map_next(all->sessions, &it, NULL, &value);)
        each_session(value, to, self);
    for (size_t it = 0; map_next(all->held, &it, NULL, &value);)
        each_held(value, to, self);
}

/* ---- time -------------------------------------------------------------------------- */

static void not_after(uint64_t *ms, uint64_t now)
{
    if (*ms > now)
        *ms = now;
}

void lim_grant_clamp(struct lim_grants *all, uint64_t now)
{
    void *value = NULL;

    for (size_t it = 0; map_next(all->held, &it, NULL, &value);) {
        struct lim_held *h = value;

        not_after(&h->at_ms, now);
        heap_put(&all->expiries, &h->expiry, lim_grant_expires_ms(h));
    }
    for (size_t it = 0; map_next(all->sessions, &it, NULL, &value);) {
        struct lim_session *s = value;

        not_after(&s->since_ms, now);
        not_after(&s->last_end_ms, now);
    }
    for (size_t it = 0; map_next(all->keys, &it, NULL, &value);) {
        struct lim_key *key = value;
        uint64_t late       = key->mode.since_ms > now ? key->mode.since_ms - now : 0;

        key->mode.until_ms -= key->mode.until_ms > late ? late : key->mode.until_ms;
        not_after(&key->mode.since_ms, now);
        not_after(&key->mode.fresh_ms, now);
        not_after(&key->mode.probe_from_ms, now);
        not_after(&key->mode.window.cut_ms, now);
        not_after(&key->moved_ms, now);
        if (key->used_part > now / LIM_USED_PART_MS)
            key->used_part = now / LIM_USED_PART_MS;
    }
}
