/*
 * lim_body - what is said to the limiter and by it, as bytes: protobuf among ourselves,
 * JSON with all others.  Pure.
 *
 * JSON of sluice.permit.<upstream>:
 *     {"wait_ms":0}                      ask; also id tenant lane run step session keys lifetime_ms
 *     {"return":"<id>","status":200}     return; also class retry_after_ms ms session session_opened
 *                                        session_closed (of a session alone: without "return")
 */
#ifndef LIM_BODY_H
#define LIM_BODY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "lim_gate.h"
#include "problem/problem.h"
#include "wire/wire_permit.h"

struct lim_body {
    struct permit_request request;
    bool json; /* answer in kind */
};

/* id: for an ask that has none.  REJECT: why is a problem for the asker. */
MUST_USE struct err lim_body_read(struct lim_body *ret, const char *upstream, struct bytes body,
                                  const char *id, struct problem *why);

/* The answer to an ask, and to a report that was sent as a request. */
void lim_body_grant(const struct permit_grant *g, bool json, struct buf *to);
void lim_body_returned(const char *id, bool json, struct buf *to);

/* sluice.admin.upstream.<u>; the whole of sluice.state.upstream.<shard>. */
void lim_body_upstream(const struct lim_gate_state *s, struct buf *to);
void lim_body_state(const struct lim_gate *g, uint64_t now, struct buf *to);

/* One alert; until 0: firing. */
void lim_body_alert(enum lim_incident_kind kind, const char *name, uint64_t since_ms,
                    uint64_t until_ms, struct buf *to);

/* What a stored alert says.  False: it is no alert of ours. */
struct lim_body_told {
    uint64_t since_ms;
    bool resolved;
};
bool lim_body_alert_read(struct bytes body, struct lim_body_told *ret);

/* not_found, with the nearest name that there is. */
void lim_body_unknown(const struct lim_gate *g, const char *upstream, struct problem *why);

#endif
