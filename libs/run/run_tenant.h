/*
 * run_tenant - what each tenant may: tiers, what is written over them, and who is listed.  Pure.
 *
 * The values are those of the bucket sluice_tenants (docs/protocol.md): `<tenant>`, and `tier.<name>`.  A value
 * that does not fit is refused whole, and the last good one stays.  One that fits but for its tier, which is not
 * known yet, is refused as well, and taken as soon as its tier is: a tenant may be written before its tier is,
 * and be read before it at a start.
 */
#ifndef RUN_RUN_TENANT_H
#define RUN_RUN_TENANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"
#include "problem/problem.h"
#include "wire/wire_ticket.h"

enum { RUN_CAP_MAX = 100000, RUN_REASON_SIZE = 128 };

struct run_rule {
    char tier[STR_NAME_SIZE];
    uint32_t cap, weight;
    uint64_t queue_max;
    bool own_queue_max; /* not its tier's */
    bool lanes[LANES];
    uint32_t sessions;      /* 0: as many as the upstream bears */
    uint64_t runs_per_hour; /* 0: not limited */
    bool private_net, paused;
    char reason[RUN_REASON_SIZE];
    bool listed; /* it has a value of its own */
};

struct run_tenants; /* the book */

/* A value that was refused for want of its tier is taken: it holds from now on. */
typedef void run_tenant_taken_fn(void *self, const char *key, struct bytes value);

struct run_tenants *run_tenant_new(run_tenant_taken_fn *taken, /* may be NULL */ void *self);
void run_tenant_free(struct run_tenants **book);

/* Would this value do for this key?  REJECT: why names the field, and the nearest that was meant.  tiers: a tier
   that is not known is wrong too. */
MUST_USE struct err run_tenant_check(const struct run_tenants *book, const char *key,
                                     const struct json *value, bool tiers, struct problem *why);

/* The value of a key, from the bucket; REJECT as above, and what held holds. */
MUST_USE struct err run_tenant_put(struct run_tenants *book, const char *key,
                                   struct bytes value, struct problem *why);
void run_tenant_remove(struct run_tenants *book, const char *key);
void run_tenant_clear(struct run_tenants *book); /* the bucket was made anew */

/* What holds for a tenant: its own value over its tier's over what is built in. */
void run_tenant_rule(const struct run_tenants *book, const char *tenant, struct run_rule *ret);

bool run_tenant_is_tier(const char *key); /* "tier.pro" */

#endif
