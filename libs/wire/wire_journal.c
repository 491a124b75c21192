#include "wire/wire_journal.h"

#include "base/id.h"
#include "base/must.h"
#include "base/str.h"
#include "sluice/v1/journal.pb-c.h"
#include "wire/wire_message.h"
#include "wire/wire_name.h"

/* ---- words --------------------------------------------------------------------------------- */

static const char *const KINDS[] = {
    [ENTRY_NONE]       = "",
    [ENTRY_PLAN]       = "PLAN",
    [ENTRY_ACCEPTED]   = "ACCEPTED",
    [ENTRY_REJECTED]   = "REJECTED",
    [ENTRY_LEASED]     = "LEASED",
    [ENTRY_RELEASED]   = "RELEASED",
    [ENTRY_OPENING]    = "OPENING",
    [ENTRY_OPENED]     = "OPENED",
    [ENTRY_INTENT]     = "INTENT",
    [ENTRY_OUTCOME]    = "OUTCOME",
    [ENTRY_SPAWNED]    = "SPAWNED",
    [ENTRY_WAITING]    = "WAITING",
    [ENTRY_CLOSED]     = "CLOSED",
    [ENTRY_END]        = "END",
    [ENTRY_COMMAND]    = "COMMAND",
    [ENTRY_SIGNAL]     = "SIGNAL",
    [ENTRY_CANCEL]     = "CANCEL",
    [ENTRY_CHILD_DONE] = "CHILD_DONE",
};
static const char *const RESULT_WORDS[] = {
    [RESULT_NONE] = "",           [RESULT_OK] = "ok",
    [RESULT_FAILED] = "failed",   [RESULT_INDETERMINATE] = "indeterminate",
    [RESULT_SKIPPED] = "skipped", [RESULT_UNSENT] = "unsent",
};
static const char *const EFFECT_WORDS[] = {
    [EFFECT_NONE]       = "",
    [EFFECT_READ]       = "read",
    [EFFECT_IDEMPOTENT] = "idempotent",
    [EFFECT_UNSAFE]     = "unsafe",
};
static const char *const ON_WORDS[] = {
    [ON_NONE] = "",         [ON_TIMER] = "timer",       [ON_CHILDREN] = "children",
    [ON_SIGNAL] = "signal", [ON_UPSTREAM] = "upstream", [ON_RETRY] = "retry",
    [ON_YIELD] = "yield",   [ON_LOCK] = "lock",
};
static const char *const STATUS_WORDS[] = {
    [STATUS_NONE] = "",           [STATUS_DONE] = "done",
    [STATUS_FAILED] = "failed",   [STATUS_CANCELLED] = "cancelled",
    [STATUS_EXPIRED] = "expired", [STATUS_INDETERMINATE] = "indeterminate",
};

enum { EFFECTS = EFFECT_UNSAFE + 1 };

#define COUNT(words) (sizeof(words) / sizeof(*(words)))

_Static_assert(COUNT(KINDS) == ENTRY_KINDS, "each kind has a word");
_Static_assert(COUNT(RESULT_WORDS) == RESULTS, "each result has a word");
_Static_assert(COUNT(EFFECT_WORDS) == EFFECTS, "each effect has a word");
_Static_assert(COUNT(ON_WORDS) == ONS, "each reason to wait has a word");
_Static_assert(COUNT(STATUS_WORDS) == STATUSES, "each status has a word");

static const char *word_at(const char *const *words, size_t count, unsigned n)
{
    must(n < count);
    return words[n];
}

/* 0, the nameless, if it is none. */
static unsigned word_of(const char *const *words, size_t count, const char *word)
{
    for (unsigned n = 1; n < count; n++)
        if (str_equal(words[n], word))
            return n;
    return 0;
}

#define WORD_AT(words, n) word_at((words), COUNT(words), (n))
#define WORD_OF(words, word) word_of((words), COUNT(words), (word))

const char *entry_kind_word(enum entry_kind kind)
{
    return WORD_AT(KINDS, kind);
}

enum entry_kind entry_kind_of(const char *word)
{
    return (enum entry_kind)WORD_OF(KINDS, word);
}

