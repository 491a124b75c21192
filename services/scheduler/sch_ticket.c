#include "sch_ticket.h"

#include <string.h>

#include "base/mem.h"
#include "sch_index_internal.h"

void sch_ticket_forget(struct sch_ticket *t)
{
    if (t->tries == 0 && t->acks) {
        char *owned = (char *)(uintptr_t)t->acks;

        mem_free(&owned);
    }
}

/*
 * A million reply subjects of ninety bytes would be most of the memory.  "$JS.ACK.<stream>.<consumer>." is the same
 * in all, and of the rest the server reads the delivery count and the two sequences; the stamp and the number
 * behind may be anything (tried on 2.15.1).  A subject of another form is kept whole.
 */
static void ticket_words(struct sch_index *ix, struct sch_ticket *t,
                         const struct sch_message *m)
{
    char begin[256], form[320];
    const char *at = m->acks;

    for (int dots = 0; *at && dots < 4; at++)
        dots += *at == '.';

    size_t len    = (size_t)(at - m->acks);
    unsigned dots = 0;

    for (const char *c = at; *c; c++)
        dots += *c == '.';
    str_format(form, sizeof(form), "%u.%llu.%llu.", m->deliveries, (unsigned long long)m->seq,
               (unsigned long long)m->consumer_seq);
    if (!str_starts(m->acks, "$JS.ACK.") || dots != 4 || !str_starts(at, form) ||
        m->deliveries < 1 || m->deliveries > UINT16_MAX ||
        !str_copy_n(begin, sizeof(begin), m->acks, len)) {
        t->acks  = mem_strdup(m->acks);
        t->tries = 0;
        return;
    }

    char *word = map_find(ix->words, begin);

    if (!word) {
        word = mem_strdup(begin);
        map_put(ix->words, begin, word);
    }
    t->acks  = word;
    t->tries = (uint16_t)m->deliveries;
}

static void answer(struct sch_index *ix, struct sch_tenant *tenant, struct sch_ticket *t)
{
    char acks[400];

    if (t->tries == 0) {
        ix->ack(ix->self, t->acks);
    } else {
        str_format(acks, sizeof(acks), "%s%u.%llu.%llu.0.0", t->acks, (unsigned)t->tries,
                   (unsigned long long)t->seq, (unsigned long long)t->consumer_seq);
        ix->ack(ix->self, acks);
    }
    sch_ticket_forget(t);
    ix->figures.tickets--;
    if (t->fresh) {
        tenant->fresh--;
        if (!list_linked(&tenant->dirty))
            list_push(&ix->dirty, &tenant->dirty);
    }
}

void sch_ticket_add(struct sch_index *ix, struct sch_run *run, uint32_t wake,
                    const struct sch_message *m)
{
    struct sch_ticket *t      = &run->ticket;
    struct sch_tenant *tenant = run->queue->tenant;

    if (t->acks) { /* the first place is taken */
        struct sch_ticket *more = mem_new(struct sch_ticket);

        more->next = t->next;
        t->next    = more;
        t          = more;
    }
    t->seq          = m->seq;
    t->consumer_seq = m->consumer_seq;
    t->wake         = wake;
    t->fresh        = m->fresh;
    ticket_words(ix, t, m);
    ix->figures.tickets++;
    if (m->fresh) {
        tenant->fresh++;
        if (!list_linked(&tenant->dirty))
            list_push(&ix->dirty, &tenant->dirty);
    }
}

bool sch_ticket_again(struct sch_index *ix, struct sch_run *run, const struct sch_message *m)
{
    for (struct sch_ticket *t = &run->ticket; t; t = t->next)
        if (t->acks && t->seq == m->seq) {
            sch_ticket_forget(t);
            t->consumer_seq = m->consumer_seq;
            ticket_words(ix, t, m);
            return true;
        }
    return false;
}

void sch_ticket_answer_upto(struct sch_index *ix, struct sch_run *run, uint32_t wake)
{
    struct sch_tenant *tenant = run->queue->tenant;

    for (struct sch_ticket **link = &run->ticket.next; *link;) {
        struct sch_ticket *t = *link;

        if (t->wake > wake) {
            link = &t->next;
            continue;
        }
        *link = t->next;
        answer(ix, tenant, t);
        mem_free(&t);
    }
    if (!run->ticket.acks || run->ticket.wake > wake)
        return;
    answer(ix, tenant, &run->ticket);

    struct sch_ticket *second = run->ticket.next;

    run->ticket = (struct sch_ticket){0};
    if (second) {
        run->ticket = *second;
        mem_free(&second);
    }
}

void sch_ticket_answer_below(struct sch_index *ix, struct sch_run *run, uint32_t wake)
{
    if (wake > 0)
        sch_ticket_answer_upto(ix, run, wake - 1);
}

bool sch_ticket_none(const struct sch_run *run)
{
    return !run->ticket.acks;
}
