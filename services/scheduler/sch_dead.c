#include "sch_dead.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "sch.h"
#include "wire/subject.h"

enum { DEAD_MAGIC = 0x53434465 };

struct sch_dead {
    struct sch_op base;
    struct bus_msg *msg;
};

static void dead_done(struct bus_op *op, struct err e)
{
    struct sch_dead *d = SELF(struct sch_dead, DEAD_MAGIC, op);
    struct sch *s      = sch_op_end(&d->base);

    if (s && !failed(e) && d->msg) {
        log_warn("ticket cannot be read: put into SLUICE_DEAD", KV("subject", d->msg->subject),
                 KV("seq", d->msg->seq));
        s->metrics.scheduler_tickets_dead++;
        bus_settle(s->bus, &d->msg, err_of(ERR_REJECT, "read ticket"));
    }
    bus_msg_free(&d->msg); /* not stored: the server gives it again */
    mem_free(&d);
}

static struct err dead_stored(struct bus_op *op, const struct bus_reply *r)
{
    /* There already: it was stored before, and the term was not heard. */
    return failed(r->err) && r->err.kind != ERR_CONFLICT ? r->err : bus_op_done(op);
}

void sch_dead_put(struct sch *s, struct bus_msg **msg)
{
    struct sch_dead *d = mem_new(struct sch_dead);
    char subject[SUBJECT_SIZE], tenant[STR_NAME_SIZE];
    const struct bus_header headers[] = {{"Sluice-Subject", (*msg)->subject},
                                         {"Sluice-Code", "unreadable"}};

    d->msg = take(msg);
    if (!str_token(d->msg->subject, 4, tenant, sizeof(tenant)) || !str_is_name(tenant))
        str_copy(tenant, sizeof(tenant), "unknown");

    const struct bus_out out = {subject_dead_ticket(subject, tenant, d->msg->seq), d->msg->body,
                                headers, 2};
    const struct bus_expect expect = {.seq = 0};

    sch_op_start(s, &d->base, DEAD_MAGIC, "dead", dead_done);
    (void)bus_publish(&d->base.op, &out, &expect, dead_stored);
}
