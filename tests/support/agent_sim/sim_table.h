/*
 * sim_table - gives each name a small number, for ever the same.
 *
 * Open addressing over FNV-1a; names are copied once and never removed, so a
 * number can index a plain array of its owner.
 */
#ifndef SIM_TABLE_H
#define SIM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_table {
    char **names;
    size_t count;
    size_t room;
    uint32_t *slots; /* number + 1; 0 = free */
    size_t slot_count;
};

void sim_table_deinit(struct sim_table *t);

/* The number of this name, a new one (== the former count) if it was not there. */
uint32_t sim_table_put(struct sim_table *t, const char *name);

bool sim_table_find(const struct sim_table *t, const char *name, uint32_t *ret_number);
const char *sim_table_name(const struct sim_table *t, uint32_t number);

uint64_t sim_table_hash(const char *text);

#endif
