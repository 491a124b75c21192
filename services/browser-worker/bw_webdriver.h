/*
 * bw_webdriver - the driver for W3C WebDriver: chromedriver, geckodriver, Selenium Grid.
 *
 * A call is a chain of commands in one session, one at a time (a remote end queues them anyway).  Before
 * each the step's deadline is looked at; before each action, before each picture and at the end it is looked
 * where the browser stands.  Only scripts of ours run in a page.  Source: W3C WebDriver; chromedriver's own
 * list of sessions.
 *
 * Its files: _open (a new session), _act (the actions of a browse; _action reads one), _read (a retrieve),
 * _go (where the browser may go, and where it stands), _send (one command and its answer), _error (what an
 * error means), _end (how a call ends).
 */
#ifndef BW_WEBDRIVER_H
#define BW_WEBDRIVER_H

#include <uv.h>

#include "bw_driver.h"
#include "bw_stamp.h"
#include "bw_webdriver_action.h"
#include "bw_webdriver_error.h"

enum {
    WD_MAGIC     = 0x62777764,
    WD_SHOTS     = WD_ACTION_SHOTS + 1, /* one place is the failure's */
    WD_WHY_SIZE  = 384,
    WD_HOST_SIZE = 256,
};

/* What comes next: value is the answer's "value"; NULL after an error that is for the caller. */
typedef void wd_next_fn(struct bw_call *c, const struct json *value);

struct bw_call {
    uint32_t magic;
    uv_timer_t timer;
    uv_getaddrinfo_t lookup;
    bool looking, closed; /* who of the two comes last frees */
    const struct bw_drivers *env;
    bw_answer_fn *fn;
    void *self;

    /* What was asked. */
    enum bw_verb verb;
    enum entry_effect effect;
    char base[512], session[256], stamp[BW_STAMP_SIZE];
    struct json *body;
    uint64_t started_ms, deadline_ms, timeout_ms, page_max;
    bool private_net, shot_on_failure;
    bool (*may)(void *self);
    void *asker;

    /* The command in hand. */
    struct http_call *sent;
    wd_next_fn *next;
    const char *command; /* "click": for what people read */
    bool tolerant; /* an error of the remote end is for `next`, unless the session is lost */
    char error[64], message[256];
    int status;
    bool anything;     /* was sent at all */
    bool acted;        /* something may have been changed in the page by this call … */
    bool acted_before; /* … and before the command in hand */

    /* Where it goes and stands. */
    char *target;
    wd_next_fn *after_go, *after_guard, *after_look;
    char url[2048], judged[WD_HOST_SIZE]; /* a host that was found good in this call */

    /* Of a browse. */
    size_t at; /* index in body.actions */
    struct wd_action action;
    uint64_t action_until; /* its element must be there by then (monotonic ms) */
    struct json *found;
    size_t candidate;
    char element[256], reason[64]; /* why an element is not usable */

    /* Of a retrieve. */
    struct json *spec;
    int64_t height;
    uint64_t height_since;

    /* Its end. */
    bool failing; /* it has failed; only where and how it looks is still being asked */
    enum call_fate fate;
    enum call_class call_class, failed_class;
    int failed_status;
    const char *code;
    char detail[WD_WHY_SIZE];
    struct json *value;
    bool session_gone;
    struct bw_shot shots[WD_SHOTS];
    size_t shot_count;
};

uint64_t bw_webdriver_left_ms(const struct bw_call *c);

/* The timer: next(c, NULL) after a while. */
void bw_webdriver_later(struct bw_call *c, uint64_t ms, wd_next_fn *next);

/* The answer was given: no callback any more, and the memory goes when nothing refers to it. */
void bw_webdriver_release(struct bw_call *c);

#endif
