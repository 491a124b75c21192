/*
 * bw_webdriver_act - the actions of a browse, one after the other.
 *
 * Each waits for its element to be there and usable.  What was clicked or typed is never clicked or typed
 * again; only an error that says that nothing was done yet is waited out.
 */
#ifndef BW_WEBDRIVER_ACT_H
#define BW_WEBDRIVER_ACT_H

#include "bw_webdriver.h"

void bw_webdriver_act(struct bw_call *c);

#endif
