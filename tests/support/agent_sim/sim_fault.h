/*
 * sim_fault - the list of faults a test has ordered, and which call gets which.
 *
 * Pure: told the time, its chance is seeded.  The first fault in the list
 * that fits a call is played.
 */
#ifndef SIM_FAULT_H
#define SIM_FAULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent_sim/sim_event.h"
#include "agent_sim/sim_latency.h"
#include "agent_sim/sim_plan.h"

struct sim_fault; /* one of them */

struct sim_faults {
    struct sim_fault *list;
    size_t count;
    size_t room;
    uint64_t last_id;
};

/* What of a call decides; NULL texts are empty. */
struct sim_fault_call {
    enum sim_endpoint endpoint;
    const char *cmd;
    const char *tenant;
    const char *session;
};

void sim_fault_deinit(struct sim_faults *faults);

/* Appends a fault from its JSON object; windows count from now.  NULL, or the field that is
   wrong (lent by `from` or static), and nothing is added. */
const char *sim_fault_add(struct sim_faults *faults, const json_t *from, uint64_t now_ns,
                          uint64_t *ret_id);

/* The plan for this call, counted as played; false: no fault fits. */
bool sim_fault_pick(struct sim_faults *faults, const struct sim_fault_call *call,
                    uint64_t now_ns, struct sim_plan *ret);

/* [{"id":1,"fault":"429","matched":3,"played":1,"left":0}], a new reference. */
json_t *sim_fault_report(const struct sim_faults *faults);

#endif
