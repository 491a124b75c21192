/*
 * sim_report - the judge's findings as one JSON object: the body of
 * GET /_sim/record, and the same for events read from a file.  Pure.
 */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include <jansson.h>

struct sim_judge;

/* A new reference. */
json_t *sim_report_new(const struct sim_judge *judge);

#endif
