#include "bw_webdriver_act.h"

#include <string.h>

#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"
#include "bw_webdriver_end.h"
#include "bw_webdriver_go.h"
#include "bw_webdriver_send.h"
#include "problem/problem.h"

/* W3C: the key under which an element reference stands. */
#define ELEMENT_KEY "element-6066-11e4-a52e-4f735466cecf"

enum {
    POLL_MS    = 150,
    PICTURE_MS = 1500, /* of the step's time, kept for how a failure looks */
    CANDIDATES_MAX =
        20, /* elements of one selector that are asked whether they are to be seen */
};

static void next_action(struct bw_call *c, const struct json *value);
static void find(struct bw_call *c, const struct json *value);

/* ---- not in time -------------------------------------------------------------------------------- */

static bool has_time(const struct bw_call *c)
{
    return clk_mono_ms() + POLL_MS < c->action_until;
}

static void missing(struct bw_call *c)
{
    bw_webdriver_end_fail(c, CALL_FAILED, problem_word(PROBLEM_ELEMENT_MISSING),
                          "actions[%zu].%s: \"%.120s\" %s", c->at, c->action.name,
                          c->action.shown, c->reason);
}

static void try_again(struct bw_call *c, const char *why)
{
    str_copy(c->reason, sizeof c->reason, why);
    if (has_time(c))
        bw_webdriver_later(c, POLL_MS, find);
    else
        missing(c);
}

/* ---- using an element ------------------------------------------------------------------------------ */

static void action_done(struct bw_call *c, const struct json *value)
{
    (void)value;
    c->at++;
    next_action(c, NULL);
}

static void on_used(struct bw_call *c, const struct json *value)
{
    if (!*c->error)
        action_done(c, value);
    else if (bw_webdriver_error(c->error, c->message) == WD_ERROR_HEALS)
        try_again(c, "is there and cannot be used");
    else
        bw_webdriver_end_error(c);
}

static struct json *element_list(const struct bw_call *c)
{
    struct json *list = json_new_array(), *element = json_new_object();

    json_set(element, ELEMENT_KEY, json_new_str(c->element));
    json_add(list, element);
    return list;
}

/* ---- keys --------------------------------------------------------------------------------------- */

static void add_key(struct json *moves, const char *key)
{
    static const char *const TYPES[] = {"keyDown", "keyUp"};

    for (size_t i = 0; i < 2; i++) {
        struct json *move = json_new_object();
        json_set(move, "type", json_new_str(TYPES[i]));
        json_set(move, "value", json_new_str(key));
        json_add(moves, move);
    }
}

static size_t character_len(const char *at)
{
    size_t len = 1;

    while (((unsigned char)at[len] & 0xc0) == 0x80)
        len++;
    return len;
}

static void add_text(struct json *moves, const char *text)
{
    char key[8];

    for (size_t len; *text; text += len) {
        len = character_len(text);
        if (*text == '\n')
            add_key(moves, WD_KEY_ENTER);
        else if (*text == '\t')
            add_key(moves, WD_KEY_TAB);
        else if (str_copy_n(key, sizeof key, text, len))
            add_key(moves, key);
    }
}

static void send_keys(struct bw_call *c, const char *text, bool enter, wd_next_fn *next)
{
    struct json *args = json_new_object(), *sources = json_new_array(),
                *keyboard = json_new_object(), *moves = json_new_array();

    add_text(moves, text);
    if (enter)
        add_key(moves, WD_KEY_ENTER);
    json_set(keyboard, "type", json_new_str("key"));
    json_set(keyboard, "id", json_new_str("keyboard"));
    json_set(keyboard, "actions", moves);
    json_add(sources, keyboard);
    json_set(args, "actions", sources);
    bw_webdriver_send(c, WD_KEYS, args, next);
}

static void on_focused(struct bw_call *c, const struct json *value)
{
    if (*c->error)
        on_used(c, value);
    else if (json_bool(value))
        send_keys(c, c->action.text ? c->action.text : "", c->action.enter, action_done);
    else
        try_again(c, "is there and takes no keys");
}

/* Keys of a keyboard, behind what is there.  W3C's own Element Send Keys would hand a file input any file of the
   machine that the browser runs on: whoever writes the flow may have written the page too. */