const char *entry_result_word(enum entry_result result)
{
    return WORD_AT(RESULT_WORDS, result);
}

enum entry_result entry_result_of(const char *word)
{
    return (enum entry_result)WORD_OF(RESULT_WORDS, word);
}

const char *entry_effect_word(enum entry_effect effect)
{
    return WORD_AT(EFFECT_WORDS, effect);
}

const char *entry_on_word(enum entry_on on)
{
    return WORD_AT(ON_WORDS, on);
}

enum entry_on entry_on_of(const char *word)
{
    return (enum entry_on)WORD_OF(ON_WORDS, word);
}

const char *run_status_word(enum run_status status)
{
    return WORD_AT(STATUS_WORDS, status);
}

enum run_status run_status_of(const char *word)
{
    return (enum run_status)WORD_OF(STATUS_WORDS, word);
}

bool entry_by_holder(enum entry_kind kind)
{
    return kind >= ENTRY_LEASED && kind <= ENTRY_END;
}

/* ---- which part an entry has --------------------------------------------------------------- */

enum part {
    PART_NONE,
    PART_PLAN,
    PART_LEASE,
    PART_SESSION,
    PART_STEP,
    PART_WAITING,
    PART_END,
    PART_MAIL,
};

static enum part part_of(enum entry_kind kind)
{
    switch (kind) {
    case ENTRY_PLAN:
        return PART_PLAN;
    case ENTRY_LEASED:
    case ENTRY_RELEASED:
        return PART_LEASE;
    case ENTRY_OPENING:
    case ENTRY_OPENED:
    case ENTRY_CLOSED:
        return PART_SESSION;
    case ENTRY_INTENT:
    case ENTRY_OUTCOME:
    case ENTRY_SPAWNED:
        return PART_STEP;
    case ENTRY_WAITING:
        return PART_WAITING;
    case ENTRY_END:
    case ENTRY_REJECTED:
        return PART_END;
    case ENTRY_COMMAND:
    case ENTRY_SIGNAL:
    case ENTRY_CANCEL:
    case ENTRY_CHILD_DONE:
        return PART_MAIL;
    case ENTRY_NONE:
    case ENTRY_ACCEPTED:
    case ENTRY_KINDS:
        return PART_NONE;
    }
    must(!"unknown kind of entry");
    return PART_NONE;
}

/* "" everywhere, so that no reader of a decoded entry ever meets a NULL. */
static const struct entry NOTHING = {
    .worker = "",
    .plan   = {.tenant    = "",
               .run       = "",
               .flow_name = "",
               .key       = "",
               .lane      = "",
               .pool      = "",
               .lock      = "",
               .upstream  = "",
               .session   = "",
               .begin     = "",
               .parent    = "",
               .root      = "",
               .replay_of = "",
               .body_sha  = "",
               .trace     = ""},
    .lease  = {.why = ""},
    .session =
        {.session = "", .upstream = "", .endpoint = "", .remote_id = "", .step = "", .why = ""},
    .step    = {.step      = "",
                .code      = "",
                .note      = "",
                .upstream  = "",
                .endpoint  = "",
                .url       = "",
                .milestone = "",
                .go_to     = "",
                .branch    = "",
                .session   = "",
                .detail    = "",
                .key       = ""},
    .waiting = {.step = "", .upstream = "", .lock = "", .why = ""},
    .end     = {.code = "", .reason = "", .detail = "", .step = "", .session = ""},
    .mail    = {.by = "", .name = "", .id = "", .reason = "", .child = ""},
};

void entry_init(struct entry *ret, enum entry_kind kind)
{
    *ret      = NOTHING;
    ret->kind = kind;
}

/* ---- bytes --------------------------------------------------------------------------------- */

