/*
 * gw_chain - a request that needs round trips: the op, the request, what the client is told if it fails,
 * and the run it is about, folded from its journal.
 *
 * Embedded first in each chain of the gateway (submit, get, wait, cancel).
 */
#ifndef GW_CHAIN_H
#define GW_CHAIN_H

#include "base/mem.h"
#include "gw_request.h"
#include "run/run_fold.h"
#include "wire/subject.h"
#include "wire/wire_ticket.h"

enum { CHAIN_MAGIC = 0x67776368 };

struct gw_chain {
    struct bus_op op; /* first */
    struct gw *gw;
    struct gw_request request; /* answered once, at the end */
    struct problem why;
    char run[ID_SIZE];
    char journal[SUBJECT_SIZE];
    struct run_fold fold;
    bool folded, leader;
    bus_next_fn *then;
};

/* The run's journal from its beginning, or from the last entry folded on; then(op, reply) when the fold is up to date
   (reply->err otherwise).  `leader` asks the stream's leader. */
struct err gw_chain_read(struct gw_chain *c, bus_next_fn *then);

/* Forgets what was folded. */
void gw_chain_forget(struct gw_chain *c);

/* Appends mail or a first entry; expect BUS_ANY for mail. */
struct err gw_chain_append(struct gw_chain *c, const struct entry *e, uint64_t expect,
                           bus_next_fn *next);

/* What a failed chain is told when nothing better was said. */
void gw_chain_why(struct gw_chain *c, const char *detail);

#endif
