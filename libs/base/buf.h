/*
 * buf - a growing run of bytes with a limit given at birth.
 *
 * Appending past the limit sets `full` and appends nothing: the writer checks once, at the end.
 * The bytes are always followed by a terminating zero that is not counted.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct buf {
    char *at;
    size_t len;
    size_t room; /* allocated */
    size_t max;
    bool full;
};

void buf_init(struct buf *b, size_t max);
void buf_deinit(struct buf *b);
void buf_clear(struct buf *b); /* empties it, keeps the memory, clears `full` */
void buf_add(struct buf *b, const void *at, size_t len);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *buf_take(struct buf *b); /* hands the memory over (mem_free it); b is empty afterwards */
struct bytes buf_bytes(const struct buf *b);

#endif