/* Struct and message name their fields alike, so one list does for both ways. */
#define PLAN_FIELDS(X) \
    X(TEXT, tenant) \
    X(TEXT, run) \
    X(TEXT, flow_name) \
    X(DATA, flow) \
    X(DATA, input) \
    X(TEXT, key) \
    X(DATA, labels) \
    X(TEXT, lane) \
    X(TEXT, pool) \
    X(TEXT, lock) \
    X(TEXT, upstream) \
    X(TEXT, session) \
    X(TEXT, begin) \
    X(NUMBER, not_before_ms) \
    X(NUMBER, start_within_ms) \
    X(NUMBER, timeout_ms) \
    X(NUMBER, keep_session_ms) \
    X(TEXT, parent) \
    X(TEXT, root) \
    X(TEXT, replay_of) \
    X(TEXT, body_sha) \
    X(TEXT, trace) X(DATA, notify) X(NUMBER, private_net) X(NUMBER, hide_notes)
#define LEASE_FIELDS(X) X(NUMBER, tries) X(NUMBER, lost) X(TEXT, why)
#define SESSION_FIELDS(X) \
    X(TEXT, session) \
    X(TEXT, upstream) \
    X(TEXT, endpoint) \
    X(TEXT, remote_id) \
    X(TEXT, step) \
    X(RESULT, result) \
    X(NUMBER, status) X(NUMBER, ms) X(TEXT, why) X(NUMBER, kept) X(NUMBER, opened_at)
#define STEP_FIELDS(X) \
    X(TEXT, step) \
    X(NUMBER, attempt) \
    X(EFFECT, effect) \
    X(RESULT, result) \
    X(NUMBER, final) \
    X(TEXT, code) \
    X(TEXT, note) \
    X(DATA, value) \
    X(TEXT, upstream) \
    X(TEXT, endpoint) \
    X(NUMBER, status) \
    X(NUMBER, ms) \
    X(TEXT, url) \
    X(TEXT, milestone) \
    X(TEXT, go_to) \
    X(TEXT, branch) \
    X(TEXT, session) X(NUMBER, setup) X(TEXT, detail) X(NUMBER, timeout_ms) X(TEXT, key)
#define WAITING_FIELDS(X) \
    X(ON, on) \
    X(NUMBER, due_ms) \
    X(TEXT, step) X(TEXT, upstream) X(TEXT, lock) X(TEXT, why) X(NUMBER, hold_ms)
#define END_FIELDS(X) \
    X(STATUS, status) \
    X(TEXT, code) \
    X(TEXT, reason) \
    X(TEXT, detail) \
    X(TEXT, step) \
    X(DATA, result) \
    X(NUMBER, replayable) \
    X(NUMBER, calls) \
    X(TEXT, session) \
    X(NUMBER, started_at) X(NUMBER, ended_at) X(NUMBER, running_ms) X(NUMBER, waiting_ms)
#define MAIL_FIELDS(X) \
    X(TEXT, by) \
    X(TEXT, name) X(TEXT, id) X(DATA, data) X(TEXT, reason) X(TEXT, child) X(STATUS, status)

/* A number of a later version of an enum is "none" to this one. */
#define KNOWN(n, count) ((unsigned)(n) < (unsigned)(count) ? (unsigned)(n) : 0)

#define READ_TEXT(name) to->name = from->name;
#define READ_DATA(name) to->name = bytes_of(from->name.data, from->name.len);
#define READ_NUMBER(name) to->name = from->name;
#define READ_RESULT(name) to->name = (enum entry_result)KNOWN(from->name, RESULTS);
#define READ_EFFECT(name) to->name = (enum entry_effect)KNOWN(from->name, EFFECTS);
#define READ_ON(name) to->name = (enum entry_on)KNOWN(from->name, ONS);
#define READ_STATUS(name) to->name = (enum run_status)KNOWN(from->name, STATUSES);
#define READ(kind, name) READ_##kind(name)

#define WRITE_TEXT(name) to->name = (char *)(from->name ? from->name : "");
#define WRITE_DATA(name) \
    to->name = (ProtobufCBinaryData){from->name.len, (uint8_t *)from->name.at};
#define WRITE_NUMBER(name) to->name = from->name;
#define WRITE_RESULT(name) to->name = (Sluice__V1__Result)from->name;
#define WRITE_EFFECT(name) to->name = (Sluice__V1__Effect)from->name;
#define WRITE_ON(name) to->name = (Sluice__V1__On)from->name;
#define WRITE_STATUS(name) to->name = (Sluice__V1__Status)from->name;
#define WRITE(kind, name) WRITE_##kind(name)

