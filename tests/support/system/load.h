/*
 * load - many submits at once, each under its own key, repeated with the same key until somebody
 * says yes or no: what a careful client does.
 *
 * Pumped by world_turn(); answers come on a thread of nats.c.
 */
#ifndef SUPPORT_SYSTEM_LOAD_H
#define SUPPORT_SYSTEM_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world;

struct load_item {
    char key[48];
    char run[27];  /* "" until answered */
    char code[32]; /* of a refusal */
    const char *tenant;
    bool accepted, refused;
    unsigned sent; /* times */
    int64_t sent_ms, next_ms, answered_ms, first_ms;
};

struct load_spec {
    const char *const *tenants; /* in turn; ends with NULL */
    unsigned runs;
    unsigned window; /* unanswered at once; 0: 256 */
    unsigned per_s;  /* at most so many new ones a second; 0: as many as go */
    const char *
        body; /* the submit's fields beside the key: "\"flow\":{…}"; the word @N becomes the item's number */
    const char *prefix; /* of keys; NULL: "k" */
};

struct load;

/* `spec` and what it points to must outlive the load. The world frees it at its end. */
struct load *load_start(struct world *w, const struct load_spec *spec);
void load_free(struct load *l);

void load_pump(struct load *l);
size_t load_answered(struct load *l); /* accepted or refused */
bool load_done(struct load *l);       /* all are */
size_t load_count(const struct load *l);
/* A copy, at any time. */
struct load_item load_item(struct load *l, size_t n);

#endif
