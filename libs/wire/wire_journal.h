/*
 * wire_journal - journal entries, as structs and as bytes; as headers: wire_entry.h, which this includes.
 *
 * Strings of a decoded entry live in the arena they were decoded into and are never NULL ("" is
 * absent); bytes are absent when len is 0.  In an entry to be written NULL is absent, too.
 *
 * What was read may stand in a subject or a key if it is not empty: tenant and run of a PLAN are
 * there; tenant, pool, lock, upstream, session and worker are names, flow_name is a name with or
 * without @version, lane one of the three, run, parent, root, replay_of and child are ids.  The
 * writer refuses what the reader would.
 */
#ifndef WIRE_JOURNAL_H
#define WIRE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "wire/wire_entry.h"

enum { ENTRY_SCHEMA = 1, ENTRY_BODY_MAX = 900 * 1024, ENTRY_NOTE_MAX = 200 };

/* The numbers are those of journal.proto. */
enum entry_kind {
    ENTRY_NONE,
    ENTRY_PLAN,
    ENTRY_ACCEPTED,
    ENTRY_REJECTED,
    ENTRY_LEASED,
    ENTRY_RELEASED,
    ENTRY_OPENING,
    ENTRY_OPENED,
    ENTRY_INTENT,
    ENTRY_OUTCOME,
    ENTRY_SPAWNED,
    ENTRY_WAITING,
    ENTRY_CLOSED,
    ENTRY_END,
    ENTRY_COMMAND,
    ENTRY_SIGNAL,
    ENTRY_CANCEL,
    ENTRY_CHILD_DONE,
    ENTRY_KINDS,
};
enum entry_result {
    RESULT_NONE,
    RESULT_OK,
    RESULT_FAILED,
    RESULT_INDETERMINATE,
    RESULT_SKIPPED,
    RESULT_UNSENT,
    RESULTS,
};
enum entry_effect { EFFECT_NONE, EFFECT_READ, EFFECT_IDEMPOTENT, EFFECT_UNSAFE };
enum entry_on {
    ON_NONE,
    ON_TIMER,
    ON_CHILDREN,
    ON_SIGNAL,
    ON_UPSTREAM,
    ON_RETRY,
    ON_YIELD,
    ON_LOCK,
    ONS,
};
enum run_status {
    STATUS_NONE,
    STATUS_DONE,
    STATUS_FAILED,
    STATUS_CANCELLED,
    STATUS_EXPIRED,
    STATUS_INDETERMINATE,
    STATUSES,
};

struct entry_plan {
    const char *tenant, *run, *flow_name;
    struct bytes flow, input;
    const char *key;
    struct bytes labels;
    const char *lane, *pool, *lock, *upstream, *session, *begin;
    uint64_t not_before_ms, start_within_ms, timeout_ms, keep_session_ms;
    const char *parent, *root, *replay_of, *body_sha, *trace;
    struct bytes notify;
    bool private_net, hide_notes;
};
struct entry_lease {
    uint32_t tries, lost;
    const char *why;
};
struct entry_session {
    const char *session, *upstream, *endpoint, *remote_id, *step;
    enum entry_result result;
    uint32_t status;
    uint64_t ms;
    const char *why;
    bool kept;
    uint64_t opened_at;
};
struct entry_step {
    const char *step;
    uint32_t attempt;
    enum entry_effect effect;
    enum entry_result result;
    bool final;
    const char *code, *note;
    struct bytes value;
    const char *upstream, *endpoint;
    uint32_t status;
    uint64_t ms;
    const char *url, *milestone, *go_to, *branch, *session;
    bool setup;
    const char *detail;
    const char **artifacts;
    size_t artifact_count;
    uint64_t timeout_ms;
    const char *key;
};
struct entry_waiting {
    enum entry_on on;
    uint64_t due_ms;
    const char *step, *upstream, *lock, *why;
    uint64_t hold_ms;
};
struct entry_end {
    enum run_status status;
    const char *code, *reason, *detail, *step;
    struct bytes result;
    bool replayable;
    uint32_t calls;
    const char *session;
    int64_t started_at, ended_at; /* wall ms; 0: by the times of storing */
    uint64_t running_ms, waiting_ms;
};
struct entry_mail {
    const char *by, *name, *id;
    struct bytes data;
    const char *reason, *child;
    enum run_status status;
};

struct entry {
    enum entry_kind kind;
    uint32_t wake;
    uint64_t token, job;
    const char *worker;
    /* Where it was stored; not in the body. */
    uint64_t seq;
    int64_t stored_ms;
    /* The one that `kind` says is valid; the others are zero. */
    struct entry_plan plan;
    struct entry_lease lease;
    struct entry_session session;
    struct entry_step step; /* of INTENT, OUTCOME; SPAWNED has step, value */
    struct entry_waiting waiting;
    struct entry_end end;
    struct entry_mail mail;
};

/* An entry of this kind with nothing in it: strings "", numbers 0. */
void entry_init(struct entry *ret, enum entry_kind kind);

/* REJECT: not an entry, or of a newer schema.  An unknown kind decodes as ENTRY_NONE and is kept. */
MUST_USE struct err wire_read_entry(struct entry *ret, struct bytes body, struct arena *arena);
/* REJECT: larger than ENTRY_BODY_MAX, or a name that is none.  FULL: it does not fit into `to`. */
MUST_USE struct err wire_write_entry(const struct entry *e, struct buf *to);

bool entry_by_holder(enum entry_kind kind); /* LEASED … END */

const char *entry_kind_word(enum entry_kind kind);       /* "PLAN" */
enum entry_kind entry_kind_of(const char *word);         /* ENTRY_NONE if it is none */
const char *entry_result_word(enum entry_result result); /* "ok" */
enum entry_result entry_result_of(const char *word);     /* the nameless first if it is none */
const char *entry_effect_word(enum entry_effect effect);
const char *entry_on_word(enum entry_on on);
enum entry_on entry_on_of(const char *word);
const char *run_status_word(enum run_status status); /* "done" */
enum run_status run_status_of(const char *word);     /* STATUS_NONE if it is none */

#endif
