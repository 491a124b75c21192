/*
 * bw_webdriver - the driver for W3C WebDriver: chromedriver, geckodriver, Selenium Grid.
 *
 * A call is a chain of commands in one session, one at a time (a remote end queues them anyway).  Before
 * each the step's deadline is looked at; after a step it is looked where the browser stands.  Only scripts of
 * ours run in a page.  Source: W3C WebDriver; chromedriver's own list of sessions.
 */
#ifndef BW_WEBDRIVER_H
#define BW_WEBDRIVER_H

#include <uv.h>

#include "bw_driver.h"

enum { WD_MAGIC = 0x62777764, WD_SHOTS = 6, WD_WHY_SIZE = 256 };

struct bw_call;
/* What comes next: value is the answer's "value". */
typedef void wd_next_fn(struct bw_call *c, const struct json *value);

struct bw_call {
    uint32_t magic;
    uv_timer_t timer;
    uv_getaddrinfo_t lookup;
    bool looking, over;
    const struct bw_drivers *env;
    struct http_call *sent;
    enum bw_verb verb;
    enum entry_effect effect;
    char base[512], session[256];
    struct json *body;
    uint64_t started_ms, deadline_ms, body_max, page_max, timeout_ms;
    bool private_net, shot_on_failure;
    bool (*may)(void *self);
    void *asker;
    bw_answer_fn *fn;
    void *self;

    wd_next_fn *next;
    const char *command; /* in hand: "click", for what people read */
    bool tolerant; /* an error of the remote end goes to next as NULL, its word in `error` */
    char error[64], message[WD_WHY_SIZE];
    int status;

    size_t action;         /* index in body.actions */
    uint64_t action_until; /* its element must be there by then (monotonic ms) */
    bool acted;            /* something was changed in the page by this call */
    const char *using_kind;
    char selector[512], element[128];
    struct json *spec; /* of a retrieve */
    int64_t height;
    uint64_t height_since;
    char url[2048];
    wd_next_fn *after_guard, *after_navigation, *on_chosen;
    const char *reason; /* why an element is not usable */
    char guarded[2048];

    enum call_fate fate; /* of the end */
    enum call_class call_class;
    const char *code;
    char detail[WD_WHY_SIZE];
    struct json *value;
    bool session_gone;
    struct bw_shot shots[WD_SHOTS];
    size_t shot_count;
    bool failing; /* a picture of the failure is being taken */
};

/* ---- bw_webdriver.c: commands ---- */

/* Sends a command of the session; method "POST" with args (taken over; NULL: {}). */
void wd_command(struct bw_call *c, const char *command, const char *method, const char *path,
                struct json *args, wd_next_fn *next);
/* The same, and an error of the remote end is for `next`: value NULL, c->error set. */
void wd_try(struct bw_call *c, const char *command, const char *method, const char *path,
            struct json *args, wd_next_fn *next);
void wd_later(struct bw_call *c, uint64_t ms, wd_next_fn *next);
uint64_t wd_now(const struct bw_call *c);
uint64_t wd_left_ms(const struct bw_call *c);
/* May the browser go there?  Resolved and judged; then next, or the call fails with url_forbidden. */
void wd_guard(struct bw_call *c, const char *url, wd_next_fn *next);
/* Keeps a picture (base 64); false if there is no room or it is none. */
bool wd_keep_shot(struct bw_call *c, const char *name, const struct json *base64);

/* ---- ends ---- */
void wd_done(struct bw_call *c, struct json *value);
/* fate: what it was; an unsafe step in which something was done already is UNANSWERED whatever it was. */
void wd_fail(struct bw_call *c, enum call_fate fate, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- bw_webdriver_act.c ---- */
void wd_browse(struct bw_call *c);
/* Where does it stand? Then judge it, then end. */
void wd_finish_page(struct bw_call *c, struct json *value);
void wd_navigate(struct bw_call *c, const char *url, wd_next_fn *next);

/* ---- bw_webdriver_read.c ---- */
void wd_retrieve(struct bw_call *c);

#endif
