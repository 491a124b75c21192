/*
 * bw_webdriver_error - what an error of a remote end means.  Pure.
 *
 * Words are W3C's and chromedriver's.  A message is looked into only where the word says nothing: it may
 * quote the page.
 */
#ifndef BW_WEBDRIVER_ERROR_H
#define BW_WEBDRIVER_ERROR_H

enum wd_error {
    WD_ERROR_HEALS,   /* nothing was done, and time may heal it: covered, stale, not visible */
    WD_ERROR_LOST,    /* the session or its window is lost; it may still have to be deleted */
    WD_ERROR_GONE,    /* the remote end does not know the session (any more) */
    WD_ERROR_LATE,    /* a page or a script took too long */
    WD_ERROR_DIALOG,  /* the page asked something; it was told no */
    WD_ERROR_SITE,    /* net::ERR_...: the site, not the session */
    WD_ERROR_REFUSED, /* never will: a selector that is none, a bad certificate, our own fault */
    WD_ERROR_NOT_CREATED, /* no session came of it; another try may go well */
    WD_ERROR_OTHER,
};

enum wd_error bw_webdriver_error(const char *word, const char *message);

#endif
