/*
 * ear - hears what is published on a subject, stored or not, and what the server answered: how a
 * test proves that somebody tried and was refused.
 */
#ifndef SUPPORT_SYSTEM_EAR_H
#define SUPPORT_SYSTEM_EAR_H

#include <stddef.h>
#include <stdint.h>

struct world;
struct ear;

struct ear *ear_new(struct world *w, const char *subject);
void ear_free(struct ear **slot);

size_t ear_count(struct ear *e);
/* Who published the n-th: the part of its reply subject that is its connection's own. */
void ear_who(struct ear *e, size_t n, char ret[64]);
/* Publishes from the n-th on, by `who` (NULL: anybody), that the server refused. */
size_t ear_refused(struct ear *e, size_t from, const char *who);

#endif
