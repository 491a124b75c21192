/*
 * sim_base - the few words that every file of the simulator uses.
 *
 * Memory cannot run out politely here: a simulator that loses events would
 * acquit the guilty, so it says what happened and aborts.  Private to the
 * simulator: its public headers (sim_client, sim_judge, sim_event) do not
 * include this file, because the project has macros of the same names.
 */
#ifndef SIM_BASE_H
#define SIM_BASE_H

#include <stddef.h>

#define AUTO(free_fn) __attribute__((cleanup(free_fn)))
#define take(slot) \
    __extension__({ \
        __typeof__(*(slot)) t_ = *(slot); \
        *(slot)                = NULL; \
        t_; \
    })
#define must(x) ((x) ? (void)0 : sim_base_die("bug", #x))
/* For libraries that say T * and mean const T *: jansson's iteration, execv. */
#define sim_base_mutable(pointer) ((void *)(pointer))
#define sim_base_new(T) ((T *)sim_base_zero(sizeof(T)))

/* Zeroed memory; never NULL. */
void *sim_base_zero(size_t size);

/* realloc that cannot fail. */
void *sim_base_resize(void *memory, size_t size);

/* Makes room for one more element of `each` bytes; doubles, so that n puts cost O(n). */
void *sim_base_grow(void *array, size_t count, size_t *room, size_t each);

/* A copy of text; NULL stays NULL. */
char *sim_base_text(const char *text);

void sim_base_free(void *memory);

/* Copies what fits into an array of `room` bytes, always ended. */
void sim_base_copy(char *ret, size_t room, const char *text);

/* One line on stderr, then abort: what the simulator cannot do, its record cannot miss. */
void sim_base_die(const char *what, const char *why) __attribute__((noreturn));

#endif
