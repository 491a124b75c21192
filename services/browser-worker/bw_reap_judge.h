/*
 * bw_reap_judge - what the reaper does about one session: a record of the session table, or a
 * stray that only a list shows.  Pure: told the time.
 *
 * A list of the upstream's sessions proves that one is gone only if it was asked for after the
 * record was read.  What a living run holds is left alone whatever the list says: its holder
 * finds out.  What waits with its run, or is kept for another, is touched three times within the
 * time that its upstream keeps a silent session; but not when its run is about to use it.  Nothing
 * keeps a run from beginning while a touch is under way: such a run's call may meet one still.
 */
#ifndef BW_REAP_JUDGE_H
#define BW_REAP_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "bw_record.h"
#include "run/run_fold.h"

enum bw_reap_listed { BW_REAP_UNKNOWN, BW_REAP_LISTED, BW_REAP_NOT_LISTED };

enum bw_reap_move {
    BW_REAP_LEAVE,
    BW_REAP_LOOK,   /* at the journal of its run; then judge again */
    BW_REAP_EXPIRE, /* it is gone over there: say so, and give its place back */
    BW_REAP_CLOSE,  /* nobody's any more: close it */
    BW_REAP_TOUCH,  /* nobody uses it now, and it would fall idle: keep it warm */
};

struct bw_reap_sight {
    const struct bw_record *record;
    enum bw_reap_listed listed;
    bool looked;          /* what follows is known */
    enum run_phase phase; /* of record->run; ABSENT: no journal any more */
    int64_t due_ms;       /* WAITING: when it goes on */
    int64_t ended_ms;
    uint64_t keep_ms;   /* keep_session of a run that ended */
    bool is_ours;       /* of a stray: the journal of the run that it names knows of it */
    bool current;       /* of a stray: that run has it, or is opening it */
    int64_t seen_ms;    /* of a stray: since when lists show it */
    int64_t touched_ms; /* when it was kept warm last; 0: never */
    uint64_t idle_ms;   /* how long the upstream keeps a silent session; 0: for ever */
    uint64_t lost_ms;   /* how long an upstream may still be opening what nobody waits for */
    int64_t now_ms;     /* wall: as the times of records and journals are */
    uint64_t grace_ms;  /* for those who are about to do it themselves */
};

enum bw_reap_move bw_reap_judge(const struct bw_reap_sight *sight);
enum bw_reap_move bw_reap_judge_stray(const struct bw_reap_sight *sight);

#endif
