/*
 * bw_webdriver_action - one action of a browse, read: {"click":{"css":"#buy"}}.  Pure.
 *
 *   go {url}   click {css|xpath|text}   type {css|xpath, text, clear, enter}   select {css|xpath, value|label}   press {key}
 *   wait {css|xpath|text|url, gone}   scroll {to: "bottom" | css|xpath|text}   screenshot {name}      each: timeout
 */
#ifndef BW_WEBDRIVER_ACTION_H
#define BW_WEBDRIVER_ACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct json;

/* W3C WebDriver, "Keyboard actions": private code points for keys without a character. */
#define WD_KEY_ENTER "\xee\x80\x87"
#define WD_KEY_TAB "\xee\x80\x84"

enum { WD_ACTIONS_MAX = 100, WD_ACTION_SHOTS = 5, WD_ACTION_MS = 10000, WD_TEXT_MAX = 8192 };

enum wd_act {
    WD_ACT_NONE,
    WD_ACT_GO,
    WD_ACT_CLICK,
    WD_ACT_TYPE,
    WD_ACT_SELECT,
    WD_ACT_PRESS,
    WD_ACT_WAIT,
    WD_ACT_WAIT_URL,
    WD_ACT_SCROLL,
    WD_ACT_BOTTOM,
    WD_ACT_SHOT,
};

/* What is not owned is lent from the document. */
struct wd_action {
    enum wd_act act;
    const char *name;  /* "click" */
    const char *shown; /* the selector as the user wrote it */
    const char *using; /* W3C: "css selector", "xpath"; NULL: it has no element */
    char *selector;    /* owned */
    const char *
        text; /* of go and wait: the URL; type: what is typed; press: the key's code; screenshot: its name */
    const char *value, *label; /* of select: one of them */
    bool clear, enter, gone;
    uint64_t timeout_ms;
};

/* REJECT with why: `click needs "css", "xpath" or "text"`. */
MUST_USE struct err bw_webdriver_action_read(const struct json *action, struct wd_action *ret,
                                             char *why, size_t why_size);
void bw_webdriver_action_deinit(struct wd_action *action);

#endif
