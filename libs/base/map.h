/*
 * map - an open hash of string or number keys to pointers.
 *
 * The map copies string keys and owns nothing else.  Removing while iterating is allowed for
 * the element just visited.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map;

struct map *map_new(void);
void map_free(struct map **map); /* the values are the caller's */
size_t map_count(const struct map *map);

void *map_find(const struct map *map, const char *key); /* NULL if absent */

/* Returns the value it replaced, or NULL.  The value must not be NULL: a set puts any
   pointer. */
void *map_put(struct map *map, const char *key, void *value);
void *map_remove(struct map *map, const char *key); /* returns what was there, or NULL */

void *map_find_u64(const struct map *map, uint64_t key);
void *map_put_u64(struct map *map, uint64_t key, void *value);
void *map_remove_u64(struct map *map, uint64_t key);

/* for (size_t it = 0; map_next(map, &it, &key, &value);) ...
   The key is NULL for number keys.  The order is arbitrary and another in each process. */
bool map_next(const struct map *map, size_t *it, const char **ret_key, void **ret_value);

#endif
