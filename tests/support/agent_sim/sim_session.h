/*
 * sim_session - the sessions of the upstream: their life, who is idle, who is
 * known though long ended.
 *
 * Pure: told the time.  It keeps ended sessions for ever (until a reset), so
 * that a second close can be told from a close of what never was.
 */
#ifndef SIM_SESSION_H
#define SIM_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent_sim/sim_table.h"
#include "agent_sim/sim_words.h"

enum sim_session_state {
    SIM_SESSION_OPENING, /* counts, and nobody can know its id yet   */
    SIM_SESSION_LIVE,
    SIM_SESSION_CLOSING, /* closed, and the close is not answered: still counts */
    SIM_SESSION_CLOSED,
    SIM_SESSION_EXPIRED,
};

struct sim_session {
    enum sim_session_state state;
    char id[48];
    char tenant[SIM_WORDS_LABEL_MAX];
    char url[512];
    bool foreign;       /* somebody else's: listed, and not ours to count     */
    uint32_t busy;      /* calls in flight                                     */
    uint32_t abandoned; /* of these, the ones whose client has left            */
    uint64_t cmd_hash;  /* of the last command, and how often it came in a row */
    uint64_t cmd_times;
    uint64_t idle_since_ns;
    struct sim_session *idle_before, *idle_after;
};

struct sim_sessions {
    struct sim_table ids;
    struct sim_session **all; /* by number */
    size_t room;
    size_t open;     /* opening, live or closing; without the foreign */
    uint64_t salt;   /* makes ids differ from those of an earlier simulator */
    uint64_t opened; /* for ever: ids are never given twice */
    struct sim_session *idle_first, *idle_last; /* longest idle first */
};

void sim_session_init(struct sim_sessions *ss, uint64_t salt);

/* Forgets all sessions; may be used again. */
void sim_session_clear(struct sim_sessions *ss);

struct sim_session *sim_session_open(struct sim_sessions *ss, const char *tenant);
struct sim_session *sim_session_open_foreign(struct sim_sessions *ss);
struct sim_session *sim_session_find(const struct sim_sessions *ss, const char *id);

/* A call uses it; it cannot fall idle. */
void sim_session_hold(struct sim_sessions *ss, struct sim_session *s);
void sim_session_release(struct sim_sessions *ss, struct sim_session *s, uint64_t now_ns);

/* Legal moves: opening -> live -> closing -> closed; anything that counts -> expired. */
void sim_session_move(struct sim_sessions *ss, struct sim_session *s,
                      enum sim_session_state to);

/* The live session that has been idle longest, NULL if none is. */
struct sim_session *sim_session_idlest(const struct sim_sessions *ss);

/* How often this command came before, in a row, in this session. */
uint64_t sim_session_repeat(struct sim_session *s, const char *cmd);

/* The ids of the live ones, a new array. */
json_t *sim_session_list(const struct sim_sessions *ss);

#endif
