/*
 * bw_send - one call at a run's upstream: its permit, the driver's requests, and what is told of it.
 *
 * bw_permit knows the limiter and the driver its protocol; here they meet in a run.  What a call is for, and what is done
 * with its answer, is said by who makes it: bw_page, bw_open, bw_close.
 */
#ifndef BW_SEND_H
#define BW_SEND_H

#include <stdbool.h>
#include <stdint.h>

#include "bw_driver.h"
#include "bw_permit.h"
#include "bw_run.h"

enum {
    BW_SEND_WAIT_MS     = 10000, /* for a permit; above it the run waits without a slot */
    BW_SEND_DEFERRED_MS = 1000,  /* when to come again, if nobody said */
    BW_SEND_CLOSE_MS    = 20000, /* of a close, which has no step to say it */
};

/* The permit of the next call, into run->permit.  The caller says what is wanted of the session and the site, and how long it
   may wait; the rest of `want` is filled in here.  fn sets run->asking NULL. */
void bw_send_ask(struct bw_run *run, struct bw_permit_want want, bw_permit_fn *fn);
/* Not granted: when to come again. */
uint64_t bw_send_deferred_ms(const struct bw_permit_answer *answer);

/* Is neither the run over nor its stretch?  Asked right before sending, beside bw_permit_fresh. */
bool bw_send_may(const struct bw_run *run);
/* The permit is granted and fresh.  Within the stretch that began with the entry before: who comes after us waits that out,
   and no longer.  fn sets run->calling NULL and reports. */
void bw_send_start(struct bw_run *run, enum bw_verb verb, bw_answer_fn *fn);

/* What became of the call, for the limiter and the metrics; its permit is used up.  opened, closed: a session is counted from
   now on, or no more. */
void bw_send_report(struct bw_run *run, const struct bw_answer *a, bool opened, bool closed);
/* What the call log shows and the flow reads: into run->doing. */
void bw_send_note(struct bw_run *run, const struct bw_answer *a);

#endif
