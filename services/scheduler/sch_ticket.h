/*
 * sch_ticket - the messages of PENDING that a run is known by, until they are answered.  Pure.
 *
 * A million may be held, so each is small: what the reply subjects have in common is kept once.
 */
#ifndef SCH_TICKET_H
#define SCH_TICKET_H

#include <stdbool.h>
#include <stdint.h>

struct sch_index;
struct sch_run;

struct sch_ticket { /* one message of PENDING, not yet acknowledged */
    struct sch_ticket *next;
    const char
        *acks; /* interned beginning of its reply subject, or all of it; NULL: there is none */
    uint64_t seq, consumer_seq;
    uint32_t wake;
    uint16_t tries; /* 0: acks is all of it, owned */
    bool fresh;     /* counts in the quota */
};

/* A ticket's message, as far as it is not the ticket. */
struct sch_message {
    uint64_t seq, consumer_seq;
    const char *acks; /* the reply subject */
    uint32_t deliveries;
    int64_t stored; /* monotonic */
    bool fresh;
};

void sch_ticket_add(struct sch_index *index, struct sch_run *run, uint32_t wake,
                    const struct sch_message *message);
/* One that is held came again, because it waited longer than the consumer's AckWait: nothing changes but how it is
   answered.  False: it is new. */
bool sch_ticket_again(struct sch_index *index, struct sch_run *run,
                      const struct sch_message *message);
/* Answers the run's tickets up to and including a wake; below it. */
void sch_ticket_answer_upto(struct sch_index *index, struct sch_run *run, uint32_t wake);
void sch_ticket_answer_below(struct sch_index *index, struct sch_run *run, uint32_t wake);
bool sch_ticket_none(const struct sch_run *run);
/* Frees what it owns; nobody is answered. */
void sch_ticket_forget(struct sch_ticket *ticket);

#endif
