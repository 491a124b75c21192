/*
 * bw_agent_judge - what became of one request to an agent API: done, refused, later, lost, or
 * nobody knows.  Pure.
 *
 * The fate is for the run, the class for the limiter, and the two are decided apart; the whole
 * table stands in tests/unit/browser-worker/test_bw_agent_judge.c.
 */
#ifndef BW_AGENT_JUDGE_H
#define BW_AGENT_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "bw_driver.h"
#include "bw_profile.h"

enum { BW_DETAIL_SIZE = 256 };

/* How a request ended. */
enum bw_ending {
    BW_ENDED_WHOLE,     /* a whole answer, of whatever status */
    BW_ENDED_UNSENT,    /* no connection */
    BW_ENDED_CUT,       /* sent; no answer, or half of one */
    BW_ENDED_LATE,      /* sent; no answer in time */
    BW_ENDED_TOO_LARGE, /* more came than we take */
    BW_ENDED_FORBIDDEN, /* never begun: the URL or a header may not be */
};

struct bw_heard {
    enum bw_verb verb;
    enum bw_ending ending;
    int status;      /* of the answer, also of a half one; 0: none */
    bool in_session; /* the request named a session */
    struct bytes body;
    bool has_retry_after; /* what the answer says of waiting */
    uint64_t retry_after_ms, reset_ms;
    const char *feature_402; /* of the upstream; "": none */
    const char *words;       /* of the transport, when there is no whole answer */
};

struct bw_verdict {
    enum call_fate fate;
    enum call_class call_class;
    uint64_t retry_after_ms;
    const char *code; /* a problem's word; NULL: done */
    bool session_gone;
    char detail[BW_DETAIL_SIZE];
};

/* DONE means: an answer of 2xx that is to be read now. */
struct bw_verdict bw_agent_judge(const struct bw_profile *profile,
                                 const struct bw_heard *heard);

/* A verdict of our own. */
struct bw_verdict bw_agent_judge_own(enum call_fate fate, enum call_class call_class,
                                     const char *code, const char *detail);

/* An earlier request of the same call was answered: what follows can no longer say that nothing
 * happened. */
void bw_agent_judge_acted(struct bw_verdict *verdict, enum entry_effect effect);

#endif
