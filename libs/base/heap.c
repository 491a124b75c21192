#include "base/heap.h"

#include "base/mem.h"

void heap_init(struct heap *h)
{
    *h = (struct heap){0};
}

void heap_deinit(struct heap *h)
{
    mem_free(&h->nodes);
    heap_init(h);
}

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key < b->key || (a->key == b->key && a->order < b->order);
}

/* Positions are 1-based, as in the books: the children of n are 2n and 2n + 1. */
static void set(struct heap *h, size_t at, struct heap_node *node)
{
    h->nodes[at - 1] = node;
    node->at         = at;
}

static void rise(struct heap *h, struct heap_node *node, size_t at)
{
    while (at > 1 && before(node, h->nodes[at / 2 - 1])) {
        set(h, at, h->nodes[at / 2 - 1]);
        at /= 2;
    }
    set(h, at, node);
}

static void sink(struct heap *h, struct heap_node *node, size_t at)
{
    for (size_t child = at * 2; child <= h->count; child = at * 2) {
        if (child < h->count && before(h->nodes[child], h->nodes[child - 1]))
            child++;
        if (!before(h->nodes[child - 1], node))
            break;
        set(h, at, h->nodes[child - 1]);
        at = child;
    }
    set(h, at, node);
}

static void settle(struct heap *h, struct heap_node *node, size_t at)
{
    rise(h, node, at);
    if (node->at == at)
        sink(h, node, at);
}

static bool holds(const struct heap *h, const struct heap_node *node)
{
    return node->at <= h->count && h->nodes[node->at - 1] == node;
}

void heap_put(struct heap *h, struct heap_node *node, uint64_t key)
{
    if (heap_has(node)) {
        must(holds(h, node));
        if (node->key == key)
            return; /* not moved, so it keeps its place among equals */
    } else {
        if (h->count == h->room) {
            h->room  = h->room > 0 ? h->room * 2 : 16;
            h->nodes = mem_grow(h->nodes, h->room, sizeof(struct heap_node *));
        }
        node->at = ++h->count;
    }
    node->key   = key;
    node->order = h->orders++;
    settle(h, node, node->at);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    if (!heap_has(node))
        return;
    must(holds(h, node));

    size_t at              = node->at;
    struct heap_node *last = h->nodes[--h->count];

    node->at = 0;
    if (last != node)
        settle(h, last, at);
}

struct heap_node *heap_first(const struct heap *h)
{
    return h->count > 0 ? h->nodes[0] : NULL;
}
