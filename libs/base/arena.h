/*
 * arena - memory of one message or one request: many small pieces, freed at once.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/bytes.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena **arena);
void arena_reset(struct arena *arena); /* empties it, keeps one block */

void *arena_zero(struct arena *arena, size_t size); /* aligned for any type, zeroed */
void *arena_array(struct arena *arena, size_t count, size_t size);
char *arena_strdup(struct arena *arena, const char *s); /* NULL gives NULL */
char *arena_strndup(struct arena *arena, const char *at, size_t len);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct bytes arena_bytes(struct arena *arena, struct bytes from);
size_t arena_size(const struct arena *arena); /* bytes held from the system */

#endif
