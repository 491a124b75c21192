/*
 * bw_webdriver_open - a new session: a fresh browser, and its first page.
 *
 * Its answer may be lost: then the session stands over there until a list shows it, and by its stamp whose it is.  A
 * session that was made is answered whatever became of its first page.
 */
#ifndef BW_WEBDRIVER_OPEN_H
#define BW_WEBDRIVER_OPEN_H

#include "bw_webdriver.h"

void bw_webdriver_open(struct bw_call *c);

/* The stamp of a session with these capabilities; "": it has none. */
const char *bw_webdriver_open_stamp(const struct json *capabilities);

#endif
