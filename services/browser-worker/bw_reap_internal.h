/*
 * bw_reap_internal - the reaper, as its own files see it.
 *
 * One chain, which rests between two sweeps.  A sweep: where browsers are now (bw_reap), each place that has sessions of ours
 * or may have (bw_reap_place), and there one session after the other (bw_reap_session).
 */
#ifndef BW_REAP_INTERNAL_H
#define BW_REAP_INTERNAL_H

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

struct bw_reaper {
    struct bus_op op; /* first: SELF() */
    struct bw *bw;
    struct svc_leader *leader;
    bool freed;
    uint64_t due_at;

    /* The sweep. */
    bool sweeping;
    struct bw_browsers_ask *finding;
    char **upstreams; /* names of those whose browsers are to be found */
    size_t upstream_count, upstream_at;
    struct bw_reap_place *places;
    size_t place_count, place_at;
    /* What a sweep does not see is forgotten. */
    struct map *strays;  /* remote id -> since when it is seen */
    struct map *touched; /* key of a row -> when it was kept warm */
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
    struct run_fold fold;
    bool folding;
    bool is_ours;     /* a stray: the journal of its run names it */
    struct json *doc; /* the record that is being rewritten */
    uint64_t revision;
    struct bw_permit permit;
    struct bw_permit_ask *asking;
    struct bw_call *calling;
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
/* The session in hand was kept warm. */
void bw_reap_place_touched(struct bw_reaper *r);
/* What was seen by an earlier sweep only. */
void bw_reap_place_forget(struct bw_reaper *r);
struct err bw_reap_rest(struct bw_reaper *r);

/* What is in hand: judged, looked into, closed, expired, touched or left; then bw_reap_place_next. */
struct err bw_reap_session_judge(struct bw_reaper *r);
void bw_reap_session_drop(struct bw_reaper *r);

/* A permit for one call at the place in hand, and that call.  fn of a permit that is granted calls, or returns it. */
void bw_reap_place_ask(struct bw_reaper *r, struct bw_permit_want want, bw_permit_fn *fn);
void bw_reap_place_call(struct bw_reaper *r, enum bw_verb verb, const char *remote_id,
                        bw_answer_fn *fn);
void bw_reap_place_report(struct bw_reaper *r, const struct bw_answer *a, bool closed);

#endif
