/*
 * bw_webdriver_send - one command to the remote end, and its answer.
 *
 * A transport that fails and a session that is lost end the call; so does any other error, unless the
 * command was sent with _try.
 */
#ifndef BW_WEBDRIVER_SEND_H
#define BW_WEBDRIVER_SEND_H

#include "bw_webdriver.h"

enum wd_command {
    WD_NEW_SESSION,
    WD_DELETE_SESSION,
    WD_SESSIONS, /* chromedriver's own */
    WD_TIMEOUTS,
    WD_SET_TIMEOUTS,
    WD_GO,
    WD_URL,
    WD_FIND,
    WD_DISPLAYED, /* of c->element, and so are CLICK and CLEAR */
    WD_CLICK,
    WD_CLEAR,
    WD_FOCUS,
    WD_KEYS,
    WD_SELECT,
    WD_SCROLL,
    WD_RETRIEVE,
    WD_SCREENSHOT,
    WD_COMMANDS,
};

/* args are taken over; NULL: {}. */
void bw_webdriver_send(struct bw_call *c, enum wd_command command, struct json *args,
                       wd_next_fn *next);
/* An error of the remote end is for `next`: value NULL, c->error set. */
void bw_webdriver_send_try(struct bw_call *c, enum wd_command command, struct json *args,
                           wd_next_fn *next);
/* The args of a script of ours; list is taken over. */
struct json *bw_webdriver_send_script(const char *script, struct json *list);

#endif
