#include "gw_book.h"

#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "gw_refusal.h"
#include "run/run_setting.h"
#include "run/run_upstream.h"
#include "wire/subject.h"

enum { BOOKS = 4, VERSION_KEY_SIZE = STR_NAME_SIZE + 24 };

struct depth {
    uint64_t queued;
    uint64_t since;     /* accepted here since the scheduler last spoke */
    uint64_t under_way; /* begun here, and neither accepted nor refused yet */
};

struct gw_book {
    struct gw *gw;
    struct run_tenants *tenants;
    struct map *flows; /* key -> struct json: the whole value */
    /* "<flow>.v<n>" -> struct json: those that the bucket's history has, too, since the flow was last removed */
    struct map *versions;
    struct map *upstreams; /* name -> struct run_upstream */
    struct map *depths;    /* tenant -> struct depth */
    struct gw_refusals *refusals;
    struct bus_follower *followers[BOOKS];
    struct bus_sub *depth_sub;
};

/* ---- buckets ---------------------------------------------------------------------------------------------- */

/* What a bucket's value is read with: keeps it, or forgets what is gone; REJECT: why says what is wrong. */
typedef struct err read_fn(struct gw_book *book, const char *key, const struct bus_msg *msg,
                           struct problem *why);

static void on_value(struct gw_book *book, const char *bucket, const struct bus_msg *msg,
                     read_fn *read)
{
    const char *key = bus_kv_key(msg);
    struct problem why;

    if (!key)
        return;
    if (failed(read(book, key, msg, &why)))
        gw_refusal_say(book->refusals, bucket, key, msg->stored_ms, &why);
    else
        gw_refusal_over(book->refusals, bucket, key);
}

static struct err parse(const struct bus_msg *msg, struct json **ret, struct problem *why)
{
    char detail[JSON_WHY_SIZE];

    if (!failed(json_parse(ret, msg->body, detail, sizeof detail)))
        return OK;
    problem_set(why, PROBLEM_INVALID_REQUEST, "", "is no JSON: %s", detail);
    return err_of(ERR_REJECT, "read value");
}

static struct err read_tenant(struct gw_book *book, const char *key, const struct bus_msg *msg,
                              struct problem *why)
{
    if (!bus_kv_gone(msg))
        return run_tenant_put(book->tenants, key, msg->body, why);
    run_tenant_remove(book->tenants, key);
    return OK;
}

/* Its tier came after it. */
static void on_tenant_taken(void *self, const char *key, struct bytes value)
{
    (void)value;
    gw_refusal_over(((struct gw_book *)self)->refusals, BUCKET_TENANTS, key);
}

static const char *version_key(const char *name, uint64_t version, char ret[VERSION_KEY_SIZE])
{
    str_format(ret, VERSION_KEY_SIZE, "%s.v%llu", name, (unsigned long long)version);
    return ret;
}

/* All whose keys begin so. */
static void forget_json(struct map *map, const char *prefix)
{
    const char *key;
    void *value;

    for (size_t it = 0; map_next(map, &it, &key, &value);) {
        if (!str_starts(key, prefix))
            continue;
        struct json *v = map_remove(map, key);
        json_free(&v);
    }
}

static void forget_flow(struct gw_book *book, const char *name)
{
    struct json *flow = map_remove(book->flows, name);
    char versions[VERSION_KEY_SIZE];

    json_free(&flow);
    str_format(versions, sizeof versions, "%s.v", name);
    forget_json(book->versions, versions);
}

static void keep_version(struct gw_book *book, const char *name, struct json *doc)
{
    uint64_t version = (uint64_t)json_int(json_get(doc, "version"));
    char key[VERSION_KEY_SIZE];
    struct json *old = NULL;

    if (version == 0)
        return;
    old = map_put(book->versions, version_key(name, version, key), json_ref(doc));
    json_free(&old);
}

static struct err read_flow(struct gw_book *book, const char *key, const struct bus_msg *msg,
                            struct problem *why)
{
    struct json *doc = NULL, *old = NULL;
    struct run_flow_setting says;

