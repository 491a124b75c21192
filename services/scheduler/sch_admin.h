/*
 * sch_admin - what operators ask: load, and tenants.  Everybody hears it, the leader answers.
 */
#ifndef SCH_ADMIN_H
#define SCH_ADMIN_H

struct bus_msg;

void sch_admin_on_load(void *self, struct bus_msg **msg);
/* Without a body: the tenant as it is; with one: a patch of its value, stored before it is answered. */
void sch_admin_on_tenant(void *self, struct bus_msg **msg);

#endif
