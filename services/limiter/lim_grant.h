/*
 * lim_grant - what is out: the state that the grant log tells, record by record.  Pure: told
 * the time.
 *
 * The fold is total: any sequence of records gives a state.  The limiter that writes the log
 * changes its own state by the very records it appends, so a successor that reads them
 * stands where it stood. Time here is the log's: milliseconds of the server's wall clock,
 * as the writer knew it.
 */
#ifndef LIM_GRANT_H
#define LIM_GRANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "lim_mode.h"
#include "lim_rate.h"
#include "wire/wire_permit.h"

enum lim_incident_kind { LIM_INCIDENT_402, LIM_INCIDENT_BREAKER, LIM_INCIDENTS };
enum { LIM_TOLD_NOTHING, LIM_TOLD_FIRING, LIM_TOLD_RESOLVED };

/* The last incident of a kind.  It is told by alerts, each of which is stored once. */
struct lim_incident {
    uint64_t since_ms; /* 0: there never was one */
    uint64_t until_ms; /* 0: it goes on */
    uint32_t told;
};

struct lim_use {
    uint32_t in_flight, sessions;
};

enum { LIM_USED_PARTS = 10, LIM_USED_PART_MS = 100 };

/* One key: an upstream, as far as the log knows it. */
struct lim_key {
    char name[PERMIT_NAME_SIZE];
    struct lim_bucket bucket;
    struct lim_mode mode;
    struct lim_incident incidents[LIM_INCIDENTS];
    struct lim_use use;
    struct map *tenants;           /* tenant -> struct lim_use */
    uint32_t used[LIM_USED_PARTS]; /* grants of rate in each tenth of the last second */
    uint64_t used_part;            /* which tenth the last was in */
    uint64_t moved_ms;             /* when a call was granted or came back last */
    uint64_t hold_ms,
        session_ms; /* how long calls and sessions last, on the average; 0: not known */
};

/* A session permit: from its first grant until its end is known. */
struct lim_session {
    char name[ID_SIZE + 1], tenant[STR_NAME_SIZE];
    struct lim_key *key;
    struct list permits; /* that name it and are out */
    uint64_t since_ms;
    uint64_t last_end_ms; /* of the last permit that named it */
    uint32_t openers;     /* permits to open it that are out */
    bool opened;          /* one of them may have done so */
};

struct lim_part {
    struct lim_key *key;
    bool in_flight, session_open;
};

/* A call permit that is out. */
struct lim_held {
    char id[ID_SIZE], tenant[STR_NAME_SIZE];
    struct lim_part parts[PERMIT_KEYS_MAX];
    size_t part_count;
    uint64_t at_ms;
    uint32_t lifetime_ms;
    bool probe;
    bool timed_out; /* it was reported, and may still run: it is out all the same */
    struct lim_session *session; /* the one it names; NULL: none that is held */
    struct list of_session;
    struct heap_node expiry;
};

struct lim_grants; /* all of it */

const char *
lim_grant_incident_word(enum lim_incident_kind kind); /* the alert's: "Upstream402" */

struct lim_grants *lim_grant_new(void);
void lim_grant_free(struct lim_grants **all);

/* One record.  What it cannot mean (the return of what is not out) changes nothing. */
void lim_grant_apply(struct lim_grants *all, const struct grant_record *r);

/* Records that give this state, in this order, to `to`.  Nothing may be applied meanwhile. */
typedef void lim_grant_fn(void *self, const struct grant_record *r);
void lim_grant_each(const struct lim_grants *all, uint64_t now, lim_grant_fn *to, void *self);

/* The records of what was changed in a key directly: its mode, an incident. */
void lim_grant_write_mode(const struct lim_key *key, uint64_t now, struct grant_record *ret);
void lim_grant_write_incident(const struct lim_key *key, enum lim_incident_kind kind,
                              uint64_t now, struct grant_record *ret);

/* No instant in it is later than now (a clock that was set back must not close anything
   for hours). */
void lim_grant_clamp(struct lim_grants *all, uint64_t now);

struct lim_key *lim_grant_key(struct lim_grants *all,
                              const char *name); /* made if it is not there */
struct lim_key *lim_grant_key_find(const struct lim_grants *all, const char *name);
/* for (size_t it = 0; lim_grant_key_next(all, &it, &key);) */
bool lim_grant_key_next(const struct lim_grants *all, size_t *it, struct lim_key **ret);
struct lim_held *lim_grant_find(const struct lim_grants *all, const char *id);
struct lim_session *lim_grant_session(const struct lim_grants *all, const char *key,
                                      const char *session);
bool lim_grant_session_next(const struct lim_grants *all, size_t *it, struct lim_session **ret);
/* What a tenant has of a key; and how many sessions of all keys. */
struct lim_use lim_grant_use(const struct lim_key *key, const char *tenant);
uint64_t lim_grant_sessions(const struct lim_grants *all, const char *tenant);

/* The permit that is over first, and when; NULL: none is out. */
struct lim_held *lim_grant_first(const struct lim_grants *all);
uint64_t lim_grant_expires_ms(const struct lim_held *held);

/* How many were granted in the second before now. */
uint32_t lim_grant_used_1s(const struct lim_key *key, uint64_t now);

size_t lim_grant_count(const struct lim_grants *all);

#endif
