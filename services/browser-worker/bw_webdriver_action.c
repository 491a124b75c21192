#include "bw_webdriver_action.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

enum { SELECTOR_MAX = 16 * 1024 };

static struct err refuse(char *why, size_t why_size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static struct err refuse(char *why, size_t why_size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why, why_size, format, args);
    va_end(args);
    return err_of(ERR_REJECT, "read action");
}

/* ---- selectors -------------------------------------------------------------------------------- */

/* XPath 1.0 has no escapes: a text with both kinds of quotes is put together. */
static void xpath_text(struct buf *to, const char *text)
{
    char quote = strchr(text, '"') ? '\'' : '"';

    if (!strchr(text, quote)) {
        buf_printf(to, "%c%s%c", quote, text, quote);
        return;
    }
    buf_str(to, "concat(");
    for (size_t n; *text; text += n) {
        quote = *text == '"' ? '\'' : '"';
        n     = strcspn(text, quote == '"' ? "\"" : "'");
        buf_printf(to, "%c%.*s%c,", quote, (int)n, text, quote);
    }
    buf_str(to, "\"\")");
}

/* The innermost element of the page that says just this, white space folded; or a button of a form. */
static char *selector_of_text(const char *text)
{
    struct buf quoted, to;

    buf_init(&quoted, SELECTOR_MAX);
    buf_init(&to, 4 * SELECTOR_MAX);
    xpath_text(&quoted, text);
    const char *said = quoted.full ? "\"\"" : quoted.at;
    buf_printf(&to,
               "//body//*[not(self::script or self::style or self::noscript) and"
               " normalize-space(.)=%s and not(*[normalize-space(.)=%s])]"
               " | //body//input[(@type=\"submit\" or @type=\"button\" or @type=\"reset\") and"
               " normalize-space(@value)=%s]",
               said, said, said);
    buf_deinit(&quoted);
    return buf_take(&to);
}

/* As XPath's normalize-space does it, so that what is compared is alike. */
static char *folded(const char *text)
{
    char *to = mem_strdup(text), *end = to;

    for (const char *c = text; *c; c++)
        if (!strchr(" \t\r\n", *c))
            *end++ = *c;
        else if (end > to && end[-1] != ' ')
            *end++ = ' ';
    if (end > to && end[-1] == ' ')
        end--;
    *end = '\0';
    return to;
}

static bool read_selector(const struct json *body, bool by_text, struct wd_action *a)
{
    const char *css   = json_str(json_get(body, "css")),
               *xpath = json_str(json_get(body, "xpath")),
               *text  = by_text ? json_str(json_get(body, "text")) : NULL;

    if ((css != NULL) + (xpath != NULL) + (text != NULL) != 1)
        return false;
    a->using = css ? "css selector" : "xpath";
    a->shown = css ? css : xpath ? xpath : text;
    if (!*a->shown)
        return false;
    if (text) {
        AUTO(mem_free) char *said = folded(text);
        a->selector               = selector_of_text(said);
    } else {
        a->selector = mem_strdup(a->shown);
    }
    return true;
}

/* ---- keys ------------------------------------------------------------------------------------------ */

static const char *const KEY_NAMES[] = {
    "Enter",     "Tab",        "Escape",    "Backspace", "Delete",   "Home",  "End", "ArrowUp",
    "ArrowDown", "ArrowRight", "ArrowLeft", "PageUp",    "PageDown", "Space", NULL};
static const char *const KEY_CODES[] = {WD_KEY_ENTER,   WD_KEY_TAB,
                                        "\xee\x80\x8c", "\xee\x80\x83",
                                        "\xee\x80\x97", "\xee\x80\x91",
                                        "\xee\x80\x90", "\xee\x80\x93",
                                        "\xee\x80\x95", "\xee\x80\x94",
                                        "\xee\x80\x92", "\xee\x80\x8e",
                                        "\xee\x80\x8f", " "};

static bool is_one_character(const char *key)
{
    size_t n = 0;

    for (; *key; key++)
        n += ((unsigned char)*key & 0xc0) != 0x80;
    return n == 1;
}

static struct err read_key(const struct json *body, struct wd_action *a, char *why,
                           size_t why_size)
{
    const char *key = json_str(json_get(body, "key"));

    if (!key || !*key)
        return refuse(why, why_size, "press needs \"key\": one character, or a name such as %s",
                      KEY_NAMES[0]);
    for (size_t i = 0; KEY_NAMES[i]; i++)
        if (str_equal(KEY_NAMES[i], key))
            a->text = KEY_CODES[i];
    if (a->text)
        return OK;
    a->text = key;
    if (is_one_character(key))
        return OK;
    const char *nearest = str_nearest(key, KEY_NAMES);
    if (!nearest)
        return refuse(why, why_size, "there is no key \"%.40s\"", key);
    return refuse(why, why_size, "there is no key \"%.40s\"; did you mean \"%s\"?", key,
                  nearest);
}

