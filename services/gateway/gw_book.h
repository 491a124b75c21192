/*
 * gw_book - what the gateway knows of the world: tenants, flows, upstreams, and how full each queue is.
 *
 * Followed live from their buckets; an invalid value is ignored, the last good one stays.
 */
#ifndef GW_BOOK_H
#define GW_BOOK_H

#include "gw.h"
#include "json/json.h"
#include "problem/problem.h"
#include "run/run_tenant.h"

struct gw_book *gw_book_new(struct gw *gw);
void gw_book_free(struct gw_book **book);

/* All that was there at the start is read. */
bool gw_book_ready(const struct gw_book *book);

/* What holds for a tenant; REJECT (not_found) if it must be listed and is not. */
MUST_USE struct err gw_book_tenant(const struct gw_book *book, const char *tenant,
                                   struct run_rule *ret, struct problem *why);

/* A stored flow by "name" or "name@3": its document and full name; REJECT with the nearest. */
MUST_USE struct err gw_book_flow(const struct gw_book *book, const char *ref,
                                 const struct json **ret_doc, char *ret_name, size_t name_size,
                                 struct problem *why);

/* An upstream's driver ("agent", "webdriver"); REJECT with the nearest. */
MUST_USE struct err gw_book_upstream(const struct gw_book *book, const char *name,
                                     const char *pointer, const char **ret_driver,
                                     struct problem *why);

/* Tickets that wait for a tenant, as last heard from the scheduler, and what may come to them from here; UINT64_MAX:
   nothing heard. */
uint64_t gw_book_depth(const struct gw_book *book, const char *tenant);
/* One more is on its way, whatever the scheduler says meanwhile: from then on until it is left, exactly once. */
void gw_book_enter(struct gw_book *book, const char *tenant);
/* accepted: its ticket is stored, so it waits until the scheduler says how many do. */
void gw_book_leave(struct gw_book *book, const char *tenant, bool accepted);

#endif
