/*
 * bw_profile - how one kind of agent API is spoken: a profile is data.  Pure.
 *
 * It knows paths, field names, the words of statuses and the texts of errors; what an answer
 * means for a run is bw_agent_judge and bw_agent_read, and the sending is bw_agent.
 */
#ifndef BW_PROFILE_H
#define BW_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "bw_driver.h"
#include "json/json.h"

enum { BW_PROFILE_VERBS = BW_SCREENSHOT + 1 };

/* What an agent says of its command. */
enum bw_said { BW_SAID_DONE, BW_SAID_CONTINUE, BW_SAID_ASK, BW_SAID_UNSURE };

/* What an error is, where its status alone does not say. */
enum bw_text {
    BW_TEXT_LOST,
    BW_TEXT_BUSY,
    BW_TEXT_CREDIT,
    BW_TEXT_CONCURRENCY,
    BW_TEXT_RATE,
    BW_TEXTS
};

struct bw_profile_call {
    const char *method;       /* NULL: this kind of API cannot */
    const char *path;         /* "{id}" is the session */
    const char *label;        /* for the call log: no id in it, for an id is a capability */
    const char *const *takes; /* fields of the body, by their wire names; NULL: no body */
    bool session;             /* the session is a field of the body */
};

struct bw_profile_alias {
    const char *alias, *wire;
};

struct bw_profile_status {
    const char *word; /* upper case, '_' for blanks and '-' */
    enum bw_said said;
};

struct bw_profile {
    const char *name;
    const char *key_header;
    const char *start_url;                          /* of an open that names none */
    struct bw_profile_call calls[BW_PROFILE_VERBS]; /* by enum bw_verb */
    const struct bw_profile_alias *aliases;         /* ends with a NULL */
    const struct bw_profile_status *statuses;       /* ends with a NULL */
    const char *session_field, *message_field, *status_field, *url_field, *rows_field,
        *list_field, *picture_field;
    const char *texts[BW_TEXTS]; /* extended regular expressions, case ignored */
    unsigned again_max;          /* how often a command that goes on is sent again */
};

const struct bw_profile *bw_profile_find(const char *name); /* NULL: not known */

/* Can a session of this API do that step?  REJECT with why. */
MUST_USE struct err bw_profile_check(const struct bw_profile *profile, enum bw_verb verb,
                                     const struct json *body, char *why, size_t why_size);

/* Appends the URL of a call. */
void bw_profile_url(const struct bw_profile *profile, enum bw_verb verb, const char *base,
                    const char *remote_id, struct buf *to);

/* What is sent for a step's body (which may be NULL); new.  NULL: the call has none. */
struct json *bw_profile_body(const struct bw_profile *profile, enum bw_verb verb,
                             const char *remote_id, const struct json *body);

enum bw_said bw_profile_said(const struct bw_profile *profile, const char *status);

/* Does the text of an error match? */
bool bw_profile_text(const struct bw_profile *profile, enum bw_text text, const char *error);
/* The same for any such expression; one that does not compile matches nothing. */
bool bw_profile_matches(const char *expression, const char *error);

#endif
