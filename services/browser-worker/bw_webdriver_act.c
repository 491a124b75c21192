#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bw_webdriver.h"
#include "problem/problem.h"

/* W3C: the key under which an element reference stands. */
#define ELEMENT_KEY "element-6066-11e4-a52e-4f735466cecf"

enum { ACTION_MS = 10000, POLL_MS = 150, ACTIONS_MAX = 100 };

static void next_action(struct bw_call *c, const struct json *value);
static void find(struct bw_call *c, const struct json *value);

/* ---- where it stands ----------------------------------------------------------------------------------- */

static void stands_well(struct bw_call *c, const struct json *value)
{
    (void)value;
    wd_done(c, take(&c->value));
}

static void on_url(struct bw_call *c, const struct json *value)
{
    if (json_str(value))
        str_copy(c->url, sizeof c->url, json_str(value));
    /* A page that no request was made for, and Chromium's own error page after a failed one. */
    if (!*c->url || str_starts(c->url, "about:") || str_starts(c->url, "data:") ||
        str_starts(c->url, "chrome-error:"))
        stands_well(c, NULL);
    else
        wd_guard(c, c->url, stands_well);
}

void wd_finish_page(struct bw_call *c, struct json *value)
{
    json_free(&c->value);
    c->value = value;
    wd_command(c, "url", "GET", "/url", NULL, on_url);
}

/* ---- going ------------------------------------------------------------------------------------------------ */

static void on_navigated(struct bw_call *c, const struct json *value)
{
    wd_next_fn *next = c->after_navigation;

    if (*c->error) { /* net::ERR_…: the site, not the session */
        wd_fail(c, CALL_FAILED, problem_word(PROBLEM_UPSTREAM_FAILED), "%.80s: %.140s",
                c->guarded, c->message);
        return;
    }
    next(c, value);
}

static void go(struct bw_call *c, const struct json *value)
{
    struct json *args = json_new_object();

    (void)value;
    json_set(args, "url", json_new_str(c->guarded));
    wd_try(c, "go", "POST", "/url", args, on_navigated);
}

void wd_navigate(struct bw_call *c, const char *url, wd_next_fn *next)
{
    c->after_navigation = next;
    wd_guard(c, url, go);
}

/* ---- actions ------------------------------------------------------------------------------------------------ */

static const struct json *action_body(const struct bw_call *c, const char **ret_name)
{
    const struct json *action = json_at(json_get(c->body, "actions"), c->action), *body = NULL;
    size_t it = 0;

    if (!json_each(action, &it, ret_name, &body))
        *ret_name = "";
    return body;
}

/* Not there, or not usable, by the time it had to be. */
static void missing(struct bw_call *c, const char *why)
{
    const char *name;

    (void)action_body(c, &name);
    wd_fail(c, CALL_FAILED, problem_word(PROBLEM_ELEMENT_MISSING),
            "actions[%zu].%s: \"%.100s\" %.60s%s%.60s", c->action, name, c->selector, why,
            *c->url ? ", at " : "", c->url);
}

static void missing_at(struct bw_call *c, const struct json *value)
{
    if (json_str(value))
        str_copy(c->url, sizeof c->url, json_str(value));
    missing(c, c->reason);
}

static void try_again(struct bw_call *c, const char *why)
{
    if (wd_now(c) + POLL_MS < c->action_until) {
        wd_later(c, POLL_MS, find);
        return;
    }
    c->reason = why;
    wd_try(c, "url", "GET", "/url", NULL, missing_at);
}

static void action_done(struct bw_call *c, const struct json *value)
{
    (void)value;
    c->action++;
    next_action(c, NULL);
}

