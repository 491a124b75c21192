/*
 * bw_webdriver_go - where the browser may go, and where it stands.
 *
 * A place is judged by its URL and by every address of its host (http_guard), before it is gone to and after:
 * a redirect asks nobody.  What a page loads by itself is the network's business.
 */
#ifndef BW_WEBDRIVER_GO_H
#define BW_WEBDRIVER_GO_H

#include "bw_webdriver.h"

/* May the browser go there?  Then next, else the call fails with url_forbidden. */
void bw_webdriver_go_guard(struct bw_call *c, const char *url, wd_next_fn *next);

/* Goes there, looks where it came out, then next. */
void bw_webdriver_go(struct bw_call *c, const char *url, wd_next_fn *next);

/* Where does it stand?  c->url; judged, then next. */
void bw_webdriver_go_look(struct bw_call *c, wd_next_fn *next);

/* Has the remote end give up before we do: what hangs there would keep the session busy for the next who asks. */
void bw_webdriver_go_limit(struct bw_call *c, wd_next_fn *next);

#endif
