/*
 * sim_buf - bytes that grow at the end and are eaten from the front.
 */
#ifndef SIM_BUF_H
#define SIM_BUF_H

#include <stddef.h>

struct sim_buf {
    char *data;
    size_t len;
    size_t room;
};

void sim_buf_deinit(struct sim_buf *b);

/* At least `more` writable bytes behind data + len. */
void sim_buf_reserve(struct sim_buf *b, size_t more);

void sim_buf_put(struct sim_buf *b, const void *bytes, size_t len);
void sim_buf_printf(struct sim_buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Forgets the first `len` bytes. */
void sim_buf_eat(struct sim_buf *b, size_t len);

#endif
