/*
 * run_fold - from the entries of a journal to the state of a run.  Pure and total: any sequence of
 * entries gives a state.
 *
 * The rules that look fussy each lost a run or doubled an order once (docs/architecture.md, "The fold"):
 * the first END wins and what follows is ignored but for CLOSED; REJECTED ends a journal until a PLAN
 * follows; a holder's entry counts only under the lease that stands; an INTENT dangles until an OUTCOME
 * of its step or END, and CLOSED settles nothing.
 */
#ifndef RUN_RUN_FOLD_H
#define RUN_RUN_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/map.h"
#include "wire/wire_journal.h"

enum run_phase {
    RUN_ABSENT,   /* nothing that counts */
    RUN_REJECTED, /* refused; a PLAN may follow */
    RUN_QUEUED,   /* planned, never leased */
    RUN_LEASED,   /* somebody holds it, or held it and was lost */
    RUN_RELEASED, /* handed back in mid-wake: the next holder goes on */
    RUN_WAITING,  /* for what `waiting` says */
    RUN_ENDED,
};

struct run_lease {
    uint64_t token, job, seq;
    const char *worker;
    int64_t stored_ms;
    uint32_t wake;
};

/* What is known of one step: its attempts and its last outcome. */
struct run_step {
    const char *id;
    uint32_t attempts;      /* the highest attempt number seen */
    uint32_t unsent;        /* of these: those that an upstream's limit deferred */
    uint32_t failures;      /* attempts that failed and were tried again, in a row */
    bool settled;           /* the last outcome was final */
    struct entry_step last; /* valid if outcomes > 0 */
    uint32_t outcomes;
    int64_t since_ms; /* stored time of its INTENT or of the entry before it */
    int64_t ended_ms;
    uint64_t last_seq; /* of its last outcome */
};

enum run_session_state { SESSION_NONE, SESSION_OPENING, SESSION_OPEN, SESSION_CLOSED };

struct run_session {
    enum run_session_state state;
    const char *id, *upstream, *endpoint, *remote_id, *step;
    uint64_t opened_seq;
    int64_t opened_ms;
    uint64_t token; /* of the lease that opened it, or took it over last */
    bool confirmed; /* CLOSED: the upstream said so */
    bool kept;      /* taken from, or left to, another run */
    bool tainted; /* a lease was lost while it stood, and nobody let go of it properly since */
    const char *why;
};

struct run_intent {
    bool dangling;
    const char *step;
    uint32_t attempt;
    uint64_t token, seq;
    int64_t stored_ms;
    uint64_t timeout_ms;
    const char *key;
};

struct run_mark {
    int64_t at_ms;
    const char *text;
};

struct run_fold {
    struct arena *arena; /* all strings live here */
    enum run_phase phase;
    uint64_t last_seq;
    int64_t last_ms;
    uint64_t last_holder_seq; /* of the last entry of any holder */
    int64_t last_holder_ms;

    uint64_t plan_seq;
    int64_t plan_ms;
    bool accepted;
    struct entry_plan plan;

    uint32_t wake; /* the stretch it is in, 1 for the first; after WAITING the one to come */
    struct run_lease lease; /* the last; token 0: never leased */
    bool lease_stands;      /* no RELEASED, WAITING or END after it */
    uint32_t lost;          /* leases that ended without a word */
    bool lost_last;         /* the lease before this one was lost */
    int64_t lost_ms;        /* and this was its last entry's time */
    uint32_t leases;
    int64_t started_ms; /* first LEASED */

    struct run_session session;
    uint32_t sessions; /* opened so far */
    struct run_intent intent;

    struct map *steps;          /* id -> struct run_step */
    struct run_step *last;      /* the last settled, not of setup; NULL: none yet */
    const char *jump;           /* where to go on instead (a restart); NULL: after `last` */
    const char **session_setup; /* steps settled ok since this session was opened */
    size_t session_setup_count;

    struct entry_waiting waiting; /* phase WAITING */
    uint64_t waiting_seq;
    int64_t waiting_ms;
    int64_t waited_total_ms, running_total_ms;
    int64_t phase_since_ms;

    bool cancelled;
    struct entry_mail cancel;
    uint64_t cancel_seq;

    uint32_t tries; /* 1 + repeated attempts + resumptions after a lost worker */
    uint32_t steps_run, calls;
    bool doubtful; /* an unsafe step may have happened, and the flow went on to find out */
    struct run_mark *marks;
    size_t mark_count;
    const char **artifacts;
    size_t artifact_count;

    struct entry_end end; /* phase ENDED (or REJECTED: its code) */
    uint64_t end_seq;
    int64_t ended_ms;
};

void run_fold_init(struct run_fold *f);
void run_fold_deinit(struct run_fold *f);

/* The next entry in order; e->seq must be above last_seq (else it is ignored: a repeat). The entry's strings are copied. */
void run_fold_add(struct run_fold *f, const struct entry *e);

const struct run_step *run_fold_step(const struct run_fold *f,
                                     const char *id); /* NULL: never seen */

/* Is this the lease that stands? */
bool run_fold_mine(const struct run_fold *f, uint64_t token);

/* What an END of now says of the run's times: read back, it is said the same. */
void run_fold_tell_times(const struct run_fold *f, int64_t now_ms, struct entry_end *to);

/* Wall ms; INT64_MAX: none.  The three that count from the PLAN. */
int64_t run_due_ms(const struct run_fold *f);      /* not_before, or WAITING's */
int64_t run_start_by_ms(const struct run_fold *f); /* start_within */
int64_t run_deadline_ms(const struct run_fold *f); /* timeout */

/* "queued" "running" "waiting" "done" … as users read it; "" if absent or rejected. */
const char *run_status_text(const struct run_fold *f);

#endif
