/*
 * lim_alert - tells incidents: exactly one alert when one begins, one when it ends.
 *
 * What was told stands in the grant log and in SLUICE_ALERTS.  Before anything is told the
 * last alert of the subject is read, and the next is stored only if that is still the last:
 * two leaders, a repeated append, a crash between the alert and the log's record of it tell
 * nothing twice.
 */
#ifndef LIM_ALERT_H
#define LIM_ALERT_H

#include "lim_grant.h"

struct bus;
struct lim_alerts;

typedef void lim_alert_told_fn(void *self, const char *name, enum lim_incident_kind kind,
                               uint32_t told);

struct lim_alerts *lim_alert_new(struct bus *bus, lim_alert_told_fn *told, void *self);
void lim_alert_free(struct lim_alerts **alerts); /* what is under way ends by itself */

/* Begins to tell whatever is not told.  The incidents it is shown must be in the log. */
void lim_alert_look(struct lim_alerts *alerts, const struct lim_grants *grants);

#endif