    if (bus_kv_gone(msg)) {
        forget_flow(book, key);
        return OK;
    }
    struct err e = parse(msg, &doc, why);
    if (!failed(e))
        e = run_setting_flow(&says, key, doc, why);
    if (failed(e)) {
        json_free(&doc);
        return e;
    }
    keep_version(book, key, doc);
    old = map_put(book->flows, key, doc);
    json_free(&old);
    return OK;
}

static struct err read_upstream(struct gw_book *book, const char *key,
                                const struct bus_msg *msg, struct problem *why)
{
    struct run_upstream says;
    void *old = NULL;

    if (bus_kv_gone(msg)) {
        old = map_remove(book->upstreams, key);
    } else {
        struct err e = run_upstream_read(&says, key, msg->body, why);

        if (failed(e))
            return e;
        old = map_put(book->upstreams, key, mem_copy(&says, sizeof says));
    }
    mem_free(&old);
    return OK;
}

/* Pools are the scheduler's; here only whether its value can be read. */
static struct err read_pool(struct gw_book *book, const char *key, const struct bus_msg *msg,
                            struct problem *why)
{
    AUTO(json_free) struct json *doc = NULL;
    struct run_pool_setting says;

    (void)book;
    if (bus_kv_gone(msg))
        return OK;
    struct err e = parse(msg, &doc, why);
    return failed(e) ? e : run_setting_pool(&says, key, doc, why);
}

static void on_tenant(void *self, struct bus_msg **msg)
{
    on_value(self, BUCKET_TENANTS, *msg, read_tenant);
}
static void on_flow(void *self, struct bus_msg **msg)
{
    on_value(self, BUCKET_FLOWS, *msg, read_flow);
}
static void on_upstream(void *self, struct bus_msg **msg)
{
    on_value(self, BUCKET_UPSTREAMS, *msg, read_upstream);
}
static void on_pool(void *self, struct bus_msg **msg)
{
    on_value(self, BUCKET_POOLS, *msg, read_pool);
}

/* ---- a bucket that was made anew is empty --------------------------------------------------------------------- */

static void clear_values(struct map *map)
{
    const char *key;
    void *value;

    for (size_t it = 0; map_next(map, &it, &key, &value);) {
        (void)map_remove(map, key);
        mem_free(&value);
    }
}

static void on_tenants_anew(void *self)
{
    struct gw_book *book = self;

    run_tenant_clear(book->tenants);
    gw_refusal_clear(book->refusals, BUCKET_TENANTS);
}
static void on_flows_anew(void *self)
{
    struct gw_book *book = self;

    forget_json(book->flows, "");
    forget_json(book->versions, "");
    gw_refusal_clear(book->refusals, BUCKET_FLOWS);
}
static void on_upstreams_anew(void *self)
{
    struct gw_book *book = self;

    clear_values(book->upstreams);
    gw_refusal_clear(book->refusals, BUCKET_UPSTREAMS);
}
static void on_pools_anew(void *self)
{
    gw_refusal_clear(((struct gw_book *)self)->refusals, BUCKET_POOLS);
}

/* ---- following them ------------------------------------------------------------------------------------------- */

bool gw_book_ready(const struct gw_book *book)
{
    for (size_t i = 0; i < BOOKS; i++)
        if (!book->followers[i] || !bus_follow_caught_up(book->followers[i]))
            return false;
    return true;
}

static void caught_up(void *self)
{
    struct gw_book *book = self;

    if (!gw_book_ready(book))
        return;
    gw_refusal_begin(book->refusals);
    gw_open(book->gw);
}

/* ---- depth ------------------------------------------------------------------------------------------------- */

static struct depth *depth_of(struct gw_book *book, const char *tenant)
{
    struct depth *depth = map_find(book->depths, tenant);

    if (depth)
        return depth;
    depth = mem_new(struct depth);
    (void)map_put(book->depths, tenant, depth);
    return depth;
}