/* Clicks and keys: an error that time may heal is tried again, with the element found anew. */
static void on_used(struct bw_call *c, const struct json *value)
{
    static const char *const heals[] = {"element click intercepted", "element not interactable",
                                        "stale element reference",   "invalid element state",
                                        "no such element",           NULL};

    if (!*c->error) {
        c->acted = true;
        action_done(c, value);
        return;
    }
    for (const char *const *word = heals; *word; word++)
        if (str_equal(*word, c->error)) {
            try_again(c, "is there and cannot be used");
            return;
        }
    c->acted = true; /* who knows */
    wd_fail(c, CALL_FAILED, problem_word(PROBLEM_UPSTREAM_FAILED), "%s: %s: %.140s", c->command,
            c->error, c->message);
}

static void element_command(struct bw_call *c, const char *command, const char *tail,
                            struct json *args, wd_next_fn *next)
{
    AUTO(mem_free) char *path = mem_printf("/element/%s/%s", c->element, tail);

    wd_try(c, command, "POST", path, args, next);
}

static void send_text(struct bw_call *c, const char *text, wd_next_fn *next)
{
    struct json *args = json_new_object();

    json_set(args, "text", json_new_str(text));
    element_command(c, "type", "value", args, next);
}

static void on_cleared(struct bw_call *c, const struct json *value)
{
    const char *name, *text;
    const struct json *body = action_body(c, &name);

    if (*c->error) {
        on_used(c, value);
        return;
    }
    c->acted   = true;
    text       = json_str(json_get(body, "text"));
    bool enter = json_bool(json_get(body, "enter"));
    AUTO(mem_free)
    char *keys =
        mem_printf("%s%s", text ? text : "", enter ? "\xee\x80\x87" : ""); /* U+E007: Enter */
    send_text(c, keys, on_used);
}

/* An option of a <select>: by value or by label, as a person would choose it. */
static void choose(struct bw_call *c, const struct json *body)
{
    static const char script[] =
        "var "
        "e=arguments[0],v=arguments[1],l=arguments[2],o=Array.prototype.slice.call(e.options||["
        "]).find("
        "function(o){return v!==null?o.value===v:o.text.trim()===l;});if(!o)return "
        "false;e.value=o.value;"
        "e.dispatchEvent(new Event('input',{bubbles:true}));e.dispatchEvent(new "
        "Event('change',{bubbles:true}));"
        "return true;";
    struct json *args = json_new_object(), *list = json_new_array(),
                *element = json_new_object();

    json_set(element, ELEMENT_KEY, json_new_str(c->element));
    json_add(list, element);
    json_add(list, json_new_str(json_str(json_get(body, "value"))));
    json_add(list, json_new_str(json_str(json_get(body, "label"))));
    json_set(args, "script", json_new_str(script));
    json_set(args, "args", list);
    wd_try(c, "select", "POST", "/execute/sync", args, c->on_chosen);
}

static void on_chosen(struct bw_call *c, const struct json *value)
{
    if (!*c->error && !json_bool(value))
        try_again(c, "has no such option");
    else
        on_used(c, value);
}

static void scroll_to(struct bw_call *c)
{
    static const char script[] = "arguments[0].scrollIntoView({block:'center'});return true;";
    struct json *args = json_new_object(), *list = json_new_array(),
                *element = json_new_object();

    json_set(element, ELEMENT_KEY, json_new_str(c->element));
    json_add(list, element);
    json_set(args, "script", json_new_str(script));
    json_set(args, "args", list);
    wd_try(c, "scroll", "POST", "/execute/sync", args, action_done);
}

static void use(struct bw_call *c)
{
    const char *name;
    const struct json *body = action_body(c, &name);

    if (str_equal(name, "click")) {
        element_command(c, "click", "click", NULL, on_used);
    } else if (str_equal(name, "type")) {
        const struct json *clear = json_get(body, "clear");
        if (clear && json_bool(clear))
            element_command(c, "clear", "clear", NULL, on_cleared);
        else
            on_cleared(c, NULL);
    } else if (str_equal(name, "select")) {
        c->on_chosen = on_chosen;
        choose(c, body);
    } else if (str_equal(name, "scroll")) {
        scroll_to(c);
    } else { /* wait */
        action_done(c, NULL);
    }
}

