/*
 * grants - the limiter's own log, recomputed record by record: what was given away, whoever led.
 *
 * The upstream's record says what arrived; this says whether that much was granted.  A permit may be used for
 * 200 ms, so the upstream may see more in a second than the log grants in one.
 */
#ifndef SUPPORT_SYSTEM_GRANTS_H
#define SUPPORT_SYSTEM_GRANTS_H

struct upstream_limits;
struct world;

/* At no point of the log more than the limits: per_s + burst in any second, calls out, sessions taken.  These limits must
   have been in force all the time, and the log must be whole (no snapshot has replaced its beginning). */
void grants_judge(struct world *w, const char *upstream, const struct upstream_limits *limits);

#endif