/* {"tenants":{"acme":{"queued":37}}}: only those that changed. */
static void on_depth(void *self, struct bus_msg **msg)
{
    struct gw_book *book = self;
    struct json *doc     = NULL;
    char why[JSON_WHY_SIZE];
    const char *tenant;
    const struct json *value;

    if (failed(json_parse(&doc, (*msg)->body, why, sizeof why)))
        return;
    for (size_t it = 0; json_each(json_get(doc, "tenants"), &it, &tenant, &value);) {
        struct depth *depth = depth_of(book, tenant);

        depth->queued = (uint64_t)json_int(json_get(value, "queued"));
        depth->since  = 0;
    }
    json_free(&doc);
}

uint64_t gw_book_depth(const struct gw_book *book, const char *tenant)
{
    const struct depth *depth = map_find(book->depths, tenant);

    return depth ? depth->queued + depth->since + depth->under_way : UINT64_MAX;
}

void gw_book_enter(struct gw_book *book, const char *tenant)
{
    depth_of(book, tenant)->under_way++;
}

void gw_book_leave(struct gw_book *book, const char *tenant, bool accepted)
{
    struct depth *depth = map_find(book->depths, tenant);

    must(depth && depth->under_way > 0);
    depth->under_way--;
    depth->since += accepted;
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

struct gw_book *gw_book_new(struct gw *gw)
{
    static const struct {
        const char *stream, *filter;
        bus_msg_fn *fn;
        void (*on_anew)(void *self);
    } buckets[BOOKS] = {
        {"KV_" BUCKET_TENANTS, "$KV." BUCKET_TENANTS ".>", on_tenant, on_tenants_anew},
        {"KV_" BUCKET_FLOWS, "$KV." BUCKET_FLOWS ".>", on_flow, on_flows_anew},
        {"KV_" BUCKET_UPSTREAMS, "$KV." BUCKET_UPSTREAMS ".>", on_upstream, on_upstreams_anew},
        {"KV_" BUCKET_POOLS, "$KV." BUCKET_POOLS ".>", on_pool, on_pools_anew}};
    struct gw_book *book = mem_new(struct gw_book);

    book->gw        = gw;
    book->tenants   = run_tenant_new(on_tenant_taken, book);
    book->flows     = map_new();
    book->versions  = map_new();
    book->upstreams = map_new();
    book->depths    = map_new();
    book->refusals  = gw_refusal_new(gw->bus);
    for (size_t i = 0; i < BOOKS; i++) {
        /* From its oldest value on: behind one that is refused the last good one is found. */
        const struct bus_follow follow = {.stream       = buckets[i].stream,
                                          .filter       = buckets[i].filter,
                                          .on_msg       = buckets[i].fn,
                                          .on_caught_up = caught_up,
                                          .on_anew      = buckets[i].on_anew,
                                          .self         = book};
        if (failed(bus_follow(gw->bus, &follow, &book->followers[i])))
            svc_die(gw->svc, "cannot follow the configuration buckets");
    }
    if (failed(bus_subscribe(gw->bus, SUBJECT_STATE_DEPTH, NULL, on_depth, book,
                             &book->depth_sub)))
        svc_die(gw->svc, "cannot subscribe to the scheduler's state");
    return book;
}

static void free_values(struct map **map)
{
    clear_values(*map);
    map_free(map);
}

static void free_json(struct map **map)
{
    forget_json(*map, "");
    map_free(map);
}

void gw_book_free(struct gw_book **slot)
{
    struct gw_book *book = take(slot);

    if (!book)
        return;
    for (size_t i = 0; i < BOOKS; i++)
        bus_follow_end(&book->followers[i]);
    bus_unsubscribe(&book->depth_sub);
    run_tenant_free(&book->tenants);
    free_json(&book->flows);
    free_json(&book->versions);
    free_values(&book->upstreams);
    free_values(&book->depths);
    gw_refusal_free(&book->refusals);
    mem_free(&book);
}

/* ---- looking up -------------------------------------------------------------------------------------------------- */

static const char *nearest_key(const struct map *map, const char *name)
{
    const char **words = mem_array(map_count(map) + 1, sizeof *words);
    size_t count       = 0;
    const char *key;
    void *value;

    for (size_t it = 0; map_next(map, &it, &key, &value);)
        words[count++] = key;
    const char *nearest = str_nearest(name, words);
    mem_free(&words);
    return nearest;
}

struct err gw_book_tenant(const struct gw_book *book, const char *tenant, struct run_rule *ret,
                          struct problem *why)
{
    run_tenant_rule(book->tenants, tenant, ret);
    if (ret->listed || str_equal(svc_config(book->gw->svc)->tenants, "open"))
        return OK;
    problem_set(why, PROBLEM_NOT_FOUND, "",
                "tenant %s is not known: sluice tenant set %s --tier free", tenant, tenant);
    return err_of(ERR_REJECT, "look up tenant");
}

static struct err no_flow(const struct gw_book *book, const char *ref, struct problem *why)
{
    const char *nearest = nearest_key(book->flows, ref);

    if (nearest) {
        problem_set(why, PROBLEM_NOT_FOUND, "/flow",
                    "flow \"%.70s\" is not known; the nearest is \"%s\"", ref, nearest);
        str_copy(why->attempt, sizeof why->attempt, nearest);
    } else {
        problem_set(
            why, PROBLEM_NOT_FOUND, "/flow",
            "flow \"%.70s\" is not known: put it into the bucket sluice_flows, or send the "
            "document itself",
            ref);
    }
    return err_of(ERR_REJECT, "look up flow");
}

/* Kept by hand, or replaced by a newer one. */
static const struct json *find_version(const struct gw_book *book, const char *name,
                                       uint64_t version)
{
    char key[VERSION_KEY_SIZE];
    const struct json *kept = map_find(book->flows, version_key(name, version, key));

    return kept ? kept : map_find(book->versions, key);
}

struct err gw_book_flow(const struct gw_book *book, const char *ref,
                        const struct json **ret_doc, char *ret_name, size_t name_size,
                        struct problem *why)
{
    char name[STR_NAME_SIZE];
    size_t len       = strcspn(ref, "@");
    uint64_t version = 0;

    if (!str_is_name_n(ref, len) || (ref[len] && failed(str_u64(ref + len + 1, &version)))) {
        problem_set(why, PROBLEM_INVALID_REQUEST, "/flow",
                    "\"%.70s\" is no flow: write a name, name@version, or the document", ref);
        return err_of(ERR_REJECT, "look up flow");
    }
    str_copy_n(name, sizeof name, ref, len);
    const struct json *value = map_find(book->flows, name);
    uint64_t current         = value ? (uint64_t)json_int(json_get(value, "version")) : 0;
    if (ref[len] && version != current) {
        value   = find_version(book, name, version);
        current = version;
    }
    if (!value)
        return no_flow(book, ref, why);
    *ret_doc = json_get(value, "flow");
    if (current)
        str_format(ret_name, name_size, "%s@%llu", name, (unsigned long long)current);
    else
        str_copy(ret_name, name_size, name);
    return OK;
}

struct err gw_book_upstream(const struct gw_book *book, const char *name, const char *pointer,
                            const char **ret_driver, struct problem *why)
{
    const struct run_upstream *value = map_find(book->upstreams, name);

    if (value) {
        *ret_driver = value->driver;
        return OK;
    }
    const char *nearest = nearest_key(book->upstreams, name);
    if (nearest) {
        problem_set(why, PROBLEM_NOT_FOUND, pointer,
                    "upstream \"%.70s\" is not known; the nearest is \"%s\"", name, nearest);
        str_copy(why->attempt, sizeof why->attempt, nearest);
    } else {
        problem_set(why, PROBLEM_NOT_FOUND, pointer,
                    "upstream \"%.70s\" is not known: sluice upstream set %.64s --driver "
                    "webdriver --url http://…",
                    name, name);
    }
    return err_of(ERR_REJECT, "look up upstream");
}
