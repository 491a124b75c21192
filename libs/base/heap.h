/*
 * heap - a binary heap of intrusive nodes ordered by a 64-bit key: timers, deadlines, due
 * times.
 *
 * Equal keys leave in the order in which they came.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint64_t key;
    uint64_t order; /* breaks ties */
    size_t at;      /* 1-based position; 0: not in a heap */
};

struct heap {
    struct heap_node **nodes;
    size_t count, room;
    uint64_t orders;
};

#define HEAP_OWNER(node, T, field) ((T *)(void *)((char *)(node)-offsetof(T, field)))

void heap_init(struct heap *h);
void heap_deinit(struct heap *h); /* must be empty, or its nodes forgotten */

/* Inserts, or moves if it is in (behind its new equals; not at all if the key is the same). */
void heap_put(struct heap *h, struct heap_node *node, uint64_t key);
void heap_remove(struct heap *h, struct heap_node *node); /* nothing if it is not in */
struct heap_node *heap_first(const struct heap *h);       /* NULL if empty */
static inline bool heap_has(const struct heap_node *node)
{
    return node->at != 0;
}

#endif
