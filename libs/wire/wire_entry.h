/*
 * wire_entry - a journal entry as headers: what is listed, found and reconciled by, and what people
 * read with `nats sub --headers-only`.  docs/protocol.md has the closed list.
 */
#ifndef WIRE_ENTRY_H
#define WIRE_ENTRY_H

#include <stddef.h>

#include "base/arena.h"

struct entry;

/*
 * The headers of an entry (surface 3, shapes 1): pairs for the bus, strings in the arena.  Durations
 * are as people write them ("90s"), Sluice-Labels is k=v;... cut at a whole label, a long value is
 * cut at a whole character, and what could break a header or a terminal is a blank.
 */
enum { ENTRY_HEADERS_MAX = 20, ENTRY_HEADER_VALUE_MAX = 1024 };
struct entry_header {
    const char *name;
    const char *value;
};
size_t wire_entry_headers(const struct entry *e, struct arena *arena,
                          struct entry_header ret[ENTRY_HEADERS_MAX]);

/*
 * What stands in headers alone; get(self, name) gives a header or NULL.  Fills what headers hold (seq
 * and stored_ms, too, if the server's own headers are there), the rest "" or 0; what is not a name
 * where one should be is "".  Strings are the headers' own; labels are JSON again, in the arena.
 * Tenant and run stand in the subject.
 */
typedef const char *entry_header_fn(const void *self, const char *name);
void wire_entry_from_headers(struct entry *ret, entry_header_fn *get, const void *self,
                             struct arena *arena);

#endif
