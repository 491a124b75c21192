/*
 * err - what went wrong, as a value: the kind says what to do next.
 *
 * By value, owns nothing, travels in two registers.  Foreign numbers are
 * translated once, at the edge of the room that knows the library.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))

enum err_kind {
    ERR_NONE = 0,
    ERR_RETRY,    /* refused for now, certainly not done           -> nak with delay     */
    ERR_UNKNOWN,  /* no answer: done or not, nobody knows          -> ask or read back   */
    ERR_REJECT,   /* never will: malformed, too big, forbidden     -> term, dead letter  */
    ERR_ABSENT,   /* no such thing                                 -> the caller decides */
    ERR_CONFLICT, /* someone was faster: stale revision, duplicate -> read again, decide */
    ERR_FULL,     /* a limit is reached, ours or the server's      -> push back          */
    ERR_LOST,     /* it is another's now: lease lost               -> say nothing        */
    ERR_FATAL,    /* this process cannot go on                     -> drain and exit     */
};

/* Whose number `code` is. */
enum err_from {
    ERR_FROM_US = 0,
    ERR_FROM_ERRNO,
    ERR_FROM_NATS,      /* natsStatus          */
    ERR_FROM_JETSTREAM, /* err_code of the API */
    ERR_FROM_UV,
    ERR_FROM_CURL,
    ERR_FROM_HTTP, /* a status */
};

struct err {
    const char *what; /* a string literal: what we were doing */
    int32_t code;     /* the foreign number, 0 if none        */
    uint8_t kind;     /* enum err_kind                        */
    uint8_t from;     /* enum err_from                        */
};

_Static_assert(sizeof(struct err) <= 16, "struct err travels in two registers");

#define OK ((struct err){0})

static inline bool failed(struct err e)
{
    return e.kind != ERR_NONE;
}

/* An error of our own making.  what: a string literal. */
struct err err_of(enum err_kind kind, const char *what);

/* An error with a foreign number. */
struct err err_from(enum err_kind kind, const char *what, enum err_from from, int32_t code);

/* From errno: kind by meaning (ENOENT: ABSENT, EAGAIN: RETRY, ENOMEM...: FATAL, else
   REJECT). */
struct err err_errno(int number, const char *what);

/* "retry", "unknown", ...: a stable word for logs and metrics. */
const char *err_kind_name(enum err_kind kind);

/* Writes "what: retry (jetstream 10071)" into at, always terminated; returns at. */
const char *err_text(struct err e, char *at, unsigned long size);

#endif
