/*
 * bw_target - where a step goes: the run's upstream, in its session or outside it, and a URL that may be visited.
 *
 * Found in the configuration and the run, without a permit or a request: those are bw_send's.
 */
#ifndef BW_TARGET_H
#define BW_TARGET_H

#include <stdbool.h>

#include "bw_run.h"

/* Copied into run->doing, with its driver; false: it is not known. */
bool bw_target_find(struct bw_run *run, const char *name);

/* Has the run's upstream no calls outside a session? */
bool bw_target_sessions_only(const struct bw_run *run);

/* Is the step in hand done in the open session?  A retrieve with a url of its own is one-shot, also while a session is open,
   where the upstream has such calls. */
bool bw_target_in_session(const struct bw_run *run);

/* As bw_target_find, for the run's upstream.  True: it has none, and the step was refused or waits: do nothing more. */
bool bw_target_missing(struct bw_run *run);

/* The URL a page step names (NULL: none) must be one that may be visited; an agent's browser is elsewhere, so nothing is
   resolved.  False: the step was refused: do nothing more. */
bool bw_target_url_allowed(struct bw_run *run, const char *url);

#endif
