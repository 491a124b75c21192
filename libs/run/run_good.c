#include "run/run_good.h"

#include "base/map.h"
#include "base/mem.h"

struct run_good {
    struct map *values; /* key -> its text */
};

struct run_good *run_good_new(void)
{
    struct run_good *good = mem_new(struct run_good);

    good->values = map_new();
    return good;
}

void run_good_free(struct run_good **slot)
{
    struct run_good *good = take(slot);
    void *text            = NULL;

    if (!good)
        return;
    for (size_t it = 0; map_next(good->values, &it, NULL, &text);)
        mem_free(&text);
    map_free(&good->values);
    mem_free(&good);
}

void run_good_put(struct run_good *good, const char *key, struct bytes value)
{
    void *was = map_put(good->values, key, mem_strndup((const char *)value.at, value.len));

    mem_free(&was);
}

void run_good_remove(struct run_good *good, const char *key)
{
    void *was = map_remove(good->values, key);

    mem_free(&was);
}

/* ---- a patch ----------------------------------------------------------------------------- */

/* NULL: there was none. */
static struct json *last_good(const struct run_good *good, const char *key)
{
    const char *text   = map_find(good->values, key);
    struct json *value = NULL;
    char why[JSON_WHY_SIZE];

    if (text)
        must(!failed(json_parse(&value, bytes_str(text), why, sizeof(why))));
    return value;
}

/* Also of a broken value the document, if it is one. */
static struct err read_stored(const struct run_good_change *c, struct json **ret,
                              struct problem *why)
{
    char text[JSON_WHY_SIZE];
    struct err e = json_parse(ret, *c->stored, text, sizeof(text));

    if (!failed(e))
        return c->check(c->self, *ret, why);
    problem_set(why, PROBLEM_INVALID_REQUEST, "", "is no JSON: %s", text);
    return e;
}

/* Into a copy of `below`; NULL: into nothing. */
static struct err merge(const struct run_good_change *c, const struct json *below,
                        struct run_good_changed *ret, struct problem *why)
{
    struct json *value = below ? json_copy(below) : json_new_object();

    json_merge_patch(value, c->patch);
    struct err e = c->check(c->self, value, why);
    if (failed(e))
        json_free(&value);
    else
        ret->value = value;
    return e;
}

static bool mends(const struct run_good_change *c, const struct json *stored,
                  struct run_good_changed *ret)
{
    struct problem why;

    return json_type(stored) == JSON_OBJECT && !failed(merge(c, stored, ret, &why));
}

struct err run_good_patch(const struct run_good *good, const struct run_good_change *c,
                          struct run_good_changed *ret, struct problem *why)
{
    AUTO(json_free) struct json *stored = NULL, *before = NULL;

    *ret = (struct run_good_changed){.anew = !c->stored};
    if (!c->stored)
        return merge(c, NULL, ret, why);
    if (!failed(read_stored(c, &stored, &ret->broken)))
        return merge(c, stored, ret, why);
    if (!c->heard)
        return err_of(ERR_RETRY, "patch value");
    before = last_good(good, c->key);
    if (before)
        return merge(c, before, ret, why);
    ret->anew   = true;
    ret->mended = mends(c, stored, ret);
    return ret->mended ? OK : merge(c, NULL, ret, why);
}
