#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum {
    BLOCK_MIN = 4096,  /* one page: most messages fit */
    BLOCK_MAX = 65536, /* where doubling stops, and the most that a reset keeps */
};

struct block {
    struct block *next;
    size_t size, used; /* of `at` */
    alignas(max_align_t) unsigned char at[];
};

struct arena {
    struct block *first; /* the one being filled; fuller ones follow */
    size_t size;
};

struct arena *arena_new(void)
{
    return mem_new(struct arena);
}

static void free_blocks(struct arena *arena, struct block *from)
{
    while (from) {
        struct block *next = from->next;

        arena->size -= sizeof(*from) + from->size;
        mem_free(&from);
        from = next;
    }
}

void arena_free(struct arena **slot)
{
    struct arena *arena = take(slot);

    if (!arena)
        return;
    free_blocks(arena, arena->first);
    mem_free(&arena);
}

/* A block above BLOCK_MAX was made for one giant: keeping it would hold a quiet connection's
   arena at the size of the largest message it ever saw. */
void arena_reset(struct arena *arena)
{
    struct block *keep = NULL;
    struct block *it   = arena->first;

    while (it) {
        struct block *next = it->next;

        it->next = NULL;
        if (it->size <= BLOCK_MAX && (!keep || it->size > keep->size)) {
            struct block *old = keep;

            keep = it;
            free_blocks(arena, old);
        } else {
            free_blocks(arena, it);
        }
        it = next;
    }
    if (keep)
        keep->used = 0;
    arena->first = keep;
}

static size_t next_size(const struct arena *arena, size_t wanted)
{
    size_t size = BLOCK_MIN;

    if (arena->first && arena->first->size < BLOCK_MAX)
        size = arena->first->size * 2;
    else if (arena->first)
        size = BLOCK_MAX;
    return wanted > size ? wanted : size;
}

static struct block *block_new(struct arena *arena, size_t wanted)
{
    size_t size  = next_size(arena, wanted);
    size_t whole = sizeof(struct block) + size; /* no overflow: cut() bounds what is wanted */
    struct block *block = mem_grow(NULL, whole, 1);

    block->next  = arena->first;
    block->size  = size;
    block->used  = 0;
    arena->first = block;
    arena->size += whole;
    return block;
}

static void *cut(struct arena *arena, size_t size)
{
    size_t step         = alignof(max_align_t);
    struct block *block = arena->first;

    must(size <= PTRDIFF_MAX - step - sizeof(struct block));
    size_t whole = size > 0 ? (size + step - 1) / step * step : step;

    if (!block || block->size - block->used < whole)
        block = block_new(arena, whole);
    void *ret = block->at + block->used;
    block->used += whole;
    return ret;
}

void *arena_zero(struct arena *arena, size_t size)
{
    return memset(cut(arena, size), 0, size);
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t whole  = 0;
    bool overflow = __builtin_mul_overflow(count, size, &whole);

    must(!overflow);
    return arena_zero(arena, whole);
}

char *arena_strdup(struct arena *arena, const char *s)
{
    return s ? arena_strndup(arena, s, strlen(s)) : NULL;
}

char *arena_strndup(struct arena *arena, const char *at, size_t len)
{
    size_t n  = len > 0 ? strnlen(at, len) : 0;
    char *ret = cut(arena, n + 1);

    if (n > 0)
        memcpy(ret, at, n);
    ret[n] = '\0';
    return ret;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    AUTO(mem_free) char *text = NULL;
    va_list args;

    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    must(len >= 0);
    return arena_strndup(arena, text, (size_t)len);
}

struct bytes arena_bytes(struct arena *arena, struct bytes from)
{
    uint8_t *at = cut(arena, from.len);

    if (from.len > 0)
        memcpy(at, from.at, from.len);
    return bytes_of(at, from.len);
}

size_t arena_size(const struct arena *arena)
{
    return arena->size;
}
