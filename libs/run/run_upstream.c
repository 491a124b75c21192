#include "run/run_upstream.h"

#include <regex.h>
#include <string.h>

#include "base/mem.h"
#include "run/run_value.h"

/* What the programs that ship with this version can do (services/browser-worker, bw_driver_find
 * and bw_profile_find). */
static const char *const DRIVERS[]  = {"agent", "webdriver", NULL};
static const char *const PROFILES[] = {"multion", NULL};
static const char MULTION_URL[]     = "https://api.multion.ai/v1/web";

enum { TIMEOUT_MS = 120 * 1000, TIMEOUT_MAX_MS = 24 * 3600 * 1000 };

static const char *const FIELDS[] = {
    "driver",       "profile", "url",     "key",    "rate",         "in_flight",   "sessions",
    "tenant_share", "timeout", "limited", "paused", "session_idle", "feature_402", NULL,
};
static const char *const KEY_FIELDS[]     = {"env", "file", NULL};
static const char *const RATE_FIELDS[]    = {"per_s", "burst", NULL};
static const char *const LIMITED_FIELDS[] = {"factor", "probe", "ramp", NULL};

/* ---- what is wrong ----------------------------------------------------------------------- */

static struct err object_of(const struct json *at, const char *field, const char *const *fields,
                            const char *like, struct problem *why)
{
    char within[32];

    if (json_type(at) != JSON_OBJECT)
        return run_value_wrong(why, field, "must be an object", like);
    str_format(within, sizeof(within), "%s.", field);
    return run_value_known(at, within, fields, "an upstream", why);
}

/* ---- values ------------------------------------------------------------------------------ */

static struct err read_duration(const struct json *at, const char *field, const char *like,
                                uint64_t *ret, struct problem *why)
{
    uint64_t ms = 0;

    if (!at)
        return OK;
    if (!json_str(at) || failed(str_duration_ms(json_str(at), &ms)) || ms == 0 ||
        ms > TIMEOUT_MAX_MS)
        return run_value_wrong(why, field, "must be a duration from \"1ms\" to \"24h\"", like);
    *ret = ms;
    return OK;
}

static struct err read_part(const struct json *at, const char *field, bool zero, double *ret,
                            struct problem *why)
{
    double part = json_number(at);

    if (!at)
        return OK;
    if (!json_is_number(at) || part > 1 || (zero ? part < 0 : part <= 0))
        return run_value_wrong(why, field,
                               zero ? "must be a number from 0 to 1"
                                    : "must be a number above 0, at most 1",
                               NULL);
    *ret = part;
    return OK;
}

static struct err read_text(const struct json *at, const char *field, char *ret, size_t size,
                            struct problem *why)
{
    const char *text = json_str(at);

    if (!at)
        return OK;
    if (!text || !*text)
        return run_value_wrong(why, field, "must be a text that is not empty", NULL);
    if (strlen(text) >= size)
        return run_value_wrong(why, field, "is too long", NULL);
    str_copy(ret, size, text);
    return OK;
}

static struct err read_word(const struct json *at, const char *field, const char *const *words,
                            char *ret, struct problem *why)
{
    const char *word = json_str(at);

    if (!at)
        return OK;
    for (size_t i = 0; word && words[i]; i++) {
        if (!str_equal(word, words[i]))
            continue;
        str_copy(ret, RUN_UPSTREAM_WORD_SIZE, word);
        return OK;
    }
    return run_value_wrong(why, field, "is not known to this version",
                           word ? str_nearest(word, words) : words[0]);
}

static bool plain(const char *url)
{
    for (; *url; url++)
        if (*url <= ' ' || *url == 0x7f)
            return false;
    return true;
}

static struct err read_url(struct run_upstream *u, const struct json *at, struct problem *why)
{
    if (!at && *u->profile) {
        str_copy(u->url, sizeof(u->url), MULTION_URL);
        return OK;
    }
    if (!at) /* its browsers are where the workers' SLUICE_WEBDRIVER says */
        return OK;
    struct err e = read_text(at, "url", u->url, sizeof(u->url), why);
    if (failed(e))
        return e;
    for (size_t len = strlen(u->url); len && u->url[len - 1] == '/';)
        u->url[--len] = '\0';
    const char *host = strstr(u->url, "://");
    bool http        = str_starts(u->url, "http://") || str_starts(u->url, "https://");
    if (!http || !host[3] || host[3] == '/' || !plain(u->url) || strpbrk(u->url, "?#"))
        return run_value_wrong(why, "url", "must be http://HOST[:PORT][/PATH] or https://…",
                               NULL);
    return OK;
}

static struct err read_key(struct run_upstream *u, const struct json *at, struct problem *why)
{
    static const char LIKE[] = "{\"env\":\"MULTION_API_KEY\"}";

    if (!at)
        return OK;
    struct err e = object_of(at, "key", KEY_FIELDS, LIKE, why);
    if (failed(e))
        return e;
    if (!run_value_get(at, "env") == !run_value_get(at, "file"))
        return run_value_wrong(
            why, "key", "must say one of env and file: where the secret is, not the secret",
            LIKE);
    e = read_text(run_value_get(at, "env"), "key.env", u->key_env, sizeof(u->key_env), why);
    return failed(e) ? e
                     : read_text(run_value_get(at, "file"), "key.file", u->key_file,
                                 sizeof(u->key_file), why);
}

