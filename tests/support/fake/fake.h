/*
 * fake - a bus without a wire: bus.h in memory, told the time, and hurt at will.
 *
 * One world a test: streams, buckets, consumers, subscribers and every `struct bus` that was opened in
 * it.  Nothing happens but in fake_turn and fake_advance: an answer comes in a later turn, a redelivery
 * when its time is over.  The clocks of base/clk.h and the random numbers of base/id.h are the world's,
 * so that a scenario is the same each time.
 *
 * Torture: answers are counted from fake_count on, and the n-th can be hurt.  What counts as an answer:
 * of each call of an op (bus_wait asks nobody), each delivery of a consumer, each ack or nak on its way;
 * of what goes on all the time (heartbeats, looks, leadership) the first three.
 */
#ifndef SUPPORT_FAKE_FAKE_H
#define SUPPORT_FAKE_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/bus.h"

void fake_begin(void);
/* Every bus must be freed by now. */
void fake_end(void);

/* ---- time ---------------------------------------------------------------------------------- */

uint64_t fake_now(void);
/* What is due now, once; false: nothing was. */
bool fake_turn(void);
/* Turns until nothing is due. */
void fake_settle(void);
/* Time goes on in steps, and whatever falls due happens. */
void fake_advance(uint64_t ms);
void fake_step(uint64_t ms); /* 20 at first */
/* Steps at which nothing falls due are left out: fn says how long after its last turn whoever uses a bus wants the
   next one (UINT64_MAX: it waits for messages only).  Without it there is a turn at every step. */
void fake_on_time(uint64_t (*fn)(const struct bus *bus));

/* ---- torture --------------------------------------------------------------------------------- */

enum fake_how {
    FAKE_WELL,
    FAKE_REFUSED,     /* with a kind: certainly not done */
    FAKE_LOST_BEFORE, /* not done, no answer */
    FAKE_LOST_AFTER,  /* done, no answer */
    FAKE_LATE_DONE,   /* done when nobody waits any more: it was long on its way */
    FAKE_LATE_ANSWER, /* done at once, answered when nobody waits any more */
    FAKE_TWICE,       /* done once, answered twice; a request or a delivery comes twice */
    FAKE_CUT_BEFORE,  /* the connection breaks before it is done; it is back after 300 ms */
    FAKE_CUT_AFTER,   /* the same when it is done */
    FAKE_FROZEN, /* done; and whoever asked is stopped for two minutes before it hears so */
};
struct fake_hurt {
    unsigned nth; /* 1-based; 0: none */
    enum fake_how how;
    enum err_kind kind; /* of a refusal: ERR_RETRY, ERR_FULL (publishes only) */
    const char *name;
};
/* The hurts that a torture goes through; by name NULL it ends. */
extern const struct fake_hurt FAKE_HURTS[];

/* Counting begins anew, and the n-th from now is hurt.  Calls of a bus that fake_spare named are not counted. */
void fake_count(struct fake_hurt hurt);
/* What comes from now on is not counted. */
void fake_count_end(void);
unsigned fake_counted(void);
bool fake_hurt_done(void);
/* What was hurt: "submit: publish sluice.journal.…"; "" none. */
const char *fake_hurt_what(void);
/* Does this do anything to the n-th answer of the last count without a hurt that none before it in FAKE_HURTS does?  What
   was only to be read is as little changed when its answer was lost before as when it was lost after. */
bool fake_hurt_differs(unsigned nth, const struct fake_hurt *hurt);
/* In any world of this program an answer of this chain was hurt in this way, or each of them is as well without it. */
bool fake_was_hurt(const char *chain, const struct fake_hurt *hurt);
void fake_spare(struct bus *bus);
/* The connection of one bus: breaks, or is there again. */
void fake_connect(struct bus *bus, bool connected);

/* The process of this bus is stopped: it hears nothing and its time goes on. */
void fake_freeze(struct bus *bus, uint64_t ms);
bool fake_any_frozen(void);
/* What is out of a consumer is given again, to another if there is one. */
void fake_redeliver(const char *stream, const char *consumer);

/* ---- what is there ------------------------------------------------------------------------------ */

/* Living ops of this chain (NULL: all) in all buses. */
size_t fake_ops(const char *what);
/* Prints "CHAIN name" of each chain that was driven so far, once a program. */
void fake_tell_chains(void);

struct fake_stored {
    const char *subject;
    struct bytes body;
    uint64_t seq;
    int64_t stored_ms;
};
/* The n-th (0-based) message there is of a subject or wildcard; false: there is none. */
bool fake_stored(const char *stream, const char *subject, size_t n, struct fake_stored *ret);
size_t fake_stored_count(const char *stream, const char *subject);
bool fake_has_stream(const char *stream);
/* A greater number whenever something in the stream is another: what was found out about it may be kept till then. */
uint64_t fake_changes(const char *stream);
/* Stores without a client.  Returns the sequence. */
uint64_t fake_store(const char *subject, struct bytes body);
/* A stream takes no more than so many messages; 0: none at all; UINT64_MAX: as configured. */
void fake_limit(const char *stream, uint64_t max_msgs);
/* Makes a stream without a client. */
void fake_make_stream(const char *name, struct bytes config);
/* Somebody changes a stream. */
void fake_configure(const char *stream, struct bytes config);
/* Somebody deletes a stream, and it is made again as it was: empty, and another one. */
void fake_make_anew(const char *stream);
void fake_make_consumer(const char *stream, const char *name, struct bytes config);

#endif
