/*
 * run_flow_internal - what the files that read a flow document share.  Pure.
 *
 * run_flow_read.c puts the document into struct flow; run_flow_field.c reads one field of it, run_flow_verb.c knows what
 * may stand in a verb, and run_flow_check.c judges what takes the whole flow to see.
 */
#ifndef RUN_RUN_FLOW_INTERNAL_H
#define RUN_RUN_FLOW_INTERNAL_H

#include "run/run_flow.h"

/* A document being read: where errors go, and how deep we stand. */
struct flow_reader {
    struct flow *flow;
    struct problem *why;
    unsigned depth;
};

/* Always REJECT.  The problem's pointer is at, and the field if it is not NULL. */
struct err flow_field_wrong(struct flow_reader *r, const char *at, const char *field,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Every field of an object must be known; one of a later version is refused by that name. */
MUST_USE struct err flow_field_known(struct flow_reader *r, const struct json *object,
                                     const char *at, const char *const *allowed,
                                     const char *const *later);
/* One field of an object that stands at `at`; what is absent leaves *ret as it is. */
MUST_USE struct err flow_field_duration(struct flow_reader *r, const struct json *object,
                                        const char *at, const char *field, uint64_t *ret);
/* Text, or text with `${…}`; null is as good as absent. */
MUST_USE struct err flow_field_text(struct flow_reader *r, const struct json *object,
                                    const char *at, const char *field, const char **ret);
MUST_USE struct err flow_field_flag(struct flow_reader *r, const struct json *object,
                                    const char *at, const char *field, bool *ret);

/* Is the body of a step's verb one that the grammar knows?  at: of the step. */
MUST_USE struct err flow_verb_check(struct flow_reader *r, const struct flow_step *s,
                                    const char *at);

/* What only shows once all steps are read: the syntax of expressions and which steps they name, where jumps go, what is
   never reached.  at: of the flow. */
MUST_USE struct err flow_check(struct flow_reader *r, const char *at);

#endif
