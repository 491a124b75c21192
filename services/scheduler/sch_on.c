#include "sch_on.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "sch.h"
#include "sch_admin.h"
#include "sch_claim.h"
#include "sch_dead.h"
#include "sch_lead.h"
#include "sch_mend.h"
#include "sch_place.h"
#include "wire/subject.h"

enum { CLOSED_MS = 3000, PROBE_MS = 60000, LATER_MS = 2000 };

/* ---- tickets ------------------------------------------------------------------------------------------ */

void sch_on_ticket(void *self, struct bus_msg **slot)
{
    struct sch *s           = SELF(struct sch, SCH_MAGIC, self);
    const struct bus_msg *m = *slot;
    struct ticket ticket;
    char token[STR_NAME_SIZE];

    if (s->role < ROLE_FILLING)
        return; /* of a consumer that is gone */
    s->metrics.scheduler_tickets++;
    if (m->pending == 0)
        s->filled = true;
    if (failed(wire_read_ticket(&ticket, m->body))) {
        sch_dead_put(s, slot);
        return;
    }
    if (ticket.wake == 0)
        ticket.wake = 1;
    if (sch_reconcile_stale(s->facts, ticket.run, ticket.wake, ticket.plan_seq,
                            bus_follow_seq(s->journal))) {
        s->metrics.scheduler_tickets_stale++;
        bus_ack(s->bus, m->reply);
        return;
    }

    const struct sch_message message = {
        .seq          = m->seq,
        .consumer_seq = m->consumer_seq,
        .acks         = m->reply,
        .deliveries   = m->deliveries,
        .stored       = sch_instant(s, m->stored_ms),
        .fresh = str_token(m->subject, 3, token, sizeof(token)) && !str_equal(token, "again"),
    };
    struct sch_run *run = sch_index_put(s->index, &ticket, &message, sch_now(s));

    log_debug("run waits", KV("run", ticket.run), KV("tenant", ticket.tenant),
              KV("lane", lane_word(ticket.lane)), KV("wake", ticket.wake),
              KV("why", ticket_cause_word(ticket.cause)));
    if (run)
        sch_mend_look(s, run);
}

/* Not from inside the consumer: it is freed with the term. */
void sch_on_gap(void *self, const char *why)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);

    sch_lead_begin(s, why, 0);
}

/* ---- upstreams ------------------------------------------------------------------------------------------------------ */

static void hear_upstream(struct sch *s, const char *name, const struct json *doc)
{
    const char *mode      = json_str(json_get(doc, "mode"));
    int64_t now           = sch_now(s);
    int64_t until_wall    = json_int(json_get(doc, "until_ms"));
    int64_t probe_ms      = json_int(json_get(doc, "probe_ms"));
    bool limited          = str_equal(mode, "limited") && json_int(json_get(doc, "limit")) <= 0;
    bool closed           = str_equal(mode, "closed");
    struct sch_gate *gate = sch_index_gate_find(s->index, GATE_UPSTREAM, name);

    if (!mode || !str_is_name(name) || (!gate && !limited && !closed))
        return;
    if (!gate)
        gate = sch_index_gate(s->index, GATE_UPSTREAM, name);

    int64_t was   = gate->shut_until > now ? gate->shut_until : 0;
    int64_t until = limited  ? INT64_MAX
                    : closed ? (until_wall > 0 ? sch_instant(s, until_wall) : now + CLOSED_MS)
                             : 0;

    if (until <= now)
        until = 0;
    if (limited && !gate->limited)
        gate->probe_at = now + (probe_ms > 0 ? probe_ms : PROBE_MS);
    gate->probe_ms   = limited ? (uint64_t)(probe_ms > 0 ? probe_ms : PROBE_MS) : 0;
    gate->limited    = limited;
    gate->shut_until = until;
    gate->known      = gate->paused || gate->limit != GATE_OPEN || until > 0;
    if ((was > 0) == (until > 0))
        return; /* no news for who waits; a new instant is met by the next turn */
    log_info(until > 0 ? "upstream shut: its runs wait" : "upstream open again",
             KV("upstream", name), KV("why", mode));
    /* A look at every run pays only if it stays shut for a while; else each is found shut when its turn comes. */
    sch_place_gate_changed(s->index, gate, until > now + LATER_MS, now);
}

static void on_upstream_state(void *self, struct bus_msg **slot)
{
    struct sch *s                    = SELF(struct sch, SCH_MAGIC, self);
    AUTO(json_free) struct json *doc = NULL;
    const struct json *value         = NULL;
    const char *name                 = NULL;
    char why[JSON_WHY_SIZE];

    if (failed(json_parse(&doc, (*slot)->body, why, sizeof(why)))) {
        log_warn("state of upstreams cannot be read", KV("subject", (*slot)->subject),
                 KV("why", why));
        return;
    }
    for (size_t it = 0; json_each(json_get(doc, "upstreams"), &it, &name, &value);)
        hear_upstream(s, name, value);
}

/* ---- workers ---------------------------------------------------------------------------------------------------------- */

static void on_status(void *self, struct bus_msg **slot)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);
    struct worker_status status;

    if (failed(wire_read_worker_status(&status, (*slot)->body)) ||
        !sch_pool_heard(&s->pools, &status, sch_now(s)))
        log_warn("word of a worker cannot be read", KV("subject", (*slot)->subject));
}

/* Believed only for the job that is in the slot. */
static void on_freed(void *self, struct bus_msg **slot)
{
    struct sch *s       = SELF(struct sch, SCH_MAGIC, self);
    const char *subject = (*slot)->subject;
    int n               = subject_slot_of(subject);
    char tenant[STR_NAME_SIZE], text[24];
    uint64_t seq = 0;
    bool doubt   = false;

    if (s->role < ROLE_FILLING || n < 0 || !str_token(subject, 2, tenant, sizeof(tenant)) ||
        !str_token(subject, 4, text, sizeof(text)) || failed(str_u64(text, &seq)))
        return;

    struct sch_tenant *t = sch_index_tenant_find(s->index, tenant);

    if (!t)
        return;

    struct sch_job *job = sch_slot_freed(&t->slots, (uint32_t)n, seq, &doubt);

    if (job) {
        s->metrics.scheduler_freed++;
        sch_claim_job_gone(s->index, &job, sch_now(s));
    } else if (doubt) {
        s->look_at = svc_now(s->svc);
    }
}

/* ---- where all this comes from ------------------------------------------------------------------------------------- */

const struct svc_route sch_on_routes[] = {
    {SUBJECT_ADMIN_LOAD, "load", true, sch_admin_on_load},
    {SUBJECT_ADMIN_LOAD_POOL, "load", true, sch_admin_on_load},
    {SUBJECT_ADMIN_TENANT, "tenant", true, sch_admin_on_tenant},
    {NULL, NULL, false, NULL},
};

static void hear(struct sch *s, const char *subject, bus_msg_fn *fn, struct bus_sub **ret)
{
    char text[128];
    struct err e = bus_subscribe(s->bus, subject, NULL, fn, s, ret);

    if (failed(e))
        svc_die(s->svc, err_text(e, text, sizeof(text)));
}

void sch_on_hear(struct sch *s)
{
    hear(s, SUBJECT_WORKER_STATUS, on_status, &s->status);
    hear(s, SUBJECT_FREED_ALL, on_freed, &s->freed);
    hear(s, SUBJECT_STATE_UPSTREAM, on_upstream_state, &s->upstream_state);
}