static void type(struct bw_call *c)
{
    static const char SCRIPT[] = "var e=arguments[0];"
                                 "if(e.matches(':disabled')||e.readOnly)return false;"
                                 "if(document.activeElement!==e)e.focus();"
                                 "if(document.activeElement!==e)return false;"
                                 "if(e.isContentEditable){var "
                                 "s=getSelection();s.selectAllChildren(e);s.collapseToEnd();}"
                                 "else "
                                 "try{e.setSelectionRange(e.value.length,e.value.length);}"
                                 "catch(x){}" /* a number has none */
                                 "return true;";

    bw_webdriver_send_try(c, WD_FOCUS, bw_webdriver_send_script(SCRIPT, element_list(c)),
                          on_focused);
}

static void on_cleared(struct bw_call *c, const struct json *value)
{
    if (*c->error)
        on_used(c, value);
    else
        type(c);
}

/* ---- lists and scrolling ---------------------------------------------------------------------- */

/* "" or what stood in the way. */
static void on_selected(struct bw_call *c, const struct json *value)
{
    const char *why = json_str(value);

    if (*c->error || (why && !*why)) {
        on_used(c, value);
        return;
    }
    c->acted = c->acted_before;
    try_again(c, why ? why : "is no list to select from");
}

/* An option of a <select>: by value or by label, as a person would choose it. */
static void select_option(struct bw_call *c)
{
    static const char SCRIPT[] =
        "var e=arguments[0],v=arguments[1],l=arguments[2];"
        "function fold(s){return String(s).replace(/\\s+/g,' ').trim();}"
        "if(!e.options)return 'is no list to select from';"
        "var o=Array.prototype.find.call(e.options,function(o){"
        "return v!==null?o.value===v:fold(o.text)===fold(l);});"
        "if(!o)return 'has no such option';"
        "if(e.matches(':disabled')||o.matches(':disabled'))return 'cannot be selected from';"
        "o.selected=true;"
        "e.dispatchEvent(new Event('input',{bubbles:true}));"
        "e.dispatchEvent(new Event('change',{bubbles:true}));return '';";
    struct json *list = element_list(c);

    json_add(list, json_new_str(c->action.value));
    json_add(list, json_new_str(c->action.label));
    bw_webdriver_send_try(c, WD_SELECT, bw_webdriver_send_script(SCRIPT, list), on_selected);
}

static void scroll_to(struct bw_call *c)
{
    static const char SCRIPT[] = "arguments[0].scrollIntoView({block:'center'});";

    bw_webdriver_send_try(c, WD_SCROLL, bw_webdriver_send_script(SCRIPT, element_list(c)),
                          on_used);
}

static void use(struct bw_call *c)
{
    switch (c->action.act) {
    case WD_ACT_CLICK:
        bw_webdriver_send_try(c, WD_CLICK, NULL, on_used);
        return;
    case WD_ACT_TYPE:
        if (c->action.clear)
            bw_webdriver_send_try(c, WD_CLEAR, NULL, on_cleared);
        else
            type(c);
        return;
    case WD_ACT_SELECT:
        select_option(c);
        return;
    case WD_ACT_SCROLL:
        scroll_to(c);
        return;
    case WD_ACT_WAIT:
        action_done(c, NULL);
        return;
    case WD_ACT_NONE:
    case WD_ACT_GO:
    case WD_ACT_PRESS:
    case WD_ACT_WAIT_URL:
    case WD_ACT_BOTTOM:
    case WD_ACT_SHOT:
        break;
    }
    must(!"an action without an element");
}

/* ---- finding one that is to be seen ------------------------------------------------------------------- */

static void look_at_candidate(struct bw_call *c);

/* While a page goes and another comes there are errors of many names; to look does no harm. */
static bool heals_while_looking(const struct bw_call *c)
{
    enum wd_error means = bw_webdriver_error(c->error, c->message);

    return means == WD_ERROR_HEALS || means == WD_ERROR_OTHER;
}

static void on_displayed(struct bw_call *c, const struct json *value)
{
    bool seen = value && json_bool(value);

    if (*c->error && !heals_while_looking(c)) {
        bw_webdriver_end_error(c);
    } else if (seen && c->action.gone) {
        try_again(c, "is still there");
    } else if (seen) {
        use(c);
    } else {
        c->candidate++;
        look_at_candidate(c);
    }
}

static void none_is_seen(struct bw_call *c)
{
    if (c->action.gone)
        action_done(c, NULL);
    else
        try_again(c,
                  json_count(c->found) ? "is there and not visible" : "was not there in time");
}

static void look_at_candidate(struct bw_call *c)
{
    const char *id = json_str(json_get(json_at(c->found, c->candidate), ELEMENT_KEY));

    if (!id || c->candidate == CANDIDATES_MAX || strpbrk(id, "/?#% ") ||
        !str_copy(c->element, sizeof c->element, id))
        none_is_seen(c);
    else
        bw_webdriver_send_try(c, WD_DISPLAYED, NULL, on_displayed);
}

