/*
 * sch_tenant - what each tenant may: tiers, what is written over them, and who is listed.  Pure.
 *
 * The values are those of the bucket sluice_tenants (docs/protocol.md): `<tenant>`, and `tier.<name>`.  A value
 * that does not fit is refused whole, and the last good one stays.
 */
#ifndef SCH_TENANT_H
#define SCH_TENANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "json/json.h"
#include "problem/problem.h"
#include "wire/wire_ticket.h"

enum { SCH_CAP_MAX = 100000, SCH_REASON_SIZE = 128 };

struct sch_rule {
    char tier[STR_NAME_SIZE];
    uint32_t cap, weight;
    uint64_t queue_max;
    bool lanes[LANES];
    uint64_t sessions;      /* 0: as many as the upstream bears */
    uint64_t runs_per_hour; /* 0: not limited */
    bool private_net, paused;
    char reason[SCH_REASON_SIZE];
    bool listed; /* it has a value of its own */
};

struct sch_tenants; /* the book */

struct sch_tenants *sch_tenant_new(void);
void sch_tenant_free(struct sch_tenants **book);

/* Would this value do for this key?  REJECT: why names the field, and the nearest that was meant.  tiers: a tier
   that is not known is wrong too (while the bucket is being read at first, its tiers may come after its tenants). */
MUST_USE struct err sch_tenant_check(const struct sch_tenants *book, const char *key, const struct json *value,
                                     bool tiers, struct problem *why);

/* The value of a key, from the bucket; REJECT as above, and nothing has changed. */
MUST_USE struct err sch_tenant_put(struct sch_tenants *book, const char *key, struct bytes value, bool tiers,
                                   struct problem *why);
void sch_tenant_remove(struct sch_tenants *book, const char *key);

/* What holds for a tenant: its own value over its tier's over what is built in. */
void sch_tenant_rule(const struct sch_tenants *book, const char *tenant, struct sch_rule *ret);

bool sch_tenant_is_tier(const char *key); /* "tier.pro" */

#endif
