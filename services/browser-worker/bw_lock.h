/*
 * bw_lock - who holds a lock: a record in sluice_locks, taken and cleared by CAS.
 *
 * Two leaders may admit two runs of one lock; the record decides.  It is cleared by an update that
 * expects the revision read, never by a plain delete (model: the delete of a late holder removed the
 * next one's record).  The record of a free lock expires: whoever follows has long heard of it, and a
 * name that nobody uses any more leaves nothing behind.
 */
#ifndef BW_LOCK_H
#define BW_LOCK_H

#include "bw_run.h"

/* MOVE_LOCK: taken, then decide again; held by another: WAITING{lock}. */
void bw_lock_take(struct bw_run *run);
/* End duty. */
void bw_lock_clear(struct bw_run *run, bw_then_fn *then);

#endif