static void read_plan(struct entry_plan *to, const Sluice__V1__Plan *from)
{
    PLAN_FIELDS(READ)
}

static void read_lease(struct entry_lease *to, const Sluice__V1__Lease *from)
{
    LEASE_FIELDS(READ)
}

static void read_session(struct entry_session *to, const Sluice__V1__Session *from)
{
    SESSION_FIELDS(READ)
}

static void read_step(struct entry_step *to, const Sluice__V1__Step *from)
{
    STEP_FIELDS(READ)
    to->artifacts      = (const char **)from->artifacts;
    to->artifact_count = from->n_artifacts;
}

static void read_waiting(struct entry_waiting *to, const Sluice__V1__Waiting *from)
{
    WAITING_FIELDS(READ)
}

static void read_end(struct entry_end *to, const Sluice__V1__End *from)
{
    END_FIELDS(READ)
}

static void read_mail(struct entry_mail *to, const Sluice__V1__Mail *from)
{
    MAIL_FIELDS(READ)
}

static void read_part(struct entry *to, const Sluice__V1__Entry *from)
{
    switch (part_of(to->kind)) {
    case PART_NONE:
        return;
    case PART_PLAN:
        if (from->plan)
            read_plan(&to->plan, from->plan);
        return;
    case PART_LEASE:
        if (from->lease)
            read_lease(&to->lease, from->lease);
        return;
    case PART_SESSION:
        if (from->session)
            read_session(&to->session, from->session);
        return;
    case PART_STEP:
        if (from->step)
            read_step(&to->step, from->step);
        return;
    case PART_WAITING:
        if (from->waiting)
            read_waiting(&to->waiting, from->waiting);
        return;
    case PART_END:
        if (from->end)
            read_end(&to->end, from->end);
        return;
    case PART_MAIL:
        if (from->mail)
            read_mail(&to->mail, from->mail);
        return;
    }
    must(!"unknown part of an entry");
}

static bool plan_names_hold(const struct entry_plan *p)
{
    return str_is_name(p->tenant) && p->run && id_valid(p->run) &&
           wire_flow_or_empty(p->flow_name) && wire_lane_or_empty(p->lane) &&
           wire_name_or_empty(p->pool) && wire_name_or_empty(p->lock) &&
           wire_name_or_empty(p->upstream) && wire_name_or_empty(p->session) &&
           wire_id_or_empty(p->parent) && wire_id_or_empty(p->root) &&
           wire_id_or_empty(p->replay_of);
}

static bool names_hold(const struct entry *e)
{
    if (!wire_name_or_empty(e->worker))
        return false;
    switch (part_of(e->kind)) {
    case PART_NONE:
    case PART_LEASE:
        return true;
    case PART_PLAN:
        return plan_names_hold(&e->plan);
    case PART_SESSION:
        return wire_name_or_empty(e->session.session) &&
               wire_name_or_empty(e->session.upstream);
    case PART_STEP:
        return wire_name_or_empty(e->step.session) && wire_name_or_empty(e->step.upstream);
    case PART_WAITING:
        return wire_name_or_empty(e->waiting.upstream) && wire_name_or_empty(e->waiting.lock);
    case PART_END:
        return wire_name_or_empty(e->end.session);
    case PART_MAIL:
        return wire_id_or_empty(e->mail.child);
    }
    must(!"unknown part of an entry");
    return false;
}

struct err wire_read_entry(struct entry *ret, struct bytes body, struct arena *arena)
{
    struct entry e;

    if (body.len > ENTRY_BODY_MAX)
        return err_of(ERR_REJECT, "read an entry: too large");
    const Sluice__V1__Entry *m = (const Sluice__V1__Entry *)wire_message_unpack(
        &sluice__v1__entry__descriptor, body, arena);
    if (!m)
        return err_of(ERR_REJECT, "read an entry");
    if (m->schema < 1 || m->schema > ENTRY_SCHEMA)
        return err_of(ERR_REJECT, "read an entry: its schema");

