/*
 * sch_dead - a ticket that cannot be read goes into SLUICE_DEAD, where a person finds it.
 */
#ifndef SCH_DEAD_H
#define SCH_DEAD_H

struct bus_msg;
struct sch;

/* Takes the message: stored first, then termed; one that could not be stored is given again by the server. */
void sch_dead_put(struct sch *s, struct bus_msg **msg);

#endif
