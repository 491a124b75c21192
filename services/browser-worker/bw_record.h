/*
 * bw_record - one record of the session table, as JSON and as a struct.  Pure.
 */
#ifndef BW_RECORD_H
#define BW_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"

struct bw_record {
    char status[16], run[ID_SIZE], workflow[ID_SIZE], tenant[STR_NAME_SIZE],
        upstream[STR_NAME_SIZE];
    char endpoint[256], remote_id[256];
    uint64_t token;
    bool free;             /* kept for whoever names it */
    int64_t expires_at_ms; /* a kept one; 0: none */
    int64_t updated_ms;
};
MUST_USE struct err bw_record_read(struct bw_record *ret, struct bytes value);

#endif
