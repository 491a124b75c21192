/*
 * bw_page - a page step at an upstream: browsing, retrieving.
 *
 * The order is the design's (shapes 5): evaluate, OPENING of a new session (bw_open), permit, INTENT of an
 * unsafe step, deadline not over and permit fresh, send (bw_send), OUTCOME.  What was announced and not sent
 * is taken back: OUTCOME{unsent}.
 */
#ifndef BW_PAGE_H
#define BW_PAGE_H

#include "bw_run.h"

/* browse, retrieve; the body is expanded. */
void bw_page_do(struct bw_run *run);

#endif
