/*
 * sim_answer - the bytes of an answer: heads, and the bodies of errors.  Pure
 * but for the Date header, which says the time.
 */
#ifndef SIM_ANSWER_H
#define SIM_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "agent_sim/sim_buf.h"
#include "agent_sim/sim_plan.h"

#define SIM_ANSWER_CHUNKED ((size_t)-1)

struct sim_answer_head {
    int status;
    const char *type;
    size_t len;                  /* of the body, or SIM_ANSWER_CHUNKED         */
    const struct sim_plan *plan; /* its Retry-After and headers; may be NULL   */
};

void sim_answer_put_head(struct sim_buf *out, const struct sim_answer_head *head);

/* The JSON body this API sends with such a status; the caller frees it. */
char *sim_answer_error(int status, const char *text);

/* What a proxy in front of it would send. */
char *sim_answer_html(int status);

const char *sim_answer_reason(int status);

#endif
