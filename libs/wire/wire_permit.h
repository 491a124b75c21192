/*
 * wire_permit - ask, grant, report, and the records of the grant log.  By value, bounded.
 *
 * What was read: ids are ids, tenant and session are names; of an ask and a grant the id is there,
 * all others may be empty.  Keys and reasons are text.  The writers demand the same (must).
 */
#ifndef WIRE_PERMIT_H
#define WIRE_PERMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "wire/wire_ticket.h"

enum {
    PERMIT_KEYS_MAX   = 4,
    PERMIT_NAME_SIZE  = 128,
    PERMIT_WHY_SIZE   = 64,
    PERMIT_SLACK_MS   = 10000,
    PERMIT_FRESH_MS   = 200,
    GRANT_RECORDS_MAX = 4096 /* of a batch: some 400 KB as they come, 1.5 MB at the worst */
};

enum permit_mode {
    PERMIT_MODE_NONE,
    PERMIT_MODE_OPEN,
    PERMIT_MODE_SLOWED,
    PERMIT_MODE_CLOSED,
    PERMIT_MODE_LIMITED,
    PERMIT_MODE_RAMP,
};
enum call_class {
    CALL_NONE,
    CALL_OK,
    CALL_RATE,
    CALL_CONCURRENCY,
    CALL_PAYMENT,
    CALL_SERVER,
    CALL_TIMEOUT,
    CALL_CLIENT,
    CALL_UNSENT,
};
enum grant_op {
    GRANT_NONE,
    GRANT_GRANT,
    GRANT_RETURN,
    GRANT_SESSION_END,
    GRANT_MODE,
    GRANT_INCIDENT,
    GRANT_SESSION,
};

const char *permit_mode_word(enum permit_mode mode); /* "open" */

struct permit_key {
    char name[PERMIT_NAME_SIZE];
    bool rate, in_flight, session_open, session_use, close;
};
struct permit_ask {
    char id[ID_SIZE], tenant[STR_NAME_SIZE], run[ID_SIZE], step[STR_NAME_SIZE],
        session[ID_SIZE + 1];
    enum lane lane;
    struct permit_key keys[PERMIT_KEYS_MAX];
    size_t key_count;
    uint32_t wait_ms, lifetime_ms;
};
struct permit_grant {
    char id[ID_SIZE], why[PERMIT_WHY_SIZE];
    bool ok, probe;
    uint32_t waited_ms, retry_after_ms;
    uint64_t log_seq;
};
struct permit_report {
    char id[ID_SIZE], name[PERMIT_NAME_SIZE], session[ID_SIZE + 1];
    uint32_t status, retry_after_ms, ms;
    enum call_class call_class;
    bool session_opened, session_closed;
};
/* What comes on sluice.permit.<upstream>. */
enum permit_what { PERMIT_NOTHING, PERMIT_ASK, PERMIT_REPORT };
struct permit_request {
    enum permit_what what;
    union {
        struct permit_ask ask;
        struct permit_report report;
    };
};
struct grant_record {
    enum grant_op op;
    char id[ID_SIZE], name[PERMIT_NAME_SIZE], tenant[STR_NAME_SIZE], session[ID_SIZE + 1],
        why[PERMIT_WHY_SIZE];
    bool in_flight, session_open, session_use, rate;
    uint32_t lifetime_ms;
    enum permit_mode mode;
    uint64_t until_ms, at_ms, since_ms, ahead_ns;
    bool probe, opened;
    enum call_class call_class;
    uint32_t window, ceiling, ramp_ms, trips, told;
};
struct grant_batch {
    bool snapshot;
    uint64_t epoch, at_ms;
    uint32_t part, parts;
    struct grant_record *records; /* of a decoded batch: in the arena */
    size_t count;
};

/* REJECT: unreadable, too many, too long, a word that is not known; a batch of a newer schema.
   An ask and a report travel in the envelope PermitRequest: the writers write it. */
MUST_USE struct err wire_read_permit_request(struct permit_request *ret, struct bytes body);
void wire_write_permit_ask(const struct permit_ask *a, struct buf *to);
MUST_USE struct err wire_read_permit_grant(struct permit_grant *ret, struct bytes body);
void wire_write_permit_grant(const struct permit_grant *g, struct buf *to);
void wire_write_permit_report(const struct permit_report *r, struct buf *to);
MUST_USE struct err wire_read_grant_batch(struct grant_batch *ret, struct bytes body,
                                          struct arena *arena);
void wire_write_grant_batch(const struct grant_batch *b, struct buf *to);

/* JSON forms, for `sluice.permit.<upstream>` used by other programs: wire_json.h, by message name. */

#endif
