/*
 * sim_config - the settings, as a JSON document and as what the code reads.
 *
 * The document is the truth: a change is merged into it, the whole is read
 * anew, and if one field is wrong nothing has changed.
 */
#ifndef SIM_CONFIG_H
#define SIM_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent_sim/sim_event.h"
#include "agent_sim/sim_latency.h"

enum { SIM_CONFIG_UNLIMITED = -1 };

struct sim_config {
    json_t *document;
    uint64_t seed;
    const json_t *keys; /* accepted API keys; null = any that is not empty */
    struct sim_latency latency[SIM_ENDPOINTS];
    double refuse_ms; /* how long a 4xx takes                      */
    double act_at;    /* after which part of its latency a call acts */
    double session_idle_ms;
    int lost_status;
    const char *lost_text;
    bool enforce; /* answer 429, or only record the violation */
    int64_t in_flight_max;
    int64_t sessions_max;
    int64_t rate_max;      /* arrivals in any second */
    int64_t retry_after_s; /* with the 429 of the rate; unlimited = no header */
    int64_t row_count;
    const json_t *row_fields; /* when the call asks for none           */
    double row_missing;       /* chance that a row lacks a field       */
    bool row_over;            /* send more than max_items              */
    const char *statuses;
    const char *message;
    int64_t answer_bytes; /* answers are padded up to this */
};

/* The defaults. */
void sim_config_init(struct sim_config *config);
void sim_config_deinit(struct sim_config *config);

/* Objects are merged, everything else (null too) replaces.  false: `ret_wrong` names the field
   that is unknown or has a wrong value. */
bool sim_config_merge(struct sim_config *config, const json_t *change, char ret_wrong[64]);

#endif
