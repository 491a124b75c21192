/*
 * bw_table - the session table as it is followed: each record that has not ended, fleet-wide.
 *
 * It is a moment behind: who acts on a row reads the record first and lets a CAS decide.
 */
#ifndef BW_TABLE_H
#define BW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bw_record.h"

struct bus;
struct bw_table;

enum { BW_TABLE_KEY_SIZE = STR_NAME_SIZE + ID_SIZE + 2 };

struct bw_table_row {
    char key[BW_TABLE_KEY_SIZE]; /* "TENANT.SESSION" */
    struct bw_record record;
    uint64_t revision;
    uint64_t mark; /* it was read before every later bw_table_mark() */
};

struct bw_table *bw_table_new(struct bus *bus);
void bw_table_free(struct bw_table **table);

/* All that was there is read. */
bool bw_table_ready(const struct bw_table *table);

uint64_t bw_table_mark(struct bw_table *table);

/* A row is valid until the next turn.  for (size_t it = 0; bw_table_next(table, &it, &row);) */
const struct bw_table_row *bw_table_find(const struct bw_table *table, const char *key);
bool bw_table_next(const struct bw_table *table, size_t *it, const struct bw_table_row **ret);

/* "TENANT.SESSION" */
const char *bw_table_key(const char *tenant, const char *session, char ret[BW_TABLE_KEY_SIZE]);
const char *bw_table_session(const struct bw_table_row *row);

#endif
