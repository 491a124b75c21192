/*
 * lim_mode - whether an upstream may be called at all: one machine.  Pure: told the time and
 * chance.
 *
 *     open --5xx, time-out, 429 of concurrency--> slowed --it answers--> open
 *     open, slowed, ramp --429, 402 or 503 with Retry-After--> closed until T --> open or slowed
 *     open, slowed, ramp --N failures in a row--> closed until T, then one probe --> slowed
 *     any --402--> limited --a probe succeeds, the operator resumes--> ramp --> open
 *
 * What a record of the grant log holds of it survives a take-over: the mode, since and
 * until when, why, the window.  What is counted between two changes (failures in a row,
 * growth of the window) is begun anew by a successor, on the careful side.
 */
#ifndef LIM_MODE_H
#define LIM_MODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "lim_window.h"
#include "wire/wire_permit.h"

enum {
    LIM_MODE_FAILURES    = 10,    /* in a row: closed */
    LIM_MODE_BACKOFF_MS  = 1000,  /* the first time closed without being told how long, doubled;
                                   to be told less is not to be told */
    LIM_MODE_BACKOFF_MAX = 60000, /* up to this */
    LIM_MODE_CLOSED_MAX =
        24 * 3600 * 1000, /* of a Retry-After: longer ones are looked at again */
};

/* As configured now. */
struct lim_mode_limits {
    struct lim_window_limits window;
    double factor; /* of the capacity, while limited */
    uint64_t probe_ms, ramp_ms;
};

struct lim_mode {
    enum permit_mode mode; /* NONE counts as OPEN */
    uint64_t since_ms;
    uint64_t until_ms; /* of CLOSED and RAMP */
    uint64_t ramp_ms;  /* of RAMP: how long it takes */
    uint32_t trips;    /* closed in a row without being told how long */
    uint32_t failures; /* in a row */
    bool tries;        /* CLOSED until a probe succeeds */
    char why[PERMIT_WHY_SIZE];
    struct lim_window window;
    uint64_t fresh_ms;      /* calls granted before then tell nothing new */
    uint64_t probe_from_ms; /* LIMITED: the next may go an interval after this; 0: at once */
    char probe[ID_SIZE];    /* the one that is out; "": none */
};

/* What became of a call. */
struct lim_mode_result {
    enum call_class call_class;
    uint32_t status;
    uint64_t retry_after_ms; /* 0: not told */
    uint64_t granted_ms;
    uint32_t in_flight; /* calls that were out, itself included */
    bool probe;
    uint64_t chance; /* any number: the jitter */
};

/* Each returns true if the mode is another, or lasts longer: a record must say so. */
bool lim_mode_heard(struct lim_mode *m, const struct lim_mode_limits *l,
                    const struct lim_mode_result *r, uint64_t now);
bool lim_mode_tick(struct lim_mode *m, uint64_t now);
/* The operator says that it may be called again; ramp_ms 0: as configured. */
bool lim_mode_resume(struct lim_mode *m, const struct lim_mode_limits *l, uint64_t ramp_ms,
                     uint64_t now);

enum lim_pass { LIM_PASS_YES, LIM_PASS_PROBE, LIM_PASS_NO };

/* May a call go?  NO: how long not, at the least, and why. */
enum lim_pass lim_mode_pass(const struct lim_mode *m, const struct lim_mode_limits *l,
                            uint64_t now, uint64_t *ret_ms, const char **ret_why);
/* It goes as the probe.  The next is not before an interval has passed. */
void lim_mode_probe(struct lim_mode *m, const char *id, uint64_t now);

/* Part of the rate that may be used, 0 to 1; calls that may be out (UINT32_MAX: not
   limited). */
double lim_mode_factor(const struct lim_mode *m, const struct lim_mode_limits *l, uint64_t now);
uint32_t lim_mode_room(const struct lim_mode *m, const struct lim_mode_limits *l, uint64_t now);

/* When it changes by itself; UINT64_MAX: never. */
uint64_t lim_mode_next(const struct lim_mode *m);

/* To the grant log and back: the fields of op MODE. */
void lim_mode_write(const struct lim_mode *m, struct grant_record *ret);
void lim_mode_read(struct lim_mode *m, const struct grant_record *r);

#endif
