/*
 * mem - memory that cannot run out politely, and the words of ownership.
 *
 * `T **` means you lose it; `const T *` means you lend it; `ret_` means you get it.
 * Locals that own say AUTO(foo_free) and leave with take().
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#include "base/must.h"

#define AUTO(free_fn) __attribute__((cleanup(free_fn)))
#define take(slot) \
    __extension__({ \
        __typeof__(*(slot)) t_ = *(slot); \
        *(slot)                = NULL; \
        t_; \
    })
#define mem_new(T) ((T *)mem_zero(sizeof(T)))

/* The checked way back from a `void *` or an embedded first member: the struct's first field is
   `uint32_t magic`, or a struct whose first field is. */
#define SELF(T, MAGIC, p) ((T *)mem_self((p), (MAGIC)))

void *mem_zero(size_t size);                          /* zeroed; aborts when there is none */
void *mem_array(size_t count, size_t size);           /* zeroed, overflow checked */
void *mem_grow(void *old, size_t count, size_t size); /* as reallocarray: new part NOT zeroed */
void *mem_copy(const void *at, size_t len);           /* a copy; len 0 gives a valid pointer */
char *mem_strdup(const char *s);                      /* NULL gives NULL */
char *mem_strndup(const char *at, size_t len);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The address of any pointer: frees what it points to and nulls it; for AUTO(mem_free) too. */
void mem_free(void *slot);
void *mem_self(void *at, unsigned magic);

#endif
