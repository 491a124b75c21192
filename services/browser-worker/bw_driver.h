/*
 * bw_driver - what a driver is: one file that turns a step into requests to one kind of
 * upstream.
 *
 * A driver knows its protocol and nothing else: no journal, no permits, no retries.  It says
 * what became of a call (fate), how the limiter shall count it (class), and what the flow may
 * read of it. Drivers: bw_agent (HTTP agent APIs by profile; "multion"), bw_webdriver (W3C
 * WebDriver).
 */
#ifndef BW_DRIVER_H
#define BW_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "http/http.h"
#include "json/json.h"
#include "run/run_retry.h"
#include "wire/wire_journal.h"
#include "wire/wire_permit.h"

enum bw_verb {
    BW_OPEN,     /* body: {url, size, profile, headers}; answers remote_id (and endpoint) */
    BW_BROWSE,   /* body: {cmd | actions, url, max_steps} */
    BW_RETRIEVE, /* body: {cmd, schema, select, url, …}; without remote_id: one-shot */
    BW_CLOSE,    /* fate DONE: confirmed closed, or it was not there */
    BW_LIST, /* answers value: {remote id: its stamp, "" if it has none} of what lives there; REFUSED:
                it cannot list */
    BW_TOUCH,      /* keeps a waiting session warm by the cheapest call */
    BW_SCREENSHOT, /* answers one shot */
};

/* An upstream as configured (surface 15), read by bw_upstream. */
struct bw_upstream {
    char name[STR_NAME_SIZE];
    char driver[32];          /* "agent" "webdriver" */
    char profile[32];         /* "multion" */
    char url[512];            /* no slash at the end; "": bw_browsers knows where */
    char key[512];            /* the secret itself; never logged */
    char feature_402[256];    /* extended regular expression, case ignored; "": none */
    uint64_t timeout_ms;      /* of a call, when the step does not say */
    uint64_t session_idle_ms; /* 0: the upstream never expires a silent session */
    uint64_t sessions;        /* limit; 0: none */
    bool paused;
};

struct bw_call; /* a call under way; each driver has its own */
struct bw_answer;
typedef void bw_go_fn(struct bw_call *call, bool granted);
typedef void bw_more_fn(void *self, const struct bw_answer *so_far, bw_go_fn *go,
                        struct bw_call *call);

struct bw_request {
    enum bw_verb verb;
    const struct bw_upstream *upstream;
    const char *endpoint;  /* of the session; "": the upstream's url */
    const char *remote_id; /* "": none yet */
    const char
        *stamp; /* of OPEN: what a list shall show beside its id (bw_stamp); NULL: nothing */
    const struct json *body; /* expanded; NULL for CLOSE, LIST, TOUCH, SCREENSHOT */
    enum entry_effect effect;
    uint64_t timeout_ms; /* of the whole call, however many requests it takes */
    bool private_net;    /* the tenant's policy for where browsers may go */
    bool shot_on_failure;
    uint64_t body_max; /* SLUICE_RESPONSE_MAX */
    uint64_t page_max; /* SLUICE_PAGE_MAX */
    /* Asked before each request of the call; false: the step's deadline is over or the lease is
     * lost: send nothing more. */
    bool (*may)(void *self);
    /* A command that an agent asks to go on with takes further requests, and each counts at the
       upstream.  Before one of them `more` hears what became of the last (report it), gets the
       next permit and calls go(call, true); go(call, false): none is to be had.  From the loop,
       at once or later, never after cancel.  NULL: it goes on at once.  Of an unsafe command the
       last may have been deferred: then the same is sent again. */
    bw_more_fn *more;
    void *self;
};

struct bw_shot {
    const char *name; /* "7-review.png" is made of it by the worker; "" : no name given */
    struct bytes png;
};

/* Lent for the callback; `value` may be kept with json_ref. */
struct bw_answer {
    enum call_fate fate;
    enum call_class call_class;
    uint64_t retry_after_ms;
    int status; /* HTTP of the deciding request; 0: none */
    uint64_t ms;
    const char *code; /* problem word of a failure: "upstream_refused", "element_missing", … */
    const char *detail;               /* a sentence: what, where */
    const char *note;                 /* for the timeline; NULL: none */
    const char *endpoint_path;        /* "/web/browse": for the call log */
    const char *url;                  /* where the browser stands; NULL: not known */
    const char *remote_id, *endpoint; /* OPEN */
    struct json *value;               /* {"message":…,"status":…} | {"rows":[…]} | {} */
    const struct bw_shot *shots;
    size_t shot_count;
    bool session_gone; /* the upstream says that the session does not exist (any more) */
};
typedef void bw_answer_fn(void *self, const struct bw_answer *answer);

struct bw_drivers {
    struct uv_loop_s *loop;
    struct http *http;
};

struct bw_driver {
    const char *name;
    bool stamps; /* what it opens carries its stamp, and a list shows it */
    /* Whether the driver can do this step at all ("webdriver needs \"actions\"", "\"select\"");
     * REJECT with why. */
    struct err (*check)(enum bw_verb verb, const struct json *body, char *why, size_t why_size);
    /* Exactly one callback, on the loop, never from inside start. */
    struct bw_call *(*start)(const struct bw_drivers *env, const struct bw_request *request,
                             bw_answer_fn *fn, void *self);
    /* Nobody waits for it any more: it sends nothing more, and another hears what became of what it sent.  As by start: once, on
     * the loop, never from inside. */
    void (*leave)(struct bw_call *call, bw_answer_fn *fn, void *self);
    /* No callback any more; what was sent stays sent. */
    void (*cancel)(struct bw_call **call);
};

extern const struct bw_driver bw_agent, bw_webdriver;

/* By name; NULL: there is no such driver. */
const struct bw_driver *bw_driver_find(const char *name);

#endif
