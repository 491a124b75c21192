/*
 * ear - hears what is published on a subject, stored or not, and what the server answered: how a
 * test proves that somebody tried and was refused.
 */
#ifndef SUPPORT_SYSTEM_EAR_H
#define SUPPORT_SYSTEM_EAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proc;
struct world;
struct ear;

struct ear *ear_new(struct world *w, const char *subject);
void ear_free(struct ear **slot);

size_t ear_count(struct ear *e);
/* Who published the n-th: the part of its reply subject that is its connection's own. */
void ear_who(struct ear *e, size_t n, char ret[64]);
/* Publishes from the n-th on, by `who` (NULL: anybody), that the server refused. */
size_t ear_refused(struct ear *e, size_t from, const char *who);

/*
 * A trap for who publishes in a burst: the next publish that is heard stops `p` (SIGSTOP), at once, from the
 * thread that hears it.  What stands behind it in the burst is then not sent before it goes on.
 */
void ear_trap(struct ear *e, struct proc *p);
bool ear_sprung(struct ear *e); /* it is stopped */

#endif
