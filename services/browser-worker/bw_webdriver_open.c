#include "bw_webdriver_open.h"

#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "bw_webdriver_end.h"
#include "bw_webdriver_go.h"
#include "bw_webdriver_send.h"
#include "problem/problem.h"

enum { WIDTH = 1280, HEIGHT = 900, SIDE_MAX = 10000, SCRIPT_MS = 30000 };

/* ---- what browser it shall be ------------------------------------------------------------------ */

static struct json *object_of(const char *key, struct json *value)
{
    struct json *object = json_new_object();

    json_set(object, key, value);
    return object;
}

static int64_t side(const struct bw_call *c, const char *name, int64_t preset)
{
    int64_t n = json_int(json_get(json_get(c->body, "size"), name));

    return n > 0 && n <= SIDE_MAX ? n : preset;
}

static struct json *arguments(const struct bw_call *c)
{
    static const char *const ARGUMENTS[] = {
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage", /* small in containers */
        "--no-first-run",
        "--mute-audio",
        "--disable-quic", /* UDP passes by an egress proxy */
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-breakpad",
        /* http:// is gone to as it is written, neither tried as https:// first nor warned of */
        "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
        NULL,
    };
    struct json *list = json_new_array();
    char window[64];

    for (const char *const *argument = ARGUMENTS; *argument; argument++)
        json_add(list, json_new_str(*argument));
    if (getuid() ==
        0) /* Chromium's sandbox does not run as root: where it matters, be another user */
        json_add(list, json_new_str("--no-sandbox"));
    str_format(window, sizeof window, "--window-size=%lld,%lld",
               (long long)side(c, "width", WIDTH), (long long)side(c, "height", HEIGHT));
    json_add(list, json_new_str(window));
    return list;
}

static struct json *chrome_options(const struct bw_call *c)
{
    struct json *options = object_of("args", arguments(c));

    /* 3: none at all.  Chromium would otherwise put 2 GB of somebody's file into its home. */
    json_set(options, "prefs", object_of("download_restrictions", json_new_int(3)));
    return options;
}

/* What only tells is heard and goes on; what asks is told no, and the step hears of it. */
static struct json *prompt_behaviour(void)
{
    struct json *handlers = object_of("default", json_new_str("dismiss and notify"));

    json_set(handlers, "alert", json_new_str("accept"));
    json_set(handlers, "beforeUnload", json_new_str("accept"));
    return handlers;
}

/*
 * A session has no field for what its owner wants to remember, and a remote end returns only capabilities that it knows.  Of
 * those only `proxy` takes a text: with the proxies of the system, which are the preset ones, nobody looks at what is
 * excepted from them, and a list of sessions (chromedriver's, a Grid's) repeats it.  docs/decisions/0008.
 */
static struct json *stamped_proxy(const char *stamp)
{
    struct json *proxy = object_of("proxyType", json_new_str("system")),
                *none  = json_new_array();

    json_add(none, json_new_str(stamp));
    json_set(proxy, "noProxy", none);
    return proxy;
}

const char *bw_webdriver_open_stamp(const struct json *capabilities)
{
    const char *text =
        json_str(json_at(json_get(json_get(capabilities, "proxy"), "noProxy"), 0));

    return text ? text : "";
}

static struct json *capabilities(const struct bw_call *c)
{
    struct json *always = json_new_object(), *timeouts = json_new_object(),
                *first = json_new_array(), *both;

    json_set(timeouts, "pageLoad", json_new_int((int64_t)c->timeout_ms));
    json_set(timeouts, "script", json_new_int(SCRIPT_MS));
    json_set(timeouts, "implicit", json_new_int(0));
    json_set(always, "timeouts", timeouts);
    json_set(always, "goog:chromeOptions", chrome_options(c));
    json_set(always, "unhandledPromptBehavior", prompt_behaviour());
    if (*c->stamp)
        json_set(always, "proxy", stamped_proxy(c->stamp));
    json_add(first, json_new_object());
    both = object_of("alwaysMatch", always);
    json_set(both, "firstMatch", first);
    return object_of("capabilities", both);
}

/* ---- one after the other ---------------------------------------------------------------------------- */

static void at_first_page(struct bw_call *c, const struct json *value)
{
    (void)value;
    bw_webdriver_end_done(c, json_new_object());
}

static void on_session(struct bw_call *c, const struct json *value)
{
    const char *id  = json_str(json_get(value, "sessionId"));
    const char *url = json_str(json_get(c->body, "url"));

    if (!id || !*id || strlen(id) >= sizeof c->session || strpbrk(id, "/?#% ")) {
        bw_webdriver_end_fail(c, CALL_UNANSWERED, problem_word(PROBLEM_UPSTREAM_FAILED),
                              "the new session has no id");
        return;
    }
    str_copy(c->session, sizeof c->session, id);
    if (url)
        bw_webdriver_go(c, url, at_first_page);
    else
        bw_webdriver_end_done(c, json_new_object());
}

static void create(struct bw_call *c, const struct json *value)
{
    (void)value;
    bw_webdriver_send(c, WD_NEW_SESSION, capabilities(c), on_session);
}

void bw_webdriver_open(struct bw_call *c)
{
    const char *url = json_str(json_get(c->body, "url"));

    if (url) /* before a browser is started in vain */
        bw_webdriver_go_guard(c, url, create);
    else
        create(c, NULL);
}