static void on_displayed(struct bw_call *c, const struct json *value)
{
    if (value && json_bool(value))
        use(c);
    else
        try_again(c, "is there and not visible");
}

static bool waits_until_gone(const struct bw_call *c)
{
    const char *name;
    const struct json *body = action_body(c, &name);

    return str_equal(name, "wait") && json_bool(json_get(body, "gone"));
}

static void on_found(struct bw_call *c, const struct json *value)
{
    const char *id = json_str(json_get(value, ELEMENT_KEY));

    if (waits_until_gone(c)) {
        if (id)
            try_again(c, "is still there");
        else
            action_done(c, NULL);
        return;
    }
    if (*c->error && str_equal(c->error, "invalid selector")) {
        wd_fail(c, CALL_REFUSED, problem_word(PROBLEM_UPSTREAM_REFUSED),
                "actions[%zu]: \"%.120s\" is no selector", c->action, c->selector);
        return;
    }
    if (!id || strpbrk(id, "/?# ") || !str_copy(c->element, sizeof c->element, id)) {
        try_again(c, "was not there in time");
        return;
    }
    AUTO(mem_free) char *path = mem_printf("/element/%s/displayed", c->element);
    wd_try(c, "displayed", "GET", path, NULL, on_displayed);
}

static void find(struct bw_call *c, const struct json *value)
{
    struct json *args = json_new_object();

    (void)value;
    json_set(args, "using", json_new_str(c->using_kind));
    json_set(args, "value", json_new_str(c->selector));
    wd_try(c, "find", "POST", "/element", args, on_found);
}

/* css, xpath, or text: an element whose own text says so, whitespace folded. */
static bool read_selector(struct bw_call *c, const struct json *body)
{
    const char *css   = json_str(json_get(body, "css")),
               *xpath = json_str(json_get(body, "xpath")),
               *text  = json_str(json_get(body, "text"));
    const char *name;

    (void)action_body(c, &name);
    if (str_equal(name, "type"))
        text = NULL; /* what is typed */
    c->using_kind = css ? "css selector" : "xpath";
    if (css)
        return str_copy(c->selector, sizeof c->selector, css);
    if (xpath)
        return str_copy(c->selector, sizeof c->selector, xpath);
    if (!text || strchr(text, '"'))
        return false;
    return str_format(c->selector, sizeof c->selector,
                      "//*[normalize-space(.)=\"%s\" and not(.//*[normalize-space(.)=\"%s\"])]",
                      text, text);
}

/* ---- actions without an element ----------------------------------------------------------------------------- */

static void gone_there(struct bw_call *c, const struct json *value)
{
    c->acted = true;
    action_done(c, value);
}

static void look_at_url(struct bw_call *c, const struct json *value);

static void on_wait_url(struct bw_call *c, const struct json *value)
{
    const char *name;
    const char *part = json_str(json_get(action_body(c, &name), "url"));

    if (json_str(value))
        str_copy(c->url, sizeof c->url, json_str(value));
    if (part && strstr(c->url, part))
        action_done(c, NULL);
    else if (wd_now(c) + POLL_MS < c->action_until)
        wd_later(c, POLL_MS, look_at_url);
    else
        missing(c, "is not where it came");
}

static void look_at_url(struct bw_call *c, const struct json *value)
{
    (void)value;
    wd_command(c, "url", "GET", "/url", NULL, on_wait_url);
}

