/*
 * bw_webdriver_end - how a call ends: done, or failed with its fate, where the browser stands and a picture.
 */
#ifndef BW_WEBDRIVER_END_H
#define BW_WEBDRIVER_END_H

#include "bw_webdriver.h"

/* value is taken over. */
void bw_webdriver_end_done(struct bw_call *c, struct json *value);

/* What failed first counts; what fails while its picture is taken does not, unless the browser stands where it may not.
   In an unsafe step a failure is UNANSWERED once anything was done, and REFUSED before: then certainly nothing was. */
void bw_webdriver_end_fail(struct bw_call *c, enum call_fate fate, const char *code,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

/* By the error of the remote end in hand. */
void bw_webdriver_end_error(struct bw_call *c);

/* Keeps a picture (base 64); false if there is no room or it is none. */
bool bw_webdriver_end_shot(struct bw_call *c, const char *name, const struct json *base64);

#endif
