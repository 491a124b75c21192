/*
 * wire_ticket - who waits, who is admitted; what workers say of themselves.  By value, bounded.
 *
 * What was read may stand in a subject: run is an id, tenant and pool are names, lane is one of the
 * three; flow, lock, upstream and session are names or empty, parent_run an id or empty.  The
 * writers demand the same (must).  Schema is 1.
 */
#ifndef WIRE_TICKET_H
#define WIRE_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"

enum ticket_cause {
    CAUSE_NONE,
    CAUSE_ACCEPT,
    CAUSE_TIMER,
    CAUSE_MAIL,
    CAUSE_RECONCILE,
    CAUSE_RETRY,
    CAUSE_UPSTREAM,
    CAUSE_YIELD,
    CAUSE_LOCK,
};

enum lane { LANE_REALTIME, LANE_STANDARD, LANE_BULK, LANES, LANE_NONE = LANES };

const char *lane_word(enum lane lane); /* "realtime" */
enum lane lane_of(const char *word);   /* LANE_NONE if it is none */
const char *ticket_cause_word(enum ticket_cause cause);

struct ticket {
    char run[ID_SIZE];
    char tenant[STR_NAME_SIZE], flow[STR_NAME_SIZE],
        pool[STR_NAME_SIZE]; /* flow: without @version */
    enum lane lane;
    uint32_t wake;
    enum ticket_cause cause;
    uint64_t cause_seq, plan_seq;
    uint64_t due_after_ms, start_within_ms, deadline_after_ms;
    char lock[STR_NAME_SIZE], upstream[STR_NAME_SIZE], session[ID_SIZE + 1],
        parent_run[ID_SIZE];
};

struct job {
    struct ticket ticket;
    uint32_t slot; /* 0: the closing slot */
    uint64_t ticket_seq;
};

/* REJECT: unreadable, without or of a newer schema, or a name that may not stand in a subject.  A
   cause that is not known (yet) is CAUSE_NONE: it is for people. */
MUST_USE struct err wire_read_ticket(struct ticket *ret, struct bytes body);
void wire_write_ticket(const struct ticket *t, struct buf *to);
MUST_USE struct err wire_read_job(struct job *ret, struct bytes body);
void wire_write_job(const struct job *j, struct buf *to);

struct worker_status {
    char worker[STR_NAME_SIZE], pool[STR_NAME_SIZE], version[24];
    uint32_t slots, busy;
    bool draining;
};
MUST_USE struct err wire_read_worker_status(struct worker_status *ret, struct bytes body);
void wire_write_worker_status(const struct worker_status *s, struct buf *to);

struct holds_ask {
    char run[ID_SIZE];
    uint64_t token, job;
};
MUST_USE struct err wire_read_holds_ask(struct holds_ask *ret, struct bytes body);
void wire_write_holds_ask(const struct holds_ask *a, struct buf *to);
MUST_USE struct err wire_read_holds_answer(bool *ret_alive, struct bytes body);
void wire_write_holds_answer(bool alive, struct buf *to);

#endif
