#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* What an empty buf points to, so that `at` is a string from the start.  Never written: room
   is 0. */
static char nothing[1];

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.at = nothing, .max = max};
}

void buf_deinit(struct buf *b)
{
    if (b->room > 0)
        mem_free(&b->at);
    buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
    b->len  = 0;
    b->full = false;
    if (b->room > 0)
        b->at[0] = '\0';
}

/* Room for len more and the zero, or false.  Once full, always full: what is in it stays a
   prefix of what was meant, never a text with a hole. */
static bool make_room(struct buf *b, size_t len)
{
    enum { FIRST = 64 };

    if (b->full || len > b->max - b->len || len > PTRDIFF_MAX - b->len - 1) {
        b->full = true;
        return false;
    }
    size_t need = b->len + len + 1;
    if (need <= b->room)
        return true;

    size_t room = b->room < FIRST ? FIRST : b->room * 2;
    if (room > b->max)
        room = b->max + 1;
    if (room < need)
        room = need;
    b->at   = mem_grow(b->room > 0 ? b->at : NULL, room, 1);
    b->room = room;
    return true;
}

void buf_add(struct buf *b, const void *at, size_t len)
{
    if (!make_room(b, len))
        return;
    if (len > 0)
        memcpy(b->at + b->len, at, len);
    b->len += len;
    b->at[b->len] = '\0';
}

void buf_str(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    must(len >= 0);

    if (make_room(b, (size_t)len)) {
        vsnprintf(b->at + b->len, (size_t)len + 1, format, again);
        b->len += (size_t)len;
    }
    va_end(again);
}

char *buf_take(struct buf *b)
{
    char *ret = b->room > 0 ? b->at : mem_strdup("");

    buf_init(b, b->max);
    return ret;
}

struct bytes buf_bytes(const struct buf *b)
{
    return bytes_of(b->at, b->len);
}