static struct err read_rate(struct run_upstream *u, const struct json *at, struct problem *why)
{
    const struct json *per_s = run_value_get(at, "per_s");

    if (!at)
        return OK;
    struct err e = object_of(at, "rate", RATE_FIELDS, "{\"per_s\":10}", why);
    if (failed(e))
        return e;
    u->rate_per_s = json_number(per_s);
    if (!json_is_number(per_s) || u->rate_per_s < 0.001 || u->rate_per_s > RUN_VALUE_LIMIT_MAX)
        return run_value_wrong(why, "rate.per_s",
                               "must be a number from 0.001 to 1000000: calls a second", NULL);
    u->rate_burst = u->rate_per_s < 20 ? 1 : (uint32_t)(u->rate_per_s / 10);
    return run_value_limit(run_value_get(at, "burst"), "rate.burst", &u->rate_burst, why);
}

static struct err read_limited(struct run_upstream *u, const struct json *at,
                               struct problem *why)
{
    if (!at)
        return OK;
    struct err e = object_of(at, "limited", LIMITED_FIELDS, "{\"factor\":0}", why);
    if (!failed(e))
        e = read_part(run_value_get(at, "factor"), "limited.factor", true, &u->limited_factor,
                      why);
    if (!failed(e))
        e = read_duration(run_value_get(at, "probe"), "limited.probe", "60s",
                          &u->limited_probe_ms, why);
    return failed(e) ? e
                     : read_duration(run_value_get(at, "ramp"), "limited.ramp", "5m",
                                     &u->limited_ramp_ms, why);
}

static struct err read_feature(struct run_upstream *u, const struct json *at,
                               struct problem *why)
{
    regex_t pattern;

    struct err e = read_text(at, "feature_402", u->feature_402, sizeof(u->feature_402), why);
    if (failed(e) || !at)
        return e;
    if (regcomp(&pattern, u->feature_402, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
        return run_value_wrong(why, "feature_402", "is no extended regular expression",
                               "feature|not in your plan");
    regfree(&pattern);
    return OK;
}

/* ---- the whole --------------------------------------------------------------------------- */

static struct err read_where(struct run_upstream *u, const struct json *doc,
                             struct problem *why)
{
    struct err e = read_word(run_value_get(doc, "driver"), "driver", DRIVERS, u->driver, why);

    if (failed(e))
        return e;
    if (str_equal(u->driver, "agent"))
        str_copy(u->profile, sizeof(u->profile), PROFILES[0]);
    else if (run_value_get(doc, "profile"))
        return run_value_wrong(why, "profile", "is of the driver \"agent\" only", NULL);
    e = read_word(run_value_get(doc, "profile"), "profile", PROFILES, u->profile, why);
    if (!failed(e))
        e = read_url(u, run_value_get(doc, "url"), why);
    return failed(e) ? e : read_key(u, run_value_get(doc, "key"), why);
}

static struct err read_limits(struct run_upstream *u, const struct json *doc,
                              struct problem *why)
{
    struct err e = read_rate(u, run_value_get(doc, "rate"), why);

    if (!failed(e))
        e = run_value_limit(run_value_get(doc, "in_flight"), "in_flight", &u->in_flight, why);
    if (!failed(e))
        e = run_value_limit(run_value_get(doc, "sessions"), "sessions", &u->sessions, why);
    if (!failed(e))
        e = read_part(run_value_get(doc, "tenant_share"), "tenant_share", false,
                      &u->tenant_share, why);
    if (!failed(e))
        e = read_limited(u, run_value_get(doc, "limited"), why);
    return failed(e) ? e : run_value_bool(doc, "paused", &u->paused, why);
}

struct err run_upstream_check(struct run_upstream *ret, const char *name,
                              const struct json *doc, struct problem *why)
{
    struct run_upstream u = {.driver = "agent", .tenant_share = 1, .timeout_ms = TIMEOUT_MS};

    if (!str_is_name(name)) {
        problem_set(why, PROBLEM_INVALID_REQUEST, "", "\"%.64s\" is no name of an upstream",
                    name);
        return err_of(ERR_REJECT, "read upstream");
    }
    str_copy(u.name, sizeof(u.name), name);
    struct err e = run_value_object(doc, "{\"driver\":\"agent\"}", why);
    if (!failed(e))
        e = run_value_known(doc, "", FIELDS, "an upstream", why);
    if (!failed(e))
        e = read_where(&u, doc, why);
    if (!failed(e))
        e = read_limits(&u, doc, why);
    if (!failed(e))
        e = read_duration(run_value_get(doc, "timeout"), "timeout", "120s", &u.timeout_ms, why);
    if (!failed(e))
        e = read_duration(run_value_get(doc, "session_idle"), "session_idle", "10m",
                          &u.session_idle_ms, why);
    if (!failed(e))
        e = read_feature(&u, run_value_get(doc, "feature_402"), why);
    if (!failed(e))
        *ret = u;
    return e;
}

struct err run_upstream_read(struct run_upstream *ret, const char *name, struct bytes value,
                             struct problem *why)
{
    struct json *doc = NULL;
    char text[JSON_WHY_SIZE];

    struct err e = json_parse(&doc, value, text, sizeof(text));
    if (failed(e)) {
        problem_set(why, PROBLEM_INVALID_REQUEST, "", "is no JSON: %s", text);
        return e;
    }
    e = run_upstream_check(ret, name, doc, why);
    json_free(&doc);
    return e;
}
