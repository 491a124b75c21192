/*
 * bus_scan - finds members in the server's JSON without building a document.  Pure: bytes in, views out.
 *
 * Lenient: it checks what it must walk over and no more.  A value is a view of the text as it stands
 * there (a string with its quotes).  Depth costs nothing, so nothing nests too deep.
 */
#ifndef BUS_BUS_SCAN_H
#define BUS_BUS_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct bus_scan {
    const uint8_t *at, *end; /* at NULL: over */
};

/* Opens an object; false if it is none. */
bool bus_scan_open(struct bus_scan *scan, struct bytes json);
/* The next member, its name without the quotes and as it is escaped; false at the end or where it
   stops being JSON (bus_scan_broken tells). */
bool bus_scan_next(struct bus_scan *scan, struct bytes *ret_name, struct bytes *ret_value);
bool bus_scan_broken(const struct bus_scan *scan);

/* The value of a path of members ("message.seq"); false if there is none. */
bool bus_scan_find(struct bytes json, const char *path, struct bytes *ret_value);

bool bus_scan_name_is(struct bytes name, const char *word);
bool bus_scan_u64(struct bytes value, uint64_t *ret);
bool bus_scan_i64(struct bytes value, int64_t *ret);
/* The text of a string value, unescaped, cut to size - 1, always terminated; false if it is no
   string or was cut. */
bool bus_scan_text(struct bytes value, char *to, size_t size);

#endif
