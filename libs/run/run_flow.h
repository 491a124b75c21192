/*
 * run_flow - a flow document: read, checked, and walked.  Pure.
 *
 * The grammar is docs/flows.md.  A document is checked whole before anything runs: unknown fields
 * with the nearest name, unknown jump targets, expressions that name later steps.
 */
#ifndef RUN_RUN_FLOW_H
#define RUN_RUN_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "json/json.h"
#include "problem/problem.h"
#include "wire/wire_journal.h"
#include "wire/wire_ticket.h"

enum {
    FLOW_SIZE_MAX  = 64 * 1024,
    FLOW_STEPS_MAX = 200,
    FLOW_DEPTH_MAX = 8, /* of nested `if` */
};
enum { FLOW_POINTER_SIZE = 96 };
enum { FLOW_STEP_TIMEOUT_MS = 60 * 1000, FLOW_RUN_TIMEOUT_MS = 24 * 3600 * 1000 };

enum flow_verb {
    VERB_NONE,
    VERB_OPEN,
    VERB_BROWSE,
    VERB_RETRIEVE,
    VERB_CALL,
    VERB_SET,
    VERB_IF,
    VERB_SLEEP,
    VERB_CLOSE,
    VERB_END,
    VERBS,
};
const char *flow_verb_word(enum flow_verb verb);

struct flow_retry {
    unsigned tries; /* all together; 1: none */
    uint64_t wait_ms, max_wait_ms;
};

struct flow_step {
    const char *id;
    enum flow_verb verb;
    const struct json *body; /* of the verb: what stands beside "browse": */
    const struct json *doc;  /* the whole step */
    enum entry_effect effect;
    uint64_t timeout_ms;
    struct flow_retry retry;
    const char *when, *expect, *milestone, *artifact; /* expression texts; NULL if absent */
    bool restart, setup;
    const char *on_failed, *on_indeterminate; /* step ids; NULL if absent */
    size_t at;                                /* in document order */
    const struct flow_step *next;             /* the following sibling */
    const struct flow_step *parent;           /* the `if` it stands in */
    const struct flow_step *then_first, *else_first;
};

struct flow {
    struct json *doc; /* owned */
    const char *name, *upstream;
    enum lane lane;      /* LANE_NONE if absent */
    uint64_t timeout_ms; /* 0 if absent */
    uint64_t keep_session_ms;
    uint64_t max_running;
    const struct json *input; /* the schema; NULL if absent */
    const struct json *result;
    struct flow_step *steps; /* all, in document order */
    size_t step_count;
};

/* Takes the document over by reference.  why: the first thing that is wrong, pointer relative to `at`
   ("/flow"). */
MUST_USE struct err flow_read(struct flow **ret, const struct json *doc, const char *at,
                              struct problem *why);
void flow_free(struct flow **flow);

const struct flow_step *flow_find(const struct flow *flow,
                                  const char *id); /* NULL if there is none */
const struct flow_step *flow_first(const struct flow *flow);
/* Where a step stands in the document: "/flow/steps/3/then/0" for at "/flow". */
void flow_pointer(const struct flow *flow, const struct flow_step *step, const char *at,
                  char *to, size_t size);
/* What follows a settled step: its branch (an `if`), its jump, its sibling, its parent's.  NULL: the flow is over. */
const struct flow_step *flow_after(const struct flow *flow, const struct flow_step *step,
                                   const char *branch, const char *go_to);
/* The nearest id to a wrong one; NULL if none is near. */
const char *flow_nearest_step(const struct flow *flow, const char *id);

/* Does a step work in a browser session (browse, retrieve without a url of its own)? */
bool flow_needs_session(const struct flow_step *step);
/* The last `open` before a step in document order; NULL if there is none. */
const struct flow_step *flow_open_before(const struct flow *flow, const struct flow_step *step);
/* The restart point that covers a step: the last `open` or `restart` step at or before it; NULL if there is none. */
const struct flow_step *flow_restart_before(const struct flow *flow,
                                            const struct flow_step *step);

/* The token of a flow in subjects: the name without its version ("hn_titles@3" -> "hn_titles"). */
const char *run_flow_token(const char *flow_name, char *at, size_t size);

#endif
