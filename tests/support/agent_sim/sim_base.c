#include "agent_sim/sim_base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *sim_base_zero(size_t size)
{
    void *memory = calloc(1, size);

    if (!memory)
        sim_base_die("memory", "none left");
    return memory;
}

void *sim_base_resize(void *memory, size_t size)
{
    void *resized = realloc(memory, size);

    if (!resized)
        sim_base_die("memory", "none left");
    return resized;
}

void *sim_base_grow(void *array, size_t count, size_t *room, size_t each)
{
    if (count < *room)
        return array;

    *room = *room ? *room * 2 : 16;
    return sim_base_resize(array, *room * each);
}

char *sim_base_text(const char *text)
{
    if (!text)
        return NULL;

    size_t size = strlen(text) + 1;

    return memcpy(sim_base_zero(size), text, size);
}

void sim_base_free(void *memory)
{
    free(memory);
}

void sim_base_copy(char *ret, size_t room, const char *text)
{
    size_t len = strnlen(text, room - 1);

    memmove(ret, text, len);
    ret[len] = '\0';
}

void sim_base_die(const char *what, const char *why)
{
    fprintf(stderr, "agent_sim: %s: %s\n", what, why);
    abort();
}
