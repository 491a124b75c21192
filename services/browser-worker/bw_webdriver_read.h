/*
 * bw_webdriver_read - a retrieve: typed rows by css, as many as wanted, of a page that was scrolled down first if asked.
 */
#ifndef BW_WEBDRIVER_READ_H
#define BW_WEBDRIVER_READ_H

#include "bw_webdriver.h"

void bw_webdriver_read(struct bw_call *c);

#endif
