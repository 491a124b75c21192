#include "agent_sim/sim_table.h"

#include <string.h>

#include "agent_sim/sim_base.h"

uint64_t sim_table_hash(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        hash = (hash ^ *p) * 0x100000001b3u;
    return hash;
}

void sim_table_deinit(struct sim_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        sim_base_free(t->names[i]);
    sim_base_free(t->names);
    sim_base_free(t->slots);
    *t = (struct sim_table){0};
}

/* The slot that holds the name, or the free one where it belongs. */
static size_t slot_of(const struct sim_table *t, const char *name)
{
    size_t at = sim_table_hash(name) & (t->slot_count - 1);

    while (t->slots[at] && strcmp(t->names[t->slots[at] - 1], name) != 0)
        at = (at + 1) & (t->slot_count - 1);
    return at;
}

static void rehash(struct sim_table *t)
{
    sim_base_free(t->slots);
    t->slot_count = t->slot_count ? t->slot_count * 2 : 64;
    t->slots      = sim_base_zero(t->slot_count * sizeof *t->slots);
    for (size_t i = 0; i < t->count; i++)
        t->slots[slot_of(t, t->names[i])] = (uint32_t)i + 1;
}

uint32_t sim_table_put(struct sim_table *t, const char *name)
{
    if (t->count * 2 >= t->slot_count)
        rehash(t);

    size_t at = slot_of(t, name);

    if (t->slots[at])
        return t->slots[at] - 1;

    t->names             = sim_base_grow(t->names, t->count, &t->room, sizeof *t->names);
    t->names[t->count++] = sim_base_text(name);
    t->slots[at]         = (uint32_t)t->count;
    return (uint32_t)t->count - 1;
}

bool sim_table_find(const struct sim_table *t, const char *name, uint32_t *ret_number)
{
    if (t->count == 0)
        return false;

    uint32_t held = t->slots[slot_of(t, name)];

    if (held == 0)
        return false;
    *ret_number = held - 1;
    return true;
}

const char *sim_table_name(const struct sim_table *t, uint32_t number)
{
    must(number < t->count);
    return t->names[number];
}
