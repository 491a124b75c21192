/*
 * bw_agent_read - what a good answer of an agent API says: the session, the message, the rows.
 * Pure.
 *
 * What cannot be read is judged as if it had not come: it may have acted, and nobody knows.
 */
#ifndef BW_AGENT_READ_H
#define BW_AGENT_READ_H

#include "bw_agent_judge.h"
#include "bw_driver.h"
#include "bw_profile.h"
#include "json/json.h"

struct bw_reading {
    struct bw_verdict verdict;
    bool again;         /* the command goes on: the same call once more */
    struct json *doc;   /* the answer; the texts below are lent by it */
    struct json *value; /* for the flow; NULL if the verdict is not DONE */
    const char *message, *url, *remote_id, *picture; /* "" if absent */
};

/* body: of a 2xx.  step: the step's own body, for its schema and max_items; NULL: none. */
void bw_agent_read(struct bw_reading *ret, const struct bw_profile *profile, enum bw_verb verb,
                   enum entry_effect effect, struct bytes body, const struct json *step);
void bw_agent_read_deinit(struct bw_reading *reading);

#endif