/* ---- one action --------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum wd_act act;
    const char *fields[8]; /* timeout is allowed everywhere */
} ACTIONS[] = {
    {"go", WD_ACT_GO, {"url", "timeout"}},
    {"click", WD_ACT_CLICK, {"css", "xpath", "text", "timeout"}},
    {"type", WD_ACT_TYPE, {"css", "xpath", "text", "clear", "enter", "timeout"}},
    {"select", WD_ACT_SELECT, {"css", "xpath", "value", "label", "timeout"}},
    {"press", WD_ACT_PRESS, {"key", "timeout"}},
    {"wait", WD_ACT_WAIT, {"css", "xpath", "text", "url", "gone", "timeout"}},
    {"scroll", WD_ACT_SCROLL, {"to", "css", "xpath", "text", "timeout"}},
    {"screenshot", WD_ACT_SHOT, {"name", "timeout"}},
};

static struct err read_element(const struct json *body, struct wd_action *a, char *why,
                               size_t why_size)
{
    bool by_text = a->act != WD_ACT_TYPE && a->act != WD_ACT_SELECT;

    if (read_selector(body, by_text, a))
        return OK;
    return refuse(why, why_size, "%s needs one of \"css\", \"xpath\"%s", a->name,
                  !by_text                  ? ""
                  : a->act == WD_ACT_WAIT   ? ", \"text\" and \"url\""
                  : a->act == WD_ACT_SCROLL ? ", \"text\" and \"to\": \"bottom\""
                                            : " and \"text\"");
}

static struct err read_select(const struct json *body, struct wd_action *a, char *why,
                              size_t why_size)
{
    a->value = json_str(json_get(body, "value"));
    a->label = json_str(json_get(body, "label"));
    if (!a->value == !a->label)
        return refuse(why, why_size, "select needs either \"value\" or \"label\"");
    return read_element(body, a, why, why_size);
}

static struct err read_parts(const struct json *body, struct wd_action *a, char *why,
                             size_t why_size)
{
    a->clear = json_bool(json_get(body, "clear"));
    a->enter = json_bool(json_get(body, "enter"));
    a->gone  = json_bool(json_get(body, "gone"));
    switch (a->act) {
    case WD_ACT_NONE:
    case WD_ACT_WAIT_URL:
    case WD_ACT_BOTTOM:
        break;
    case WD_ACT_GO:
        a->text = json_str(json_get(body, "url"));
        return a->text ? OK : refuse(why, why_size, "go needs \"url\"");
    case WD_ACT_PRESS:
        return read_key(body, a, why, why_size);
    case WD_ACT_SHOT:
        a->text = json_str(json_get(body, "name"));
        return OK;
    case WD_ACT_SELECT:
        return read_select(body, a, why, why_size);
    case WD_ACT_TYPE:
        a->text = json_str(json_get(body, "text"));
        if (json_str_len(json_get(body, "text")) > WD_TEXT_MAX)
            return refuse(why, why_size, "type takes a text of at most %d bytes", WD_TEXT_MAX);
        return read_element(body, a, why, why_size);
    case WD_ACT_WAIT:
        a->text = json_str(json_get(body, "url"));
        if (a->text && !json_get(body, "css") && !json_get(body, "xpath") &&
            !json_get(body, "text")) {
            a->act   = WD_ACT_WAIT_URL;
            a->shown = a->text;
            return OK;
        }
        return read_element(a->text ? NULL : body, a, why, why_size);
    case WD_ACT_SCROLL:
        if (str_equal(json_str(json_get(body, "to")), "bottom")) {
            a->act = WD_ACT_BOTTOM;
            return OK;
        }
        return read_element(json_get(body, "to") ? NULL : body, a, why, why_size);
    case WD_ACT_CLICK:
        return read_element(body, a, why, why_size);
    }
    return err_of(ERR_REJECT, "read action");
}

static struct err read_timeout(const struct json *body, struct wd_action *a, char *why,
                               size_t why_size)
{
    const struct json *timeout = json_get(body, "timeout");

    a->timeout_ms = WD_ACTION_MS;
    if (!timeout ||
        (json_str(timeout) && !failed(str_duration_ms(json_str(timeout), &a->timeout_ms))))
        return OK;
    return refuse(why, why_size, "%s: \"timeout\" is no duration; write \"5s\"", a->name);
}

struct err bw_webdriver_action_read(const struct json *action, struct wd_action *ret, char *why,
                                    size_t why_size)
{
    const struct json *body = NULL;
    const char *name        = NULL, *unknown, *nearest;
    size_t it               = 0;

    *ret = (struct wd_action){0};
    if (json_count(action) != 1 || !json_each(action, &it, &name, &body))
        return refuse(why, why_size,
                      "an action is an object with one field, such as \"click\"");
    for (size_t i = 0; i < sizeof ACTIONS / sizeof *ACTIONS; i++) {
        if (!str_equal(ACTIONS[i].name, name))
            continue;
        ret->act  = ACTIONS[i].act;
        ret->name = ACTIONS[i].name;
        if (!json_known(body, ACTIONS[i].fields, &unknown, &nearest))
            return nearest ? refuse(why, why_size,
                                    "%s has no field \"%.60s\"; did you mean \"%s\"?", name,
                                    unknown, nearest)
                           : refuse(why, why_size, "%s has no field \"%.60s\"", name, unknown);
        struct err e = read_timeout(body, ret, why, why_size);
        return failed(e) ? e : read_parts(body, ret, why, why_size);
    }
    return refuse(why, why_size, "there is no action \"%.60s\"", name);
}

void bw_webdriver_action_deinit(struct wd_action *action)
{
    mem_free(&action->selector);
}
