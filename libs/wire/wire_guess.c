#include "wire/wire_guess.h"

#include "base/arena.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "sluice/v1/run.pb-c.h"
#include "wire/wire_journal.h"
#include "wire/wire_json.h"
#include "wire/wire_message.h"
#include "wire/wire_permit.h"
#include "wire/wire_text.h"
#include "wire/wire_ticket.h"

/* ---- messages that have a reader ----------------------------------------------------------- */

static bool is_entry(struct bytes body, struct arena *arena)
{
    struct entry e;

    return !failed(wire_read_entry(&e, body, arena)) && e.kind != ENTRY_NONE;
}

static bool is_ticket(struct bytes body, struct arena *arena)
{
    struct ticket t;

    (void)arena;
    return !failed(wire_read_ticket(&t, body));
}

static bool is_job(struct bytes body, struct arena *arena)
{
    struct job j;

    (void)arena;
    return !failed(wire_read_job(&j, body));
}

static bool is_worker_status(struct bytes body, struct arena *arena)
{
    struct worker_status s;

    (void)arena;
    return !failed(wire_read_worker_status(&s, body));
}

static bool is_grant_batch(struct bytes body, struct arena *arena)
{
    struct grant_batch b;

    return !failed(wire_read_grant_batch(&b, body, arena)) && (b.count > 0 || b.snapshot);
}

static bool is_permit_request(struct bytes body, struct arena *arena)
{
    struct permit_request r = {.what = PERMIT_NOTHING};

    (void)arena;
    if (failed(wire_read_permit_request(&r, body)))
        return false;
    return r.what == PERMIT_ASK ? r.ask.key_count > 0 : r.report.name[0] != '\0';
}

static bool is_permit_grant(struct bytes body, struct arena *arena)
{
    struct permit_grant g;

    (void)arena;
    return !failed(wire_read_permit_grant(&g, body)) && (g.ok || g.why[0] != '\0');
}

static bool is_holds_ask(struct bytes body, struct arena *arena)
{
    struct holds_ask a;

    (void)arena;
    return !failed(wire_read_holds_ask(&a, body)) && a.token != 0;
}

static bool is_holds_answer(struct bytes body, struct arena *arena)
{
    bool alive = false;

    (void)arena;
    return !failed(wire_read_holds_answer(&alive, body)) && alive;
}

/* ---- requests and answers ------------------------------------------------------------------ */

static bool is_status(const char *word)
{
    return str_equal(word, "queued") || str_equal(word, "running") ||
           str_equal(word, "waiting") || run_status_of(word) != STATUS_NONE;
}

static bool is_json(ProtobufCBinaryData data)
{
    return data.len > 0 && wire_text_is_json(bytes_of(data.data, data.len));
}

#define UNPACK(T, name) \
    const T *m = (const T *)wire_message_unpack(wire_message_find(name), body, arena)

static bool is_run(struct bytes body, struct arena *arena)
{
    UNPACK(Sluice__V1__Run, "Run");

    return m && id_valid(m->run_id) && is_status(m->status);
}

static bool is_submit_answer(struct bytes body, struct arena *arena)
{
    UNPACK(Sluice__V1__SubmitAnswer, "SubmitAnswer");

    return m && id_valid(m->run_id) && is_status(m->status) &&
           str_starts(m->watch, "sluice.watch.");
}

static bool is_accepted(struct bytes body, struct arena *arena)
{
    UNPACK(Sluice__V1__Accepted, "Accepted");

    return m && id_valid(m->run_id) && is_status(m->status);
}

static bool is_problem(struct bytes body, struct arena *arena)
{
    UNPACK(Sluice__V1__Problem, "Problem");

    return m && str_is_name(m->code) && m->status >= 400 && m->status < 600;
}

static bool is_submit(struct bytes body, struct arena *arena)
{
    UNPACK(Sluice__V1__Submit, "Submit");

    return m && (is_json(m->flow) || is_json(m->interactive));
}

static bool is_which(struct bytes body, struct arena *arena)
{
    uint64_t ms = 0;

    UNPACK(Sluice__V1__Which, "Which");

    return m && (id_valid(m->run_id) || (m->run_id[0] == '\0' && m->key[0] != '\0')) &&
           (m->timeout[0] == '\0' || !failed(str_duration_ms(m->timeout, &ms)));
}

static bool is_cancel(struct bytes body, struct arena *arena)
{
    UNPACK(Sluice__V1__Cancel, "Cancel");

    return m && (id_valid(m->run_id) || (m->run_id[0] == '\0' && m->key[0] != '\0'));
}

/* ---- in this order ------------------------------------------------------------------------- */

struct candidate {
    const char *name;
    bool (*fits)(struct bytes body, struct arena *arena);
};

/* Who asks for more goes first. */
static const struct candidate CANDIDATES[] = {
    {"Entry", is_entry},
    {"Job", is_job},
    {"Ticket", is_ticket},
    {"WorkerStatus", is_worker_status},
    {"GrantBatch", is_grant_batch},
    {"PermitRequest", is_permit_request},
    {"HoldsAsk", is_holds_ask},
    {"Run", is_run},
    {"SubmitAnswer", is_submit_answer},
    {"Accepted", is_accepted},
    {"Problem", is_problem},
    {"Submit", is_submit},
    {"PermitGrant", is_permit_grant},
    {"Which", is_which},
    {"Cancel", is_cancel},
    {"HoldsAnswer", is_holds_answer},
};

/* Of a message that is really this one every field is known, all the way down. */
static bool knows_all_of(const ProtobufCMessage *m)
{
    if (m->n_unknown_fields > 0)
        return false;
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        const char *at                    = (const char *)m + f->offset;
        size_t count                      = 1;

        if (f->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            count = *(const size_t *)((const char *)m + f->quantifier_offset);
            at    = *(const char *const *)at;
        }
        for (size_t n = 0; n < count; n++) {
            const ProtobufCMessage *part = ((ProtobufCMessage *const *)at)[n];

            if (part && !knows_all_of(part))
                return false;
        }
    }
    return true;
}

static bool is_likely(const struct candidate *c, struct bytes body, struct arena *arena)
{
    const ProtobufCMessage *m = wire_message_unpack(wire_message_find(c->name), body, arena);

    return m && knows_all_of(m) && c->fits(body, arena);
}

const char *wire_guess(struct bytes payload)
{
    AUTO(arena_free) struct arena *arena = arena_new();

    if (payload.len == 0 || wire_is_json(payload))
        return NULL;
    for (size_t i = 0; i < sizeof(CANDIDATES) / sizeof(*CANDIDATES); i++) {
        if (is_likely(&CANDIDATES[i], payload, arena))
            return CANDIDATES[i].name;
        arena_reset(arena);
    }
    return NULL;
}
