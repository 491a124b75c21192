/*
 * callee - the tenants' own service behind `call` steps: it keeps its own record of who called, and
 * answers when the test says so.  How a run is held inside a step without any upstream.
 */
#ifndef SUPPORT_SYSTEM_CALLEE_H
#define SUPPORT_SYSTEM_CALLEE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world;
struct callee;

/* Answers {"ok":true} at once to each call, of any tenant, until told otherwise. */
struct callee *callee_new(struct world *w);
void callee_free(struct callee **slot);

void callee_hold(struct callee *c); /* calls from now on are not answered */
void callee_release(
    struct callee *c); /* those that are held are answered now, later ones at once */

size_t callee_calls(struct callee *c);
size_t callee_calls_of(struct callee *c, const char *run,
                       const char *step); /* step NULL: any */
size_t callee_held(struct callee *c);     /* not answered yet */
/* The most calls of one run and step: 1 unless an unsafe step was repeated. */
size_t callee_most(struct callee *c);

#endif