static void press(struct bw_call *c, const char *key)
{
    static const struct {
        const char *name, *code;
    } keys[]         = {{"Enter", "\xee\x80\x87"},
                        {"Tab", "\xee\x80\x84"},
                        {"Escape", "\xee\x80\x8c"},
                        {"Backspace", "\xee\x80\x83"},
                        {"ArrowUp", "\xee\x80\x93"},
                        {"ArrowDown", "\xee\x80\x95"},
                        {"ArrowLeft", "\xee\x80\x92"},
                        {"ArrowRight", "\xee\x80\x94"},
                        {"PageDown", "\xee\x80\x8f"},
                        {"PageUp", "\xee\x80\x8e"},
                        {"Space", " "}};
    struct json *doc = json_new_object(), *list = json_new_array(), *source = json_new_object(),
                *moves = json_new_array();

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (str_equal(keys[i].name, key))
            key = keys[i].code;
    for (int up = 0; up < 2; up++) {
        struct json *move = json_new_object();
        json_set(move, "type", json_new_str(up ? "keyUp" : "keyDown"));
        json_set(move, "value", json_new_str(key));
        json_add(moves, move);
    }
    json_set(source, "type", json_new_str("key"));
    json_set(source, "id", json_new_str("keyboard"));
    json_set(source, "actions", moves);
    json_add(list, source);
    json_set(doc, "actions", list);
    c->acted = true;
    wd_command(c, "press", "POST", "/actions", doc, action_done);
}

static void scroll_bottom(struct bw_call *c)
{
    struct json *args = json_new_object();

    json_set(
        args, "script",
        json_new_str("window.scrollTo(0,document.documentElement.scrollHeight);return true;"));
    json_set(args, "args", json_new_array());
    wd_command(c, "scroll", "POST", "/execute/sync", args, action_done);
}

static void on_action_shot(struct bw_call *c, const struct json *value)
{
    const char *name;
    const char *shot = json_str(json_get(action_body(c, &name), "name"));

    (void)wd_keep_shot(c, shot ? shot : "", value);
    action_done(c, NULL);
}

/* ---- one after the other --------------------------------------------------------------------------------------- */

static void refuse_action(struct bw_call *c, const char *why)
{
    wd_fail(c, CALL_REFUSED, problem_word(PROBLEM_UPSTREAM_REFUSED), "actions[%zu]: %s",
            c->action, why);
}

static uint64_t action_ms(const struct json *body)
{
    uint64_t ms      = ACTION_MS;
    const char *text = json_str(json_get(body, "timeout"));

    return text && !failed(str_duration_ms(text, &ms)) ? ms : ACTION_MS;
}

static void next_action(struct bw_call *c, const struct json *value)
{
    const char *name;

    (void)value;
    if (c->action == json_count(json_get(c->body, "actions"))) {
        wd_finish_page(c, json_new_object());
        return;
    }
    const struct json *body = action_body(c, &name);
    c->action_until         = wd_now(c) + action_ms(body);
    if (c->action_until > c->deadline_ms)
        c->action_until = c->deadline_ms;
    c->url[0] = 0;
    if (str_equal(name, "go")) {
        const char *url = json_str(json_get(body, "url"));
        if (url)
            wd_navigate(c, url, gone_there);
        else
            refuse_action(c, "go needs \"url\"");
    } else if (str_equal(name, "press")) {
        const char *key = json_str(json_get(body, "key"));
        if (key && *key)
            press(c, key);
        else
            refuse_action(c, "press needs \"key\"");
    } else if (str_equal(name, "screenshot")) {
        wd_command(c, "screenshot", "GET", "/screenshot", NULL, on_action_shot);
    } else if (str_equal(name, "scroll") &&
               str_equal(json_str(json_get(body, "to")), "bottom")) {
        scroll_bottom(c);
    } else if (str_equal(name, "wait") && json_get(body, "url")) {
        str_copy(c->selector, sizeof c->selector,
                 json_str(json_get(body, "url")) ? json_str(json_get(body, "url")) : "");
        look_at_url(c, NULL);
    } else if (read_selector(c, body)) {
        find(c, NULL);
    } else {
        refuse_action(c, "it needs \"css\", \"xpath\" or \"text\" (without a double quote)");
    }
}

void wd_browse(struct bw_call *c)
{
    const char *url = json_str(json_get(c->body, "url"));

    if (json_count(json_get(c->body, "actions")) > ACTIONS_MAX)
        refuse_action(c, "a step has at most 100 actions");
    else if (url)
        wd_navigate(c, url, next_action);
    else
        next_action(c, NULL);
}
