/*
 * client - a user with a NATS connection: asks, publishes, writes KV values; blocking.
 *
 * An answer keeps the text as it came, and as JSON.
 */
#ifndef SUPPORT_SYSTEM_CLIENT_H
#define SUPPORT_SYSTEM_CLIENT_H

#include <jansson.h>
#include <nats/nats.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world;

struct client {
    struct world *world;
    natsConnection *nc;
    jsCtx *js;
};

struct answer {
    natsStatus status; /* NATS_OK, NATS_TIMEOUT, NATS_NO_RESPONDERS, … */
    natsMsg *msg;
    json_t *json; /* NULL: the body is none */
    int64_t ms;
};

struct client *client_new(struct world *w);
void client_free(struct client **slot);

/* Always gives an answer; answer_deinit frees it. */
struct answer client_ask(struct client *c, const char *subject, const void *body, size_t len,
                         int timeout_ms);
struct answer client_ask_text(struct client *c, const char *subject, const char *body);
void answer_deinit(struct answer *a);

/* "" if absent. */
const char *answer_header(const struct answer *a, const char *name);
const char *answer_text(const struct answer *a, const char *path); /* "errors.0.pointer" */
int64_t answer_number(const struct answer *a, const char *path);   /* -1: absent */
const char *answer_body(const struct answer *a, size_t *ret_len);
const json_t *json_path(const json_t *doc, const char *path);

/* Submits and returns the run id; any other answer fails the test.  `body` is the JSON text. */
void client_submit(struct client *c, const char *tenant, const char *body, char ret_run[27]);
/* The present status ("queued" …), "" if there is no such run. */
void client_status(struct client *c, const char *tenant, const char *run, char ret[32]);
bool client_status_is(struct client *c, const char *tenant, const char *run,
                      const char *status);
/* `get`; fails the test if it is no answer. */
struct answer client_get(struct client *c, const char *tenant, const char *run);

/* Is this upstream known: does the door take a flow that names it, and the limiter say how it is? */
bool client_knows(struct client *c, const char *tenant, const char *upstream);

/* Writes a KV value and waits for the answer of the server. */
void client_put(struct client *c, const char *bucket, const char *key, const char *value);

/* Number of messages in a stream; -1: no such stream or no answer. */
int64_t client_count(struct client *c, const char *stream);
/* The same of the subjects that match. */
int64_t client_count_of(struct client *c, const char *stream, const char *filter);
/* Number of its subjects: of the journal, runs. */
int64_t client_subjects(struct client *c, const char *stream);
void client_delete_stream(struct client *c, const char *stream);

/* At one moment nobody waits and nobody has a job. */
bool client_idle(struct client *c);

#endif
