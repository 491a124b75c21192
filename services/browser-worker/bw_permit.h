/*
 * bw_permit - asking the limiter: may I call now?  And telling it what became of the call.
 *
 * A call permit must be used at once: one that is older than PERMIT_FRESH_MS on this machine's
 * boot clock, less the time it waited in the limiter, is returned and asked for again (a worker
 * stopped for 8 s must not fire 80 stored permits).  Look at bw_permit_fresh() immediately
 * before sending.
 */
#ifndef BW_PERMIT_H
#define BW_PERMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/bus.h"
#include "wire/wire_permit.h"

struct bw_permit_want {
    const char *upstream; /* whose shard is asked; also the first key */
    const char *tenant, *run, *step, *session;
    enum lane lane;
    const char *site; /* host that will be visited; NULL: none */
    bool session_open, session_use, close;
    uint64_t wait_ms;     /* how long it may wait in the limiter */
    uint64_t lifetime_ms; /* the call's own timeout */
};

struct bw_permit {
    char id[ID_SIZE];
    char upstream[STR_NAME_SIZE], site[PERMIT_NAME_SIZE], session[ID_SIZE + 1];
    bool granted;
    bool session_open;
    uint64_t asked_boot_ms;
    uint32_t waited_ms;
    bool probe;
};

/* What the asker hears; exactly once per ask, on the loop. */
struct bw_permit_answer {
    bool granted;
    uint64_t retry_after_ms; /* not granted: when to come again */
    const char
        *why; /* "upstream_rate", "upstream_limited", …; "unavailable": no limiter answered */
};
typedef void bw_permit_fn(void *self, const struct bw_permit_answer *answer);

struct bw_permits;
struct bw_permits *bw_permit_new(struct bus *bus);
void bw_permit_free(struct bw_permits **permits);

/* Fills `permit` when granted; asks again by itself (same id) while no limiter answers, until
 * wait_ms is over. */
struct bw_permit_ask;
struct bw_permit_ask *bw_permit_ask(struct bw_permits *permits,
                                    const struct bw_permit_want *want, struct bw_permit *permit,
                                    bw_permit_fn *fn, void *self);
void bw_permit_cancel(
    struct bw_permit_ask **ask); /* no callback; a grant that still comes is returned */

bool bw_permit_fresh(const struct bw_permit *permit);

/* Gives an unused permit back (class UNSENT). */
void bw_permit_return(struct bw_permits *permits, struct bw_permit *permit);

/* What became of the call.  session_opened / session_closed are repeated until the limiter
 * confirms (bounded); the rest is said once. */
struct bw_permit_done {
    uint32_t status, ms;
    uint64_t retry_after_ms;
    enum call_class call_class;
    bool session_opened, session_closed;
};
void bw_permit_report(struct bw_permits *permits, struct bw_permit *permit,
                      const struct bw_permit_done *done);

/* A session that is known to be gone without a call of ours (the reaper's list). */
void bw_permit_session_gone(struct bw_permits *permits, const char *upstream,
                            const char *session);

/* Reports that are not confirmed yet: a drain waits for them. */
size_t bw_permit_pending(const struct bw_permits *permits);

#endif
