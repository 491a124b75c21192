/*
 * bw_stamp - what a session over there says of itself: whose it is, of which run.  Pure.
 *
 * "UPSTREAM.TENANT.RUN.SESSION.sluice.invalid": one word that looks like a name of no host, so that it may stand where hosts
 * are excepted from a proxy.  A list that shows it leads from a session that no record names to the journal that knows of it.
 */
#ifndef BW_STAMP_H
#define BW_STAMP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/id.h"
#include "base/str.h"

enum { BW_STAMP_SIZE = 256 };

struct bw_stamp {
    char upstream[STR_NAME_SIZE], tenant[STR_NAME_SIZE], run[ID_SIZE], session[ID_SIZE + 1];
};

void bw_stamp_write(const struct bw_stamp *stamp, char ret[BW_STAMP_SIZE]);

/* false: it is none, ret is untouched. */
bool bw_stamp_read(const char *text, struct bw_stamp *ret);

#endif
