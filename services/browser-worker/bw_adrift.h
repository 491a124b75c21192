/*
 * bw_adrift - calls that nobody waits for any more.
 *
 * Whose run was cancelled, dropped or given back in the middle of a call waits for no answer, and the upstream works on all the
 * same.  So nothing more is sent, but what is under way is heard to its end, and only then its permit is reported: that somebody
 * stopped waiting makes no room over there.
 */
#ifndef BW_ADRIFT_H
#define BW_ADRIFT_H

#include "bw_run.h"

/* The run's call, if it has one, and the call's permit are its own no longer. */
void bw_adrift_leave(struct bw_run *run);

/* The process ends: nobody hears those that are left.  Their permits stay taken for their lifetime. */
void bw_adrift_stop(struct bw *bw);

#endif
