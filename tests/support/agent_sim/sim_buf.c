#include "agent_sim/sim_buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent_sim/sim_base.h"

void sim_buf_deinit(struct sim_buf *b)
{
    sim_base_free(b->data);
    *b = (struct sim_buf){0};
}

void sim_buf_reserve(struct sim_buf *b, size_t more)
{
    if (b->room - b->len >= more)
        return;

    size_t room = b->room ? b->room : 512;

    while (room - b->len < more)
        room *= 2;

    b->data = sim_base_resize(b->data, room);
    b->room = room;
}

void sim_buf_put(struct sim_buf *b, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    sim_buf_reserve(b, len);
    memcpy(b->data + b->len, bytes, len);
    b->len += len;
}

void sim_buf_printf(struct sim_buf *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    must(len >= 0);

    sim_buf_reserve(b, (size_t)len + 1);
    va_start(args, format);
    (void)vsnprintf(b->data + b->len, (size_t)len + 1, format, args);
    va_end(args);
    b->len += (size_t)len;
}

void sim_buf_eat(struct sim_buf *b, size_t len)
{
    must(len <= b->len);
    if (len == b->len) {
        /* Thousands of idle connections: an empty buffer keeps no memory. */
        sim_buf_deinit(b);
        return;
    }
    memmove(b->data, b->data + len, b->len - len);
    b->len -= len;
}
