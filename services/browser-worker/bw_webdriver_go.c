#include "bw_webdriver_go.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bw_webdriver_end.h"
#include "bw_webdriver_send.h"
#include "http/http_guard.h"
#include "problem/problem.h"

enum { SCRIPT_MS = 30000, MARGIN_MS = 1000 };

/* ---- may it? ---------------------------------------------------------------------------------- */

static void forbidden(struct bw_call *c, const char *url, const char *why)
{
    bw_webdriver_end_fail(c, CALL_REFUSED, problem_word(PROBLEM_URL_FORBIDDEN),
                          "%.120s: %.160s", url, why);
}

static enum http_guard_mode guard_mode(const struct bw_call *c)
{
    return c->private_net ? HTTP_GUARD_PRIVATE : HTTP_GUARD_PUBLIC;
}

static void not_resolved(struct bw_call *c, const char *why)
{
    bw_webdriver_end_fail(c, CALL_FAILED, problem_word(PROBLEM_UPSTREAM_FAILED),
                          "%.200s cannot be resolved: %s", c->judged, why);
}

static bool allowed(const struct bw_call *c, const struct addrinfo *found, char *why,
                    size_t why_size)
{
    for (; found; found = found->ai_next)
        if (!http_guard_address(guard_mode(c), found->ai_addr, why, why_size))
            return false;
    return true;
}

/* A name that we cannot resolve is not gone to: the browser might be told something else. */
static void on_lookup(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct bw_call *c = SELF(struct bw_call, WD_MAGIC, request->data);
    char why[160]     = "", host[WD_HOST_SIZE];

    c->looking = false;
    if (uv_is_closing((uv_handle_t *)&c->timer)) { /* nobody waits for it any more */
        uv_freeaddrinfo(found);
        bw_webdriver_release(c);
        return;
    }
    uv_timer_stop(&c->timer);
    bool good = status == 0 && allowed(c, found, why, sizeof why);
    uv_freeaddrinfo(found);
    if (good) {
        c->after_guard(c, NULL);
        return;
    }
    str_copy(host, sizeof host, c->judged);
    if (status == 0)
        forbidden(c, host, why);
    else
        not_resolved(c, uv_strerror(status));
    c->judged[0] = '\0';
}

static void lookup_is_late(struct bw_call *c, const struct json *value)
{
    (void)value;
    not_resolved(c, "no answer in the step's time");
}

void bw_webdriver_go_guard(struct bw_call *c, const char *url, wd_next_fn *next)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    char why[160], host[WD_HOST_SIZE];

    if (failed(http_guard_url(guard_mode(c), url, why, sizeof why))) {
        forbidden(c, url, why);
        return;
    }
    if (!http_guard_host(url, host, sizeof host)) {
        forbidden(c, url, "it has no host");
        return;
    }
    if (str_equal(host, c->judged)) {
        next(c, NULL);
        return;
    }
    str_copy(c->judged, sizeof c->judged, host);
    c->after_guard = next;
    c->lookup.data = c;
    must(uv_getaddrinfo(c->env->loop, &c->lookup, on_lookup, host, NULL, &hints) == 0);
    c->looking = true;
    bw_webdriver_later(c, bw_webdriver_left_ms(c), lookup_is_late);
}

/* ---- where does it stand? ------------------------------------------------------------------------ */

/* Pages that no request was made for. */
static bool is_nowhere(const char *url)
{
    return !*url || str_starts(url, "about:") || str_starts(url, "data:") ||
           str_starts(url, "chrome-error:");
}

static void on_url(struct bw_call *c, const struct json *value)
{
    str_copy(c->url, sizeof c->url, json_str(value) ? json_str(value) : "");
    if (is_nowhere(c->url))
        c->after_look(c, NULL);
    else
        bw_webdriver_go_guard(c, c->url, c->after_look);
}

void bw_webdriver_go_look(struct bw_call *c, wd_next_fn *next)
{
    c->after_look = next;
    bw_webdriver_send(c, WD_URL, NULL, on_url);
}

/* ---- going --------------------------------------------------------------------------------------- */

void bw_webdriver_go_limit(struct bw_call *c, wd_next_fn *next)
{
    uint64_t left     = bw_webdriver_left_ms(c);
    uint64_t margin   = left > 4 * MARGIN_MS ? MARGIN_MS : left / 4;
    uint64_t page     = left > margin ? left - margin : 1;
    struct json *args = json_new_object();

    json_set(args, "pageLoad", json_new_int((int64_t)page));
    json_set(args, "script", json_new_int((int64_t)(page < SCRIPT_MS ? page : SCRIPT_MS)));
    bw_webdriver_send(c, WD_SET_TIMEOUTS, args, next);
}

static void on_gone(struct bw_call *c, const struct json *value)
{
    (void)value;
    bw_webdriver_go_look(c, c->after_go);
}

static void go(struct bw_call *c, const struct json *value)
{
    struct json *args = json_new_object();

    (void)value;
    json_set(args, "url", json_new_str(c->target));
    bw_webdriver_send(c, WD_GO, args, on_gone);
}

static void limit(struct bw_call *c, const struct json *value)
{
    (void)value;
    bw_webdriver_go_limit(c, go);
}

void bw_webdriver_go(struct bw_call *c, const char *url, wd_next_fn *next)
{
    mem_free(&c->target);
    c->target   = mem_strdup(url);
    c->after_go = next;
    bw_webdriver_go_guard(c, c->target, limit);
}