static void on_found(struct bw_call *c, const struct json *value)
{
    if (*c->error && heals_while_looking(c)) {
        try_again(c, "cannot be looked for");
        return;
    }
    if (*c->error) {
        bw_webdriver_end_error(c);
        return;
    }
    json_free(&c->found);
    c->found     = json_ref(value);
    c->candidate = 0;
    look_at_candidate(c);
}

static void find(struct bw_call *c, const struct json *value)
{
    struct json *args = json_new_object();

    (void)value;
    json_set(args, "using", json_new_str(c->action.using));
    json_set(args, "value", json_new_str(c->action.selector));
    bw_webdriver_send_try(c, WD_FIND, args, on_found);
}

/* ---- actions without an element --------------------------------------------------------------------------- */

static void look_for_url(struct bw_call *c, const struct json *value);

static void wait_url(struct bw_call *c)
{
    bool there = strstr(c->url, c->action.text) != NULL;

    if (there != c->action.gone) {
        action_done(c, NULL);
        return;
    }
    str_copy(c->reason, sizeof c->reason,
             there ? "is still in the URL" : "did not come into the URL");
    if (has_time(c))
        bw_webdriver_later(c, POLL_MS, look_for_url);
    else
        missing(c);
}

static void url_seen(struct bw_call *c, const struct json *value)
{
    (void)value;
    wait_url(c);
}

static void look_for_url(struct bw_call *c, const struct json *value)
{
    (void)value;
    bw_webdriver_go_look(c, url_seen);
}

static void scroll_to_bottom(struct bw_call *c)
{
    static const char SCRIPT[] = "window.scrollTo(0,document.documentElement.scrollHeight);";

    bw_webdriver_send(c, WD_SCROLL, bw_webdriver_send_script(SCRIPT, json_new_array()),
                      action_done);
}

static void on_shot(struct bw_call *c, const struct json *value)
{
    if (bw_webdriver_end_shot(c, c->action.text ? c->action.text : "", value))
        action_done(c, NULL);
    else
        bw_webdriver_end_fail(c, CALL_FAILED, problem_word(PROBLEM_UPSTREAM_FAILED),
                              "actions[%zu].screenshot is no picture", c->at);
}

/* ---- one after the other ------------------------------------------------------------------------------------- */

static void act(struct bw_call *c, const struct json *value)
{
    (void)value;
    switch (c->action.act) {
    case WD_ACT_PRESS:
        send_keys(c, c->action.text, false, action_done);
        return;
    case WD_ACT_BOTTOM:
        scroll_to_bottom(c);
        return;
    case WD_ACT_SHOT:
        bw_webdriver_send(c, WD_SCREENSHOT, NULL, on_shot);
        return;
    case WD_ACT_WAIT_URL:
        wait_url(c);
        return;
    case WD_ACT_NONE:
    case WD_ACT_GO:
    case WD_ACT_CLICK:
    case WD_ACT_TYPE:
    case WD_ACT_SELECT:
    case WD_ACT_WAIT:
    case WD_ACT_SCROLL:
        find(c, NULL);
        return;
    }
}

static uint64_t until(const struct bw_call *c)
{
    uint64_t keep = c->timeout_ms / 5 < PICTURE_MS ? c->timeout_ms / 5 : PICTURE_MS;
    uint64_t last = c->deadline_ms - keep, wanted = clk_mono_ms() + c->action.timeout_ms;

    return wanted < last ? wanted : last;
}

static void all_done(struct bw_call *c, const struct json *value)
{
    (void)value;
    bw_webdriver_end_done(c, json_new_object());
}

static void next_action(struct bw_call *c, const struct json *value)
{
    const struct json *actions = json_get(c->body, "actions");
    char why[160];

    (void)value;
    bw_webdriver_action_deinit(&c->action);
    if (c->at == json_count(actions)) {
        bw_webdriver_go_look(c, all_done);
        return;
    }
    struct err e =
        bw_webdriver_action_read(json_at(actions, c->at), &c->action, why, sizeof why);
    must(!failed(e)); /* it was checked before anything was sent */
    c->action_until = until(c);
    if (c->action.act == WD_ACT_GO)
        bw_webdriver_go(c, c->action.text, action_done);
    else
        bw_webdriver_go_look(c, act);
}

void bw_webdriver_act(struct bw_call *c)
{
    const char *url = json_str(json_get(c->body, "url"));

    if (url)
        bw_webdriver_go(c, url, next_action);
    else
        bw_webdriver_go_limit(c, next_action);
}
