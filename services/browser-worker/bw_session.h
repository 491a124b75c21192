/*
 * bw_session - the session table: one record a session in sluice_sessions, taken by CAS once per lease.
 *
 * The journal says what a run's session is; the record says whose it is, for other runs (a session that
 * was kept), for the reaper, and for people.  `active -> closing -> completed | failed | expired`; an ended
 * one is never used again.
 */
#ifndef BW_SESSION_H
#define BW_SESSION_H

#include "bw_run.h"

/* Writes the record of the run's session with a status ("active" "completed" "failed"), then. */
void bw_session_write(struct bw_run *run, const char *status, bw_then_fn *then);

/* MOVE_ADOPT: our token into the record of a session that stands, or of the one the submit names; decide again. */
void bw_session_adopt(struct bw_run *run);

/* End duty: the session stays open for a later run that names it, for keep_session. */
void bw_session_keep(struct bw_run *run, bw_then_fn *then);

#endif
