/*
 * record - what a stream holds, read whole, for judging offline.
 */
#ifndef SUPPORT_SYSTEM_RECORD_H
#define SUPPORT_SYSTEM_RECORD_H

#include <nats/nats.h>
#include <stddef.h>
#include <stdint.h>

struct world;

struct record_item {
    uint64_t seq;
    int64_t at_ms; /* stored, wall clock */
    natsMsg *msg;
};

struct record {
    struct world *world;
    struct record_item *items; /* in the order of the stream */
    size_t count;
    const struct record_item *
        *by_run; /* by the last token of the subject, then in that order */
};

/* Every message; fails the test if the stream cannot be read to its end. */
struct record *record_read(struct world *w, const char *stream);
void record_free(struct record **slot);

const char *record_subject(const struct record_item *i);
const char *record_header(const struct record_item *i, const char *name); /* "" if absent */
uint64_t record_number(const struct record_item *i,
                       const char *name); /* of a header; 0 if absent */
/* The n-th token of the subject, from 0; "" if there is none. */
const char *record_token(const struct record_item *i, unsigned n, char *at, size_t size);

/* The entries of a journal: kind is a word as "END", NULL: any. */
size_t record_entries(const struct record *r, const char *run, const char *kind);
const struct record_item *record_entry(const struct record *r, const char *run,
                                       const char *kind, size_t n);
/* All of one run's journal, to stderr. */
void record_print(const struct record *r, const char *run);

#endif
