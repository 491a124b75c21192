/*
 * bw_run - one leased run: a coroutine of continuations over one journal.
 *
 * Born by a delivery, it reads the journal, asks the last holder, takes the lease, and then does what
 * run_next() says until the wake is over.  It is alive for others only within its step's deadline:
 * past it, it does nothing more, is not heartbeaten, and anybody may take the run.
 */
#ifndef BW_RUN_H
#define BW_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "bus/bus.h"
#include "bw.h"
#include "bw_record.h"
#include "run/run_next.h"
#include "wire/subject.h"

enum { BW_RUN_MAGIC = 0x62727531, BW_BEAT_MAGIC = 0x62626531 };

struct bw_run;
/* What is done next when something landed or came back. */
typedef void bw_then_fn(struct bw_run *run);

/* The entry that is being appended; see bw_journal. */
struct bw_append {
    struct entry entry;
    struct arena *arena; /* its strings */
    struct buf body;
    bw_then_fn *then;
    bool in_hand;  /* a fact: append it again behind mail.  A decision is decided anew. */
    bool repeated; /* an earlier try had no answer: it may have landed */
    bool cut; /* the journal lost entries that we folded: what is last there now is `last` */
    uint64_t last;
    unsigned tries;
};

/* The step that is being done; see bw_step. */
struct bw_doing {
    struct arena *arena;
    const struct flow_step *step;
    uint32_t attempt;
    bool setup;
    struct json *scope;
    struct json *body;    /* of the verb, expanded */
    struct json *value;   /* its outcome so far */
    struct bytes printed; /* the same, as OUTCOME has it */
    struct bytes request; /* the body of a `call`, as it is sent */
    struct json *rows;    /* all of them, where `value` has their artifact only; for `expect` */
    const struct bw_upstream *upstream;
    struct bw_upstream upstream_copy;
    const struct bw_driver *driver;
    struct entry_step outcome; /* gathered for OUTCOME; strings in arena */
    enum call_fate fate;
    uint64_t retry_after_ms;
    bool intent;  /* an INTENT of ours stands */
    bool opening; /* an OPENING of ours stands */
    char session[ID_SIZE + 1];
    const char *close_why;
    const struct flow_step *then_step;
    uint64_t started_ms;
    unsigned close_tries;
    bool closed;
    const char *place; /* where a session is being opened; NULL: the driver knows it */
    struct {
        const char *name;
        struct bytes png;
    } shots[8];
    size_t shot_count, shot_at;
    const char *artifacts[8];
    bw_then_fn *then;
    enum bw_verb verb;
    uint64_t until_ms; /* its call may take so long (monotonic ms) */
};

/* What became of our own unsafe call that has no good answer. Kept beside the slate, which is wiped before the session is closed:
   a person must look, and needs it. */
struct bw_heard {
    char upstream[STR_NAME_SIZE], endpoint[128], detail[512];
    uint32_t status;
    uint64_t ms;
};

/* Expressions that are being replaced; see bw_expand. */
struct bw_expanding {
    const struct json *from, *scope;
    struct map *values; /* expression text -> struct json */
    struct json *box;   /* what a single text is wrapped in */
    struct bw_eval_ask *ask;
    char pending[4096];
    void (*then)(struct bw_run *run, struct json *value, const char *why);
};

/* A record that is being written; see bw_session, bw_artifact. */
struct bw_recording {
    const char *status;
    bw_then_fn *then;
};

enum bw_stage {
    BW_LEASING, /* reading, asking, appending LEASED */
    BW_HOLDING,
    BW_ENDING, /* the wake is over for the journal; duties remain */
};

struct bw_run {
    struct bus_op op; /* first: the main chain */
    struct bus_op beat;
    struct list link;
    struct bw *bw;
    struct job job;
    uint64_t job_seq;
    char acks[SUBJECT_SIZE];
    char journal[SUBJECT_SIZE];
    enum bw_stage stage;

    uint64_t token;
    struct run_fold fold;
    struct run_fold *left; /* what is left of a journal that lost entries, while it is read */
    struct flow *flow;
    struct run_hand hand;
    bool leader_read; /* the journal is to be read from the stream's leader */
    uint64_t read_from;
    uint64_t asking_since, holds_until; /* the last holder is asked (monotonic ms) */
    uint64_t deadline_boot_ms;          /* of the step in hand */
    uint64_t beat_sent_ms,
        beat_confirmed_ms; /* monotonic; the send time of the last confirmed one */
    bool yielding;         /* drain: give it back at the next boundary */
    uint64_t
        server_known; /* monotonic ms: when its journal was last known to be the one we fold */
    bool foreign;     /* behind our LEASED another holder wrote */
    bool mailed;      /* somebody wrote to its journal, and that is yet to be read */
    bool over;        /* acked, released or dropped: nothing more is done */
    bool chain_over, beat_over; /* when both chains have ended it is freed */

    struct bw_append append;
    struct bw_doing doing;
    struct bw_heard heard; /* stands while hand.unanswered */
    struct bw_expanding expanding;
    struct bw_permit permit;
    struct bw_permit_ask *asking;
    struct bw_browsers_ask *finding;
    struct bw_call *calling;           /* of a driver */
    struct bw_service_ask *requesting; /* of a `call` */
    bw_go_fn *going; /* a call of several requests waits for its next permit */
    bw_then_fn *read_then;
    struct bw_recording record;
    struct bw_record named; /* the session the submit names, as its record says */
    unsigned duties;
};

/* A delivery of SLUICE_JOBS. */
void bw_run_deliver(struct bw *bw, struct bus_msg **msg);

/* Would the next tick heartbeat it? */
bool bw_run_alive(const struct bw_run *run);
/* "{run, token, job} -> alive": what the next holder asks. */
bool bw_run_holds(const struct bw *bw, const struct holds_ask *ask);

/* Decide and do: called whenever something has landed. */
void bw_run_advance(struct bw_run *run);

/* A new stretch begins: timeout_ms of the step in hand + 10 s from now.  False: the one before was over, and the run is
   left alone: who was stopped past its deadline finds it here, whatever it hears first when it goes on. */
bool bw_run_stretch(struct bw_run *run, uint64_t timeout_ms);
/* What is left of it; 0: over. */
uint64_t bw_run_left_ms(const struct bw_run *run);

/* The wake is over and everything owed is done: ack, and forget the run. */
void bw_run_ack(struct bw_run *run);
/* Forget it without a word: no ack, no nak.  why: for the log. */
void bw_run_drop(struct bw_run *run, const char *why);
/* Somebody wrote to its journal (a cancel): look. */
void bw_run_mail(struct bw_run *run);
/* Is its timeout over?  Called now and then. */
void bw_run_overdue(struct bw_run *run);
/* Drain: RELEASED at the next boundary, then nak.  now: it is nearly over, and a read in flight is no longer waited for. */
void bw_run_yield(struct bw_run *run, bool now);
/* The tick: heartbeat, deadline. */
void bw_run_beat(struct bw_run *run, uint64_t now);

#endif
