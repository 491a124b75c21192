/*
 * intents - who is in the middle of an unsafe step, heard as it is journaled: whom to kill there.
 */
#ifndef SUPPORT_SYSTEM_INTENTS_H
#define SUPPORT_SYSTEM_INTENTS_H

#include <stddef.h>

struct intents;
struct world;

struct intents *intents_new(struct world *w);
void intents_free(struct intents **slot);

/* Runs whose last word is this worker's INTENT. */
size_t intents_of(struct intents *all, const char *worker);

#endif