    entry_init(&e, (enum entry_kind)KNOWN(m->kind, ENTRY_KINDS));
    e.wake   = m->wake;
    e.token  = m->token;
    e.job    = m->job;
    e.worker = m->worker;
    read_part(&e, m);
    if (!names_hold(&e))
        return err_of(ERR_REJECT, "read an entry: its names");
    *ret = e;
    return OK;
}

/* An entry and whichever part it has, on the way out. */
struct out {
    Sluice__V1__Entry entry;
    Sluice__V1__Plan plan;
    Sluice__V1__Lease lease;
    Sluice__V1__Session session;
    Sluice__V1__Step step;
    Sluice__V1__Waiting waiting;
    Sluice__V1__End end;
    Sluice__V1__Mail mail;
};

static void write_plan(Sluice__V1__Plan *to, const struct entry_plan *from)
{
    sluice__v1__plan__init(to);
    PLAN_FIELDS(WRITE)
}

static void write_lease(Sluice__V1__Lease *to, const struct entry_lease *from)
{
    sluice__v1__lease__init(to);
    LEASE_FIELDS(WRITE)
}

static void write_session(Sluice__V1__Session *to, const struct entry_session *from)
{
    sluice__v1__session__init(to);
    SESSION_FIELDS(WRITE)
}

static void write_step(Sluice__V1__Step *to, const struct entry_step *from)
{
    sluice__v1__step__init(to);
    STEP_FIELDS(WRITE)
    to->artifacts   = (char **)from->artifacts;
    to->n_artifacts = from->artifact_count;
}

static void write_waiting(Sluice__V1__Waiting *to, const struct entry_waiting *from)
{
    sluice__v1__waiting__init(to);
    WAITING_FIELDS(WRITE)
}

static void write_end(Sluice__V1__End *to, const struct entry_end *from)
{
    sluice__v1__end__init(to);
    END_FIELDS(WRITE)
}

static void write_mail(Sluice__V1__Mail *to, const struct entry_mail *from)
{
    sluice__v1__mail__init(to);
    MAIL_FIELDS(WRITE)
}

static void write_part(struct out *to, const struct entry *from)
{
    switch (part_of(from->kind)) {
    case PART_NONE:
        return;
    case PART_PLAN:
        write_plan(&to->plan, &from->plan);
        to->entry.plan = &to->plan;
        return;
    case PART_LEASE:
        write_lease(&to->lease, &from->lease);
        to->entry.lease = &to->lease;
        return;
    case PART_SESSION:
        write_session(&to->session, &from->session);
        to->entry.session = &to->session;
        return;
    case PART_STEP:
        write_step(&to->step, &from->step);
        to->entry.step = &to->step;
        return;
    case PART_WAITING:
        write_waiting(&to->waiting, &from->waiting);
        to->entry.waiting = &to->waiting;
        return;
    case PART_END:
        write_end(&to->end, &from->end);
        to->entry.end = &to->end;
        return;
    case PART_MAIL:
        write_mail(&to->mail, &from->mail);
        to->entry.mail = &to->mail;
        return;
    }
    must(!"unknown part of an entry");
}

struct err wire_write_entry(const struct entry *e, struct buf *to)
{
    struct out out;

    must(e->kind > ENTRY_NONE && e->kind < ENTRY_KINDS);
    if (!names_hold(e))
        return err_of(ERR_REJECT, "write an entry: its names");

    sluice__v1__entry__init(&out.entry);
    out.entry.schema = ENTRY_SCHEMA;
    out.entry.kind   = (Sluice__V1__Kind)e->kind;
    out.entry.wake   = e->wake;
    out.entry.token  = e->token;
    out.entry.job    = e->job;
    out.entry.worker = (char *)(e->worker ? e->worker : "");
    write_part(&out, e);

    if (sluice__v1__entry__get_packed_size(&out.entry) > ENTRY_BODY_MAX)
        return err_of(ERR_REJECT, "write an entry: too large");
    wire_message_pack(&out.entry.base, to);
    return to->full ? err_of(ERR_FULL, "write an entry") : OK;
}
