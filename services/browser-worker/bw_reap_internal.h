/*
 * bw_reap_internal - the reaper, as its own files see it.
 *
 * One chain, which rests between two sweeps.  A sweep: where browsers are now (bw_reap), each place that has sessions of ours
 * or may have (bw_reap_place), and there one session after the other (bw_reap_session).  Only what keeps a session warm goes on
 * beside it (bw_reap_touch): there may be many such, and each must be in time.
 */
#ifndef BW_REAP_INTERNAL_H
#define BW_REAP_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "bw.h"
#include "bw_browsers.h"
#include "bw_reap.h"
#include "bw_reap_judge.h"
#include "bw_table.h"
#include "bw_upstream.h"
#include "run/run_fold.h"
#include "svc/svc_leader.h"
#include "wire/subject.h"

enum {
    BW_REAP_MAGIC   = 0x62777270,
    BW_REAP_CALL_MS = 20000, /* of a list or a close */
    BW_REAP_SILENT  = 3,     /* lists unanswered in a row: somebody must look */
};

/* A place: an upstream and an endpoint. */
struct bw_reap_place {
    char upstream[STR_NAME_SIZE], endpoint[BW_PLACE_SIZE];
    bool is_past; /* its name has other addresses now */
};

/* A call at a place, from its permit to what became of it.  It keeps what it needs: the chain may go on. */
struct bw_reap_call;
/* NULL: it was not made. */
typedef void bw_reap_call_fn(void *self, const struct bw_answer *answer);

struct bw_reap_call {
    struct bw_reaper *reaper;
    struct bw_upstream upstream;
    const struct bw_driver *driver;
    enum bw_verb verb;
    char endpoint[BW_PLACE_SIZE], remote_id[sizeof((struct bw_record *)NULL)->remote_id];
    struct bw_permit permit;
    struct bw_permit_ask *asking;
    struct bw_call *calling;
    bw_reap_call_fn *fn;
    void *self;
};

struct bw_reaper {
    struct bus_op op; /* first: SELF() */
    struct bw *bw;
    struct svc_leader *leader;
    bool freed;
    uint64_t rests_since; /* 0: it has not swept yet */

    /* The sweep. */
    bool sweeping;
    struct bw_browsers_ask *finding;
    char **upstreams; /* names of those whose browsers are to be found */
    size_t upstream_count, upstream_at;
    struct bw_reap_place *places;
    size_t place_count, place_at;
    /* What a sweep does not see is forgotten. */
    struct map *strays;  /* remote id -> since when it is seen */
    struct map *touched; /* key of a row -> when it was kept warm, or that it is gone */
    struct map
        *silent; /* upstream and endpoint -> sweeps running in which its list went unanswered */
    uint64_t sweeps;

    /* The place in hand. */
    struct bw_upstream upstream;
    const struct bw_driver *driver;
    struct json *listed; /* {remote id: stamp}; NULL: not known */
    uint64_t listed_mark;
    char **keys; /* of its rows in the session table */
    size_t key_count, key_at, listed_at;

    /* The session in hand: a copy, for the table goes on. */
    struct bw_table_row in_hand;
    bool is_stray; /* only the list knows it */
    int64_t seen_ms, touched_ms;
    bool is_gone; /* a touch was told so */
    struct run_fold fold;
    bool folding;
    bool is_ours;     /* a stray: the journal of its run names it */
    struct json *doc; /* the record that is being rewritten */
    uint64_t revision;
    struct bw_reap_call call; /* a list or a close: the chain waits for it */

    struct list touches; /* under way */
    size_t touch_count;
    bool waits_for_room; /* the chain, until one of them ends */
};

static inline struct bw_reaper *bw_reap_self(struct bus_op *op)
{
    return SELF(struct bw_reaper, BW_REAP_MAGIC, op);
}

bool bw_reap_our_turn(const struct bw_reaper *r);

/* The places are found: from the first to the last, then rest. */
struct err bw_reap_place_first(struct bw_reaper *r);
/* The session in hand is done with: the next one. */
struct err bw_reap_place_next(struct bw_reaper *r);
void bw_reap_place_drop(struct bw_reaper *r);
/* It was kept warm; it is no longer there. */
void bw_reap_place_touched(struct bw_reaper *r, const struct bw_table_row *row);
void bw_reap_place_gone(struct bw_reaper *r, const struct bw_table_row *row);
/* What was seen by an earlier sweep only. */
void bw_reap_place_forget(struct bw_reaper *r);
struct err bw_reap_rest(struct bw_reaper *r);

/* What is in hand: judged, looked into, closed, expired, touched or left; then bw_reap_place_next. */
struct err bw_reap_session_judge(struct bw_reaper *r);
void bw_reap_session_drop(struct bw_reaper *r);

/* Keeps the session in hand warm; then bw_reap_place_next, which waits only when too many are under way. */
struct err bw_reap_touch(struct bw_reaper *r);
void bw_reap_touch_cancel(struct bw_reaper *r); /* all of them */

/* Lists what is at the place in hand; or a call of the session in hand. */
void bw_reap_call_start(struct bw_reap_call *c, struct bw_reaper *r, enum bw_verb verb,
                        bw_reap_call_fn *fn, void *self);
void bw_reap_call_cancel(struct bw_reap_call *c); /* no callback */
/* What it was to close is closed, or was not there. */
bool bw_reap_call_closed(const struct bw_answer *a);

#endif
